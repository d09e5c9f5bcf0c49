use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use super::{Correlate, CorrelationId};
use crate::twilio::{MessageForm, decode, decode_within};

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
        // Twilio takes no longer text than 1600 characters, and few are half as long.
        let mut buffer = [0; 512];
        form.all_raw("Body")
            .find_map(|body| find_in_text(&decode_within(body, &mut buffer), &self.name))
    }
}

fn find_in_text(text: &str, name: &str) -> Option<CorrelationId> {
    words_with_query(text).filter_map(without_punctuation).find_map(|link| find_in_link(link, name))
}

/// The parts of a text that can stand in a link and have a `?`: without a query there is
/// no parameter, and most words of a text have none.
fn words_with_query(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let bytes = rest.as_bytes();
        let mark = memchr(b'?', bytes)?;
        let stands = |byte: &u8| MAY_STAND_IN_LINK[usize::from(*byte)];
        // Every byte that may stand in a link is a character of its own.
        let start = bytes[..mark].iter().rposition(|byte| !stands(byte)).map_or(0, |at| at + 1);
        let end = bytes[mark..].iter().position(|byte| !stands(byte));
        let end = end.map_or(bytes.len(), |length| mark + length);
        let word = &rest[start..end];
        rest = &rest[end..];
        Some(word)
    })
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
    let mut brackets: Option<Brackets> = None;
    let mut end = link.len();
    while let Some(&last) = link.as_bytes()[..end].last() {
        let stray = match last {
            b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b'*' | b'|' => true,
            b')' | b']' | b'}' => {
                brackets.get_or_insert_with(|| Brackets::of(&link[..end])).strip_stray(last)
            }
            _ => false,
        };
        if !stray {
            return Some(&link[..end]);
        }
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

    /// Whether `last` closes what nothing opens; then it does not count any more.
    fn strip_stray(&mut self, last: u8) -> bool {
        let Some((kind, change)) = bracket(last) else { return false };
        let is_stray = change < 0 && self.0[kind] < 0;
        self.0[kind] -= if is_stray { change } else { 0 };
        is_stray
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
    let (before_fragment, fragment) = split_at(link, b'#');
    let (address, query) = split_at(before_fragment, b'?');
    if !is_address(address) {
        return None;
    }
    find_in_query(query, name).or_else(|| find_in_query(split_at(fragment, b'?').1, name))
}

/// What stands before an ASCII character and behind it.
fn split_at(text: &str, byte: u8) -> (&str, &str) {
    memchr(byte, text.as_bytes()).map_or((text, ""), |at| (&text[..at], &text[at + 1..]))
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
        .find(|(key, value)| {
            // What is encoded stands for another name, even if it looks like this one.
            let same = *key == name && !name.contains(['+', '%']);
            !value.is_empty() && (same || decode(key.as_bytes()) == name)
        })
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
    fn an_encoded_name_is_the_one_that_it_stands_for() {
        let found = |query, name| find_in_query(query, name);
        assert_eq!(found("a+b=1&a%2Bb=2", "a+b"), Some(CorrelationId::new("2")));
        assert_eq!(found("a%20=1&a%2520=2", "a%20"), Some(CorrelationId::new("2")));
        assert_eq!(found("a+b=1", "a b"), Some(CorrelationId::new("1")));
        assert_eq!(found("%zz=1", "%zz"), Some(CorrelationId::new("1")));
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
