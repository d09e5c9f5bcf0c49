use quick_xml::{Reader, events::Event};

use super::Fields;
use crate::twilio::{AccountSid, MessageSid};

/// Reads `TwilioResponse/Message/Sid` and `…/AccountSid`; `SMSMessage` is what
/// the older path `/SMS/Messages` answers.
pub(super) fn fields(body: &[u8]) -> Option<Fields> {
    let mut reader = Reader::from_reader(body);
    reader.config_mut().expand_empty_elements = true;
    let mut fields = Fields::default();
    let mut depth = 0_usize;
    let mut in_message = false;
    let mut field = Field::Other;
    // It comes in pieces where a comment, CDATA or an escaped character is.
    let mut text = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => {
                depth += 1;
                text.clear();
                match (depth, element.name().as_ref()) {
                    (2, name) => in_message = matches!(name, b"Message" | b"SMSMessage"),
                    (3, b"Sid") if in_message => field = Field::Sid,
                    (3, b"AccountSid") if in_message => field = Field::AccountSid,
                    _ => field = Field::Other,
                }
            }
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                match field {
                    Field::Sid => fields.sid = MessageSid::parse(text.trim_ascii()),
                    Field::AccountSid => fields.account = AccountSid::parse(text.trim_ascii()),
                    Field::Other => {}
                }
                field = Field::Other;
            }
            // A document that breaks off is no receipt.
            Event::Eof => return (depth == 0).then_some(fields),
            _ if matches!(field, Field::Other) => {}
            Event::Text(piece) => text.extend_from_slice(&piece),
            Event::CData(piece) => text.extend_from_slice(&piece),
            // No SID has a character that a named one stands for.
            Event::GeneralRef(character) => {
                let character = character.resolve_char_ref().ok().flatten().unwrap_or('&');
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => {}
        }
    }
}

enum Field {
    Sid,
    AccountSid,
    Other,
}
