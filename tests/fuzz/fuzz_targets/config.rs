//! Settings from a file: a valid file says what the builder gets, and of one that is not
//! valid the error names the setting and shows no secret.
#![no_main]

use std::{collections::BTreeMap, time::Duration};

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use tower_message_feedback::{
    Credentials, MessageFeedback, MessageFeedbackBuilder, MessageFeedbackConfig, Mode, RetryPolicy,
    store::Resends, webhook::SignatureVerifier,
};
use tower_message_feedback_fuzz::{Input, build, now, with_transport};

/// In every secret.
const SECRET: &str = "s3cr3t-s3cr3t";
/// In every secret that is no text.
const NUMBER: u64 = 815_4711;

fuzz_target!(|data: &[u8]| {
    let mut file = File { input: Input(data), table: Map::new(), wrong: None };
    let mut given = Given::default();
    while !file.input.0.is_empty() && file.wrong.is_none() {
        file.setting(&mut given);
    }
    let json = Value::Object(file.table.clone()).to_string();
    let mut toml = String::new();
    for (name, value) in &file.table {
        write_toml(&mut toml, name, value);
    }
    let json =
        serde_json::from_str::<MessageFeedbackConfig>(&json).map_err(|error| error.to_string());
    // An error of `toml` may show the line; its message shows none.
    let toml =
        toml::from_str::<MessageFeedbackConfig>(&toml).map_err(|error| error.message().to_owned());
    for read in [json, toml] {
        match (read, &file.wrong) {
            (Ok(config), None) => given.check(config),
            (Ok(_), Some(wrong)) => panic!("`{wrong}` is wrong, and was read"),
            (Err(error), None) => panic!("nothing is wrong, and yet: {error}"),
            (Err(error), Some(wrong)) => {
                assert!(error.contains(&format!("`{wrong}")), "{error} names not `{wrong}`");
                assert!(!shows_secret(&error), "{error}");
            }
        }
    }
});

fn shows_secret(text: &str) -> bool {
    text.contains("s3cr3t") || text.contains("8154711")
}

/// The file that is being written.
struct File<'a> {
    input: Input<'a>,
    table: Map<String, Value>,
    /// The setting whose value is of no use.
    wrong: Option<String>,
}

