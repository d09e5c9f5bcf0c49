use std::{borrow::Cow, fmt};

use percent_encoding::percent_decode;

/// The form of a create, as it was sent: what a [`Correlate`] rule reads.
///
/// Fields are decoded when they are asked for. `Debug` shows no field.
///
/// [`Correlate`]: crate::Correlate
#[derive(Clone, Copy)]
pub struct MessageForm<'a> {
    raw: &'a [u8],
}

impl<'a> MessageForm<'a> {
    /// Reads `raw` as `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn new(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The first value of the field `name`, for example `"To"` or `"Body"`.
    ///
    /// Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get_all(name).next()
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

    fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.raw.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| match pair
            .iter()
            .position(|&byte| byte == b'=')
        {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[pair.len()..]),
        })
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
    raw.iter().any(|&byte| byte == b'%' || byte == b'+')
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

fn decode_bytes(raw: &[u8]) -> Cow<'_, [u8]> {
    if !is_encoded(raw) {
        return Cow::Borrowed(raw);
    }
    let mut decoded = Vec::with_capacity(raw.len());
    for (index, word) in raw.split(|&byte| byte == b'+').enumerate() {
        if index > 0 {
            decoded.push(b' ');
        }
        decoded.extend(percent_decode(word));
    }
    Cow::Owned(decoded)
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
