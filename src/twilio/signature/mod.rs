//! `X-Twilio-Signature`, which every webhook carries.

mod url;
mod verifier;

#[cfg(feature = "simulator")]
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac, digest::KeyInit};
use sha1::Sha1;
use sha2::Sha256;

pub use self::verifier::{SignatureError, SignatureVerifier};

/// The signature of a webhook: `url` exactly as it was configured, and the
/// fields of its form; none for a GET, and for a body that is not a form.
#[cfg(feature = "simulator")]
pub(crate) fn sign<N, V>(token: &str, url: &str, fields: &[(N, V)]) -> String
where
    N: AsRef<[u8]>,
    V: AsRef<[u8]>,
{
    let mut fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    put_in_order(&mut fields);
    BASE64_STANDARD
        .encode(mac::<Hmac<Sha1>>(token, url, fields.into_iter()).finalize().into_bytes())
}

/// Fields count in the order of their names, a name's values in their own order
/// and each once.
fn put_in_order<F: Ord>(fields: &mut Vec<F>) {
    fields.sort_unstable();
    fields.dedup();
}

/// How a webhook is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    /// With an account's auth token.
    HmacSha1,
    /// With a shared key.
    HmacSha256,
}

impl Algorithm {
    /// What `X-Twilio-Webhooks-Signature-Settings` says: `key=…,algorithm=HMAC_SHA256`,
    /// as Twilio's SDK for Python reads it since 9.13.
    fn of(settings: Option<&[u8]>) -> Option<Self> {
        let named = settings.unwrap_or_default().split(|&byte| byte == b',').find_map(|part| {
            let value = part.trim_ascii().strip_prefix(b"algorithm")?.trim_ascii_start();
            Some(value.strip_prefix(b"=")?.trim_ascii()).filter(|value| !value.is_empty())
        });
        match named {
            None => Some(Self::HmacSha1),
            Some(named) if named.eq_ignore_ascii_case(b"HMAC_SHA1") => Some(Self::HmacSha1),
            Some(named) if named.eq_ignore_ascii_case(b"HMAC_SHA256") => Some(Self::HmacSha256),
            Some(_) => None,
        }
    }

    /// Whether `digest` is the signature, told in a time that does not depend on it.
    fn verify<'a>(
        self,
        digest: &[u8],
        token: &str,
        url: &str,
        ordered_fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> bool {
        match self {
            Self::HmacSha1 => mac::<Hmac<Sha1>>(token, url, ordered_fields).verify_slice(digest),
            Self::HmacSha256 => {
                mac::<Hmac<Sha256>>(token, url, ordered_fields).verify_slice(digest)
            }
        }
        .is_ok()
    }
}

fn mac<'a, M: Mac + KeyInit>(
    token: &str,
    url: &str,
    ordered_fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> M {
    let mut mac =
        <M as Mac>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(url.as_bytes());
    for (name, value) in ordered_fields {
        mac.update(name);
        mac.update(value);
    }
    mac
}

#[cfg(all(test, feature = "simulator"))]
mod tests {
    use super::*;

    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const NONE: &[(&str, &str)] = &[];

    #[test]
    fn twilios_own_examples_are_signed_as_twilio_signs_them() {
        let call = [
            ("To", "+18005551212"),
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("From", "+14158675309"),
            ("Digits", "1234"),
        ];
        assert_eq!(sign("12345", URL, &call), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let other = [("property", "value"), ("boolean", "true")];
        assert_eq!(sign("12345", URL, &other), "NBdBDr/T/lgjI+tlgpXjKZQZs/k=");
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        let json = format!("{URL}&bodySHA256={hash}");
        assert_eq!(sign("12345", &json, NONE), "a9nBmqA0ju/hNViExpshrM61xv4=");
    }

    #[test]
    fn an_algorithm_that_is_unknown_is_none_and_no_algorithm_is_twilios_first() {
        for (settings, algorithm) in [
            ("", Some(Algorithm::HmacSha1)),
            ("key=1", Some(Algorithm::HmacSha1)),
            ("algorithm=", Some(Algorithm::HmacSha1)),
            ("key=1, algorithm = hmac_sha1", Some(Algorithm::HmacSha1)),
            ("algorithm=HMAC_SHA256,key=1", Some(Algorithm::HmacSha256)),
            ("algorithm=HMAC_MD5", None),
            ("algorithm=none", None),
        ] {
            assert_eq!(Algorithm::of(Some(settings.as_bytes())), algorithm, "{settings}");
        }
        assert_eq!(Algorithm::of(None), Some(Algorithm::HmacSha1));
    }

    #[test]
    fn every_part_of_a_webhook_counts() {
        let base = sign("12345", URL, &[("A", "1")]);
        assert_ne!(sign("12346", URL, &[("A", "1")]), base);
        assert_ne!(sign("12345", &URL.replace("https", "http"), &[("A", "1")]), base);
        assert_ne!(sign("12345", URL, &[("A", "2")]), base);
        assert_ne!(sign("12345", URL, &[("a", "1")]), base);
        assert_ne!(sign("12345", URL, NONE), base);
    }

    #[test]
    fn a_repeated_name_counts_with_each_value_once_and_an_empty_value_as_its_name() {
        let sorted = sign("t", URL, &[("A", "1"), ("A", "2"), ("B", "")]);
        assert_eq!(sign("t", URL, &[("B", ""), ("A", "2"), ("A", "1"), ("A", "2")]), sorted);
        assert_eq!(sign("t", &format!("{URL}A1A2B"), NONE), sorted);
    }
}
