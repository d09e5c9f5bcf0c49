use std::{collections::BTreeMap, env, error::Error, fmt, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use sha2::{Digest, Sha256};

use super::{Algorithm, put_in_order, url::Base};
use crate::twilio::{
    AccountSid, CredentialsError, InvalidBaseUrl, MessageForm, form::RawField, is_form,
};

/// Tells Twilio's webhooks from forgeries by their `X-Twilio-Signature`.
///
/// A webhook is signed with the auth token of the account that it is about: a main
/// account's token does not sign what its subaccounts receive. An API key signs
/// nothing.
///
/// The signature covers the URL that Twilio was told, as it was told. By default that
/// is put together from the request, with `https` and with `http`. Behind a proxy that
/// changes host or path, [`public_url`](Self::public_url) says it; saying it is the
/// safer way, too, because a request cannot say it otherwise.
///
/// Nothing that is signed has a time, so a signed request is valid for as long as the
/// token is, however often it comes.
///
/// ```
/// use http::Request;
/// use tower_message_feedback::webhook::SignatureVerifier;
///
/// let verifier = SignatureVerifier::new("AC0123456789abcdef0123456789abcdef", "12345")?
///     .public_url("https://mycompany.com")?;
///
/// let webhook = Request::get("/myapp.php?foo=1&bar=2")
///     .header("x-twilio-signature", "zYQTYrRWXE7LtzbG4PfP7/bkkGo=")
///     .body("")?;
/// assert_eq!(verifier.verify(&webhook)?.to_string(), "AC0123456789abcdef0123456789abcdef");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `Debug` shows the accounts and no token.
#[derive(Clone, Default)]
#[must_use]
pub struct SignatureVerifier {
    // Shared: every request clones the verifier.
    tokens: Arc<BTreeMap<AccountSid, Vec<Arc<str>>>>,
    public_url: Option<Arc<Base>>,
    trusts_forwarded: bool,
}

impl SignatureVerifier {
    /// Knows the auth token of one account.
    ///
    /// # Errors
    ///
    /// As for [`auth_token`](Self::auth_token).
    pub fn new(account_sid: &str, token: &str) -> Result<Self, CredentialsError> {
        Self::default().auth_token(account_sid, token)
    }

    /// Reads `TWILIO_ACCOUNT_SID` and `TWILIO_AUTH_TOKEN`, as Twilio's SDKs do.
    ///
    /// # Errors
    ///
    /// Names the variable that is missing or malformed.
    pub fn from_env() -> Result<Self, CredentialsError> {
        let var = |name| {
            let value = env::var(name).ok().filter(|value| !value.is_empty());
            value.ok_or(CredentialsError::new(name, "not set"))
        };
        Self::new(&var("TWILIO_ACCOUNT_SID")?, &var("TWILIO_AUTH_TOKEN")?)
    }

    /// Knows one token more: another account's, or an account's second one while the
    /// first is rotated out, or the secret of a shared key that signs its webhooks.
    ///
    /// # Errors
    ///
    /// If the SID is not an account's, or the token is empty.
    pub fn auth_token(mut self, account_sid: &str, token: &str) -> Result<Self, CredentialsError> {
        let account = account_sid.parse().map_err(|_| {
            CredentialsError::new("account SID", "expected AC and 32 hexadecimal digits")
        })?;
        if token.is_empty() {
            return Err(CredentialsError::new("auth token", "empty"));
        }
        self.insert(account, token.into());
        Ok(self)
    }

    pub(crate) fn insert(&mut self, account: AccountSid, token: Arc<str>) {
        Arc::make_mut(&mut self.tokens).entry(account).or_default().push(token);
    }

    pub(crate) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// What Twilio was told to call, up to the path that the application sees:
    /// `https://www.example.com`, or `https://www.example.com/app` where a proxy takes
    /// `/app` away. It counts as it is written, a port and the letter case included.
    ///
    /// # Errors
    ///
    /// If it is not a URL with `https` or `http` and a host, or has a query.
    pub fn public_url(mut self, url: &str) -> Result<Self, InvalidBaseUrl> {
        self.public_url = Some(Arc::new(Base::parse(url)?));
        Ok(self)
    }

    /// Believes `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-Port`, the first
    /// value of each: only behind a proxy that sets them itself.
    pub fn trust_forwarded_headers(mut self) -> Self {
        self.trusts_forwarded = true;
        self
    }

    /// Whether Twilio signed this request, and with a token of which account: what it
    /// says is about that account. Its URI must be the one that was called: in a nested
    /// axum router the `OriginalUri`.
    ///
    /// # Errors
    ///
    /// Why it cannot be trusted.
    pub fn verify<B: AsRef<[u8]>>(
        &self,
        request: &Request<B>,
    ) -> Result<AccountSid, SignatureError> {
        self.check(request.method(), request.uri(), request.headers(), request.body().as_ref())
    }

    /// What can be said before the body was read.
    pub(crate) fn check_head(&self, headers: &HeaderMap) -> Result<(), SignatureError> {
        if !headers.contains_key(SIGNATURE) {
            return Err(SignatureError::Missing);
        }
        if !self.has_tokens() {
            return Err(SignatureError::NoAuthToken);
        }
        Ok(())
    }

    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<AccountSid, SignatureError> {
        self.check_head(headers)?;
        let claimed = claimed(headers).ok_or(SignatureError::Wrong)?;
        let settings = headers.get(SETTINGS).map(HeaderValue::as_bytes);
        let algorithm = Algorithm::of(settings).ok_or(SignatureError::Wrong)?;
        let query = uri.query().unwrap_or_default();
        let fields = signed_fields(method, query, headers, body).ok_or(SignatureError::Wrong)?;
        let base = match &self.public_url {
            Some(base) => Some(base.clone()),
            None if self.trusts_forwarded => Base::forwarded(uri, headers).map(Arc::new),
            None => Base::of(uri, headers).map(Arc::new),
        };
        let base = base.ok_or(SignatureError::Wrong)?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let (tokens, known) = self.tokens_for(query, &fields);
        let mut signer = None;
        // A wrong one takes as long as a right one.
        for url in base.urls(target) {
            for (account, token) in &tokens {
                let fields = fields.iter().map(|(name, value)| (&name[..], &value[..]));
                if algorithm.verify(&claimed, token, &url, fields) {
                    signer = Some(*account);
                }
            }
        }
        signer.filter(|_| known).ok_or(SignatureError::Wrong)
    }

    /// The tokens of the account that the webhook names, all if it names none, and
    /// whether they may vouch for it: any account's take the time of an unknown one's.
    fn tokens_for(
        &self,
        query: &str,
        fields: &[RawField<'_>],
    ) -> (Vec<(AccountSid, &Arc<str>)>, bool) {
        let all = || {
            let accounts = self.tokens.iter();
            accounts.flat_map(|(account, tokens)| tokens.iter().map(|token| (*account, token)))
        };
        let of_query = MessageForm::new(query.as_bytes()).get("AccountSid");
        let of_form = fields.iter().find(|(name, _)| name[..] == *b"AccountSid");
        let named = match (of_form, &of_query) {
            (Some((_, account)), _) => &account[..],
            (None, Some(account)) => account.as_bytes(),
            (None, None) => return (all().collect(), true),
        };
        match AccountSid::parse(named).filter(|named| self.tokens.contains_key(named)) {
            Some(named) => (all().filter(|(account, _)| *account == named).collect(), true),
            None => {
                let any = self.tokens.keys().next().copied();
                (all().filter(|(account, _)| Some(*account) == any).collect(), false)
            }
        }
    }
}

const SIGNATURE: HeaderName = HeaderName::from_static("x-twilio-signature");
const SETTINGS: HeaderName = HeaderName::from_static("x-twilio-webhooks-signature-settings");

/// The digest that the request says it has.
fn claimed(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut signatures = headers.get_all(SIGNATURE).iter();
    let signature = signatures.next().filter(|_| signatures.next().is_none())?;
    BASE64_STANDARD.decode(signature).ok()
}

/// The fields that the signature covers; `None` if it does not cover the body.
fn signed_fields<'a>(
    method: &Method,
    query: &str,
    headers: &HeaderMap,
    body: &'a [u8],
) -> Option<Vec<RawField<'a>>> {
    if let Some(digest) = MessageForm::new(query.as_bytes()).get("bodySHA256") {
        let sha256 = Sha256::digest(body);
        let same = sha256.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == digest;
        return same.then(Vec::new);
    }
    if body.is_empty() {
        return Some(Vec::new());
    }
    if method != Method::POST || !is_form(headers) {
        return None;
    }
    let mut fields = MessageForm::new(body).raw_fields().collect();
    put_in_order(&mut fields);
    Some(fields)
}

