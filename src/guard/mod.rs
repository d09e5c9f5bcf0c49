//! Who fetches a link though nobody clicked it.

mod agents;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use http::{HeaderMap, HeaderValue, Method, header::USER_AGENT};

use self::agents::{AGENTS, Agent, Place};

/// Tells a user's request from one that a program makes by itself: a prefetch, the
/// preview of a message, a scanner of links.
///
/// [`MessageFeedback`](crate::MessageFeedback)'s layers and extractors ask it before
/// they confirm. By default it knows the headers by which browsers say that they
/// fetch ahead, and the agents of the common messengers, mail services and scanners;
/// it refuses no browser, no in-app browser and no client of an application's own.
///
/// What looks like a browser passes: some gateways of mails and messages open links in
/// a plain Chrome. Where that matters, let the link open a page with a button, and
/// confirm on its `POST`.
///
/// ```
/// use http::{HeaderMap, HeaderValue, Method, header::USER_AGENT};
/// use tower_message_feedback::{NotAnAction, PreviewGuard};
///
/// let guard = PreviewGuard::default().agent("AcmeScanner");
///
/// let mut headers = HeaderMap::new();
/// headers.insert(USER_AGENT, HeaderValue::from_static("Mozilla/5.0 acmescanner/3"));
/// assert_eq!(guard.check(&Method::GET, &headers), Some(NotAnAction::agent("AcmeScanner")));
///
/// headers.insert(USER_AGENT, HeaderValue::from_static("WhatsApp/2.23.20.0 A"));
/// assert!(guard.check(&Method::GET, &headers).is_some());
/// ```
#[derive(Clone)]
pub struct PreviewGuard {
    agents: Arc<[Known]>,
    searcher: AhoCorasick,
}

#[derive(Clone)]
struct Known {
    part: Arc<str>,
    name: Arc<str>,
    place: Place,
}

/// Why a request is no user's action.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAnAction {
    /// It is a `HEAD` or an `OPTIONS`.
    Method,
    /// A header says that it is fetched ahead: `Sec-Purpose`, `Purpose`, `X-Purpose` or
    /// `X-Moz`.
    Prefetch,
    /// Its `User-Agent` is that of a program which fetches links by itself.
    #[non_exhaustive]
    Agent {
        /// Whose it is, as the guard's list has it.
        name: Arc<str>,
    },
}

impl NotAnAction {
    /// The reason that an agent of this name gives.
    #[must_use]
    pub fn agent(name: impl Into<Arc<str>>) -> Self {
        Self::Agent { name: name.into() }
    }
}

impl fmt::Display for NotAnAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("HEAD or OPTIONS"),
            Self::Prefetch => f.write_str("fetched ahead"),
            Self::Agent { name } => write!(f, "agent: {name}"),
        }
    }
}

/// What the guard goes by, kept for when it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    said: Option<NotAnAction>,
    agent: Option<HeaderValue>,
}

impl Evidence {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        Self { said: said(method, headers), agent: headers.get(USER_AGENT).cloned() }
    }
}

impl PreviewGuard {
    /// One that goes by the method and the headers of prefetches alone, and refuses no
    /// `User-Agent`.
    #[must_use]
    pub fn without_agents() -> Self {
        Self::of(Vec::new())
    }

    /// Refuses what has `part` anywhere in its `User-Agent`, in any case. An empty part
    /// is in none.
    ///
    /// Applications whose tests drive a headless browser are why `HeadlessChrome` is not
    /// in the list; `agent("HeadlessChrome")` refuses it.
    #[must_use]
    pub fn agent(self, part: &str) -> Self {
        if part.is_empty() {
            return self;
        }
        let mut agents = self.agents.to_vec();
        agents.push(Known { part: part.into(), name: part.into(), place: Place::Anywhere });
        Self::of(agents)
    }

    /// Takes out of the list every entry that refuses this `User-Agent`.
    #[must_use]
    pub fn allow(self, user_agent: &str) -> Self {
        let mut agents = self.agents.to_vec();
        agents.retain(|known| !known.is_in(user_agent.as_bytes()));
        Self::of(agents)
    }

