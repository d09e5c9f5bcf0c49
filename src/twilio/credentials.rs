use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;

use super::AccountSid;

/// What authenticates the feedback calls of one account.
///
/// Twilio takes the account's own auth token, an API key, or an OAuth bearer
/// token. A key that may create messages need not be allowed to post feedback
/// (a restricted key is answered 403), so this may be another credential than
/// the one that sends.
///
/// `Debug` shows the account and no secret.
///
/// ```
/// use tower_message_feedback::Credentials;
///
/// let credentials = Credentials::auth_token("AC0123456789abcdef0123456789abcdef", "secret")?;
/// assert!(!format!("{credentials:?}").contains("secret"));
/// # Ok::<(), tower_message_feedback::CredentialsError>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    account: AccountSid,
    authorization: HeaderValue,
    /// The account's own, with which Twilio signs its webhooks.
    auth_token: Option<Arc<str>>,
}

impl Credentials {
    /// The account's SID and its auth token.
    ///
    /// # Errors
    ///
    /// If the SID is not an account's, or the token is empty or holds control
    /// characters.
    pub fn auth_token(account_sid: &str, token: &str) -> Result<Self, CredentialsError> {
        let account = account(account_sid)?;
        let authorization = basic(account_sid, "auth token", token)?;
        Ok(Self { account, authorization, auth_token: Some(token.into()) })
    }

    /// An API key (`SK…`) with its secret, and the account that it belongs to.
    ///
    /// # Errors
    ///
    /// If a SID is not of its kind, or the secret is empty or holds control
    /// characters.
    pub fn api_key(
        account_sid: &str,
        key_sid: &str,
        secret: &str,
    ) -> Result<Self, CredentialsError> {
        let account = account(account_sid)?;
        let is_key = key_sid.strip_prefix("SK").is_some_and(|digits| {
            digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        if !is_key {
            return Err(CredentialsError {
                setting: "API key SID",
                problem: "expected SK and 32 hexadecimal digits",
            });
        }
        let authorization = basic(key_sid, "API key secret", secret)?;
        Ok(Self { account, authorization, auth_token: None })
    }

    /// An OAuth access token, sent as `Authorization: Bearer`.
    ///
    /// Such a token runs out: with [`CredentialsProvider`] the application can
    /// hand out the current one.
    ///
    /// # Errors
    ///
    /// If the SID is not an account's, or the token is empty or not one word of
    /// visible ASCII.
    pub fn bearer(account_sid: &str, token: &str) -> Result<Self, CredentialsError> {
        let account = account(account_sid)?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialsError {
                setting: "OAuth token",
                problem: "expected visible ASCII characters",
            });
        }
        let authorization = sensitive(&format!("Bearer {token}"), "OAuth token")?;
        Ok(Self { account, authorization, auth_token: None })
    }

    /// Reads the variables that Twilio's own SDKs and its CLI read:
    /// `TWILIO_ACCOUNT_SID` with `TWILIO_API_KEY` and `TWILIO_API_SECRET`, or
    /// with `TWILIO_AUTH_TOKEN`. A complete API key is taken first.
    ///
    /// # Errors
    ///
    /// Names the variable that is missing or malformed.
    pub fn from_env() -> Result<Self, CredentialsError> {
        Self::from_vars(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, CredentialsError> {
        let missing = |setting| CredentialsError { setting, problem: "not set" };
        let account = var("TWILIO_ACCOUNT_SID").ok_or(missing("TWILIO_ACCOUNT_SID"))?;
        match (var("TWILIO_API_KEY"), var("TWILIO_API_SECRET"), var("TWILIO_AUTH_TOKEN")) {
            (Some(key), Some(secret), _) => Self::api_key(&account, &key, &secret),
            (_, _, Some(token)) => Self::auth_token(&account, &token),
            (Some(_), None, None) => Err(missing("TWILIO_API_SECRET")),
            (None, Some(_), None) => Err(missing("TWILIO_API_KEY")),
            (None, None, None) => Err(missing("TWILIO_AUTH_TOKEN")),
        }
    }

    /// The same credential for a subaccount: a main account's auth token may
    /// act on what its subaccounts own.
    #[must_use]
    pub fn for_subaccount(&self, subaccount: AccountSid) -> Self {
        Self { account: subaccount, authorization: self.authorization.clone(), auth_token: None }
    }

    /// The account whose messages these credentials report on.
    #[must_use]
    pub fn account_sid(&self) -> AccountSid {
        self.account
    }

    /// The auth token by which webhooks about the account are known: not a main
    /// account's for its subaccounts, nor a key.
    pub(crate) fn signs_webhooks(&self) -> Option<Arc<str>> {
        self.auth_token.clone()
    }

    #[cfg(feature = "simulator")]
    pub(crate) fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("account", &self.account).finish_non_exhaustive()
    }
}

fn account(account_sid: &str) -> Result<AccountSid, CredentialsError> {
    account_sid.parse().map_err(|_| CredentialsError {
        setting: "account SID",
        problem: "expected AC and 32 hexadecimal digits",
    })
}

fn basic(
    user: &str,
    setting: &'static str,
    password: &str,
) -> Result<HeaderValue, CredentialsError> {
    if password.is_empty() || password.chars().any(char::is_control) {
        return Err(CredentialsError { setting, problem: "empty, or with control characters" });
    }
    sensitive(&format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))), setting)
}

