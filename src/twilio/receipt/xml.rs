use quick_xml::{Reader, events::Event};

use super::Fields;
use crate::twilio::{AccountSid, MessageSid};

/// Reads `TwilioResponse/Message/Sid` and `…/AccountSid`; `SMSMessage` is what
/// the older path `/SMS/Messages` answers.
pub(super) fn fields(body: &[u8]) -> Option<Fields> {
    let mut reader = Reader::from_reader(body);
    let mut fields = Fields::default();
    let mut depth = 0_usize;
    let mut in_message = false;
    let mut field = Field::Other;
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => {
                depth += 1;
                match (depth, element.name().as_ref()) {
                    (2, name) => in_message = matches!(name, b"Message" | b"SMSMessage"),
                    (3, b"Sid") if in_message => field = Field::Sid,
                    (3, b"AccountSid") if in_message => field = Field::AccountSid,
                    _ => field = Field::Other,
                }
            }
            Event::End(_) => {
                depth = depth.checked_sub(1)?;
                field = Field::Other;
            }
            Event::Text(text) => match field {
                Field::Sid => fields.sid = MessageSid::parse(text.trim_ascii()),
                Field::AccountSid => fields.account = AccountSid::parse(text.trim_ascii()),
                Field::Other => {}
            },
            // A document that breaks off is no receipt.
            Event::Eof => return (depth == 0).then_some(fields),
            _ => {}
        }
    }
}

enum Field {
    Sid,
    AccountSid,
    Other,
}
