//! The replies that answer a sender and no message.

/// What Twilio itself acts on by default, and `INFO` and `HELP`, which carriers ask
/// every sender to answer. `YES`, which Twilio takes for `START` from those who opted
/// out, is not among them: it is what most messages ask for.
/// <https://help.twilio.com/articles/223134027>
const KEYWORDS: [&str; 12] = [
    "STOP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "OPTOUT",
    "REVOKE",
    "START",
    "UNSTOP",
    "HELP",
    "INFO",
];

/// Whether a reply's text is one of them and nothing else, in any letter case and
/// whatever stands around it.
pub(crate) fn is_keyword(body: &str) -> bool {
    let word = body.trim_matches(|c: char| !c.is_alphanumeric());
    KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

#[cfg(test)]
mod tests {
    use super::is_keyword;

    #[test]
    fn keywords_are_known_however_they_are_typed() {
        for body in ["STOP", "stop", " Stop.\n", "\"STOP\"", "Unsubscribe!", "help", "Info?"] {
            assert!(is_keyword(body), "{body}");
        }
        for body in ["", "YES", "4711", "Stop it", "don't stop", "helping", "1"] {
            assert!(!is_keyword(body), "{body}");
        }
    }
}
