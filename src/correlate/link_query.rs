use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::{Correlate, CorrelationId};
use crate::twilio::{MessageForm, decode};

/// Correlates by a link in the message's text: the value of its query
/// parameter `name`.
///
/// The link may stand anywhere in `Body`, with or without a scheme, before
/// punctuation or in brackets; of several links the first that has the
/// parameter counts. Name and value are decoded as a form is, which is how
/// [`query`](crate::source::query) and axum's `Query` read them when the link is
/// clicked. A parameter in the fragment (`#/confirm?id=…`) counts if the query
/// has none. A link ends where an address can hold the character no longer, so
/// one that is followed directly by text of another script is found too.
///
/// ```
/// use tower_message_feedback::{Correlate, CorrelationId, MessageForm, link_query};
///
/// let form = MessageForm::new(
///     b"Body=Open%20to+confirm%3A+https%3A%2F%2Fwww.example.com%2Fconfirm%3Fid%3D1234567890.",
/// );
/// assert_eq!(link_query("id").correlate(&form), Some(CorrelationId::new("1234567890")));
/// ```
#[must_use]
pub fn link_query(name: impl Into<Cow<'static, str>>) -> LinkQuery {
    LinkQuery { name: name.into() }
}

/// The rule of [`link_query`].
#[derive(Debug, Clone)]
pub struct LinkQuery {
    name: Cow<'static, str>,
}

impl Correlate for LinkQuery {
    fn correlate(&self, form: &MessageForm<'_>) -> Option<CorrelationId> {
        form.get_all("Body").find_map(|body| find_in_text(&body, &self.name))
    }
}

fn find_in_text(text: &str, name: &str) -> Option<CorrelationId> {
    words(text)
        // What has no query has no parameter; most words of a text are none.
        .filter(|word| memchr(b'?', word.as_bytes()).is_some())
        .filter_map(without_punctuation)
        .find_map(|link| find_in_link(link, name))
}

/// The parts of a text that can stand in a link.
fn words(text: &str) -> impl Iterator<Item = &str> {
    // Every byte that may is a character of its own.
    text.as_bytes()
        .split(|byte| !MAY_STAND_IN_LINK[usize::from(*byte)])
        .filter_map(|word| std::str::from_utf8(word).ok())
}

