use std::{borrow::Cow, fmt};

use memchr::{memchr, memchr2};

use super::hex;

/// The form of a create, as it was sent: what a [`Correlate`] rule reads.
///
/// Fields are decoded when they are asked for. `Debug` shows no field.
///
/// [`Correlate`]: crate::Correlate
#[derive(Clone, Copy)]
pub struct MessageForm<'a> {
    /// The first fields: it is scanned once, however many are asked for.
    first: [RawPair<'a>; FIRST],
    count: usize,
    /// Whether the name of one of them is encoded, as no client does it.
    has_encoded_name: bool,
    rest: &'a [u8],
}

/// More than a create has.
const FIRST: usize = 8;

/// A field's name and value, as they were sent.
type RawPair<'a> = (&'a [u8], &'a [u8]);

impl<'a> MessageForm<'a> {
    /// Reads `raw` as `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn new(raw: &'a [u8]) -> Self {
        let mut pairs = Pairs(raw);
        let mut first = [(&[][..], &[][..]); FIRST];
        let mut count = 0;
        let mut has_encoded_name = false;
        for (place, pair) in first.iter_mut().zip(&mut pairs) {
            *place = pair;
            count += 1;
            has_encoded_name |= pair.0.iter().any(|&byte| byte == b'%' || byte == b'+');
        }
        Self { first, count, has_encoded_name, rest: pairs.0 }
    }

    /// The first value of the field `name`, for example `"To"` or `"Body"`.
    ///
    /// Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get_raw(name).map(decode)
    }

    /// The first value of the field `name`, as it was sent.
    pub(crate) fn get_raw(&self, name: &str) -> Option<&'a [u8]> {
        self.all_raw(name).next()
    }

    /// Every value of the field `name`, as it was sent.
    pub(crate) fn all_raw(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let first = self.first[..self.count].iter().copied();
        let first = first.filter(move |(key, _)| match self.has_encoded_name {
            true => decode(key) == name,
            false => *key == name.as_bytes(),
        });
        let rest = Pairs(self.rest).filter(move |(key, _)| decode(key) == name);
        first.chain(rest).map(|(_, value)| value)
    }

    /// Every value of the field `name`, in the order of the form.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.all_raw(name).map(decode)
    }

    /// Every field with its value, decoded, in the order of the form.
    pub fn fields(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        self.pairs().map(|(key, value)| (decode(key), decode(value)))
    }

    /// Every field with its value, in their own bytes.
    pub(super) fn raw_fields(&self) -> impl Iterator<Item = RawField<'a>> + use<'a> {
        self.pairs().map(|(key, value)| (decode_bytes(key), decode_bytes(value)))
    }

    fn pairs(self) -> impl Iterator<Item = RawPair<'a>> + use<'a> {
        self.first.into_iter().take(self.count).chain(Pairs(self.rest))
    }
}

/// The fields of what is left of a form.
struct Pairs<'a>(&'a [u8]);

impl<'a> Iterator for Pairs<'a> {
    type Item = RawPair<'a>;

    fn next(&mut self) -> Option<RawPair<'a>> {
        loop {
            if self.0.is_empty() {
                return None;
            }
            let pair = match memchr(b'&', self.0) {
                Some(at) => {
                    let (pair, rest) = self.0.split_at(at);
                    self.0 = &rest[1..];
                    pair
                }
                None => std::mem::take(&mut self.0),
            };
            if !pair.is_empty() {
                return Some(match memchr(b'=', pair) {
                    Some(at) => (&pair[..at], &pair[at + 1..]),
                    None => (pair, &[]),
                });
            }
        }
    }
}

/// A field's name and value, decoded.
pub(super) type RawField<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl fmt::Debug for MessageForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageForm").finish_non_exhaustive()
    }
}

fn is_encoded(raw: &[u8]) -> bool {
    memchr2(b'%', b'+', raw).is_some()
}

