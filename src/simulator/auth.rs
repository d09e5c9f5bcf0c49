use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::twilio::{AccountSid, Credentials};

/// Whether a request may act on `account`.
///
/// With `accepted`, only those credentials may; without, any that is well formed.
pub(super) fn is_authorized(
    headers: &HeaderMap,
    account: AccountSid,
    accepted: Option<&[Credentials]>,
) -> bool {
    let Some((scheme, secret)) = headers.get(AUTHORIZATION).and_then(split) else { return false };
    if let Some(accepted) = accepted {
        return accepted.iter().any(|credentials| {
            credentials.account_sid() == account
                && split(credentials.authorization()).is_some_and(|(its_scheme, its_secret)| {
                    its_scheme.eq_ignore_ascii_case(scheme) && its_secret == secret
                })
        });
    }
    if scheme.eq_ignore_ascii_case("Bearer") {
        return !secret.is_empty();
    }
    scheme.eq_ignore_ascii_case("Basic") && is_basic_for(account, secret)
}

fn split(value: &HeaderValue) -> Option<(&str, &str)> {
    let (scheme, secret) = value.to_str().ok()?.split_once(' ')?;
    Some((scheme, secret.trim()))
}

/// The account itself, or any API key: which account owns a key is unknown here.
fn is_basic_for(account: AccountSid, encoded: &str) -> bool {
    let Ok(decoded) = BASE64_STANDARD.decode(encoded) else { return false };
    let Ok(text) = String::from_utf8(decoded) else { return false };
    let Some((user, password)) = text.split_once(':') else { return false };
    let is_key = user.strip_prefix("SK").is_some_and(|digits| {
        digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    let is_account = user.parse().is_ok_and(|user: AccountSid| user == account);
    (is_key || is_account) && !password.is_empty()
}
