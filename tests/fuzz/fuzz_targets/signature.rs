//! Who signed a webhook: what is signed is accepted, and with one bit changed it is not.
#![no_main]

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, Method, Request};
use libfuzzer_sys::fuzz_target;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tower_message_feedback::webhook::SignatureVerifier;
use tower_message_feedback_fuzz::{AC, Input, TOKEN, first, hmac, signed_text};

const ORIGIN: &str = "https://app.example/in";
const OTHER: &str = "ACffffffffffffffffffffffffffffffff";

static VERIFIER: LazyLock<SignatureVerifier> = LazyLock::new(|| {
    let verifier = SignatureVerifier::new(AC, TOKEN).unwrap().auth_token(OTHER, "other").unwrap();
    verifier.public_url(ORIGIN).unwrap()
});

/// A webhook on its way.
#[derive(Clone, PartialEq)]
struct Webhook {
    is_post: bool,
    sha256: bool,
    target: Vec<u8>,
    body: Vec<u8>,
    signature: Vec<u8>,
}

impl Webhook {
    /// The signature that it should have; `None` for what nothing vouches for.
    fn right(&self, token: &str) -> Option<String> {
        let target = std::str::from_utf8(&self.target).ok()?;
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let form: &[u8] = match first(query.as_bytes(), "bodySHA256") {
            Some(claimed) => {
                let digest: String =
                    Sha256::digest(&self.body).iter().map(|byte| format!("{byte:02x}")).collect();
                (digest == claimed).then_some(b"")?
            }
            None if self.is_post || self.body.is_empty() => &self.body,
            None => return None,
        };
        let text = signed_text(&format!("{ORIGIN}{target}"), form);
        Some(BASE64_STANDARD.encode(match self.sha256 {
            true => hmac::<Sha256>(token.as_bytes(), &text),
            false => hmac::<Sha1>(token.as_bytes(), &text),
        }))
    }

    /// Which account's token has to vouch for it.
    fn account(&self) -> Option<String> {
        let target = String::from_utf8_lossy(&self.target).into_owned();
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let hashed = first(query.as_bytes(), "bodySHA256").is_some();
        let of_form = if hashed { None } else { smallest_account(&self.body) };
        of_form.or_else(|| first(query.as_bytes(), "AccountSid"))
    }

    fn verify(&self) -> Option<Option<String>> {
        let uri: http::Uri = std::str::from_utf8(&self.target).ok()?.parse().ok()?;
        // What a request's line cannot say.
        if uri.path_and_query().is_none_or(|target| target.as_str().as_bytes() != self.target) {
            return None;
        }
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = if self.is_post { Method::POST } else { Method::GET };
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert("host", HeaderValue::from_static("elsewhere.example"));
        headers
            .insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert("x-twilio-signature", HeaderValue::from_bytes(&self.signature).ok()?);
        if self.sha256 {
            headers.insert(
                "x-twilio-webhooks-signature-settings",
                HeaderValue::from_static("key=k, algorithm=HMAC_SHA256"),
            );
        }
        Some(VERIFIER.verify(&request).ok().map(|account| account.to_string()))
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let choice = input.byte();
    let flip = usize::from(input.byte()) << 8 | usize::from(input.byte());
    let mut target = [b"/", input.line()].concat();
    let body = input.rest().to_vec();
    if choice & 4 != 0 {
        let digest: String =
            Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        let mark = if target.contains(&b'?') { '&' } else { '?' };
        target.extend(format!("{mark}bodySHA256={digest}").bytes());
    }
    let mut webhook = Webhook {
        is_post: choice & 1 == 0,
        sha256: choice & 2 != 0,
        target,
        body,
        signature: Vec::new(),
    };
    let (account, token) = if choice & 8 == 0 { (AC, TOKEN) } else { (OTHER, "other") };
    let Some(signature) = webhook.right(token) else {
        webhook.signature = b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_vec();
        assert!(webhook.verify().is_none_or(|signer| signer.is_none()), "nothing vouches for it");
        return;
    };
    webhook.signature = signature.into_bytes();
    let Some(signer) = webhook.verify() else { return };
    let claimed = webhook.account();
    let expected = claimed.is_none_or(|claimed| claimed == account).then(|| account.to_owned());
    assert_eq!(signer, expected);
    if signer.is_none() {
        return;
    }

    // One bit, wherever it is.
    let mut mutated = webhook.clone();
    let part = match choice >> 4 & 3 {
        0 => &mut mutated.target,
        1 => &mut mutated.body,
        _ => &mut mutated.signature,
    };
    if part.is_empty() {
        return;
    }
    let at = flip / 8 % part.len();
    part[at] ^= 1 << (flip % 8);
    let Some(signer) = mutated.verify() else { return };
    // The same fields, written in another way, have the same signature.
    let same = mutated.right(token).map(String::into_bytes) == Some(mutated.signature.clone());
    let claimed = mutated.account();
    let vouched = same && claimed.is_none_or(|claimed| claimed == account);
    assert_eq!(signer, vouched.then(|| account.to_owned()), "one bit changed");
});

/// The account that the form names; of many the first in the signature's order.
fn smallest_account(form: &[u8]) -> Option<String> {
    let accounts = form_urlencoded::parse(form).filter(|(name, _)| name == "AccountSid");
    accounts.map(|(_, value)| value.into_owned()).min()
}
