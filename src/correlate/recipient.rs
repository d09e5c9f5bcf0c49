use super::{Correlate, CorrelationId};
use crate::twilio::MessageForm;

/// Correlates by the recipient: the field `To` of the send.
///
/// The newest message to a number is then the one that
/// [`CorrelationId::recipient`] confirms. Confirm it only after the user has
/// proved to be the recipient, by entering the code for example.
///
/// ```
/// use tower_message_feedback::{Correlate, CorrelationId, MessageForm, recipient};
///
/// let form = MessageForm::new(b"To=%2B15558675310&Body=4711");
/// assert_eq!(recipient().correlate(&form), Some(CorrelationId::recipient("+1 (555) 867-5310")));
/// ```
#[must_use]
pub fn recipient() -> Recipient {
    Recipient(())
}

/// The rule of [`recipient()`].
#[derive(Debug, Clone, Copy)]
pub struct Recipient(());

impl Correlate for Recipient {
    fn correlate(&self, form: &MessageForm<'_>) -> Option<CorrelationId> {
        form.get("To").map(|to| CorrelationId::recipient(&to))
    }
}

/// One spelling for an address: a number in international form without its
/// channel and its punctuation, anything else trimmed.
pub(super) fn normalise(address: &str) -> String {
    let address = address.trim();
    let number = address.split_once(':').map_or(address, |(_, number)| number).trim_start();
    if !number.starts_with('+') {
        return address.to_owned();
    }
    let spelling = |c: char| c.is_whitespace() || matches!(c, '-' | '.' | '(' | ')' | '\u{2011}');
    let digits: String = number.chars().filter(|&c| !spelling(c)).collect();
    if digits[1..].bytes().all(|digit| digit.is_ascii_digit()) {
        digits
    } else {
        address.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn one_number_has_one_spelling() {
        for spelling in
            ["+15558675310", " +1 555 867-5310", "+1 (555) 867.5310", "whatsapp:+15558675310"]
        {
            assert_eq!(normalise(spelling), "+15558675310");
        }
        assert_eq!(normalise("messenger:4711"), "messenger:4711");
        assert_eq!(normalise("555 867"), "555 867");
        assert_eq!(normalise("+1 555 CALL"), "+1 555 CALL");
        assert_eq!(normalise(""), "");
        assert_eq!(normalise("+"), "+");
    }
}