/// Decodes one key or value of a form or of a query. Bytes that are not UTF-8
/// are replaced.
pub(crate) fn decode(raw: &[u8]) -> Cow<'_, str> {
    match decode_bytes(raw) {
        Cow::Borrowed(raw) => text(raw),
        Cow::Owned(decoded) => Cow::Owned(match String::from_utf8(decoded) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}

/// The same without an allocation, if it fits into `buffer`.
pub(crate) fn decode_within<'a>(raw: &'a [u8], buffer: &'a mut [u8]) -> Cow<'a, str> {
    if raw.len() > buffer.len() || !is_encoded(raw) {
        return decode(raw);
    }
    let length = decode_to(raw, buffer);
    text(&buffer[..length])
}

/// `from_utf8_lossy` is slow with what is UTF-8.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

fn decode_bytes(raw: &[u8]) -> Cow<'_, [u8]> {
    if !is_encoded(raw) {
        return Cow::Borrowed(raw);
    }
    let mut decoded = vec![0; raw.len()];
    let length = decode_to(raw, &mut decoded);
    decoded.truncate(length);
    Cow::Owned(decoded)
}

/// Writes the decoded bytes into `out`, which is as long as `raw` at least; answers how
/// many they are.
fn decode_to(raw: &[u8], out: &mut [u8]) -> usize {
    let out = &mut out[..raw.len()];
    let (mut read, mut written) = (0, 0);
    while read < raw.len() && written < out.len() {
        out[written] = match raw[read] {
            b'%' => match raw.get(read + 1..read + 3).and_then(escaped) {
                Some(byte) => {
                    read += 2;
                    byte
                }
                // It stands for itself.
                None => b'%',
            },
            b'+' => b' ',
            byte => byte,
        };
        read += 1;
        written += 1;
    }
    written
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let &[high, low] = digits else { return None };
    Some(hex::digit(high)? << 4 | hex::digit(low)?)
}

/// A boolean as SDKs spell it: `true` today, `True` in older Python ones.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn its_debug_form_names_it_and_shows_nothing() {
        let form = MessageForm::new(b"To=%2B15558675310&Body=4711");
        assert_eq!(format!("{form:?}"), "MessageForm { .. }");
    }

    /// Without an index and without haste.
    fn pairs(raw: &[u8]) -> Vec<RawField<'_>> {
        let decoded = |raw: &[u8]| {
            let words = raw.split(|&byte| byte == b'+');
            words.map(|word| percent_decode(word).collect()).collect::<Vec<Vec<u8>>>().join(&b' ')
        };
        let pairs = raw.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let at = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            (decoded(&pair[..at]).into(), decoded(pair.get(at + 1..).unwrap_or_default()).into())
        });
        pairs.collect()
    }

    #[test]
    fn an_encoded_name_is_the_one_that_it_stands_for() {
        let form = MessageForm::new(b"a+b=1&a%2Bb=2");
        assert_eq!(form.get("a+b").as_deref(), Some("2"));
        assert_eq!(form.get("a b").as_deref(), Some("1"));
    }

    proptest! {
        #[test]
        fn every_field_is_found_in_its_order(raw in "([a-c%=+&]|%2[56B]|%e9|Body=|é){0,60}") {
            let form = MessageForm::new(raw.as_bytes());
            let expected = pairs(raw.as_bytes());
            prop_assert_eq!(form.raw_fields().collect::<Vec<_>>(), expected.clone());
            let text = |bytes: &Cow<'_, [u8]>| String::from_utf8_lossy(bytes).into_owned();
            let first = expected.iter().find(|(name, _)| text(name) == "Body");
            let first = first.map(|(_, value)| text(value));
            prop_assert_eq!(form.get("Body").map(Cow::into_owned), first.clone());
            let within = form.get_raw("Body").map(|raw| decode_within(raw, &mut [0; 16]).into_owned());
            prop_assert_eq!(within, first);
        }
    }
}
