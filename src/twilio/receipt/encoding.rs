use std::borrow::Cow;
#[cfg(feature = "gzip")]
use std::io::Read;

use http::{HeaderMap, header::CONTENT_ENCODING};

use crate::twilio::is_encoded;

/// How an answer that can be read is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentEncoding {
    Identity,
    #[cfg(feature = "gzip")]
    Gzip,
}

impl ContentEncoding {
    /// `None` for one that cannot be read.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        if !is_encoded(headers) {
            return Some(Self::Identity);
        }
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        let only = encodings.next()?.as_bytes().trim_ascii();
        match encodings.next() {
            None if is_gzip(only) => Self::gzip(),
            _ => None,
        }
    }

    #[cfg(feature = "gzip")]
    #[expect(clippy::unnecessary_wraps, reason = "without the feature there is none")]
    const fn gzip() -> Option<Self> {
        Some(Self::Gzip)
    }

    #[cfg(not(feature = "gzip"))]
    const fn gzip() -> Option<Self> {
        None
    }

    /// The bytes that `body` stands for, if they are no more than `max`.
    #[cfg_attr(not(feature = "gzip"), expect(clippy::unnecessary_wraps, unused_variables))]
    pub(crate) fn decode(self, body: &[u8], max: usize) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Identity => Some(body.into()),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut decoded = Vec::new();
                let decoder = flate2::bufread::MultiGzDecoder::new(body);
                decoder.take(max as u64 + 1).read_to_end(&mut decoded).ok()?;
                (decoded.len() <= max).then_some(decoded.into())
            }
        }
    }
}

fn is_gzip(encoding: &[u8]) -> bool {
    encoding.eq_ignore_ascii_case(b"gzip") || encoding.eq_ignore_ascii_case(b"x-gzip")
}
