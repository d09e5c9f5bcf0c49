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
    rest: &'a [u8],
}

/// More than a create has.
const FIRST: usize = 12;

/// A field's name and value, as they were sent.
type RawPair<'a> = (&'a [u8], &'a [u8]);

impl<'a> MessageForm<'a> {
    /// Reads `raw` as `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn new(raw: &'a [u8]) -> Self {
        let mut pairs = Pairs(raw);
        let mut first = [(&[][..], &[][..]); FIRST];
        let mut count = 0;
        for (place, pair) in first.iter_mut().zip(&mut pairs) {
            *place = pair;
            count += 1;
        }
        Self { first, count, rest: pairs.0 }
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
        self.pairs().find(|(key, _)| key_is(key, name)).map(|(_, value)| value)
    }

    /// Every value of the field `name`, in the order of the form.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.pairs().filter(move |(key, _)| key_is(key, name)).map(|(_, value)| decode(value))
    }

    /// Every field with its value, decoded, in the order of the form.
    pub fn fields(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        self.pairs().map(|(key, value)| (decode(key), decode(value)))
    }

    /// Every field with its value, in their own bytes.
    pub(super) fn raw_fields(&self) -> impl Iterator<Item = RawField<'a>> + use<'a> {
        self.pairs().map(|(key, value)| (decode_bytes(key), decode_bytes(value)))
    }

    fn pairs(&self) -> impl Iterator<Item = RawPair<'a>> + use<'a> {
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

fn key_is(raw: &[u8], name: &str) -> bool {
    raw == name.as_bytes() || (is_encoded(raw) && decode(raw) == name)
}

fn is_encoded(raw: &[u8]) -> bool {
    memchr2(b'%', b'+', raw).is_some()
}

/// Decodes one key or value of a form or of a query. Bytes that are not UTF-8
/// are replaced.
pub(crate) fn decode(raw: &[u8]) -> Cow<'_, str> {
    match decode_bytes(raw) {
        Cow::Borrowed(raw) => String::from_utf8_lossy(raw),
        Cow::Owned(decoded) => Cow::Owned(match String::from_utf8(decoded) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}

/// The same without an allocation, if it fits into `buffer`.
pub(crate) fn decode_within<'a, const N: usize>(
    raw: &'a [u8],
    buffer: &'a mut [u8; N],
) -> Cow<'a, str> {
    if raw.len() > N || !is_encoded(raw) {
        return decode(raw);
    }
    let mut length = 0;
    decode_to(raw, |some| {
        buffer[length..length + some.len()].copy_from_slice(some);
        length += some.len();
    });
    String::from_utf8_lossy(&buffer[..length])
}

fn decode_bytes(raw: &[u8]) -> Cow<'_, [u8]> {
    if !is_encoded(raw) {
        return Cow::Borrowed(raw);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    decode_to(raw, |some| decoded.extend_from_slice(some));
    Cow::Owned(decoded)
}

/// Hands `write` the decoded bytes, no more in all than `raw` has.
fn decode_to(mut raw: &[u8], mut write: impl FnMut(&[u8])) {
    while let Some(at) = memchr2(b'%', b'+', raw) {
        write(&raw[..at]);
        let digits = |from: &[u8]| Some([hex::digit(*from.first()?)?, hex::digit(*from.get(1)?)?]);
        let (byte, length) = match raw[at] {
            b'+' => (b' ', 1),
            percent => match digits(&raw[at + 1..]) {
                Some([high, low]) => (high << 4 | low, 3),
                // It stands for itself.
                None => (percent, 1),
            },
        };
        write(&[byte]);
        raw = &raw[at + length..];
    }
    write(raw);
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
