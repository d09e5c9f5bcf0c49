//! What scripts answer, taken apart.

use redis::Value;

use super::RedisStoreError;

const SHAPE: RedisStoreError = RedisStoreError::unreadable("a script's answer");

pub(super) fn bytes(value: Value) -> Result<Vec<u8>, RedisStoreError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(SHAPE),
    }
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, RedisStoreError> {
    match value {
        Value::Array(values) | Value::Set(values) => Ok(values),
        _ => Err(SHAPE),
    }
}

pub(super) fn strings(value: Value) -> Result<Vec<Vec<u8>>, RedisStoreError> {
    array(value)?.into_iter().map(bytes).collect()
}

pub(super) fn number(value: &Value) -> Result<u64, RedisStoreError> {
    let number = match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::BulkString(digits) => {
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok())
        }
        _ => None,
    };
    number.ok_or(SHAPE)
}

/// The letters of a script that answers one for each item, and what it says beside.
pub(super) fn letters(
    value: Value,
    items: usize,
) -> Result<(Vec<u8>, Vec<Vec<u8>>), RedisStoreError> {
    let mut rest = strings(value)?.into_iter();
    let letters = rest.next().filter(|letters| letters.len() == items).ok_or(SHAPE)?;
    Ok((letters, rest.collect()))
}
