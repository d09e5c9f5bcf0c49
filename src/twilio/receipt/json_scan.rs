use memchr::memchr2;

use super::Fields;
use crate::twilio::{AccountSid, MessageSid};

/// Reads the SIDs of a Message resource as Twilio writes it: an object whose keys, and
/// whose SIDs, have no escapes. `None` for anything else, which `serde_json` reads.
///
/// It looks at every string and every bracket, and not into them: an answer that is no
/// JSON may pass, but not one that is cut off.
pub(super) fn scan(body: &[u8]) -> Option<Fields> {
    let mut scanner = Scanner { rest: body.strip_prefix(b"{")? };
    let mut fields = Fields::default();
    if scanner.next()? == b'}' {
        return scanner.ended(fields);
    }
    loop {
        let key = scanner.plain_string()?;
        if scanner.next()? != b':' {
            return None;
        }
        scanner.rest = &scanner.rest[1..];
        let first = scanner.next()?;
        match key {
            b"sid" | b"account_sid" if first == b'"' => {
                let value = scanner.plain_string()?;
                match key {
                    b"sid" => fields.sid = MessageSid::parse(value),
                    _ => fields.account = AccountSid::parse(value),
                }
            }
            // Which of several counts is not for us to say.
            b"sid" | b"account_sid" => return None,
            _ => scanner.skip_value(first)?,
        }
        match scanner.next()? {
            b',' => scanner.rest = &scanner.rest[1..],
            b'}' => return scanner.ended(fields),
            _ => return None,
        }
        scanner.next()?;
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// The next byte that is no white space, which stays.
    fn next(&mut self) -> Option<u8> {
        loop {
            match self.rest {
                [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] => self.rest = rest,
                [byte, ..] => return Some(*byte),
                [] => return None,
            }
        }
    }

    /// Takes a string that has no escapes.
    fn plain_string(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.strip_prefix(b"\"")?;
        let end = memchr2(b'"', b'\\', text)?;
        self.rest = &text[end..];
        self.rest = self.rest.strip_prefix(b"\"")?;
        Some(&text[..end])
    }

    fn skip_string(&mut self) -> Option<()> {
        self.rest = self.rest.strip_prefix(b"\"")?;
        loop {
            let at = memchr2(b'"', b'\\', self.rest)?;
            let is_escape = self.rest[at] == b'\\';
            self.rest = self.rest.get(at + 1 + usize::from(is_escape)..)?;
            if !is_escape {
                return Some(());
            }
        }
    }

    fn skip_value(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.skip_string(),
            b'{' | b'[' => self.skip_nested(),
            b'n' | b't' | b'f' | b'-' | b'0'..=b'9' => {
                let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
                let end = self.rest.iter().position(is_end)?;
                self.rest = &self.rest[end..];
                Some(())
            }
            _ => None,
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.rest.first()? {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.rest = &self.rest[1..];
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Nothing but white space may stand behind the object.
    fn ended(mut self, fields: Fields) -> Option<Fields> {
        self.rest = &self.rest[1..];
        self.next().is_none().then_some(fields)
    }
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
        let known = vec!["\"sid\"", "\"account_sid\"", "\"status\"", "\"\\u0073id\"", "\"\""];
        prop::sample::select(known).prop_map(str::to_owned)
    }

    fn object(fields: Vec<(String, String)>) -> String {
        let fields = fields.into_iter().map(|(key, value)| format!("{key}\n: {value}"));
        format!("{{ {} }}", fields.collect::<Vec<_>>().join(","))
    }

    fn known(fields: Option<Fields>) -> Option<(Option<MessageSid>, Option<AccountSid>)> {
        fields.map(|fields| (fields.sid, fields.account))
    }

    fn oracle(body: &[u8]) -> Option<(Option<MessageSid>, Option<AccountSid>)> {
        known(serde_json::from_slice(body).ok())
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_reads(fields in prop::collection::vec((key(), value()), 0..6)) {
            let body = object(fields);
            let read = known(scan(body.as_bytes()));
            prop_assert!(read.is_none() || read == oracle(body.as_bytes()), "{body}");
        }

        #[test]
        fn what_is_cut_off_is_never_read(
            fields in prop::collection::vec((key(), value()), 0..6), at in any::<prop::sample::Index>(),
        ) {
            let body = object(fields);
            let cut = &body.as_bytes()[..at.index(body.len())];
            prop_assert!(scan(cut).is_none() && oracle(cut).is_none(), "{body}");
        }
    }

    #[test]
    fn an_answer_of_twilios_is_read_without_serde() {
        let body = format!(
            r#"{{"body": "say \"{{sid\"", "uri": "/a", "account_sid": "{AC}", "price": null, "sid": "{SM}",
            "num": 1, "subresource_uris": {{"media": "}}"}}}} "#
        );
        let read = known(scan(body.as_bytes()));
        assert_eq!(read, Some((SM.parse().ok(), AC.parse().ok())));
        assert_eq!(read, oracle(body.as_bytes()));
    }
}
