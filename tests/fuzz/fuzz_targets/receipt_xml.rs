//! The SIDs in a receipt in XML, as another reader reads them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roxmltree::{Document, Node};
use tower_message_feedback::{AccountSid, MessageSid, fuzzing};

fuzz_target!(|data: &[u8]| {
    let [first, second, data @ ..] = data else { return };
    let body = data.trim_ascii_start();
    if !body.starts_with(b"<") {
        return;
    }
    let read = fuzzing::receipt(data);
    let document = std::str::from_utf8(body).ok().and_then(|text| Document::parse(text).ok());
    let Some(document) = document else {
        // What is ill-formed may pass, but its SIDs are its own.
        if let Some((sid, account)) = read {
            assert!(stands(body, &sid.to_string()), "no such SID");
            assert!(account.is_none_or(|account| stands(body, &account.to_string())));
        }
        return;
    };
    // Names in a namespace are none of Twilio's, nor in one without a name, which the oracle
    // passes over.
    let has = |text: &[u8]| data.windows(text.len()).any(|window| window == text);
    if !has(b"xmlns") && !has(b"<:") && !has(b"</:") {
        match (
            text_of(document.root_element(), "Sid"),
            text_of(document.root_element(), "AccountSid"),
        ) {
            (Text::None, _) => assert_eq!(read, None),
            (Text::One(sid), Text::One(account)) => {
                let sid: Option<MessageSid> = sid.parse().ok();
                let account: Option<AccountSid> = account.parse().ok();
                assert_eq!(read, sid.map(|sid| (sid, account)));
            }
            (Text::One(sid), Text::None) => {
                let sid: Option<MessageSid> = sid.parse().ok();
                assert_eq!(read, sid.map(|sid| (sid, None)));
            }
            _ => {}
        }
    }
    // Wherever it breaks off, it is no receipt.
    let end = document.root_element().range().end;
    let cut = usize::from(u16::from_be_bytes([*first, *second])) % end;
    assert_eq!(fuzzing::receipt(&body[..cut]), None);
});

enum Text {
    None,
    One(String),
    /// Which counts is nowhere written.
    Many,
}

/// The text of the message's field.
fn text_of(root: Node<'_, '_>, name: &str) -> Text {
    let mut found = Text::None;
    let messages = root.children().filter(|node| {
        node.is_element() && matches!(node.tag_name().name(), "Message" | "SMSMessage")
    });
    for field in messages.flat_map(|message| message.children()) {
        if !field.is_element() || field.tag_name().name() != name {
            continue;
        }
        if matches!(found, Text::One(_)) || field.children().any(|child| child.is_element()) {
            return Text::Many;
        }
        let text: String =
            field.children().filter_map(|child| child.is_text().then(|| child.text())?).collect();
        found = Text::One(text.trim_matches(|c: char| c.is_ascii_whitespace()).into());
    }
    found
}

/// Whether a value stands somewhere; where a text is in pieces, it may.
fn stands(body: &[u8], value: &str) -> bool {
    let has = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
    has(value) || has("&") || has("<!") || has("<?")
}