/// What the builder's own methods are to be called with.
#[derive(Default)]
struct Given {
    accounts: Vec<(String, Result<Credentials, &'static str>)>,
    origins: Vec<String>,
    modes: BTreeMap<String, Mode>,
    mode: Option<Mode>,
    resends: Option<Resends>,
    report: Option<bool>,
    texts: BTreeMap<&'static str, String>,
    numbers: BTreeMap<&'static str, u64>,
    durations: BTreeMap<&'static str, Duration>,
    policy: Option<BTreeMap<&'static str, Duration>>,
    attempts: Option<u32>,
}

const DURATIONS: [&str; 7] = [
    "retention",
    "call_timeout",
    "store_timeout",
    "wait_for_record",
    "report_hours",
    "report_days",
    "receipt_timeout",
];
const NUMBERS: [&str; 6] = [
    "max_in_flight",
    "max_deferred",
    "max_waiting",
    "report_labels",
    "max_form_bytes",
    "max_receipt_bytes",
];
const POLICY: [&str; 5] = ["base", "max", "max_retry_after", "not_found_for", "give_up_after"];

impl File<'_> {
    fn setting(&mut self, given: &mut Given) {
        let choice = self.input.byte();
        let is_wrong = choice >= 248;
        match choice % 14 {
            0 | 1 => {
                let name = DURATIONS[usize::from(self.input.byte()) % DURATIONS.len()];
                if let Some((value, duration)) = self.duration(is_wrong, name) {
                    given.durations.insert(name, duration);
                    self.table.insert(name.into(), value);
                } else {
                    let wrong = self.wrong_text();
                    self.table.insert(name.into(), wrong);
                }
            }
            2 | 3 => {
                let name = NUMBERS[usize::from(self.input.byte()) % NUMBERS.len()];
                let number = u64::from(self.input.byte()) << (self.input.byte() % 24);
                let value = if is_wrong {
                    self.is_wrong(name);
                    json!(-1)
                } else if number % 2 == 0 {
                    json!(number)
                } else {
                    json!(number.to_string())
                };
                given.numbers.insert(name, number);
                self.table.insert(name.into(), value);
            }
            4 => {
                let mode = self.input.byte();
                let value = if is_wrong {
                    self.is_wrong("mode");
                    self.wrong_text()
                } else {
                    word(mode)
                };
                given.mode = Some(mode_of(mode));
                self.table.insert("mode".into(), value);
            }
            5 => {
                let all = self.input.byte() % 2 == 1;
                let value = if is_wrong {
                    self.is_wrong("resends");
                    self.wrong_text()
                } else {
                    json!(if all { "all" } else { "newest" })
                };
                given.resends = Some(if all { Resends::All } else { Resends::Newest });
                self.table.insert("resends".into(), value);
            }
            6 => {
                let report = self.input.byte();
                let value = if is_wrong {
                    self.is_wrong("report");
                    json!([])
                } else if report % 4 < 2 {
                    json!(report % 2 == 1)
                } else {
                    json!((report % 2 == 1).to_string())
                };
                given.report = Some(report % 2 == 1);
                self.table.insert("report".into(), value);
            }
            7 | 8 => self.account(given, is_wrong),
            9 => {
                let name = ["correlation_key", "previous_correlation_key"]
                    [usize::from(self.input.byte() % 2)];
                let (value, text) = self.secret(is_wrong, name);
                given.texts.insert(name, text);
                self.table.insert(name.into(), value);
            }
            10 => {
                let name =
                    ["status_callback", "webhooks_public_url"][usize::from(self.input.byte() % 2)];
                let text = self.text();
                let value = if is_wrong {
                    self.is_wrong(name);
                    json!(7)
                } else {
                    json!(text)
                };
                given.texts.insert(name, text);
                self.table.insert(name.into(), value);
            }
            11 => {
                let origin = self.text();
                let at = given.origins.len();
                let value = if is_wrong {
                    self.is_wrong(&format!("allow_origins[{at}]"));
                    json!({})
                } else {
                    json!(origin)
                };
                given.origins.push(origin);
                let list = self.table.entry("allow_origins").or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(value);
            }
            12 => {
                let mode = self.input.byte();
                let url = self.text();
                let value = if is_wrong {
                    self.is_wrong(&format!("origin_modes.{url}"));
                    json!(true)
                } else {
                    word(mode)
                };
                given.modes.insert(url.clone(), mode_of(mode));
                let table = self.table.entry("origin_modes").or_insert_with(|| json!({}));
                table.as_object_mut().unwrap().insert(url, value);
            }
            _ => self.policy(given, is_wrong),
        }
    }

    /// A text that is no secret.
    fn text(&mut self) -> String {
        let text = self.input.text().into_owned();
        if shows_secret(&text) { String::new() } else { text }
    }

    fn is_wrong(&mut self, setting: &str) {
        self.wrong.get_or_insert_with(|| setting.to_owned());
    }

    /// What is no duration, no mode and no kind of resend.
    fn wrong_text(&mut self) -> Value {
        match self.input.byte() % 6 {
            0 => json!(72),
            1 => json!(true),
            2 => json!([1]),
            3 => json!({}),
            4 => json!("-1s"),
            _ => json!(format!("soon {}", self.text())),
        }
    }

    /// A duration as people write it, and as it is meant; `None` if it is to be wrong.
    fn duration(&mut self, is_wrong: bool, place: &str) -> Option<(Value, Duration)> {
        if is_wrong {
            self.is_wrong(place);
            return None;
        }
        let (hours, minutes) = (u64::from(self.input.byte()), u64::from(self.input.byte()));
        let (seconds, millis) = (u64::from(self.input.byte()), u64::from(self.input.byte()));
        let duration =
            Duration::from_millis(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis);
        let spelled = match hours % 3 {
            0 => format!("{hours}h {minutes}m {seconds}s {millis}ms"),
            1 => format!("{hours}h{minutes}m{seconds}s{millis}ms"),
            _ => format!(
                "{hours} hours, {minutes} minutes, {seconds} seconds, {millis} milliseconds"
            ),
        };
        Some((json!(spelled), duration))
    }

