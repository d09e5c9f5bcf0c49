//! Reading the SIDs out of the answer to a create.

mod encoding;
mod json;
mod json_scan;
mod xml;

pub(crate) use self::encoding::ContentEncoding;
use super::{AccountSid, MessageSid};

/// What the answer to a create says of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) sid: MessageSid,
    /// Twilio declares the field nullable: then the create's URL names the account.
    pub(crate) account: Option<AccountSid>,
}

/// Reads a receipt, JSON or XML; `None` if it is neither or names no message.
///
/// Twilio chooses between the two by the suffix of the path; a proxy may add
/// white space or a byte order mark, so the first character decides.
pub(crate) fn read_receipt(body: &[u8]) -> Option<Receipt> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    let fields = match body.first()? {
        b'{' => json::fields(body),
        b'<' => xml::fields(body),
        _ => None,
    }?;
    Some(Receipt { sid: fields.sid?, account: fields.account })
}

#[derive(Default)]
struct Fields {
    sid: Option<MessageSid>,
    account: Option<AccountSid>,
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
    fn an_xml_receipt_is_read() {
        let sid = SM.parse().unwrap();
        let account: AccountSid = AC.parse().unwrap();
        let xml = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
<TwilioResponse>
  <Message>
    <Body>a &amp; b &lt;Sid&gt;</Body>
    <ErrorCode/>
    <Sid> {SM} </Sid>
    <AccountSid>{AC}</AccountSid>
    <SubresourceUris><Media>/x</Media></SubresourceUris>
  </Message>
</TwilioResponse>
"#
        );
        assert_eq!(read_receipt(xml.as_bytes()), Some(Receipt { sid, account: Some(account) }));
        let old =
            format!("<TwilioResponse><SMSMessage><Sid>{SM}</Sid></SMSMessage></TwilioResponse>");
        assert_eq!(read_receipt(old.as_bytes()), Some(Receipt { sid, account: None }));
        let elsewhere = format!(
            "<TwilioResponse><Notice><AccountSid>{AC}</AccountSid></Notice>\
             <Message><Sid>{SM}</Sid></Message></TwilioResponse>"
        );
        assert_eq!(read_receipt(elsewhere.as_bytes()), Some(Receipt { sid, account: None }));
        let marked = format!("\u{feff} {{\"sid\":\"{SM}\"}}");
        assert_eq!(read_receipt(marked.as_bytes()), Some(Receipt { sid, account: None }));
    }

    #[test]
    fn the_text_of_an_xml_sid_counts_as_a_whole() {
        let read = |text: &str| {
            let xml =
                format!("<TwilioResponse><Message><Sid>{text}</Sid></Message></TwilioResponse>");
            read_receipt(xml.as_bytes()).map(|receipt| receipt.sid.to_string())
        };
        let digits = &SM[2..];
        for text in [
            format!("&#83;&#x4d;{digits}"),
            format!("<![CDATA[{SM}]]>"),
            format!("SM<!-- and -->{digits}"),
        ] {
            assert_eq!(read(&text).as_deref(), Some(SM), "{text}");
        }
        for text in ["x<!-- -->", "x&amp;", "&#0;", "<![CDATA[x]]>"] {
            assert_eq!(read(&format!("{text}{SM}")), None, "{text}");
        }
        for element in ["<Sid/>", "<b></b>"] {
            assert_eq!(read(&format!("SM{element}{digits}")), None, "{element}");
        }
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
            format!(
                "<TwilioResponse><RestException><Sid>{SM}</Sid></RestException></TwilioResponse>"
            ),
            format!(
                "<TwilioResponse><Message><Body>&lt;Sid&gt;{SM}</Body></Message></TwilioResponse>"
            ),
            format!(
                "<TwilioResponse><Message><Body><![CDATA[<Sid>{SM}</Sid>]]></Body></Message></TwilioResponse>"
            ),
            format!(
                "<TwilioResponse><Message><Media><Sid>{SM}</Sid></Media></Message></TwilioResponse>"
            ),
            format!("<TwilioResponse><Message><Sid>{SM}</Sid>"),
            format!("<TwilioResponse><Message><Sid>{SM}</Sid></Wrong></TwilioResponse>"),
            "\u{1f}\u{8b}".into(),
        ] {
            assert_eq!(read_receipt(text.as_bytes()), None, "{text}");
        }
    }
}
