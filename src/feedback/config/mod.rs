//! Settings that an application loads from a file.

mod path;
mod table;
mod value;

use std::{collections::BTreeMap, fmt, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde_core::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use self::{
    path::Path,
    table::table,
    value::{At, Shown, Value},
};
use super::{builder::MessageFeedbackBuilder, error::BuildError, handle::MessageFeedback};
use crate::{
    Credentials, Mode, RetryPolicy,
    store::{Resends, StoreUrl},
    twilio::SignatureVerifier,
};

table! {
    /// The settings of a [`MessageFeedbackBuilder`] in a file: TOML, JSON, YAML or anything
    /// else that serde reads and that names its fields. What is not there has the builder's
    /// default.
    ///
    /// Durations are texts, `"72h"`, `"1m 30s"`, `"250ms"`; a number or a truth may be a text,
    /// too, as environment variables have it. An error names the setting,
    /// `accounts[1].auth_token`, and no secret; a format may add the line where it stands,
    /// as `toml` does: show such errors to the person who writes the file, and do not log them.
    /// `Debug` hides secrets; of a URL it shows where it leads, and of another text nothing,
    /// unless it is an account's SID.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tower_message_feedback::MessageFeedbackConfig;
    ///
    /// let config: MessageFeedbackConfig = toml::from_str(r#"
    ///     mode = "observe"
    ///     retention = "24h"
    ///     store = "memory:"
    ///
    ///     [[accounts]]
    ///     account_sid = "AC0123456789abcdef0123456789abcdef"
    ///     auth_token = "secret"
    /// "#)?;
    /// let feedback = config.into_builder().await?.build()?;
    ///
    /// let error = toml::from_str::<MessageFeedbackConfig>("retention = \"soon\"").unwrap_err();
    /// assert!(error.message().contains("expected `retention` to be a duration such as \"72h\""));
    /// # Ok(())
    /// # }
    /// ```
    pub struct MessageFeedbackConfig {
        /// Credentials: [`credentials`](MessageFeedbackBuilder::credentials) for each.
        pub accounts: Vec<AccountConfig>,
        /// [`allow_origin`](MessageFeedbackBuilder::allow_origin) for each.
        pub allow_origins: Vec<String>,
        /// [`mode`](MessageFeedbackBuilder::mode): `"on"`, `"observe"` or `"off"`.
        pub mode: Mode,
        /// [`origin_mode`](MessageFeedbackBuilder::origin_mode): a table from URLs to modes.
        pub origin_modes: BTreeMap<String, Mode>,
        /// [`store`](MessageFeedbackBuilder::store).
        pub store: StoreUrl,
        /// [`correlation_key`](MessageFeedbackBuilder::correlation_key).
        pub correlation_key: SecretString,
        /// [`previous_correlation_key`](MessageFeedbackBuilder::previous_correlation_key).
        pub previous_correlation_key: SecretString,
        /// [`retention`](MessageFeedbackBuilder::retention).
        pub retention: Duration,
        /// [`resends`](MessageFeedbackBuilder::resends): `"newest"` or `"all"`.
        pub resends: Resends,
        /// [`retry_policy`](MessageFeedbackBuilder::retry_policy).
        pub retry_policy: RetryPolicyConfig,
        /// [`max_in_flight`](MessageFeedbackBuilder::max_in_flight).
        pub max_in_flight: usize,
        /// [`call_timeout`](MessageFeedbackBuilder::call_timeout).
        pub call_timeout: Duration,
        /// [`store_timeout`](MessageFeedbackBuilder::store_timeout).
        pub store_timeout: Duration,
        /// [`max_deferred`](MessageFeedbackBuilder::max_deferred).
        pub max_deferred: usize,
        /// [`wait_for_record`](MessageFeedbackBuilder::wait_for_record): how many.
        pub max_waiting: usize,
        /// [`wait_for_record`](MessageFeedbackBuilder::wait_for_record): how long.
        pub wait_for_record: Duration,
        /// [`status_callback`](MessageFeedbackBuilder::status_callback).
        pub status_callback: String,
        /// [`webhooks`](MessageFeedbackBuilder::webhooks): what
        /// [`SignatureVerifier::public_url`](crate::webhook::SignatureVerifier::public_url) takes.
        pub webhooks_public_url: String,
        /// [`report`](MessageFeedbackBuilder::report).
        pub report: bool,
        /// [`report_retention`](MessageFeedbackBuilder::report_retention): of hours.
        pub report_hours: Duration,
        /// [`report_retention`](MessageFeedbackBuilder::report_retention): of days.
        pub report_days: Duration,
        /// [`report_labels`](MessageFeedbackBuilder::report_labels).
        pub report_labels: usize,
        /// [`max_form_bytes`](MessageFeedbackBuilder::max_form_bytes).
        pub max_form_bytes: usize,
        /// [`receipt_bounds`](MessageFeedbackBuilder::receipt_bounds): how long.
        pub receipt_timeout: Duration,
        /// [`receipt_bounds`](MessageFeedbackBuilder::receipt_bounds): how much.
        pub max_receipt_bytes: usize,
    }
}

table! {
    /// An account in a [`MessageFeedbackConfig`], with one of: its auth token; an API key and
    /// its secret; an OAuth access token.
    pub struct AccountConfig {
        /// `AC…`
        pub account_sid: String,
        /// [`Credentials::auth_token`].
        pub auth_token: SecretString,
        /// [`Credentials::api_key`]: `SK…`
        pub api_key: String,
        /// [`Credentials::api_key`]: its secret.
        pub api_secret: SecretString,
        /// [`Credentials::bearer`].
        pub bearer_token: SecretString,
    }
}

table! {
    /// A [`RetryPolicy`] in a [`MessageFeedbackConfig`].
    pub struct RetryPolicyConfig {
        /// [`RetryPolicy::base`].
        pub base: Duration,
        /// [`RetryPolicy::max`].
        pub max: Duration,
        /// [`RetryPolicy::max_retry_after`].
        pub max_retry_after: Duration,
        /// [`RetryPolicy::not_found_for`].
        pub not_found_for: Duration,
        /// [`RetryPolicy::give_up_after`].
        pub give_up_after: Duration,
        /// [`RetryPolicy::min_attempts`].
        pub min_attempts: u32,
    }
}

impl MessageFeedbackConfig {
    /// A builder with these settings, for what a file cannot say; it opens the store.
    ///
    /// Credentials need not be in a file: without `accounts`, give them to the builder.
    ///
    /// # Errors
    ///
    /// Names the setting that cannot work, by its place here, or says why the store does not
    /// open. What only [`build`](MessageFeedbackBuilder::build) can know, it says.
    pub async fn into_builder(self) -> Result<MessageFeedbackBuilder, BuildError> {
        let mut builder = self.without_store()?;
        if let Some(url) = &self.store {
            let store = url.open().await.map_err(|error| {
                let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
                BuildError::new("store", format!("{error}{}", source.unwrap_or_default()))
            })?;
            builder = builder.store(store);
        }
        Ok(builder)
    }

    fn without_store(&self) -> Result<MessageFeedbackBuilder, BuildError> {
        let mut builder = MessageFeedback::builder();
        for (index, account) in self.accounts.iter().flatten().enumerate() {
            builder = builder.credentials(account.credentials(index)?);
        }
        for (index, origin) in self.allow_origins.iter().flatten().enumerate() {
            let base_url = origin.parse::<crate::BaseUrl>().map_err(|error| {
                BuildError::new(format!("allow_origins[{index}]"), error.problem())
            })?;
            builder = builder.allow_origin(base_url.as_str());
        }
        for (url, mode) in self.origin_modes.iter().flatten() {
            let base_url = url.parse::<crate::BaseUrl>().map_err(|error| {
                BuildError::new(
                    "origin_modes",
                    format!("the name of an entry: {}", error.problem()),
                )
            })?;
            builder = builder.origin_mode(base_url.as_str(), *mode);
        }
        if let Some(url) = &self.webhooks_public_url {
            let verifier = SignatureVerifier::default()
                .public_url(url)
                .map_err(|error| BuildError::new("webhooks_public_url", error.problem()))?;
            builder = builder.webhooks(verifier);
        }
        macro_rules! set {
            ($($setting:ident = $value:expr;)*) => {$(
                if let Some(value) = $value {
                    builder = builder.$setting(value);
                }
            )*};
        }
        set! {
            mode = self.mode;
            correlation_key = self.correlation_key.as_ref().map(exposed);
            previous_correlation_key = self.previous_correlation_key.as_ref().map(exposed);
            retention = self.retention;
            resends = self.resends;
            retry_policy = self.retry_policy.as_ref().map(RetryPolicyConfig::policy);
            max_in_flight = self.max_in_flight;
            call_timeout = self.call_timeout;
            store_timeout = self.store_timeout;
            max_deferred = self.max_deferred;
            status_callback = self.status_callback.as_ref();
            report = self.report;
            report_labels = self.report_labels;
            max_form_bytes = self.max_form_bytes;
        }
        Ok(self.bounds(builder))
    }

    /// Settings of which the builder takes two at once.
    fn bounds(&self, mut builder: MessageFeedbackBuilder) -> MessageFeedbackBuilder {
        let settings = builder.settings_mut();
        let copy = |to: &mut Duration, from: Option<Duration>| *to = from.unwrap_or(*to);
        copy(&mut settings.wait_for_record, self.wait_for_record);
        copy(&mut settings.report.hours, self.report_hours);
        copy(&mut settings.report.days, self.report_days);
        copy(&mut settings.receipt_timeout, self.receipt_timeout);
        settings.max_waiting = self.max_waiting.unwrap_or(settings.max_waiting);
        settings.max_receipt_bytes = self.max_receipt_bytes.unwrap_or(settings.max_receipt_bytes);
        builder
    }
}

impl AccountConfig {
    fn credentials(&self, index: usize) -> Result<Credentials, BuildError> {
        let missing = |field: &str| BuildError::new(place(index, field), "it is missing");
        let account = self.account_sid.as_deref().ok_or_else(|| missing("account_sid"))?;
        let key = (self.api_key.as_deref(), self.api_secret.as_ref());
        let credentials = match (&self.auth_token, key, &self.bearer_token) {
            (Some(token), (None, None), None) => {
                Credentials::auth_token(account, token.expose_secret())
            }
            (None, (Some(key), Some(secret)), None) => {
                Credentials::api_key(account, key, secret.expose_secret())
            }
            (None, (Some(_), None), None) => return Err(missing("api_secret")),
            (None, (None, Some(_)), None) => return Err(missing("api_key")),
            (None, (None, None), Some(token)) => {
                Credentials::bearer(account, token.expose_secret())
            }
            (None, (None, None), None) => {
                return Err(BuildError::new(
                    format!("accounts[{index}]"),
                    "it needs auth_token, api_key and api_secret, or bearer_token",
                ));
            }
            _ => {
                return Err(BuildError::new(
                    format!("accounts[{index}]"),
                    "it has more than one of auth_token, api_key and bearer_token",
                ));
            }
        };
        credentials.map_err(|error| {
            let field = match error.setting() {
                "account SID" => "account_sid",
                "API key SID" => "api_key",
                "API key secret" => "api_secret",
                "OAuth token" => "bearer_token",
                _ => "auth_token",
            };
            BuildError::new(place(index, field), error.problem())
        })
    }
}

fn place(index: usize, field: &str) -> String {
    format!("accounts[{index}].{field}")
}

fn exposed(secret: &SecretString) -> &[u8] {
    secret.expose_secret().as_bytes()
}

impl RetryPolicyConfig {
    fn policy(&self) -> RetryPolicy {
        let default = RetryPolicy::default();
        RetryPolicy {
            base: self.base.unwrap_or(default.base),
            max: self.max.unwrap_or(default.max),
            max_retry_after: self.max_retry_after.unwrap_or(default.max_retry_after),
            not_found_for: self.not_found_for.unwrap_or(default.not_found_for),
            give_up_after: self.give_up_after.unwrap_or(default.give_up_after),
            min_attempts: self.min_attempts.unwrap_or(default.min_attempts),
        }
    }
}