    /// A secret, and its text; not a text at all if it is to be wrong.
    fn secret(&mut self, is_wrong: bool, place: &str) -> (Value, String) {
        let kind = self.input.byte();
        let text = format!("{SECRET}{}", self.input.text());
        if !is_wrong {
            return (json!(text), text);
        }
        self.is_wrong(place);
        let value = match kind % 6 {
            0 => json!(NUMBER),
            1 => json!(-i64::try_from(NUMBER).unwrap()),
            2 => json!(NUMBER as f64 + 0.5),
            3 => json!([text]),
            4 => json!({ text: NUMBER }),
            _ => json!(true),
        };
        (value, String::new())
    }

    fn account(&mut self, given: &mut Given, is_wrong: bool) {
        let at = given.accounts.len();
        let kind = self.input.byte();
        let account = format!("AC{at:032x}");
        let key = "SK0123456789abcdef0123456789abcdef";
        let field = ["auth_token", "bearer_token", "api_secret"][usize::from(kind) % 3];
        let place = format!("accounts[{at}].{field}");
        let (value, text) = self.secret(is_wrong, &place);
        let mut table = json!({ "account_sid": account, field: value });
        let credentials = match kind % 3 {
            0 => Credentials::auth_token(&account, &text),
            1 => Credentials::bearer(&account, &text),
            _ => {
                table["api_key"] = json!(key);
                Credentials::api_key(&account, key, &text)
            }
        };
        if kind & 64 != 0 {
            table["auth_token_"] = json!(text);
            self.is_wrong(&format!("accounts[{at}].auth_token_"));
        }
        let list = self.table.entry("accounts").or_insert_with(|| json!([]));
        list.as_array_mut().unwrap().push(table);
        given.accounts.push((place, credentials.map_err(|_| field)));
    }

    fn policy(&mut self, given: &mut Given, is_wrong: bool) {
        let which = usize::from(self.input.byte()) % (POLICY.len() + 1);
        let durations = given.policy.get_or_insert_default();
        let (name, value) = if let Some(name) = POLICY.get(which) {
            match self.duration(is_wrong, &format!("retry_policy.{name}")) {
                Some((value, duration)) => {
                    durations.insert(name, duration);
                    (*name, value)
                }
                None => (*name, self.wrong_text()),
            }
        } else {
            let attempts = self.input.byte();
            given.attempts = Some(attempts.into());
            if is_wrong {
                self.is_wrong("retry_policy.min_attempts");
            }
            ("min_attempts", if is_wrong { json!(1_u64 << 40) } else { json!(attempts) })
        };
        let table = self.table.entry("retry_policy").or_insert_with(|| json!({}));
        table.as_object_mut().unwrap().insert(name.into(), value);
    }
}

fn word(mode: u8) -> Value {
    json!(["on", "observe", "off"][usize::from(mode) % 3])
}

fn mode_of(mode: u8) -> Mode {
    [Mode::On, Mode::Observe, Mode::Off][usize::from(mode) % 3]
}

impl Given {
    /// The first setting that a builder does not take.
    fn mistake(&self) -> Option<String> {
        let account = self.accounts.iter().find(|(_, credentials)| credentials.is_err());
        let is_url = |url: &String| url.parse::<tower_message_feedback::BaseUrl>().is_ok();
        let origin = self.origins.iter().position(|origin| !is_url(origin));
        let public_url = self.texts.get("webhooks_public_url");
        let public_url =
            public_url.filter(|url| SignatureVerifier::default().public_url(url).is_err());
        account
            .map(|(place, _)| place.clone())
            .or_else(|| origin.map(|at| format!("allow_origins[{at}]")))
            .or_else(|| (!self.modes.keys().all(is_url)).then(|| "origin_modes".into()))
            .or_else(|| public_url.map(|_| "webhooks_public_url".into()))
    }

