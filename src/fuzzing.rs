//! What the fuzz targets (`tests/fuzz`) reach that is not public.

use std::time::Duration;

use http::HeaderMap;

use crate::{AccountSid, MessageSid, RetryPolicy, twilio};

/// The SIDs in the answer to a create.
#[must_use]
pub fn receipt(body: &[u8]) -> Option<(MessageSid, Option<AccountSid>)> {
    twilio::read_receipt(body).map(|receipt| (receipt.sid, receipt.account))
}

/// `Retry-After`, from now on.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now_ms: i64) -> Option<Duration> {
    twilio::retry_after(headers, now_ms)
}

/// The wait before attempt `attempts + 1`.
#[must_use]
pub fn wait(policy: &RetryPolicy, attempts: u32, retry_after: Option<Duration>) -> Duration {
    policy.wait(attempts, retry_after)
}
