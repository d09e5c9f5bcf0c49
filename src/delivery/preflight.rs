//! Whether credentials may post feedback, found out without changing anything.

use std::time::Duration;

use tokio::{sync::oneshot, task::JoinSet, time::timeout};

use super::transport::{Answer, BoxError, Transport, begin};
use crate::{
    AccountSid, BaseUrl, MessageSid,
    twilio::{AllowedOrigins, Directory, Verdict, feedback_request, judge},
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
        let allowed = origins.permits(&self.base_url);
        let mut found = Vec::new();
        let mut calls = JoinSet::new();
        for account in credentials.accounts() {
            let request = MessageSid::parse(NO_MESSAGE)
                .zip(credentials.authorization(account))
                .filter(|_| allowed)
                .and_then(|(sid, authorization)| {
                    feedback_request(&self.base_url, account, sid, authorization)
                });
            let Some(request) = request else {
                let verdict = PreflightVerdict::OriginNotAllowed;
                found.push(AccountPreflight { account, verdict });
                continue;
            };
            let exchange = begin(transport, request);
            calls.spawn(async move {
                let answer = match exchange {
                    Some(exchange) => timeout(call_timeout, exchange).await.ok(),
                    None => None,
                };
                AccountPreflight { account, verdict: verdict(answer) }
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

fn verdict(answer: Option<Result<Answer, BoxError>>) -> PreflightVerdict {
    let Some(Ok(answer)) = answer else { return PreflightVerdict::Unreachable };
    let status = answer.status.as_u16();
    match judge(answer.status) {
        Verdict::NotFound => PreflightVerdict::Accepted,
        Verdict::Unauthorized => PreflightVerdict::Refused { status, code: answer.code },
        _ => PreflightVerdict::Unclear { status },
    }
}
