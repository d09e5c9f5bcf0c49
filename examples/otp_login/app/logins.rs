//! The rules of signing in, without HTTP: who waits for a code, and who is in.
//!
//! An attempt has two names. The browser that typed the number knows it by a
//! cookie; the text alone carries the attempt's id, in its link. So whoever
//! opens the link has read the text.

use std::{collections::HashMap, time::Duration};

use tower_message_feedback::{Clock, Timestamp};

const CODE_LIFE: Duration = Duration::from_secs(10 * 60);
const SESSION_LIFE: Duration = Duration::from_secs(12 * 60 * 60);
const BETWEEN_TEXTS: Duration = Duration::from_secs(20);
pub const TRIES: u8 = 5;
const TEXTS_PER_ATTEMPT: u8 = 5;
/// Attempts that one number may have at a time, so that nobody can be flooded.
const ATTEMPTS_PER_PHONE: usize = 5;
/// Attempts, and sessions, at a time.
const ROOM: usize = 10_000;

pub struct Logins {
    clock: Clock,
    attempts: HashMap<String, Attempt>,
    sessions: HashMap<String, Session>,
}

struct Attempt {
    browser: String,
    phone: String,
    code: String,
    texts: u8,
    texted_at: Timestamp,
    tries_left: u8,
    notice: Option<Notice>,
}

/// What the page says once about what was done last.
#[derive(Clone, Copy)]
pub enum Notice {
    NotSixDigits,
    Wrong { tries_left: u8, several_texts: bool },
    TextedAgain,
    TooSoon { seconds: u64 },
    NoMoreTexts,
    NotSent,
}

/// A text to send.
pub struct Text {
    pub attempt: String,
    pub phone: String,
    pub code: String,
}

pub enum Entered {
    Right {
        attempt: String,
    },
    Wrong,
    NoTriesLeft,
    /// It expired, or was finished.
    Over,
}

#[derive(Clone, Copy)]
pub enum By {
    Code,
    Link,
}

#[derive(Clone)]
pub struct Session {
    pub attempt: String,
    pub phone: String,
    pub by: By,
    pub since: Timestamp,
}

impl Logins {
    pub fn new(clock: Clock) -> Self {
        Self { clock, attempts: HashMap::new(), sessions: HashMap::new() }
    }

    /// Begins an attempt. `None` if this number, or everyone, has too many.
    pub fn begin(
        &mut self,
        browser: String,
        attempt: String,
        phone: String,
        code: String,
    ) -> Option<Text> {
        let now = self.clock.now();
        self.attempts.retain(|_, attempt| now < attempt.expires_at());
        let of_phone = self.attempts.values().filter(|other| other.phone == phone).count();
        if of_phone >= ATTEMPTS_PER_PHONE || self.attempts.len() >= ROOM {
            return None;
        }
        let text = Text { attempt: attempt.clone(), phone: phone.clone(), code: code.clone() };
        let begun = Attempt {
            browser,
            phone,
            code,
            texts: 1,
            texted_at: now,
            tries_left: TRIES,
            notice: None,
        };
        self.attempts.insert(attempt, begun);
        Some(text)
    }

    /// Another text for the same attempt, with another code; `None` if there is
    /// to be none, which the page then explains. `Err` if the attempt is over.
    pub fn text_again(&mut self, browser: &str, code: String) -> Result<Option<Text>, ()> {
        let now = self.clock.now();
        let (id, attempt) = self.attempt_of(browser).ok_or(())?;
        let next = attempt.texted_at + BETWEEN_TEXTS;
        if attempt.texts >= TEXTS_PER_ATTEMPT {
            attempt.notice = Some(Notice::NoMoreTexts);
            return Ok(None);
        }
        if now < next {
            let seconds = next.since(now).as_millis().div_ceil(1000);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            attempt.notice = Some(Notice::TooSoon { seconds });
            return Ok(None);
        }
        attempt.code.clone_from(&code);
        attempt.texts += 1;
        attempt.texted_at = now;
        attempt.notice = Some(Notice::TextedAgain);
        Ok(Some(Text { attempt: id, phone: attempt.phone.clone(), code }))
    }

