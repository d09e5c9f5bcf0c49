//! Numbered messages, accounts, ids.

use crate::{
    AccountSid, BaseUrl, CorrelationKey, CorrelationKeys, MessageSid,
    store::{ConfirmTarget, ForgetTarget, Resends},
};

/// # Panics
///
/// If the text is no SID.
pub(super) fn message_sid(text: &str) -> MessageSid {
    match text.parse() {
        Ok(sid) => sid,
        Err(error) => panic!("{text}: {error}"),
    }
}

pub(super) fn sid(n: u64) -> MessageSid {
    message_sid(&format!("SM{n:032x}"))
}

pub(super) fn account(n: u64) -> AccountSid {
    match format!("AC{n:032x}").parse() {
        Ok(sid) => sid,
        Err(error) => panic!("account {n}: {error}"),
    }
}

/// # Panics
///
/// If the text is no base URL.
pub(super) fn base_url(text: &str) -> BaseUrl {
    match text.parse() {
        Ok(url) => url,
        Err(error) => panic!("{text}: {error}"),
    }
}

pub(super) fn key(n: u8) -> CorrelationKey {
    CorrelationKey::from_bytes([n; 16])
}

/// The keys of an id of which there is one.
pub(super) fn keys(n: u8) -> CorrelationKeys {
    key(n).into()
}

pub(super) fn rotated(current: u8, previous: u8) -> CorrelationKeys {
    CorrelationKeys { current: key(current), previous: Some(key(previous)) }
}

pub(super) fn by_id(keys: CorrelationKeys, resends: Resends) -> ConfirmTarget {
    ConfirmTarget::Id { keys, resends }
}

pub(super) fn forgetting(keys: CorrelationKeys) -> ForgetTarget {
    ForgetTarget::Id(keys)
}
