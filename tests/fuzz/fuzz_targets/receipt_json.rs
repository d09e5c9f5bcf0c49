//! The SIDs in a receipt in JSON, as serde reads them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_message_feedback::{AccountSid, MessageSid, fuzzing};

fuzz_target!(|data: &[u8]| {
    let read = fuzzing::receipt(data);
    let body = data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data).trim_ascii_start();
    if !body.starts_with(b"{") {
        // Another target's.
        if !body.starts_with(b"<") {
            assert_eq!(read, None);
        }
        return;
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => {
            let text = |name: &str| value.get(name).and_then(Value::as_str);
            let account: Option<AccountSid> = text("account_sid").and_then(|sid| sid.parse().ok());
            let sid: Option<MessageSid> = text("sid").and_then(|sid| sid.parse().ok());
            assert_eq!(read, sid.map(|sid| (sid, account)));
        }
        // What is no JSON may pass, but its SIDs are its own.
        Err(_) => {
            if let Some((sid, account)) = read {
                assert!(says(body, "sid", &sid.to_string()), "no such SID");
                let account = account.is_none_or(|sid| says(body, "account_sid", &sid.to_string()));
                assert!(account, "no such account");
            }
        }
    }
});

/// Whether a value stands somewhere behind its key. Where anything is escaped, it may.
fn says(body: &[u8], key: &str, value: &str) -> bool {
    let key = format!("\"{key}\"");
    let value = format!("\"{value}\"");
    let places = (0..body.len()).filter(|at| body[*at..].starts_with(key.as_bytes()));
    body.contains(&b'\\')
        || places.into_iter().any(|at| {
            let rest = body[at + key.len()..].trim_ascii_start().strip_prefix(b":");
            rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(value.as_bytes()))
        })
}
