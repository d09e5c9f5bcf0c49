use std::sync::LazyLock;

use memchr::{memchr, memmem::Finder};

use super::Fields;
use crate::twilio::{AccountSid, MessageSid};

/// The end of the two keys that count.
static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"sid\""));

/// How an escape begins that may be of a letter of them.
static ESCAPED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br"\u00"));

/// Reads the SIDs of a Message resource as Twilio writes it, without a look at what stands
/// around them. `None` for what is written otherwise, which `serde_json` reads.
///
/// In JSON, a quote that no backslash stands before begins or ends a string, so that a key
/// in quotes is a key or a value, and the colon behind it tells which. A key before any
/// second `{` is the object's own. What is no JSON may pass: the SID in it is one.
pub(super) fn scan(body: &[u8]) -> Option<Fields> {
    let own = body.strip_prefix(b"{")?;
    // Nobody escapes plain letters, but who does may mean a key.
    let mut escapes = ESCAPED.find_iter(own);
    if escapes.any(|at| matches!(own.get(at + 4), Some(b'5'..=b'7'))) {
        return None;
    }
    let mut fields = Fields::default();
    let (mut has_sid, mut has_account) = (false, false);
    let mut rest = own;
    while let Some(at) = KEY.find(rest) {
        let behind = own.len() - rest.len() + at;
        rest = &rest[at + b"sid\"".len()..];
        let (before, is_account) = match own[..behind].strip_suffix(b"account_") {
            Some(before) => (before, true),
            None => (&own[..behind], false),
        };
        let Some(before) = before.strip_suffix(b"\"") else { continue };
        // Which of several counts, and what is escaped, is not for us to say.
        let seen = if is_account { &mut has_account } else { &mut has_sid };
        if *seen || before.ends_with(b"\\") || memchr(b'{', before).is_some() {
            return None;
        }
        let Some(value) = rest.trim_ascii_start().strip_prefix(b":") else { continue };
        *seen = true;
        let text = value.trim_ascii_start().strip_prefix(b"\"")?;
        let text = &text[..memchr(b'"', text)?];
        if is_account {
            fields.account = Some(AccountSid::parse(text)?);
        } else {
            fields.sid = Some(MessageSid::parse(text)?);
        }
    }
    (has_sid && body.trim_ascii_end().ends_with(b"}")).then_some(fields)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SM: &str = "SM0123456789abcdef0123456789abcdef";
    const AC: &str = "AC0123456789abcdef0123456789abcdef";

    fn value() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            Just(SM.to_owned()),
            Just(AC.to_owned()),
            prop::sample::select(vec!["sid", "\"sid", "\"sid\": \"", "\\", "account_sid", "{"])
                .prop_map(str::to_owned),
            "[a-z\"\\\\{}\\[\\],: ]{0,8}",
            any::<String>(),
        ];
        let plain = prop_oneof![
            text.prop_map(|text| serde_json::to_string(&text).unwrap()),
            Just(format!("\"\\u0053{}\"", &SM[1..])),
            any::<f64>().prop_map(|number| serde_json::to_string(&number).unwrap()),
            prop::sample::select(vec!["null", "true", "false", "-7", "0"]).prop_map(str::to_owned),
        ];
        plain.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|values| format!("[{}]", values.join(" , "))),
                prop::collection::vec((key(), inner), 0..4).prop_map(object),
            ]
        })
    }

    fn key() -> impl Strategy<Value = String> {
        let known = vec![
            "\"sid\"",
            "\"account_sid\"",
            "\"messaging_service_sid\"",
            "\"\\u0073id\"",
            "\"\\\"sid\"",
            "\"\"",
        ];
        prop::sample::select(known).prop_map(str::to_owned)
    }

    fn object(fields: Vec<(String, String)>) -> String {
        let fields = fields.into_iter().map(|(key, value)| format!("{key}\n: {value}"));
        format!("{{ {} }}", fields.collect::<Vec<_>>().join(","))
    }

    type Sids = (Option<MessageSid>, Option<AccountSid>);

    fn sids(fields: Option<Fields>) -> Option<Sids> {
        fields.map(|fields| (fields.sid, fields.account))
    }

    fn oracle(body: &[u8]) -> Option<Sids> {
        sids(serde_json::from_slice(body).ok())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn it_reads_what_serde_reads(fields in prop::collection::vec((key(), value()), 0..6)) {
            let body = object(fields);
            let read = sids(scan(body.as_bytes()));
            prop_assert!(read.is_none() || read == oracle(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn a_key_that_is_escaped_is_for_serde() {
        for key in ["\\u0073id", "account\\u005fsid", "accoun\\u0074_sid"] {
            let body = format!(r#"{{"sid": "{SM}", "account_sid": "{AC}", "{key}": 0}}"#);
            assert_eq!(sids(scan(body.as_bytes())), None);
        }
        let body = format!(r#"{{"body": "\u00e9t\u00e9 \u043a\u043e\u0434", "sid": "{SM}"}}"#);
        assert_eq!(sids(scan(body.as_bytes())), Some((SM.parse().ok(), None)));
    }

    #[test]
    fn an_answer_of_twilios_is_read_without_serde() {
        let body = format!(
            r#"{{"body": "say \"hi\"", "uri": "/a", "account_sid": "{AC}", "price": null, "sid": "{SM}",
            "messaging_service_sid": null, "subresource_uris": {{"media": "}}"}}}} "#
        );
        let read = sids(scan(body.as_bytes()));
        assert_eq!(read, Some((SM.parse().ok(), AC.parse().ok())));
        assert_eq!(read, oracle(body.as_bytes()));
    }

    #[test]
    fn what_is_not_the_objects_own_is_left_to_who_reads_all_of_it() {
        for body in [
            format!(r#"{{"media": {{"sid": "{SM}"}}}}"#),
            format!(r#"{{"sid": "{SM}", "media": {{"account_sid": "{AC}"}}}}"#),
            format!(r#"{{"sid": "{SM}", "sid": "{SM}"}}"#),
            format!(r#"{{"a": "\"sid": "{SM}"}}"#),
        ] {
            assert_eq!(sids(scan(body.as_bytes())), None, "{body}");
        }
    }
}