/// What RFC 3986 allows, and the brackets that people leave unescaped.
const MAY_STAND_IN_LINK: [bool; 256] = {
    let mut may = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        may[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b"-._~:/?#[]@!$&'()*+,;=%{}|";
    let mut at = 0;
    while at < marks.len() {
        may[marks[at] as usize] = true;
        at += 1;
    }
    may
};

/// The link without the punctuation of the sentence around it, as phones cut it.
fn without_punctuation(link: &str) -> Option<&str> {
    let link = link[scheme_start(link)..].trim_start_matches(|c: char| !c.is_alphanumeric());
    // Counted once, so that a long run of brackets costs no more than its length.
    let mut brackets = Brackets::of(link);
    let mut end = link.len();
    while let Some(&last) = link.as_bytes()[..end].last() {
        let stray = match last {
            b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b'*' | b'|' => true,
            _ => brackets.is_stray(last),
        };
        if !stray {
            return Some(&link[..end]);
        }
        brackets.strip(last);
        // Every character of a link is ASCII.
        end -= 1;
    }
    None
}

/// Where the link's own scheme begins; a `://` behind its path or query belongs
/// to another link that it carries.
fn scheme_start(link: &str) -> usize {
    let Some(colon) = scheme_end(link) else { return 0 };
    let before = &link[..colon];
    if before.contains(['/', '?', '#']) {
        return 0;
    }
    before.rfind(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).map_or(0, |at| at + 1)
}

/// Where the first `://` stands.
fn scheme_end(link: &str) -> Option<usize> {
    memchr_iter(b':', link.as_bytes()).find(|at| link[*at..].starts_with("://"))
}

/// How many more brackets of each kind open than close.
struct Brackets([i32; 3]);

impl Brackets {
    fn of(link: &str) -> Self {
        let mut brackets = Self([0; 3]);
        for byte in link.bytes() {
            if let Some((kind, change)) = bracket(byte) {
                brackets.0[kind] += change;
            }
        }
        brackets
    }

    /// Whether `last` closes what nothing opens.
    fn is_stray(&self, last: u8) -> bool {
        matches!(bracket(last), Some((kind, -1)) if self.0[kind] < 0)
    }

    fn strip(&mut self, last: u8) {
        if let Some((kind, change)) = bracket(last) {
            self.0[kind] -= change;
        }
    }
}

fn bracket(byte: u8) -> Option<(usize, i32)> {
    Some(match byte {
        b'(' => (0, 1),
        b')' => (0, -1),
        b'[' => (1, 1),
        b']' => (1, -1),
        b'{' => (2, 1),
        b'}' => (2, -1),
        _ => return None,
    })
}

fn find_in_link(link: &str, name: &str) -> Option<CorrelationId> {
    let (before_fragment, fragment) = link.split_once('#').unwrap_or((link, ""));
    let (address, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    if !is_address(address) {
        return None;
    }
    let in_fragment = fragment.split_once('?').map_or("", |(_, query)| query);
    find_in_query(query, name).or_else(|| find_in_query(in_fragment, name))
}

/// A scheme, or a host with a dot in it (`example.com/confirm`).
fn is_address(address: &str) -> bool {
    if let Some(at) = scheme_end(address) {
        let (scheme, rest) = (&address[..at], &address[at + 3..]);
        return !rest.is_empty() && scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    }
    let host = address.split('/').next().unwrap_or_default();
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && !rest.is_empty())
}

/// The first value of `name` in a query that is not empty.
pub(crate) fn find_in_query(query: &str, name: &str) -> Option<CorrelationId> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, value)| !value.is_empty() && (*key == name || decode(key.as_bytes()) == name))
        .map(|(_, value)| CorrelationId::from(decode(value.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_found_as_people_write_it() {
        for text in [
            "Open to confirm: https://www.example.com/confirm?id=1234567890",
            "https://example.com/confirm?id=1234567890.",
            "Click (https://example.com/confirm?id=1234567890)!",
            "<https://example.com/confirm?id=1234567890>",
            "[here](https://example.com/confirm?id=1234567890)",
            "\"https://example.com/confirm?id=1234567890\", thanks",
            "https://example.com/confirm?id=1234567890…",
            "请点击https://example.com/confirm?id=1234567890。谢谢",
            "example.com/confirm?id=1234567890",
            "www.example.com?id=1234567890",
            "http://localhost:8080/confirm?id=1234567890",
            "myapp://confirm?id=1234567890",
            "https://example.com/confirm?utm=sms&id=1234567890&x=1",
            "https://example.com/confirm?id=1234567890#top",
            "https://example.com/#/confirm?id=1234567890",
            "https://example.com/confirm?i%64=12345%3678%390",
            "Help: https://example.com/help?topic=1 Confirm: https://example.com/c?id=1234567890",
            "https://example.com/c?id=&id=1234567890",
            "https://example.com/a(b)?id=1234567890",
            "((https://example.com/a(b)?id=1234567890)))]",
            "example.com/c?id=1234567890&next=https://x.com/",
            "line\nhttps://example.com/c?id=1234567890\nline",
        ] {
            assert_eq!(find_in_text(text, "id"), Some(CorrelationId::new("1234567890")), "{text}");
        }
        assert_eq!(
            find_in_text("x https://e.com/?id=a+b%20c%2F~_-.", "id"),
            Some(CorrelationId::new("a b c/~_-"))
        );
    }

    #[test]
    fn a_text_of_brackets_costs_no_more_than_its_length() {
        let text = format!("a{}", ")".repeat(1 << 20));
        assert_eq!(find_in_text(&text, "id"), None);
        let text = format!("https://e.com/?id=1{}", ")".repeat(1 << 20));
        assert_eq!(find_in_text(&text, "id"), Some(CorrelationId::new("1")));
    }

    #[test]
    fn what_is_no_link_or_has_no_id_is_passed_over() {
        for text in [
            "",
            "id=1234567890",
            "?id=1234567890",
            "really?id=1234567890",
            "https://example.com/confirm?id=",
            "https://example.com/confirm?id",
            "https://example.com/confirm?ID=1",
            "https://example.com/confirm?xid=1",
            "https://example.com/id=1",
            "Your code is 4711.",
            "https://?id=1",
            ".?id=1",
        ] {
            assert_eq!(find_in_text(text, "id"), None, "{text}");
        }
    }
}
