//! Keys and SIDs by number, as scattered as real ones.

use tower_message_feedback::{
    CorrelationKey, MessageSid,
    store::{ConfirmTarget, Resends},
};

/// Scatters a number over 64 bits: numbers in a row lie nowhere near each other.
fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn bytes(number: u64, salt: u64) -> [u8; 16] {
    let high = scattered(number ^ salt.rotate_left(32));
    let low = scattered(high ^ number);
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

pub(crate) fn key(number: u64) -> CorrelationKey {
    CorrelationKey::from_bytes(bytes(number, 1))
}

/// The digits of a SID as bytes.
pub(crate) fn digits(number: u64) -> [u8; 16] {
    bytes(number, 2)
}

pub(crate) fn sid(number: u64) -> MessageSid {
    let hex = u128::from_be_bytes(digits(number));
    format!("SM{hex:032x}").parse().expect("a SID")
}

pub(crate) fn target(number: u64) -> ConfirmTarget {
    ConfirmTarget::Id { keys: key(number).into(), resends: Resends::Newest }
}
