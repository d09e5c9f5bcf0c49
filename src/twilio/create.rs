//! Recognising a Create Message request, and tagging its form.

use bytes::Bytes;
use http::{
    HeaderMap, Method,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::{AccountSid, MessageForm, form::parse_bool};

const PROVIDE_FEEDBACK: &str = "ProvideFeedback";
const STATUS_CALLBACK: &str = "StatusCallback";

/// What the path of a create says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CreatePath {
    /// The length of everything before `/Accounts/`: a proxy's prefix and the API version.
    pub(crate) prefix: usize,
    pub(crate) account: AccountSid,
}

/// `POST …/Accounts/{AC}/[SMS/]Messages[.json|.xml]`
#[inline]
pub(crate) fn match_create(method: &Method, path: &str) -> Option<CreatePath> {
    if *method == Method::POST { match_path(path) } else { None }
}

fn match_path(path: &str) -> Option<CreatePath> {
    let path = path.strip_suffix(".json").or_else(|| path.strip_suffix(".xml")).unwrap_or(path);
    let path = path.strip_suffix("/Messages")?;
    let path = path.strip_suffix("/SMS").unwrap_or(path);
    let (rest, account) = path.as_bytes().split_last_chunk::<{ AccountSid::LEN }>()?;
    let account = AccountSid::parse(account)?;
    let prefix = rest.strip_suffix(b"/Accounts/")?.len();
    Some(CreatePath { prefix, account })
}

/// Whether the body is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    const FORM: &[u8] = b"application/x-www-form-urlencoded";
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        // As nearly every client writes it.
        if value.as_bytes() == FORM {
            return true;
        }
        let media_type = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(FORM)
    })
}

/// Whether a form says where its status callbacks go, even if that is nowhere.
pub(crate) fn has_status_callback(form: &MessageForm<'_>) -> bool {
    form.get_raw(STATUS_CALLBACK).is_some()
}

/// Whether a body is compressed, so that its bytes say nothing.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Whether a header vouches for the bytes of the body, so that a tag would make
/// Twilio, or a proxy, refuse the send.
///
/// `Twilio-Client-Validation` is Twilio's Public Key Client Validation; the
/// others are RFC 9530, RFC 9421, RFC 3230 and RFC 1864.
pub(crate) fn has_body_digest(headers: &HeaderMap) -> bool {
    // One look at each name costs less than six look-ups.
    headers.keys().any(|name| {
        matches!(
            name.as_str(),
            "twilio-client-validation"
                | "content-digest"
                | "repr-digest"
                | "signature-input"
                | "digest"
                | "content-md5"
        )
    })
}

/// What a form says of `ProvideFeedback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagging {
    /// It says nothing: a tag may be added.
    Untagged,
    /// It asks for feedback already.
    Tagged,
    /// It says no, or something that is not a clear yes: the application decided.
    Declined,
}

impl Tagging {
    pub(crate) fn of(form: &MessageForm<'_>) -> Self {
        let mut tagging = Self::Untagged;
        for value in form.get_all(PROVIDE_FEEDBACK) {
            match parse_bool(&value) {
                Some(true) => tagging = Self::Tagged,
                Some(false) | None => return Self::Declined,
            }
        }
        tagging
    }