impl fmt::Debug for SignatureVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureVerifier")
            .field("accounts", &self.tokens.keys())
            .finish_non_exhaustive()
    }
}

/// Why a request cannot be taken for one of Twilio's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// It has no `X-Twilio-Signature`: 400.
    Missing,
    /// Its body failed, or is longer than what is read: 400.
    Body,
    /// It is not signed with a token of its account, or for another URL, or with other
    /// fields: 403.
    Wrong,
    /// No auth token is configured: 500, a mistake of the application.
    NoAuthToken,
}

impl SignatureError {
    /// How it is answered, as Twilio's own libraries do.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Missing | Self::Body => StatusCode::BAD_REQUEST,
            Self::Wrong => StatusCode::FORBIDDEN,
            Self::NoAuthToken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the request has no X-Twilio-Signature",
            Self::Body => "the body of the request failed or is too long",
            Self::Wrong => "the X-Twilio-Signature does not fit the request",
            Self::NoAuthToken => "no auth token is known that webhooks are signed with",
        })
    }
}

impl Error for SignatureError {}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, HOST};

    use super::*;

    const AC: &str = "AC0123456789abcdef0123456789abcdef";

    fn verifier() -> SignatureVerifier {
        SignatureVerifier::new(AC, "12345").unwrap().public_url("https://mycompany.com").unwrap()
    }

    fn form(signature: &str) -> Request<&'static str> {
        Request::post("/myapp.php?foo=1&bar=2")
            .header(HOST, "10.0.0.1:3000")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(SIGNATURE, signature)
            .body(
                "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234\
                 &From=%2B14158675309&To=%2B18005551212",
            )
            .unwrap()
    }

    #[test]
    fn twilios_own_examples_are_verified() {
        assert_eq!(
            verifier().verify(&form("RSOYDt4T1cUTdK1PDd93/VVr8B8=")),
            Ok(AC.parse().unwrap())
        );
        let json = |body| {
            let digest = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
            let request = Request::post(format!("/myapp.php?foo=1&bar=2&bodySHA256={digest}"))
                .header(CONTENT_TYPE, "application/json")
                .header(SIGNATURE, "a9nBmqA0ju/hNViExpshrM61xv4=")
                .body(body);
            verifier().verify(&request.unwrap())
        };
        assert_eq!(json("{\"property\": \"value\", \"boolean\": true}"), Ok(AC.parse().unwrap()));
        assert_eq!(
            json("{\"property\": \"other\", \"boolean\": true}"),
            Err(SignatureError::Wrong)
        );
        assert_eq!(json(""), Err(SignatureError::Wrong));
    }

    #[test]
    fn what_is_not_one_signature_is_wrong() {
        for signature in ["", "x", "RSOYDt4T1cUTdK1PDd93/VVr8B8", "RSOYDt4T1cUTdK1PDd93"] {
            assert_eq!(verifier().verify(&form(signature)), Err(SignatureError::Wrong));
        }
        let mut twice = form("RSOYDt4T1cUTdK1PDd93/VVr8B8=");
        let same = twice.headers()[SIGNATURE].clone();
        twice.headers_mut().append(SIGNATURE, same);
        assert_eq!(verifier().verify(&twice), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_body_that_nothing_vouches_for_is_wrong() {
        let right = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        let mut text = form(right);
        text.headers_mut().insert(CONTENT_TYPE, "text/plain".parse().unwrap());
        assert_eq!(verifier().verify(&text), Err(SignatureError::Wrong));
        let mut get = form(right);
        *get.method_mut() = Method::GET;
        assert_eq!(verifier().verify(&get), Err(SignatureError::Wrong));
    }
}
