//! Twilio's own SDK for Python signs, and this crate verifies; this crate's simulator
//! signs, and the SDK verifies.

use std::{
    cell::RefCell,
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};
use tower_message_feedback::{
    MessageForm,
    webhook::{SignatureError, SignatureVerifier},
};

use super::{AC, Phone, TOKEN};

/// One question a line: sign, or validate.
const SCRIPT: &str = r#"
import json, sys
from twilio.request_validator import RequestValidator

class Form:
    def __init__(self, pairs):
        self.pairs = pairs
    def __iter__(self):
        return iter([name for name, _ in self.pairs])
    def __len__(self):
        return len(self.pairs)
    def getlist(self, name):
        return [value for known, value in self.pairs if known == name]

for line in sys.stdin:
    asked = json.loads(line)
    validator = RequestValidator(asked["token"])
    body = asked["body"]
    params = body if isinstance(body, str) else Form(body)
    if "signature" in asked:
        answer = validator.validate(asked["url"], params, asked["signature"])
    else:
        hashed = isinstance(body, str)
        answer = {
            "signature": validator.compute_signature(asked["url"], {} if hashed else params, asked["algorithm"]),
            "hash": validator.compute_hash(body) if hashed else None,
        }
    print(json.dumps(answer), flush=True)
"#;

/// The SDK in a process of its own.
struct Sdk {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sdk {
    fn start() -> Self {
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT])
            .env("PYTHONPATH", installed())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let questions = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, questions, answers }
    }

    fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.questions, "{question}").expect("the SDK listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the SDK answers");
        serde_json::from_str(&answer).expect("an answer")
    }

    fn signature(
        &mut self,
        token: &str,
        url: &str,
        fields: &[(String, String)],
        algorithm: &str,
    ) -> String {
        let asked = json!({ "token": token, "url": url, "body": fields, "algorithm": algorithm });
        self.ask(&asked)["signature"].as_str().expect("a signature").to_owned()
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where `tests/run.sh` has put the SDK.
fn installed() -> PathBuf {
    let test = env::current_exe().expect("a path");
    let mut folders = test.ancestors().map(|folder| folder.join("twilio-sdk/python"));
    folders.find(|folder| folder.is_dir()).expect("Twilio's SDK for Python: tests/run.sh gets it")
}

/// What a URL may hold behind its path, as it is written.
const URL_CHARACTERS: &[u8] = b"abcXYZ019-._~!$'()*,;:@/?=&%20%27%2B+[]|";

fn url_part() -> impl Strategy<Value = String> {
    vec(select(URL_CHARACTERS), 0..24)
        .prop_map(|bytes| String::from_utf8(bytes).expect("ASCII"))
        // A percent sign stands before two digits.
        .prop_map(|text| text.replace('%', "%25"))
}

fn field() -> impl Strategy<Value = (String, String)> {
    // Few names, so that some come twice.
    ("[A-D]{1,2}|.{1,8}", "[01]|.{0,20}")
}

fn form(fields: &[(String, String)]) -> String {
    let encode = |text: &str| {
        let all = percent_encoding::NON_ALPHANUMERIC;
        percent_encoding::utf8_percent_encode(text, all).to_string().replace("%20", "+")
    };
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

fn post(
    target: &str,
    signature: &str,
    algorithm: &str,
    content_type: &str,
    body: String,
) -> Request<String> {
    Request::post(target)
        .header("host", "app.example")
        .header("content-type", content_type)
        .header("x-twilio-signature", signature)
        .header("x-twilio-webhooks-signature-settings", format!("key=k,algorithm={algorithm}"))
        .body(body)
        .expect("a request")
}

thread_local! {
    static SDK: RefCell<Option<Sdk>> = const { RefCell::new(None) };
}

fn with_sdk<T>(ask: impl FnOnce(&mut Sdk) -> T) -> T {
    SDK.with_borrow_mut(|sdk| ask(sdk.get_or_insert_with(Sdk::start)))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn forms_that_the_sdk_signed_are_genuine_and_no_others(
        token in "[0-9a-f]{32}|.{1,20}",
        scheme in select(&["https", "http"][..]),
        path in url_part(),
        query in proptest::option::of(url_part()),
        fields in vec(field(), 0..8),
        algorithm in select(&["HMAC_SHA1", "HMAC_SHA256"][..]),
        changed in any::<proptest::sample::Index>(),
    ) {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("/{}{query}", path.replace('?', ""));
        let url = format!("{scheme}://app.example{target}");
        let signature = with_sdk(|sdk| sdk.signature(&token, &url, &fields, algorithm));
        let verifier = SignatureVerifier::new(AC, &token).expect("a token");
        let request = |signature: &str, fields: &[(String, String)]| {
            post(&target, signature, algorithm, "application/x-www-form-urlencoded", form(fields))
        };
        prop_assert!(verifier.verify(&request(&signature, &fields)).is_ok());
        let mut reversed = fields.clone();
        reversed.reverse();
        prop_assert!(verifier.verify(&request(&signature, &reversed)).is_ok());

        let mut other = fields.clone();
        match fields.len() {
            0 => other.push(("A".into(), "1".into())),
            len => other[changed.index(len)].1.push('!'),
        }
        prop_assert_eq!(verifier.verify(&request(&signature, &other)), Err(SignatureError::Wrong));
        let other = SignatureVerifier::new(AC, &format!("{token}!")).expect("a token");
        prop_assert_eq!(other.verify(&request(&signature, &fields)), Err(SignatureError::Wrong));
    }

    #[test]
    fn bodies_that_the_sdk_hashed_are_genuine_and_no_others(
        token in "[0-9a-f]{32}",
        body in ".{0,60}",
        changed in ".{0,60}",
    ) {
        let asked = json!({ "token": token, "url": "", "body": body, "algorithm": "HMAC_SHA1" });
        let hash = with_sdk(|sdk| sdk.ask(&asked))["hash"].as_str().expect("a hash").to_owned();
        let target = format!("/json?a=1&bodySHA256={hash}");
        let url = format!("https://app.example{target}");
        let signature = with_sdk(|sdk| sdk.signature(&token, &url, &[], "HMAC_SHA1"));
        let verifier = SignatureVerifier::new(AC, &token).expect("a token");
        let of = |body: &str| {
            verifier.verify(&post(&target, &signature, "HMAC_SHA1", "application/json", body.into()))
        };
        prop_assert!(of(&body).is_ok());
        prop_assert_eq!(of(&changed).is_ok(), body == changed);
    }
}

#[tokio::test]
async fn the_sdk_takes_the_simulators_webhooks_for_twilios() {
    let phone = Phone::new().await;
    let sid = phone.text(super::NUMBER).await;
    let reply = phone.reply(sid, "Ünïcode & more = yes + no\n");
    for reply in [reply.clone(), reply.by_get()] {
        let url = reply.url();
        let (parts, body) = reply.request().expect("a request").into_parts();
        let body = body.collect().await.expect("a form").to_bytes();
        let fields: Vec<(String, String)> = MessageForm::new(&body)
            .fields()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let validated = |headers: &HeaderMap, token: &str| {
            let signature = headers["x-twilio-signature"].to_str().expect("ASCII");
            let asked =
                json!({ "token": token, "url": url, "body": fields, "signature": signature });
            with_sdk(|sdk| sdk.ask(&asked))
        };
        assert_eq!(validated(&parts.headers, TOKEN), json!(true));
        assert_eq!(validated(&parts.headers, "another"), json!(false));
    }
}