    /// The builder, by its own methods.
    fn builder(&self) -> MessageFeedbackBuilder {
        let mut builder = MessageFeedback::builder();
        for credentials in
            self.accounts.iter().filter_map(|(_, credentials)| credentials.clone().ok())
        {
            builder = builder.credentials(credentials);
        }
        for origin in &self.origins {
            builder = builder.allow_origin(origin);
        }
        for (url, mode) in &self.modes {
            builder = builder.origin_mode(url, *mode);
        }
        let duration = |name: &str, default: u64| {
            self.durations.get(name).copied().unwrap_or(Duration::from_secs(default))
        };
        let number = |name: &str, default: u64| {
            usize::try_from(self.numbers.get(name).copied().unwrap_or(default)).unwrap()
        };
        const DAY: u64 = 24 * 60 * 60;
        builder = builder
            .mode(self.mode.unwrap_or(Mode::On))
            .retention(duration("retention", 3 * DAY))
            .resends(self.resends.unwrap_or(Resends::Newest))
            .max_in_flight(number("max_in_flight", 8))
            .call_timeout(duration("call_timeout", 10))
            .store_timeout(
                self.durations.get("store_timeout").copied().unwrap_or(Duration::from_millis(250)),
            )
            .max_deferred(number("max_deferred", 10_000))
            .wait_for_record(number("max_waiting", 10_000), duration("wait_for_record", 60))
            .report(self.report.unwrap_or(true))
            .report_retention(
                duration("report_hours", 14 * DAY),
                duration("report_days", 400 * DAY),
            )
            .report_labels(number("report_labels", 100))
            .max_form_bytes(number("max_form_bytes", 64 * 1024))
            .receipt_bounds(number("max_receipt_bytes", 64 * 1024), duration("receipt_timeout", 1));
        if self.policy.is_some() || self.attempts.is_some() {
            let mut policy = RetryPolicy::default();
            for (name, duration) in self.policy.iter().flatten() {
                policy = match *name {
                    "base" => policy.base(*duration),
                    "max" => policy.max(*duration),
                    "max_retry_after" => policy.max_retry_after(*duration),
                    "not_found_for" => policy.not_found_for(*duration),
                    _ => policy.give_up_after(*duration),
                };
            }
            if let Some(attempts) = self.attempts {
                policy = policy.min_attempts(attempts);
            }
            builder = builder.retry_policy(policy);
        }
        for (name, text) in &self.texts {
            builder = match *name {
                "correlation_key" => builder.correlation_key(text.as_bytes()),
                "previous_correlation_key" => builder.previous_correlation_key(text.as_bytes()),
                "status_callback" => builder.status_callback(text),
                _ => match SignatureVerifier::default().public_url(text) {
                    Ok(verifier) => builder.webhooks(verifier),
                    Err(_) => builder,
                },
            };
        }
        builder
    }

    fn check(&self, config: MessageFeedbackConfig) {
        assert!(!shows_secret(&format!("{config:?}")));
        let mistake = self.mistake();
        let builder = match now(config.into_builder()) {
            Ok(builder) => builder,
            Err(error) => {
                assert_eq!(Some(error.setting()), mistake.as_deref());
                assert!(!shows_secret(&format!("{error} {error:?}")));
                return;
            }
        };
        assert_eq!(mistake, None);
        let expected = self.builder();
        let shown = format!("{builder:?}");
        assert_eq!(shown, format!("{expected:?}"));
        assert!(!shows_secret(&shown) || self.texts.values().any(|url| shows_secret(url)));
        let built = build(with_transport(builder));
        match (built, build(with_transport(expected))) {
            (Ok(built), Ok(expected)) => assert_eq!(built.mode(), expected.mode()),
            (Err(error), Err(expected)) => {
                assert_eq!(error.to_string(), expected.to_string());
                assert!(!shows_secret(&error.to_string()));
            }
            (built, _) => panic!("built: {}", built.is_ok()),
        }
    }
}

/// A setting as TOML has it.
fn write_toml(out: &mut String, name: &str, value: &Value) {
    out.push_str(&format!("{} = ", quoted(name)));
    write_value(out, value);
    out.push('\n');
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_value(out, item);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(table) => {
            let fields = table.iter().map(|(name, value)| {
                let mut field = format!("{} = ", quoted(name));
                write_value(&mut field, value);
                field
            });
            out.push_str(&format!("{{{}}}", fields.collect::<Vec<_>>().join(", ")));
        }
        plain => out.push_str(&plain.to_string()),
    }
}

/// A text of JSON is one of TOML, but for a character that TOML wants escaped.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap().replace('\u{7f}', "\\u007f")
}
