use std::borrow::Cow;

use http::{HeaderMap, header::CONTENT_ENCODING};

use crate::twilio::is_encoded;

/// How an answer that can be read is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentEncoding {
    Identity,
    Gzip,
}

impl ContentEncoding {
    /// `None` for one that cannot be read.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        if !is_encoded(headers) {
            return Some(Self::Identity);
        }
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        let first = encodings.next()?.as_bytes().trim_ascii();
        let is_gzip = first.eq_ignore_ascii_case(b"gzip") || first.eq_ignore_ascii_case(b"x-gzip");
        let can_be_read = cfg!(feature = "gzip") && is_gzip && encodings.next().is_none();
        can_be_read.then_some(Self::Gzip)
    }

    /// The bytes that `body` stands for, if they are no more than `max`.
    pub(crate) fn decode(self, body: &[u8], max: usize) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Identity => Some(body.into()),
            Self::Gzip => gunzip(body, max).map(Cow::Owned),
        }
    }
}

#[cfg(feature = "gzip")]
fn gunzip(body: &[u8], max: usize) -> Option<Vec<u8>> {
    use std::io::Read;

    let mut decoded = Vec::new();
    let decoder = flate2::bufread::MultiGzDecoder::new(body);
    decoder.take(max as u64 + 1).read_to_end(&mut decoded).ok()?;
    (decoded.len() <= max).then_some(decoded)
}

#[cfg(not(feature = "gzip"))]
fn gunzip(_: &[u8], _: usize) -> Option<Vec<u8>> {
    None
}

#[cfg(all(test, feature = "gzip"))]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_compressed_is_read_up_to_its_bound_and_not_cut() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&[b'x'; 1000]).unwrap();
        let body = encoder.finish().unwrap();
        for max in [1000, 1001, usize::MAX - 1] {
            let decoded = ContentEncoding::Gzip.decode(&body, max);
            assert_eq!(decoded.map(|decoded| decoded.len()), Some(1000), "{max}");
        }
        assert_eq!(ContentEncoding::Gzip.decode(&body, 999), None);
        assert_eq!(ContentEncoding::Gzip.decode(&body[..body.len() - 9], 1000), None);
    }
}
