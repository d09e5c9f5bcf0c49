use std::{collections::HashSet, fmt, thread};

use super::{
    Simulator, describe,
    received::{Received, RequestKind},
    times::Times,
};
use crate::twilio::MessageSid;

type Allowed = Box<dyn Fn(&Received) -> bool + Send + Sync>;

/// What a test expects of its application, verified when it is dropped.
///
/// Made by [`Simulator::expect`]. What is not said is not counted; but whatever
/// is said, a request that the simulator does not expect of any application
/// fails the test: one that it refused ([`Received::is_refused`]: malformed, not
/// authorized, feedback for an unknown or an untagged message), or one that
/// neither creates a message nor reports on one. [`allow`](Self::allow) lets
/// some of them pass.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_message_feedback::simulator::Simulator;
///
/// let twilio = Simulator::new();
/// let _expected = twilio.expect().creates(1).feedback(1..=3).confirmed(1);
/// let server = twilio.serve().await?;
/// # let url = format!("{}/Accounts/AC0123456789abcdef0123456789abcdef/Messages", server.base_url());
/// # let post = async |url: String, form: &'static str| {
/// #     let client = reqwest::Client::new().post(url).bearer_auth("x");
/// #     client.header("content-type", "application/x-www-form-urlencoded").body(form).send().await
/// # };
/// # post(format!("{url}.json"), "To=%2B15558675310&From=%2B15557122661&Body=x&ProvideFeedback=true").await.unwrap();
/// # post(format!("{url}/{}/Feedback.json", twilio.messages()[0].sid()), "Outcome=confirmed").await.unwrap();
/// // Send a message with the application, play the user, wait for the feedback:
/// twilio.wait_until(|twilio| twilio.confirmed().len() == 1).await;
/// // Here `_expected` is dropped, and panics if something else came.
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// The panic lists what came: methods, paths, names of fields and answers, and
/// no value that a request carried.
#[must_use = "expectations are verified when they are dropped: keep them until the end of the test"]
pub struct Expectations {
    simulator: Simulator,
    /// What had come before is not counted.
    start: usize,
    confirmed_before: HashSet<MessageSid>,
    creates: Option<Times>,
    feedback: Option<Times>,
    confirmed: Option<Times>,
    allowed: Vec<Allowed>,
    verified: bool,
}

impl Simulator {
    /// Expects of what comes from now on what the returned [`Expectations`] are
    /// told, and that nothing unexpected is among it.
    pub fn expect(&self) -> Expectations {
        let (start, confirmed_before) = self.shared.read(|state| {
            (state.received.len(), state.confirmed.iter().copied().collect::<HashSet<_>>())
        });
        Expectations {
            simulator: self.clone(),
            start,
            confirmed_before,
            creates: None,
            feedback: None,
            confirmed: None,
            allowed: Vec::new(),
            verified: false,
        }
    }
}

impl Expectations {
    /// So many creates arrive, whatever they are answered.
    pub fn creates(mut self, times: impl Into<Times>) -> Self {
        self.creates = Some(times.into());
        self
    }

    /// So many feedback calls arrive, whatever they are answered: a retry counts.
    pub fn feedback(mut self, times: impl Into<Times>) -> Self {
        self.feedback = Some(times.into());
        self
    }

    /// So many messages become confirmed: a repeated call does not count.
    pub fn confirmed(mut self, times: impl Into<Times>) -> Self {
        self.confirmed = Some(times.into());
        self
    }

    /// Requests that `allowed` answers true for are never unexpected. They are
    /// counted as the others are.
    ///
    /// ```
    /// use tower_message_feedback::simulator::Simulator;
    ///
    /// let twilio = Simulator::new();
    /// // This application also lists its messages.
    /// twilio.expect().allow(|request| request.method() == "GET").verify();
    /// ```
    pub fn allow(mut self, allowed: impl Fn(&Received) -> bool + Send + Sync + 'static) -> Self {
        self.allowed.push(Box::new(allowed));
        self
    }

    /// Verifies now what dropping would verify.
    ///
    /// # Panics
    ///
    /// If something else came than was expected.
    #[track_caller]
    pub fn verify(mut self) {
        self.verified = true;
        if let Err(failure) = self.check() {
            panic!("{failure}");
        }
    }

    /// What would be told, if the expectations were verified now.
    ///
    /// # Errors
    ///
    /// The text of the panic that dropping them would make.
    pub fn check(&self) -> Result<(), String> {
        // Only what was there at one moment.
        let (received, confirmed) = self.simulator.shared.read(|state| {
            let confirmed = &state.confirmed;
            let new = confirmed.iter().filter(|sid| !self.confirmed_before.contains(sid));
            (state.received.get(self.start..).unwrap_or_default().to_vec(), new.count())
        });
        let of_kind = |kind| received.iter().filter(|request| request.kind() == kind).count();
        let counts = [
            ("creates", self.creates, of_kind(RequestKind::Create)),
            ("feedback calls", self.feedback, of_kind(RequestKind::Feedback)),
            ("confirmed messages", self.confirmed, confirmed),
        ];
        let mut problems = String::new();
        for (what, times, count) in counts {
            if let Some(times) = times.filter(|times| !times.admits(count)) {
                problems.push_str(&format!("\n- expected {times} {what}, got {count}"));
            }
        }
        for request in received.iter().filter(|request| self.is_unexpected(request)) {
            problems.push_str(&format!("\n- unexpected: {}", describe::line(request)));
        }
        if problems.is_empty() {
            return Ok(());
        }
        let count = received.len();
        let list = describe::list(&received);
        Err(format!("the simulator was not used as expected:{problems}\n{count} requests:{list}"))
    }

    fn is_unexpected(&self, request: &Received) -> bool {
        (request.kind() == RequestKind::Other || request.is_refused())
            && !self.allowed.iter().any(|allowed| allowed(request))
    }
}

impl Drop for Expectations {
    fn drop(&mut self) {
        // A second panic would abort the process and hide the first.
        if self.verified || thread::panicking() {
            return;
        }
        if let Err(failure) = self.check() {
            panic!("{failure}");
        }
    }
}

impl fmt::Debug for Expectations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expectations")
            .field("creates", &self.creates)
            .field("feedback", &self.feedback)
            .field("confirmed", &self.confirmed)
            .field("allowed", &self.allowed.len())
            .finish_non_exhaustive()
    }
}
