use std::{fmt, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    deferred::DeferredQueue,
    dispatcher::Dispatcher,
    early_statuses::EarlyStatuses,
    error::BuildError,
    handle::MessageFeedback,
    recent::Recent,
    segments::Segments,
    settings::Settings,
    shared::{BaseUrls, Shared, TagIf, Warned},
    status_callback_url::StatusCallbackUrl,
    tally::Tally,
    waiting::WaitingSet,
};
use crate::{
    BaseUrl, Clock, Credentials, CredentialsProvider, FeedbackBody, MessageForm, Mode,
    PreviewGuard, RetryPolicy,
    clock::SteadyClock,
    correlate::Keyring,
    counters::Striped,
    delivery::{BoxError, BoxTransport, Control, Delivery, ServiceTransport, Worker},
    store::{Durability, FeedbackStore, MemoryStore, Resends},
    sync::atomic::AtomicBool,
    twilio::{AccountSid, AllowedOrigins, Directory, SignatureVerifier},
};

/// Configures a [`MessageFeedback`]. Only credentials are needed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tower_message_feedback::{Credentials, MessageFeedback, store::MemoryStore};
///
/// let feedback = MessageFeedback::builder()
///     .credentials(Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "secret")?)
///     .store(MemoryStore::builder().max_messages(100_000).build())
///     .retention(Duration::from_secs(24 * 60 * 60))
///     .build()?;
///
/// let error = MessageFeedback::builder().build().unwrap_err();
/// assert_eq!(error.setting(), "credentials");
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct MessageFeedbackBuilder {
    credentials: Directory,
    auth_tokens: Vec<(AccountSid, Arc<str>)>,
    origins: AllowedOrigins,
    store: Option<Arc<dyn FeedbackStore>>,
    correlation_key: Option<Vec<u8>>,
    previous_correlation_key: Option<Vec<u8>>,
    transport: Option<BoxTransport>,
    clock: Clock,
    retry: RetryPolicy,
    max_in_flight: usize,
    call_timeout: Duration,
    tag_if: Option<Arc<TagIf>>,
    mode: Mode,
    origin_modes: Vec<(BaseUrl, Mode)>,
    settings: Settings,
    /// The first mistake that a method could not answer.
    mistake: Option<BuildError>,
}

impl MessageFeedbackBuilder {
    pub(super) fn new() -> Self {
        Self {
            credentials: Directory::default(),
            auth_tokens: Vec::new(),
            origins: AllowedOrigins::default(),
            store: None,
            correlation_key: None,
            previous_correlation_key: None,
            transport: None,
            clock: Clock::system(),
            retry: RetryPolicy::default(),
            max_in_flight: 8,
            call_timeout: Duration::from_secs(10),
            tag_if: None,
            mode: Mode::On,
            origin_modes: Vec::new(),
            settings: Settings::default(),
            mistake: None,
        }
    }

    #[cfg(feature = "serde")]
    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    fn mistake(&mut self, setting: &'static str, problem: impl Into<String>) {
        self.mistake.get_or_insert_with(|| BuildError::new(setting, problem));
    }

