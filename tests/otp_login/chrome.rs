//! A headless Chromium behind a ChromeDriver, both of the test's own.

use std::{
    fs,
    io::ErrorKind,
    panic::{AssertUnwindSafe, resume_unwind},
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::support::soon;

#[allow(dead_code, reason = "each test binary uses its own part of it")]
pub struct Chrome {
    client: reqwest::Client,
    /// Where the commands to the session go (W3C WebDriver).
    session: String,
    /// Ends with this.
    _driver: Child,
}

#[allow(dead_code, reason = "each test binary uses its own part of it")]
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
        let closed = chrome.client.delete(&chrome.session).send().await;
        let _ = fs::remove_dir_all(&profile);
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
        closed.and_then(reqwest::Response::error_for_status).expect("the browser ends");
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
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let mut chrome = Self {
            client: reqwest::Client::new(),
            session: format!("{url}/session"),
            _driver: driver,
        };
        let body = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let created = chrome.try_command("", body).await.expect("a session");
        let id = created["sessionId"].as_str().expect("a session's id");
        chrome.session = format!("{}/{id}", chrome.session);
        chrome
    }

    /// The answer to a command, or the error that it names.
    async fn try_command(&self, path: &str, body: Value) -> Result<Value, String> {
        let request = self.client.post(format!("{}{path}", self.session)).json(&body).send();
        let mut answer: Value = soon(path, request).await.expect(path).json().await.expect(path);
        match answer["value"]["error"].as_str() {
            Some(error) => Err(format!("{path}: {error}")),
            None => Ok(answer["value"].take()),
        }
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        self.try_command(path, body).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub async fn goto(&self, url: &str) {
        self.command("/url", json!({ "url": url })).await;
    }

    /// A command of the browser's own protocol.
    async fn cdp(&self, command: &str, params: Value) -> Value {
        self.command("/goog/cdp/execute", json!({ "cmd": command, "params": params })).await
    }

    pub async fn look(&self, width: u32, height: u32, scheme: &str) {
        let screen = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.cdp("Emulation.setDeviceMetricsOverride", screen).await;
        let scheme = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.cdp("Emulation.setEmulatedMedia", scheme).await;
    }

    /// Whether pages may run scripts of their own.
    pub async fn scripting(&self, enabled: bool) {
        let disabled = json!({ "value": !enabled });
        self.cdp("Emulation.setScriptExecutionDisabled", disabled).await;
    }

    /// What a script calls back, its last argument, with.
    pub async fn call(&self, script: &str) -> Value {
        self.command("/execute/async", json!({ "script": script, "args": [] })).await
    }

    /// What the console was told; an error that a page ran into is among it.
    pub async fn console(&self) -> Vec<String> {
        let log = self.command("/se/log", json!({ "type": "browser" })).await;
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

    /// Waits for an element; answers where commands to it go.
    pub async fn find(&self, css: &str) -> String {
        /// What WebDriver calls a reference to an element.
        const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
        let by_css = json!({ "using": "css selector", "value": css });
        let found = async {
            loop {
                if let Ok(found) = self.try_command("/element", by_css.clone()).await {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        let found = soon(css, found).await;
        format!("/element/{}", found[ELEMENT].as_str().expect("an element"))
    }

    /// Types into an element.
    pub async fn types(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        self.command(&format!("{field}/value"), json!({ "text": text })).await;
    }

    /// Clicks an element.
    pub async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.command(&format!("{element}/click"), json!({})).await;
    }

    /// Waits until the script, an expression, is true. It is asked anew each
    /// time, because pages come and go.
    pub async fn wait_for(&self, expression: &str) {
        let is_true = async {
            let expression = format!("Boolean({expression})");
            while self.ask(&expression).await != Ok(Value::Bool(true)) {
                tokio::task::yield_now().await;
            }
        };
        soon(expression, is_true).await;
    }

    /// What an expression is.
    pub async fn value(&self, expression: &str) -> Value {
        self.ask(expression).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn ask(&self, expression: &str) -> Result<Value, String> {
        let script = json!({ "script": format!("return {expression}"), "args": [] });
        self.try_command("/execute/sync", script).await
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