fn sensitive(value: &str, setting: &'static str) -> Result<HeaderValue, CredentialsError> {
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| CredentialsError { setting, problem: "it does not fit a header" })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Credentials that cannot work. Names the setting and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsError {
    setting: &'static str,
    problem: &'static str,
}

impl CredentialsError {
    pub(super) const fn new(setting: &'static str, problem: &'static str) -> Self {
        Self { setting, problem }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn problem(&self) -> &'static str {
        self.problem
    }

    /// The parameter or environment variable that is wrong.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        self.setting
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

impl Error for CredentialsError {}

/// Looks credentials up when a call is made: for secrets that rotate, or for
/// accounts that are not known at start.
///
/// Any `Fn(AccountSid) -> Option<Credentials>` is one. It runs on the
/// dispatcher before each call, so it answers from memory and does not block.
/// `None` keeps the account's feedback waiting, as a refused credential does.
pub trait CredentialsProvider: Send + Sync + 'static {
    /// The credentials for calls on `account`.
    fn credentials(&self, account: AccountSid) -> Option<Credentials>;
}

impl<F> CredentialsProvider for F
where
    F: Fn(AccountSid) -> Option<Credentials> + Send + Sync + 'static,
{
    fn credentials(&self, account: AccountSid) -> Option<Credentials> {
        self(account)
    }
}

/// Every credential that the builder was given.
#[derive(Clone, Default)]
pub(crate) struct Directory {
    accounts: BTreeMap<AccountSid, HeaderValue>,
    provider: Option<Arc<dyn CredentialsProvider>>,
}

impl Directory {
    /// Answers whether the account had credentials before.
    pub(crate) fn insert(&mut self, credentials: Credentials) -> bool {
        self.accounts.insert(credentials.account, credentials.authorization).is_some()
    }

    pub(crate) fn set_provider(&mut self, provider: Arc<dyn CredentialsProvider>) {
        self.provider = Some(provider);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.provider.is_none()
    }

    /// The accounts that were named; a provider may know others.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = AccountSid> {
        self.accounts.keys().copied()
    }

    pub(crate) fn authorization(&self, account: AccountSid) -> Option<HeaderValue> {
        self.accounts.get(&account).cloned().or_else(|| {
            let provider = self.provider.as_ref()?;
            // A provider that panics has no credentials, and the dispatcher goes on.
            let credentials =
                panic::catch_unwind(AssertUnwindSafe(|| provider.credentials(account))).ok()??;
            (credentials.account == account).then_some(credentials.authorization)
        })
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("accounts", &self.accounts.keys())
            .field("provider", &self.provider.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AC: &str = "AC0123456789abcdef0123456789abcdef";
    const SK: &str = "SK0123456789abcdef0123456789abcdef";

    fn from(vars: &[(&str, &str)]) -> Result<HeaderValue, &'static str> {
        Credentials::from_vars(|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
        .map(|credentials| credentials.authorization)
        .map_err(|error| error.setting())
    }

    #[test]
    fn the_environment_of_twilios_sdks_is_read() {
        let token = basic(AC, "", "t").unwrap();
        let key = basic(SK, "", "s").unwrap();
        let sid = ("TWILIO_ACCOUNT_SID", AC);
        assert_eq!(from(&[sid, ("TWILIO_AUTH_TOKEN", "t")]).unwrap(), token);
        assert_eq!(
            from(&[
                sid,
                ("TWILIO_AUTH_TOKEN", "t"),
                ("TWILIO_API_KEY", SK),
                ("TWILIO_API_SECRET", "s")
            ])
            .unwrap(),
            key
        );
        assert_eq!(from(&[]).unwrap_err(), "TWILIO_ACCOUNT_SID");
        assert_eq!(from(&[sid]).unwrap_err(), "TWILIO_AUTH_TOKEN");
        assert_eq!(from(&[sid, ("TWILIO_API_KEY", SK)]).unwrap_err(), "TWILIO_API_SECRET");
        assert_eq!(from(&[sid, ("TWILIO_API_SECRET", "s")]).unwrap_err(), "TWILIO_API_KEY");
    }
}
