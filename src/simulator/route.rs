use http::Method;

use super::{received::RequestKind, render::Format};
use crate::twilio::{AccountSid, MessageSid};

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) format: Format,
    pub(super) account: Option<AccountSid>,
    pub(super) target: Target,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Messages,
    Message(MessageSid),
    Feedback(MessageSid),
    Unknown,
}

impl Route {
    /// Reads `[…]/2010-04-01/Accounts/{AC}/[SMS/]Messages[/{SID}[/Feedback]]`
    /// with `.json`, `.xml`, `.csv` or nothing, which is XML, at its end.
    pub(super) fn of(path: &str) -> Self {
        let (path, format) = Format::split(path);
        let unknown = Self { format, account: None, target: Target::Unknown };
        let Some((_, rest)) = path.split_once("/2010-04-01/Accounts/") else { return unknown };
        let mut segments = rest.split('/');
        let Some(account) = segments.next().and_then(|sid| sid.parse().ok()) else {
            return unknown;
        };
        let mut segments: Vec<&str> = segments.collect();
        if segments.first() == Some(&"SMS") {
            segments.remove(0);
        }
        let target = match *segments {
            ["Messages"] => Some(Target::Messages),
            ["Messages", sid] => sid.parse().ok().map(Target::Message),
            ["Messages", sid, "Feedback"] => sid.parse().ok().map(Target::Feedback),
            _ => None,
        };
        Self { format, account: Some(account), target: target.unwrap_or(Target::Unknown) }
    }

    pub(super) fn kind(&self, method: &Method) -> RequestKind {
        match self.target {
            Target::Messages if method == Method::POST => RequestKind::Create,
            Target::Feedback(_) if method == Method::POST => RequestKind::Feedback,
            _ => RequestKind::Other,
        }
    }

    pub(super) fn message(&self) -> Option<MessageSid> {
        match self.target {
            Target::Message(sid) | Target::Feedback(sid) => Some(sid),
            Target::Messages | Target::Unknown => None,
        }
    }
}
