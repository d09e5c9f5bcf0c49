use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::Uri;

use crate::{AccountSid, BaseUrl, CorrelationKey, Timestamp, store::Segment};

/// The name of the query parameter that says which send a callback is about.
const PARAMETER: &str = "message_feedback";

/// What is to be recorded of a send whose answer never came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrackedSend {
    pub(crate) account: AccountSid,
    pub(crate) key: CorrelationKey,
    pub(crate) base_url: BaseUrl,
    pub(crate) created_at: Timestamp,
    /// The same, or for a scheduled message its `SendAt`.
    pub(crate) sent_at: Timestamp,
    pub(crate) segment: Segment,
}

/// Where Twilio is told to send the status callbacks of tagged sends.
#[derive(Clone)]
pub(crate) struct StatusCallbackUrl(Box<str>);

impl StatusCallbackUrl {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains('#') {
            return Err("it has a fragment, which Twilio takes for its own settings");
        }
        let uri: Uri = text.parse().map_err(|_| "it is not a URL")?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err("its scheme is neither https nor http");
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err("it has no host, or carries a user or a password");
        }
        Ok(Self(text.into()))
    }

    /// The URL for one send, by which its callbacks can be told from others.
    pub(crate) fn of(&self, send: &TrackedSend) -> String {
        let url = &*self.0;
        let separator = if url.contains('?') { '&' } else { '?' };
        let token = BASE64_URL_SAFE_NO_PAD.encode(pack(send));
        format!("{url}{separator}{PARAMETER}={token}")
    }
}

/// The URL may be in a log of the application's: it is told nowhere else.
impl fmt::Debug for StatusCallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusCallbackUrl").finish_non_exhaustive()
    }
}

impl TrackedSend {
    /// Reads what [`StatusCallbackUrl::of`] wrote out of the query that `account` called.
    #[cfg(feature = "axum")]
    pub(crate) fn in_query(query: &str, account: AccountSid) -> Option<Self> {
        let value = query.split('&').find_map(|pair| {
            pair.strip_prefix(PARAMETER).and_then(|rest| rest.strip_prefix('='))
        })?;
        unpack(&BASE64_URL_SAFE_NO_PAD.decode(value).ok()?, account)
    }
}

/// The first byte. Behind it come the key, the two times, and the account, the base URL
/// and the segment, each behind its length; the default URL, and no segment, are empty.
const VERSION: u8 = 1;

fn pack(send: &TrackedSend) -> Vec<u8> {
    let mut packed = vec![VERSION];
    packed.extend(send.key.as_bytes());
    packed.extend(send.created_at.as_millis().to_be_bytes());
    packed.extend(send.sent_at.as_millis().to_be_bytes());
    let base_url = if send.base_url == BaseUrl::default() { "" } else { send.base_url.as_str() };
    let segment = send.segment.as_str();
    for part in [&send.account.pack()[..], base_url.as_bytes(), segment.as_bytes()] {
        // One that is too long for a URL anyway is left out.
        let (part, length) = u16::try_from(part.len()).map_or((&[][..], 0), |len| (part, len));
        packed.extend(length.to_be_bytes());
        packed.extend(part);
    }
    packed
}

#[cfg(feature = "axum")]
fn unpack(packed: &[u8], account: AccountSid) -> Option<TrackedSend> {
    let (version, rest) = packed.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let (created_at, rest) = rest.split_first_chunk::<8>()?;
    let (sent_at, mut rest) = rest.split_first_chunk::<8>()?;
    let mut part = || {
        let (length, more) = rest.split_first_chunk::<2>()?;
        let (part, more) = more.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = more;
        Some(part)
    };
    if part()? != account.pack() {
        return None;
    }
    let base_url = std::str::from_utf8(part()?).ok()?;
    let segment = std::str::from_utf8(part()?).ok()?;
    Some(TrackedSend {
        account,
        key: CorrelationKey::from_bytes(*key),
        base_url: if base_url.is_empty() { BaseUrl::default() } else { base_url.parse().ok()? },
        created_at: Timestamp::from_millis(i64::from_be_bytes(*created_at)),
        sent_at: Timestamp::from_millis(i64::from_be_bytes(*sent_at)),
        segment: Segment::from_stored(segment),
    })
}

#[cfg(all(test, feature = "axum"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(n: u8) -> AccountSid {
        format!("AC{n:032x}").parse().unwrap()
    }

    #[test]
    fn a_url_that_twilio_would_not_call_is_refused() {
        for (url, problem) in [
            ("https://a.example/#rc=3", "fragment"),
            ("/status", "scheme"),
            ("ftp://a.example/", "scheme"),
            ("https://user:secret@a.example/", "password"),
            ("not a url", "not a URL"),
            ("", "not a URL"),
        ] {
            let said = StatusCallbackUrl::parse(url).err().unwrap_or_default();
            assert!(said.contains(problem), "{url}: {said}");
        }
    }

    #[test]
    fn a_query_that_is_not_ours_says_nothing() {
        for query in ["", "a=b", "message_feedback=", "message_feedback=AA", "message_feedback=!"] {
            assert_eq!(TrackedSend::in_query(query, account(1)), None, "{query}");
        }
    }

    proptest! {
        #[test]
        fn a_send_comes_back_from_its_url(
            key: [u8; 16], created: i64, sent: i64, label in prop::option::of(".{1,20}"), host in "[a-z]{1,20}",
            with_url: bool, query in prop::option::of("[a-z]{1,5}=[a-z%0-9]{0,5}"),
        ) {
            let base_url = match with_url {
                true => format!("https://{host}.twilio.com/2010-04-01").parse().unwrap(),
                false => BaseUrl::default(),
            };
            let send = TrackedSend {
                account: account(1),
                key: CorrelationKey::from_bytes(key),
                base_url,
                created_at: Timestamp::from_millis(created),
                sent_at: Timestamp::from_millis(sent),
                segment: label.as_deref().map(Segment::from).unwrap_or_default(),
            };
            let url = match &query {
                Some(query) => format!("https://a.example/status?{query}"),
                None => "https://a.example/status".to_owned(),
            };
            let url = StatusCallbackUrl::parse(&url).unwrap().of(&send);
            let uri: Uri = url.parse().unwrap();
            let query = uri.query().unwrap();
            prop_assert_eq!(TrackedSend::in_query(query, account(1)), Some(send));
            prop_assert_eq!(TrackedSend::in_query(query, account(2)), None);
        }
    }
}
