//! `X-Twilio-Signature`, which every webhook carries.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, Mac};
use sha1::Sha1;

/// The signature of a webhook: `url` exactly as it was configured, and the
/// fields of its form; none for a GET, and for a body that is not a form.
///
/// Fields count in the order of their names, a name's values in their own order
/// and each once.
pub(crate) fn sign<N, V>(token: &str, url: &str, fields: &[(N, V)]) -> String
where
    N: AsRef<str>,
    V: AsRef<str>,
{
    let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(token.as_bytes())
        .expect("HMAC takes a key of any length");
    mac.update(url.as_bytes());
    let sorted: BTreeSet<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
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