    /// Why a request with this method and these headers is no user's action; `None` if
    /// it may be one.
    #[must_use]
    pub fn check(&self, method: &Method, headers: &HeaderMap) -> Option<NotAnAction> {
        self.judge(&Evidence::of(method, headers))
    }

    pub(crate) fn judge(&self, evidence: &Evidence) -> Option<NotAnAction> {
        if evidence.said.is_some() {
            return evidence.said.clone();
        }
        let agent = evidence.agent.as_ref()?.as_bytes();
        let agent = &agent[..agent.len().min(MAX_AGENT)];
        // The first of the list names it: what all crawlers have is at its end.
        let first = self
            .searcher
            .find_overlapping_iter(agent)
            .filter(|found| self.agents[found.pattern()].place.permits(agent, found.range()))
            .map(|found| found.pattern())
            .min()?;
        Some(NotAnAction::Agent { name: self.agents[first].name.clone() })
    }

    fn of(agents: Vec<Known>) -> Self {
        let searcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            // It is asked for every click; its tables take some hundred kilobytes, once.
            .kind(Some(AhoCorasickKind::DFA))
            .build(agents.iter().map(|known| known.part.as_bytes()))
            .expect("a list of agents is shorter than two gigabytes");
        Self { agents: agents.into(), searcher }
    }
}

/// How much of a `User-Agent` is read. In-app browsers' have some hundred bytes.
const MAX_AGENT: usize = 1024;

impl Known {
    fn is_in(&self, agent: &[u8]) -> bool {
        let part = self.part.as_bytes();
        let mut places = agent.windows(part.len()).enumerate();
        places.any(|(at, window)| {
            window.eq_ignore_ascii_case(part) && self.place.permits(agent, at..at + part.len())
        })
    }
}

impl Default for PreviewGuard {
    fn default() -> Self {
        static DEFAULT: LazyLock<PreviewGuard> = LazyLock::new(|| {
            PreviewGuard::of(
                AGENTS
                    .iter()
                    .map(|Agent { part, name, place, .. }| Known {
                        part: (*part).into(),
                        name: (*name).into(),
                        place: *place,
                    })
                    .collect(),
            )
        });
        DEFAULT.clone()
    }
}

impl fmt::Debug for PreviewGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreviewGuard").field("agents", &self.agents.len()).finish()
    }
}

/// What a request says of itself.
fn said(method: &Method, headers: &HeaderMap) -> Option<NotAnAction> {
    /// `Sec-Purpose` is the standard (Fetch); Chrome and Safari sent `Purpose`, Safari
    /// and Facebook send `X-Purpose`, Firefox sent `X-Moz`.
    const PURPOSES: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
    if matches!(*method, Method::HEAD | Method::OPTIONS) {
        return Some(NotAnAction::Method);
    }
    // One look at each name costs less than four look-ups.
    headers
        .iter()
        .filter(|(name, _)| PURPOSES.contains(&name.as_str()))
        .any(|(_, value)| is_fetched_ahead(value.as_bytes()))
        .then_some(NotAnAction::Prefetch)
}

fn is_fetched_ahead(purpose: &[u8]) -> bool {
    purpose.split(|byte| matches!(byte, b';' | b',' | b' ')).any(|token| {
        [&b"prefetch"[..], b"prerender", b"preview"]
            .iter()
            .any(|ahead| token.eq_ignore_ascii_case(ahead))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: &Method, header: Option<(&'static str, &'static str)>) -> bool {
        let headers = header
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        said(method, &headers).is_some()
    }

    #[test]
    fn what_fetches_ahead_is_no_action() {
        assert!(verdict(&Method::HEAD, None));
        assert!(verdict(&Method::OPTIONS, None));
        for header in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("sec-purpose", "prefetch; anonymous-client-ip"),
            ("purpose", "prefetch"),
            ("Purpose", "Preview"),
            ("x-purpose", "preview"),
            ("x-moz", "prefetch"),
        ] {
            assert!(verdict(&Method::GET, Some(header)), "{header:?}");
        }
    }

    #[test]
    fn a_user_is_an_action() {
        assert!(!verdict(&Method::GET, None));
        assert!(!verdict(&Method::POST, None));
        assert!(!verdict(&Method::GET, Some(("purpose", "navigation"))));
        assert!(!verdict(&Method::GET, Some(("x-prefetched", "prefetch"))));
    }
}
