//! A headless Chromium behind a ChromeDriver, both of the test's own.

use std::{
    fs,
    io::ErrorKind,
    panic::{AssertUnwindSafe, resume_unwind},
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use fantoccini::{Client, ClientBuilder, Locator, elements::Element};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::support::{LONG, soon};

pub struct Chrome {
    pub page: Client,
    /// Of the session, for what WebDriver's own commands lack.
    session: String,
    /// Ends with this.
    _driver: Child,
}

impl Chrome {
    /// Runs `test` in a browser that ends with it, also if it panics.
    pub async fn run(name: &str, test: impl AsyncFnOnce(&Chrome)) {
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{name}"));
        let _ = fs::remove_dir_all(&profile);
        let chrome = Self::start(&profile).await;
        let outcome = AssertUnwindSafe(test(&chrome)).catch_unwind().await;
        if outcome.is_err() {
            chrome.screenshot(&format!("failed-{name}")).await;
        }
        let closed = chrome.page.clone().close().await;
        let _ = fs::remove_dir_all(&profile);
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
        closed.expect("the browser ends");
    }

    async fn start(profile: &Path) -> Self {
        let (driver, url) = start_driver().await;
        let profile = format!("--user-data-dir={}", profile.display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &profile,
        ];
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        }) else {
            unreachable!("it is an object")
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let page = soon("Chromium", builder.connect(&url)).await.expect("a browser");
        let id = page.session_id().await.expect("a session").expect("a session's id");
        Self { page, session: format!("{url}/session/{id}"), _driver: driver }
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let request =
            reqwest::Client::new().post(format!("{}/{path}", self.session)).json(&body).send();
        let answer: Value = soon(path, request).await.expect(path).json().await.expect(path);
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    /// A command of the browser's own protocol.
    async fn cdp(&self, command: &str, params: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": params })).await
    }

    pub async fn look(&self, width: u32, height: u32, scheme: &str) {
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.cdp("Emulation.setDeviceMetricsOverride", screen).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", scheme).await;
    }

    /// What the console was told; an error that a page ran into is among it.
    pub async fn console(&self) -> Vec<String> {
        let log = self.command("se/log", json!({ "type": "browser" })).await;
        let entries = log.as_array().expect("a list");
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// The whole page, into `target/screenshots`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let shot =
            self.cdp("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        let png = BASE64_STANDARD.decode(shot["data"].as_str().expect("data")).expect("base64");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(format!("{name}.png"));
        fs::write(&file, png).expect("a file");
        file
    }

    /// Waits for an element.
    pub async fn find(&self, css: &str) -> Element {
        let found = self.page.wait().at_most(LONG).for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("no {css}: {error}"))
    }

    /// Waits until the script, an expression, is true. It is asked anew each
    /// time, because pages come and go.
    pub async fn wait_for(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        let is_true = async {
            while self.page.execute(&script, Vec::new()).await.ok() != Some(Value::Bool(true)) {
                tokio::task::yield_now().await;
            }
        };
        soon(expression, is_true).await;
    }

    /// What an expression is.
    pub async fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        self.page.execute(&script, Vec::new()).await.expect("a value")
    }
}

/// A driver, and where it listens.
async fn start_driver() -> (Child, String) {
    // It takes a port that is free for IPv4 and ends if IPv6 has it in use.
    for _ in 0..10 {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| match error.kind() {
                ErrorKind::NotFound => panic!(
                    "this test drives a real browser, and chromedriver is not on the PATH: \
                     install it and Chromium (Debian: apt-get install chromium chromium-driver)"
                ),
                _ => panic!("chromedriver does not start: {error}"),
            });
        let mut lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
        let port = async {
            while let Some(line) = lines.next_line().await.expect("chromedriver's output") {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return Some(port.trim_end_matches('.').to_owned());
                }
            }
            None
        };
        if let Some(port) = soon("chromedriver's port", port).await {
            // It must be able to write on.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (driver, format!("http://127.0.0.1:{port}"));
        }
    }
    panic!("chromedriver found no port, ten times")
}