    /// Credentials of an account; once for each account.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        let account = credentials.account_sid();
        self.auth_tokens.extend(credentials.signs_webhooks().map(|token| (account, token)));
        if self.credentials.insert(credentials) {
            self.mistake("credentials", format!("given twice for {account}"));
        }
        self
    }

    /// Looks up the credentials of accounts that [`credentials`](Self::credentials)
    /// does not name, before each call: for secrets that rotate.
    pub fn credentials_provider(mut self, provider: impl CredentialsProvider) -> Self {
        self.credentials.set_provider(Arc::new(provider));
        self
    }

    /// Allows feedback, and so credentials, to go to the scheme, host and port
    /// of `url` beside `https` at `twilio.com` and its subdomains: a proxy, a
    /// simulator.
    ///
    /// Creates that go elsewhere are left alone.
    pub fn allow_origin(mut self, url: impl AsRef<str>) -> Self {
        match url.as_ref().parse::<BaseUrl>() {
            Ok(base_url) => self.origins.allow(&base_url),
            Err(error) => self.mistake("allow_origin", error.problem()),
        }
        self
    }

    /// The mode to start in: [`Mode::On`] by default. To adopt the crate without
    /// risk, start with [`Mode::Observe`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The mode to start in for the scheme, host and port of `url`, where it
    /// differs: a region, for example, that takes no feedback.
    pub fn origin_mode(mut self, url: impl AsRef<str>, mode: Mode) -> Self {
        match url.as_ref().parse::<BaseUrl>() {
            Ok(base_url) => self.origin_modes.push((base_url, mode)),
            Err(error) => self.mistake("origin_mode", error.problem()),
        }
        self
    }

    /// Lets only those sends be tagged whose form `tag_if` answers `true` for.
    ///
    /// Twilio asks to tag one-time codes and the like alone, so that the report
    /// stays clean. Where one client sends other messages with an id, too, say
    /// here which are which:
    ///
    /// ```
    /// # use tower_message_feedback::{MessageFeedback, MessageForm};
    /// let builder = MessageFeedback::builder()
    ///     .tag_if(|form: &MessageForm<'_>| form.get("Body").is_some_and(|b| b.contains("code")));
    /// ```
    ///
    /// It runs inside `Service::call`: it must not block.
    pub fn tag_if(
        mut self,
        tag_if: impl Fn(&MessageForm<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.tag_if = Some(Arc::new(tag_if));
        self
    }

    /// Where tracked messages wait: by default in memory, as
    /// [`MemoryStore::new`] bounds it.
    pub fn store(mut self, store: impl FeedbackStore) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// The secret that turns correlation ids into the keys that the store
    /// holds: 16 bytes at least. A durable store needs it, the same in every
    /// process. By default it is random, and ends with the process.
    pub fn correlation_key(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.correlation_key = Some(secret.into());
        self
    }

    /// The secret that was in use before: ids are still found under it while
    /// new ones are written under [`correlation_key`](Self::correlation_key).
    pub fn previous_correlation_key(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.previous_correlation_key = Some(secret.into());
        self
    }

    /// The Tower service that carries feedback calls: by default an HTTPS
    /// client of hyper and rustls with Mozilla's roots (feature `https-client`), over
    /// HTTP/1.1, or over HTTP/2 if Twilio offers it (feature `http2`).
    ///
    /// It must not follow redirects or retry.
    pub fn transport<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<FeedbackBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
    {
        self.transport = Some(Box::new(ServiceTransport::new(service)));
        self
    }

    /// How long a message waits for its action, from its `SendAt` or else from
    /// its send: three days by default. Later confirms find nothing.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.settings.retention = retention;
        self
    }

    /// Which of several messages under one id an action confirms: the newest by
    /// default.
    pub fn resends(mut self, resends: Resends) -> Self {
        self.settings.resends = resends;
        self
    }

    /// When feedback calls are repeated and given up.
    pub fn retry_policy(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How many feedback calls run at once for an account: 8 by default, 256
    /// at most. Twilio's concurrency limit counts them together with the sends.
    pub fn max_in_flight(mut self, max: usize) -> Self {
        self.max_in_flight = max;
        self
    }

    /// How long a feedback call may take: 10 seconds by default.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// How long a send's answer, or a confirming route, waits for the store:
    /// 250 ms by default. What takes longer is tried again in the background,
    /// where the store gets eight times as long, and more after each failure.
    /// Until it answers there, sends and routes do not wait for it at all.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.settings.store_timeout = timeout;
        self
    }

    /// How many records and confirms wait in memory while the store fails:
    /// 10,000 by default. Beyond it they are refused.
    pub fn max_deferred(mut self, max: usize) -> Self {
        self.settings.max_deferred = max;
        self
    }

    /// How many ids that were confirmed before anything was recorded under them
    /// are kept, and for how long: 10,000 for 60 seconds by default. Beyond it
    /// the oldest is dropped. They confirm no message that was sent more than five seconds
    /// after them. As many ids of sends that were not tagged are kept,
    /// to tell their confirms from those of nothing, and as many statuses of messages
    /// that the store does not know yet.
    pub fn wait_for_record(mut self, max: usize, time: Duration) -> Self {
        self.settings.max_waiting = max;
        self.settings.wait_for_record = time;
        self
    }

    /// What tells a user's action from a prefetch, a preview or a scanner:
    /// [`PreviewGuard::default`] by default.
    pub fn preview_guard(mut self, guard: PreviewGuard) -> Self {
        self.settings.guard = guard;
        self
    }

    /// What tells Twilio's [webhooks](crate::webhook) from forgeries: the URL that they
    /// are sent to, and auth tokens beside those of the builder's
    /// [`credentials`](Self::credentials), which are known without it.
    ///
    /// ```
    /// # use tower_message_feedback::{MessageFeedback, webhook::SignatureVerifier};
    /// let builder = MessageFeedback::builder()
    ///     .webhooks(SignatureVerifier::default().public_url("https://www.example.com")?);
    /// # Ok::<(), tower_message_feedback::InvalidBaseUrl>(())
    /// ```
    pub fn webhooks(mut self, verifier: SignatureVerifier) -> Self {
        self.settings.verifier = verifier;
        self
    }

    /// Adds a `StatusCallback` to each tagged send that names none: the URL of the
    /// application's route for [status callbacks](crate::webhook), with a query parameter
    /// that says which send it is. By default nothing is added.
    ///
    /// So a message whose create was abandoned before its answer, by a timeout or a
    /// dropped connection, gets its SID from the first callback, if that comes within
    /// ten minutes; a scheduled message's does not. What the parameter holds is the keyed
    /// hash of the correlation id, and the time, the account, the base URL and the label
    /// of the send.
    ///
    /// Twilio calls this URL instead of the one that a Messaging Service is configured
    /// with. It is one that Twilio can reach, `https` but for tests.
    ///
    /// ```
    /// # use tower_message_feedback::MessageFeedback;
    /// let builder = MessageFeedback::builder()
    ///     .status_callback("https://www.example.com/twilio/status");
    /// ```
    pub fn status_callback(mut self, url: impl AsRef<str>) -> Self {
        match StatusCallbackUrl::parse(url.as_ref()) {
            Ok(url) => self.settings.status_callback = Some(url),
            Err(problem) => self.mistake("status_callback", problem),
        }
        self
    }

    /// Whether messages are counted for the [report](crate::report): they are by default.
    pub fn report(mut self, enabled: bool) -> Self {
        self.settings.report.enabled = enabled;
        self
    }

    /// How long the store keeps the report's counters of each hour, and of each day: 14 and
    /// 400 days by default.
    pub fn report_retention(mut self, hours: Duration, days: Duration) -> Self {
        self.settings.report.hours = hours;
        self.settings.report.days = days;
        self
    }

    /// How many labels the report of this process tells apart: 100 by default. Messages
    /// with any other are counted under `(other)`.
    pub fn report_labels(mut self, max: usize) -> Self {
        self.settings.report.max_labels = max;
        self
    }

    /// The longest form that is read for a tag: 64 KiB by default. A longer one
    /// passes untouched.
    pub fn max_form_bytes(mut self, max: usize) -> Self {
        self.settings.max_form_bytes = max;
        self
    }

    /// The longest answer to a create that is read for its SID, and how long
    /// that may take: 64 KiB and one second by default. What is beyond either
    /// streams on to the caller.
    pub fn receipt_bounds(mut self, max_bytes: usize, timeout: Duration) -> Self {
        self.settings.max_receipt_bytes = max_bytes;
        self.settings.receipt_timeout = timeout;
        self
    }

    /// The clock that records, retries and expiry go by, that of the default
    /// store included.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the handle and spawns its dispatcher on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// Names the setting that cannot work and the fix, also where there is no
    /// runtime.
    pub fn build(self) -> Result<MessageFeedback, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
            BuildError::new(
                "build",
                "there is no Tokio runtime here to spawn the dispatcher on: call it inside one, \
                 or call build_pair() and spawn the dispatcher later",
            )
        })?;
        let (feedback, dispatcher) = self.build_pair()?;
        drop(runtime.spawn(dispatcher));
        Ok(feedback)
    }

    /// Builds the handle and the dispatcher, for an application that spawns it
    /// itself. Nothing is delivered before that.
    ///
    /// # Errors
    ///
    /// Names the setting that cannot work and the fix.
    pub fn build_pair(mut self) -> Result<(MessageFeedback, Dispatcher), BuildError> {
        self.check()?;
        for (account, token) in self.auth_tokens.drain(..) {
            self.settings.verifier.insert(account, token);
        }
        let store = match self.store.take() {
            Some(store) => store,
            None => Arc::new(MemoryStore::builder().clock(self.clock.clone()).build()),
        };
        let keyring = match &self.correlation_key {
            Some(secret) => Keyring::new(secret, self.previous_correlation_key.as_deref()),
            None if store.durability() > Durability::Volatile => {
                return Err(BuildError::new(
                    "correlation_key",
                    "a durable store needs one, the same in every process and after every start",
                ));
            }
            None => Keyring::random().map_err(|error| {
                BuildError::new("correlation_key", format!("no random bytes: {error}"))
            })?,
        };
        let control = Arc::new(Control::default());
        let transport = match self.transport.take() {
            Some(transport) => transport,
            None => default_transport(&control)?,
        };
        control.modes.set(self.mode);
        for (base_url, mode) in &self.origin_modes {
            control.modes.set_origin(base_url, Some(*mode));
        }
        let mut writer = [0; 8];
        getrandom::getrandom(&mut writer)
            .map_err(|error| BuildError::new("report", format!("no random bytes: {error}")))?;
        let tally = Tally::new(self.settings.report.clone(), i64::from_ne_bytes(writer));
        control.conclusions.keep(tally.max_conclusions());
        let origins = Arc::new(self.origins);
        let steady = SteadyClock::new(&self.clock);
        let delivery = Delivery {
            store: store.clone(),
            control: control.clone(),
            clock: self.clock.clone(),
            steady: steady.clone(),
            credentials: self.credentials,
            origins: origins.clone(),
            retry: self.retry,
            max_in_flight: self.max_in_flight,
            call_timeout: self.call_timeout,
        };
        let shared = Arc::new(Shared {
            store,
            keyring,
            clock: self.clock,
            steady,
            origins,
            control,
            sends: Striped::default(),
            confirms: Striped::default(),
            deferred: DeferredQueue::new(self.settings.max_deferred),
            waiting: WaitingSet::new(self.settings.max_waiting),
            statuses: Striped::default(),
            recording: Arc::default(),
            confirming: Arc::default(),
            early: EarlyStatuses::new(self.settings.max_waiting),
            #[cfg(feature = "axum")]
            senders: Recent::new(self.settings.max_waiting),
            forgotten: Recent::new(self.settings.max_waiting),
            untagged: Recent::new(self.settings.max_waiting),
            #[cfg(feature = "axum")]
            webhooks: Recent::new(self.settings.max_waiting),
            segments: Segments::default(),
            tally,
            tag_if: self.tag_if,
            warned: Warned::default(),
            base_urls: BaseUrls::default(),
            store_hangs: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            settings: self.settings,
        });
        let dispatcher = Dispatcher::new(shared.clone(), Worker::new(delivery, transport));
        Ok((MessageFeedback::new(shared), dispatcher))
    }

    fn check(&mut self) -> Result<(), BuildError> {
        /// A secret shorter than this could be found by trying.
        const SHORTEST_SECRET: usize = 16;

        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        if self.credentials.is_empty() {
            return Err(BuildError::new(
                "credentials",
                "there are none: call credentials() or credentials_provider()",
            ));
        }
        for (setting, secret) in [
            ("correlation_key", &self.correlation_key),
            ("previous_correlation_key", &self.previous_correlation_key),
        ] {
            if secret.as_ref().is_some_and(|secret| secret.len() < SHORTEST_SECRET) {
                return Err(BuildError::new(setting, "it has fewer than 16 bytes"));
            }
        }
        if self.previous_correlation_key.is_some() && self.correlation_key.is_none() {
            return Err(BuildError::new(
                "previous_correlation_key",
                "it is of no use without correlation_key",
            ));
        }
        if let Some(problem) = self.retry.problem() {
            return Err(BuildError::new("retry_policy", problem));
        }
        if !(1..=256).contains(&self.max_in_flight) {
            return Err(BuildError::new("max_in_flight", "it is not from 1 to 256"));
        }
        for (setting, duration) in [
            ("call_timeout", self.call_timeout),
            ("store_timeout", self.settings.store_timeout),
            ("retention", self.settings.retention),
            ("receipt_bounds", self.settings.receipt_timeout),
        ] {
            if duration.is_zero() {
                return Err(BuildError::new(setting, "it is zero"));
            }
        }
        Ok(())
    }
}

#[cfg(feature = "https-client")]
fn default_transport(control: &Arc<Control>) -> Result<BoxTransport, BuildError> {
    crate::delivery::https_client(control.clone())
        .map_err(|error| BuildError::new("transport", format!("no HTTPS client: {error}")))
}

#[cfg(not(feature = "https-client"))]
fn default_transport(_: &Arc<Control>) -> Result<BoxTransport, BuildError> {
    Err(BuildError::new(
        "transport",
        "there is none: call transport(), or enable the feature `https-client`",
    ))
}

impl fmt::Debug for MessageFeedbackBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageFeedbackBuilder")
            .field("credentials", &self.credentials)
            .field("origins", &self.origins)
            .field("correlation_key", &self.correlation_key.is_some())
            .field("retry_policy", &self.retry)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