    /// Says on the page that the last text could not be sent.
    pub fn not_sent(&mut self, attempt: &str) {
        if let Some(attempt) = self.attempts.get_mut(attempt) {
            attempt.notice = Some(Notice::NotSent);
        }
    }

    /// Ends an attempt whose first text could not be sent.
    pub fn forget(&mut self, attempt: &str) {
        self.attempts.remove(attempt);
    }

    /// The number that a code went to, and what to say once.
    pub fn waiting(&mut self, browser: &str) -> Option<(String, Option<Notice>)> {
        let (_, attempt) = self.attempt_of(browser)?;
        Some((attempt.phone.clone(), attempt.notice.take()))
    }

    /// Someone enters a code; `session` is theirs if it is right.
    pub fn enter(&mut self, browser: &str, entered: &str, session: String) -> Entered {
        let Some((id, attempt)) = self.attempt_of(browser) else { return Entered::Over };
        // People copy the code with spaces, and phones write it so.
        let entered: String = entered.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if entered.len() != 6 || !entered.bytes().all(|byte| byte.is_ascii_digit()) {
            attempt.notice = Some(Notice::NotSixDigits); // a slip, which costs no try
            return Entered::Wrong;
        }
        if entered == attempt.code {
            self.finish(&id, By::Code, session);
            return Entered::Right { attempt: id };
        }
        attempt.tries_left -= 1;
        if attempt.tries_left == 0 {
            self.attempts.remove(&id);
            return Entered::NoTriesLeft;
        }
        let (tries_left, several_texts) = (attempt.tries_left, attempt.texts > 1);
        attempt.notice = Some(Notice::Wrong { tries_left, several_texts });
        Entered::Wrong
    }

    /// The number of an attempt that the link may still finish.
    pub fn phone_of(&self, attempt: &str) -> Option<&str> {
        let found = self.attempts.get(attempt)?;
        (self.clock.now() < found.expires_at()).then_some(&*found.phone)
    }

    /// Someone pressed the button on the link's page. Whether the attempt was
    /// there to be finished.
    pub fn open(&mut self, attempt: &str, session: String) -> bool {
        self.phone_of(attempt).is_some() && self.finish(attempt, By::Link, session)
    }

    fn finish(&mut self, id: &str, by: By, session: String) -> bool {
        // Taken out, so that a code and a link work once.
        let Some(attempt) = self.attempts.remove(id) else { return false };
        let since = self.clock.now();
        self.sessions.retain(|_, session| since < session.since + SESSION_LIFE);
        if self.sessions.len() >= ROOM {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.since);
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.sessions.remove(&oldest);
            }
        }
        let phone = attempt.phone;
        self.sessions.insert(session, Session { attempt: id.to_owned(), phone, by, since });
        true
    }

    pub fn session(&self, id: &str) -> Option<Session> {
        let session = self.sessions.get(id)?;
        (self.clock.now() < session.since + SESSION_LIFE).then(|| session.clone())
    }

    pub fn sign_out(&mut self, id: &str) {
        self.sessions.remove(id);
    }

    fn attempt_of(&mut self, browser: &str) -> Option<(String, &mut Attempt)> {
        let now = self.clock.now();
        self.attempts
            .iter_mut()
            .find(|(_, attempt)| attempt.browser == browser && now < attempt.expires_at())
            .map(|(id, attempt)| (id.clone(), attempt))
    }
}

impl Attempt {
    fn expires_at(&self) -> Timestamp {
        self.texted_at + CODE_LIFE
    }
}

/// A number as Twilio wants it: `+1 (555) 867-5310` is `+15558675310`.
pub fn e164(typed: &str) -> Option<String> {
    let mut number: String =
        typed.chars().filter(|c| !c.is_whitespace() && !"-.()/".contains(*c)).collect();
    if let Some(rest) = number.strip_prefix("00") {
        number = format!("+{rest}");
    }
    let digits = number.strip_prefix('+')?;
    let fits = (8..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(number)
}
