//! One feedback call: what came of it, and what that means for its entry.

use std::time::Duration;

use http::{Request, StatusCode, header::AUTHORIZATION};

use super::{
    retry::RetryPolicy,
    transport::{Answer, BoxError},
};
use crate::{
    AccountSid, BaseUrl, MessageSid, Timestamp,
    store::{Attempts, Failure, FailureKind, Leased, SettledAs},
    twilio::{
        AllowedOrigins, Directory, FeedbackBody, Verdict, feedback_request, judge, retry_after,
    },
};

/// How a call ended.
#[derive(Debug)]
pub(crate) enum CallResult {
    Answered(Answer),
    /// It failed on the way: whether Twilio has it is unknown.
    Failed(BoxError),
    TimedOut,
    /// The task that made it panicked.
    Panicked,
    /// There are no credentials for its account.
    NoCredentials,
    /// Its origin is not allowed, or no request can be made of it.
    OriginNotAllowed,
}

/// The request for a message, or why there is none.
pub(super) fn call_request(
    origins: &AllowedOrigins,
    credentials: &Directory,
    base_url: &BaseUrl,
    account: AccountSid,
    sid: MessageSid,
) -> Result<Request<FeedbackBody>, CallResult> {
    let mut request = feedback_request(base_url, account, sid)
        .filter(|request| origins.permits_uri(request.uri()))
        .ok_or(CallResult::OriginNotAllowed)?;
    let authorization = credentials.authorization(account).ok_or(CallResult::NoCredentials)?;
    request.headers_mut().insert(AUTHORIZATION, authorization);
    Ok(request)
}

/// What becomes of the entry and of its account.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) attempts: Attempts,
    pub(super) settled_as: SettledAs,
    pub(super) effect: Effect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Twilio answered as it does to accepted credentials.
    Accepted,
    /// The account's credentials are refused or missing.
    Refused,
    /// Too many calls at once: none for a while, which Twilio may say, then fewer.
    Throttled(Option<Duration>),
    /// Twilio is overloaded: fewer calls at once.
    SlowDown,
    /// No call on the account for this long: Twilio asks for it.
    Pause(Duration),
    /// Nothing is learnt of the account.
    None,
}

impl CallResult {
    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Answered(answer) => Some(answer.status),
            _ => None,
        }
    }

    pub(super) fn code(&self) -> Option<u32> {
        match self {
            Self::Answered(answer) => answer.code,
            _ => None,
        }
    }

    /// What Twilio calls the request: its support asks for it. It goes into the log, so
    /// that nothing else of a header may stand for it.
    pub(super) fn request_id(&self) -> Option<&str> {
        let Self::Answered(answer) = self else { return None };
        let id = answer.headers.get("twilio-request-id")?.to_str().ok()?;
        let digits = id.strip_prefix("RQ")?;
        let is_one = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_one.then_some(id)
    }

    /// What went wrong on the way, for an event.
    pub(super) fn error(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(&**error),
            _ => None,
        }
    }

    /// The sort of result, for an event.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::Failed(_) => "failed",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::NoCredentials => "no_credentials",
            Self::OriginNotAllowed => "origin_not_allowed",
        }
    }

    pub(super) fn decide(&self, entry: &Leased, policy: &RetryPolicy, now: Timestamp) -> Decision {
        let failure = |kind| Failure {
            kind,
            status: self.status().map(|status| status.as_u16()),
            code: self.code(),
        };
        let tried = Attempts { total: entry.attempts.total.saturating_add(1), not_found: 0 };
        let retry = |wait, effect| Decision {
            attempts: tried,
            settled_as: if policy.gives_up(entry.age, tried.total) {
                SettledAs::Dead(failure(FailureKind::GaveUp))
            } else {
                SettledAs::Retry(wait)
            },
            effect,
        };
        let dead = |kind, effect| Decision {
            attempts: tried,
            settled_as: SettledAs::Dead(failure(kind)),
            effect,
        };
        let answer = match self {
            Self::Answered(answer) => answer,
            Self::Failed(_) | Self::TimedOut | Self::Panicked => {
                return retry(policy.wait(tried.total, None), Effect::None);
            }
            Self::NoCredentials => return refused(entry),
            Self::OriginNotAllowed => {
                return Decision {
                    attempts: entry.attempts,
                    ..dead(FailureKind::OriginNotAllowed, Effect::None)
                };
            }
        };
        let asked = retry_after(&answer.headers, now.as_millis());
        match judge(answer.status) {
            Verdict::Delivered => Decision {
                attempts: tried,
                settled_as: SettledAs::Delivered,
                effect: Effect::Accepted,
            },
            Verdict::Rejected => dead(FailureKind::Rejected, Effect::Accepted),
            Verdict::Unauthorized => refused(entry),
            // Not processed, and so never a reason to give up.
            Verdict::Throttled => Decision {
                attempts: tried,
                settled_as: SettledAs::Retry(policy.wait(tried.total, asked)),
                effect: Effect::Throttled(asked),
            },
            Verdict::Unknown => {
                let wait = policy.wait(tried.total, asked);
                let effect = match asked {
                    Some(_) => Effect::Pause(wait),
                    None if answer.status == StatusCode::SERVICE_UNAVAILABLE => Effect::SlowDown,
                    None => Effect::None,
                };
                retry(wait, effect)
            }
            Verdict::NotFound => {
                let answers = entry.attempts.not_found.saturating_add(1);
                match policy.wait_not_found(answers) {
                    None => dead(FailureKind::NotFound, Effect::Accepted),
                    Some(wait) => Decision {
                        attempts: Attempts { not_found: answers, ..tried },
                        settled_as: SettledAs::Retry(wait),
                        effect: Effect::Accepted,
                    },
                }
            }
        }
    }
}

/// Everything is kept and no attempt is spent: the account's circuit says
/// when the entry may go.
fn refused(entry: &Leased) -> Decision {
    Decision {
        attempts: entry.attempts,
        settled_as: SettledAs::Retry(Duration::ZERO),
        effect: Effect::Refused,
    }
}
