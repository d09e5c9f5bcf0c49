//! Reading the SIDs out of the answer to a create.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{AccountSid, MessageSid};

/// What the answer to a create says of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) sid: MessageSid,
    /// Twilio declares the field nullable: then the create's URL names the account.
    pub(crate) account: Option<AccountSid>,
}

/// Reads a JSON receipt; `None` if it is not one or names no message.
pub(crate) fn read_receipt(body: &[u8]) -> Option<Receipt> {
    let fields: Fields = serde_json::from_slice(body).ok()?;
    Some(Receipt { sid: fields.sid?, account: fields.account })
}

#[derive(Default)]
struct Fields {
    sid: Option<MessageSid>,
    account: Option<AccountSid>,
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Message resource")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key()? {
            match name {
                Name::Sid => {
                    fields.sid = map.next_value::<Parsed<MessageSid>>()?.0;
                }
                Name::AccountSid => {
                    fields.account = map.next_value::<Parsed<AccountSid>>()?.0;
                }
                Name::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

enum Name {
    Sid,
    AccountSid,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "sid" => Name::Sid,
                    "account_sid" => Name::AccountSid,
                    _ => Name::Other,
                })
            }
        }
        deserializer.deserialize_identifier(NameVisitor)
    }
}

trait ParseSid: Sized {
    fn parse_sid(text: &[u8]) -> Option<Self>;
}

impl ParseSid for MessageSid {
    fn parse_sid(text: &[u8]) -> Option<Self> {
        Self::parse(text)
    }
}

impl ParseSid for AccountSid {
    fn parse_sid(text: &[u8]) -> Option<Self> {
        Self::parse(text)
    }
}

/// A SID, or `None` for a value of any other kind: one odd field must not spoil
/// the rest.
struct Parsed<T>(Option<T>);

impl<'de, T: ParseSid> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParsedVisitor(std::marker::PhantomData)).map(Parsed)
    }
}

struct ParsedVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: ParseSid> Visitor<'de> for ParsedVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SID or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::parse_sid(text.as_bytes()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SM: &str = "SM0123456789abcdef0123456789abcdef";
    const AC: &str = "AC0123456789abcdef0123456789abcdef";

    #[test]
    fn a_receipt_is_read_whatever_else_it_holds() {
        let sid = SM.parse().unwrap();
        let account: AccountSid = AC.parse().unwrap();
        let json = format!(
            r#"{{"subresource_uris":{{"sid":"x"}},"sid":"{SM}","price":null,"account_sid":"{AC}","n":[1,{{}}]}}"#
        );
        assert_eq!(read_receipt(json.as_bytes()), Some(Receipt { sid, account: Some(account) }));
        for odd in ["null", "7", "-7", "1.5", "true", "[1]", "{\"a\":1}", "\"AC1\""] {
            let json = format!(r#"{{"account_sid":{odd},"sid":"{SM}"}}"#);
            assert_eq!(
                read_receipt(json.as_bytes()),
                Some(Receipt { sid, account: None }),
                "{odd}"
            );
        }
        let escaped = format!(r#"{{"sid":"\u0053{}"}}"#, &SM[1..]);
        assert_eq!(read_receipt(escaped.as_bytes()), Some(Receipt { sid, account: None }));
    }

    #[test]
    fn what_names_no_message_is_no_receipt() {
        let call = SM.replace("SM", "CA");
        for text in [
            String::new(),
            "{}".into(),
            r#"{"sid":null}"#.into(),
            format!(r#"{{"sid":"{call}"}}"#),
            format!(r#"{{"sid":"{SM}""#),
            format!(r#"[{{"sid":"{SM}"}}]"#),
            "<TwilioResponse/>".into(),
            "\u{1f}\u{8b}".into(),
        ] {
            assert_eq!(read_receipt(text.as_bytes()), None, "{text}");
        }
    }
}
