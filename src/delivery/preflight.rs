//! Whether credentials may post feedback, found out without changing anything.

use std::time::Duration;

use tokio::{sync::oneshot, task::JoinSet};

use super::{
    call::{CallResult, call_request},
    transport::{Transport, begin},
};
use crate::{
    AccountSid, BaseUrl, MessageSid,
    twilio::{AllowedOrigins, Directory, Verdict, judge},
};

/// What a preflight found of one account's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountPreflight {
    /// The account.
    pub account: AccountSid,
    /// Whether its credentials may post feedback.
    pub verdict: PreflightVerdict,
}

/// Whether credentials may post feedback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PreflightVerdict {
    /// Twilio looked for the message: the credentials are accepted.
    Accepted,
    /// Twilio refused them.
    Refused {
        /// 401: they are wrong. 403: they may not do this; test credentials, for
        /// example, or a restricted key.
        status: u16,
        /// Twilio's error code, if the answer had one, for example 20008.
        code: Option<u32>,
    },
    /// The answer tells nothing of the credentials: Twilio is overloaded, or
    /// something else answers in its place.
    Unclear {
        /// Its status.
        status: u16,
    },
    /// There was no answer in time.
    Unreachable,
    /// The base URL is not of an origin that the builder allows: nothing was sent.
    OriginNotAllowed,
}

#[derive(Debug)]
pub(super) struct PreflightRequest {
    pub(super) base_url: BaseUrl,
    pub(super) done: oneshot::Sender<Vec<AccountPreflight>>,
}

/// A message that no account has. Feedback for it is answered 404 to whoever
/// may post feedback, and changes nothing.
const NO_MESSAGE: &[u8; 34] = b"SM00000000000000000000000000000000";

impl PreflightRequest {
    /// Makes the calls in a task of its own: deliveries go on.
    pub(super) fn start(
        self,
        transport: &mut dyn Transport,
        credentials: &Directory,
        origins: &AllowedOrigins,
        call_timeout: Duration,
    ) {
        let mut found = Vec::new();
        let mut calls = JoinSet::new();
        for account in credentials.accounts() {
            let request = MessageSid::parse(NO_MESSAGE).and_then(|sid| {
                call_request(origins, credentials, &self.base_url, account, sid).ok()
            });
            let Some(request) = request else {
                let verdict = PreflightVerdict::OriginNotAllowed;
                found.push(AccountPreflight { account, verdict });
                continue;
            };
            let exchange = begin(transport, request, call_timeout);
            calls.spawn(async move {
                let result = match exchange {
                    Some(exchange) => exchange.await,
                    None => CallResult::Panicked,
                };
                AccountPreflight { account, verdict: verdict(&result) }
            });
        }
        tokio::spawn(async move {
            while let Some(ended) = calls.join_next().await {
                found.extend(ended);
            }
            found.sort_by_key(|preflight| preflight.account);
            // Whoever asked may have stopped waiting.
            let _ = self.done.send(found);
        });
    }
}

fn verdict(result: &CallResult) -> PreflightVerdict {
    let CallResult::Answered(answer) = result else { return PreflightVerdict::Unreachable };
    let status = answer.status.as_u16();
    match judge(answer.status) {
        Verdict::NotFound => PreflightVerdict::Accepted,
        Verdict::Unauthorized => PreflightVerdict::Refused { status, code: answer.code },
        _ => PreflightVerdict::Unclear { status },
    }
}