    /// The form with `ProvideFeedback=true` behind it, unless that is there, and with the
    /// `StatusCallback`, if there is one to add; every other byte as it was.
    pub(crate) fn tag(self, form: &[u8], status_callback: Option<&str>) -> Bytes {
        const TAG: &str = "ProvideFeedback=true";
        let tag = (self == Self::Untagged).then_some(TAG);
        let callback = status_callback.map(|url| {
            format!("{STATUS_CALLBACK}={}", percent_encode(url.as_bytes(), NON_ALPHANUMERIC))
        });
        let added: [Option<&str>; 2] = [tag, callback.as_deref()];
        let length: usize = added.iter().flatten().map(|field| field.len() + 1).sum();
        let mut tagged = Vec::with_capacity(form.len() + length);
        tagged.extend_from_slice(form);
        for field in added.into_iter().flatten() {
            if !matches!(tagged.last(), None | Some(b'&')) {
                tagged.push(b'&');
            }
            tagged.extend_from_slice(field.as_bytes());
        }
        tagged.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AC: &str = "AC0123456789abcdef0123456789abcdef";

    #[test]
    fn every_spelling_of_a_create_is_recognised() {
        for (path, prefix) in [
            (format!("/2010-04-01/Accounts/{AC}/Messages.json"), "/2010-04-01"),
            (format!("/2010-04-01/Accounts/{AC}/Messages"), "/2010-04-01"),
            (format!("/2010-04-01/Accounts/{AC}/Messages.xml"), "/2010-04-01"),
            (format!("/2010-04-01/Accounts/{AC}/SMS/Messages.json"), "/2010-04-01"),
            (format!("/2010-04-01/Accounts/{AC}/SMS/Messages"), "/2010-04-01"),
            (
                format!("/proxy/twilio/2010-04-01/Accounts/{AC}/Messages.json"),
                "/proxy/twilio/2010-04-01",
            ),
        ] {
            let create = match_create(&Method::POST, &path).expect(&path);
            assert_eq!(&path[..create.prefix], prefix);
            assert_eq!(create.account, AC.parse().unwrap());
        }
    }

    #[test]
    fn what_is_not_a_create_is_not_recognised() {
        let create = format!("/2010-04-01/Accounts/{AC}/Messages.json");
        assert!(match_create(&Method::GET, &create).is_none());
        for path in [
            format!("/2010-04-01/Accounts/{AC}/Messages.csv"),
            format!("/2010-04-01/Accounts/{AC}/Messages/SM0123456789abcdef0123456789abcdef.json"),
            format!(
                "/2010-04-01/Accounts/{AC}/Messages/SM0123456789abcdef0123456789abcdef/Feedback.json"
            ),
            format!("/2010-04-01/Accounts/{AC}/Calls.json"),
            format!("/2010-04-01/{AC}/Messages.json"),
            "/2010-04-01/Accounts/AC123/Messages.json".to_owned(),
            "/Messages.json".to_owned(),
            "/".to_owned(),
            String::new(),
        ] {
            assert!(match_create(&Method::POST, &path).is_none(), "{path}");
        }
    }

    #[test]
    fn an_answer_of_the_application_is_kept() {
        let of = |form: &str| Tagging::of(&MessageForm::new(form.as_bytes()));
        assert_eq!(of("To=1&Body=ProvideFeedback%3Dfalse"), Tagging::Untagged);
        assert_eq!(of("ProvideFeedback=True"), Tagging::Tagged);
        assert_eq!(of("Provide%46eedback=true"), Tagging::Tagged);
        assert_eq!(of("ProvideFeedback=FALSE&To=1"), Tagging::Declined);
        assert_eq!(of("ProvideFeedback=true&ProvideFeedback=false"), Tagging::Declined);
        assert_eq!(of("ProvideFeedback"), Tagging::Declined);
        assert_eq!(of("provideFeedback=false"), Tagging::Untagged);
    }

    #[test]
    fn a_tag_changes_no_other_byte() {
        let tag = |form: &str| Tagging::Untagged.tag(form.as_bytes(), None);
        assert_eq!(tag("To=%2b1&Body=a+b"), "To=%2b1&Body=a+b&ProvideFeedback=true");
        assert_eq!(tag("To=1&"), "To=1&ProvideFeedback=true");
        assert_eq!(tag(""), "ProvideFeedback=true");
        let url = Some("https://a.example/?b=c");
        let callback = "StatusCallback=https%3A%2F%2Fa%2Eexample%2F%3Fb%3Dc";
        assert_eq!(
            Tagging::Untagged.tag(b"To=1", url),
            format!("To=1&ProvideFeedback=true&{callback}")
        );
        let own = "To=1&ProvideFeedback=true";
        assert_eq!(Tagging::Tagged.tag(own.as_bytes(), url), format!("{own}&{callback}"));
    }
}
