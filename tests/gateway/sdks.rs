//! Twilio's SDKs of other languages, unmodified but for their base URL.

use std::{
    env,
    path::PathBuf,
    process::{Output, Stdio},
};

use tokio::process::Command;
use tower_message_feedback::simulator::Answer;

use crate::support::*;

/// Where `tests/run.sh` has put an SDK.
fn sdk(language: &str) -> PathBuf {
    let test = env::current_exe().expect("a path");
    let mut folders = test.ancestors().map(|folder| folder.join("twilio-sdk"));
    let folder = folders.find(|folder| folder.is_dir());
    let folder = folder.expect("Twilio's SDKs: tests/run.sh gets them").join(language);
    assert!(folder.is_dir(), "Twilio's SDK for {language}: tests/run.sh gets it");
    folder
}

async fn run(mut command: Command, world: &World) -> (bool, String) {
    for (name, _) in env::vars() {
        if name.to_ascii_lowercase().ends_with("_proxy") || name.starts_with("TWILIO_") {
            command.env_remove(name);
        }
    }
    command
        .env("GATEWAY", &world.url)
        .env("TWILIO_ACCOUNT_SID", AC)
        .env("TWILIO_AUTH_TOKEN", AUTH_TOKEN)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let Output { status, stdout, stderr } =
        soon("an SDK", command.output()).await.expect("it starts");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.success(), text)
}

/// A create in a language, with settings of its client.
trait Sdk {
    fn command(&self, settings: &str) -> Command;

    /// As its user agent begins.
    const AGENT: &str;
}

struct Python;

impl Sdk for Python {
    const AGENT: &str = "twilio-python/";

    fn command(&self, settings: &str) -> Command {
        let program = format!(
            r#"
import json, os
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

client = Client(
    os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"],
    http_client=TwilioHttpClient({settings}),
)
client.api.base_url = os.environ["GATEWAY"]
try:
    message = client.messages.create(body="Your code is 123456", from_="{FROM}", to="{TO}")
    print(message.sid, message.status, message.body)
except TwilioRestException as error:
    print(error.status, error.code, error.msg)
"#
        );
        let mut python = Command::new("python3");
        python.args(["-c", &program]).env("PYTHONPATH", sdk("python"));
        python
    }
}

struct Node;

impl Sdk for Node {
    const AGENT: &str = "twilio-node/";

    fn command(&self, settings: &str) -> Command {
        let program = format!(
            r#"
const twilio = require("twilio");

const {{ TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, GATEWAY }} = process.env;
const client = twilio(TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, {{ {settings} }});
client.api.baseUrl = GATEWAY;
client.messages
  .create({{ body: "Your code is 123456", from: "{FROM}", to: "{TO}" }})
  .then((message) => console.log(message.sid, message.status, message.body))
  .catch((error) => console.log(error.status, error.code, error.message));
"#
        );
        let mut node = Command::new("node");
        node.args(["-e", &program]).env("NODE_PATH", sdk("node").join("node_modules"));
        node
    }
}

/// The same as without the gateway, and Twilio has the feedback.
async fn creates(sdk: &impl Sdk, agent: &str) {
    let world = World::new().await;
    let (good, said) = run(sdk.command(""), &world).await;
    assert!(good, "{said}");
    let messages = world.twilio.messages();
    let sid = messages[0].sid();
    assert_eq!(said.trim_end(), format!("{sid} queued Your code is 123456"));
    assert!(messages[0].provide_feedback());
    let received = world.twilio.received();
    assert_eq!(received.len(), 1);
    assert!(received[0].header("user-agent").expect("one").starts_with(agent));
    // The simulator answered in gzip, which the SDK unpacked.
    assert!(received[0].header("accept-encoding").expect("one").contains("gzip"));
    assert_eq!(world.feedback.stats().sends.receipt_unreadable, 0);

    assert_eq!(world.confirm(&[("to", TO)]).await, (200, "queued".into()));
    world.reported(&[sid]).await;
}

async fn refused(sdk: &impl Sdk, message: &str) {
    let world = World::new().await;
    let body = r#"{"code":21211,"message":"Invalid 'To' Phone Number","more_info":"https://www.twilio.com/docs/errors/21211","status":400}"#;
    world.twilio.answer_create(Answer::status(400).with_body(body));
    let (_, said) = run(sdk.command(""), &world).await;
    assert_eq!(said.trim_end(), message);
    assert_eq!(world.twilio.received().len(), 1);
}

#[tokio::test]
async fn python() {
    creates(&Python, Python::AGENT).await;
    refused(&Python, "400 21211 Unable to create record: Invalid 'To' Phone Number").await;
}

#[tokio::test]
async fn node() {
    creates(&Node, Node::AGENT).await;
    refused(&Node, "400 21211 Invalid 'To' Phone Number").await;
}

/// This SDK sends again by itself: each attempt passes, each message is known.
#[tokio::test]
async fn node_sends_again_after_429() {
    let world = World::new().await;
    world.twilio.answer_create(Answer::status(429).times(2));
    let settings = "autoRetry: true, maxRetries: 3, maxRetryDelay: 10";
    let (good, said) = run(Node.command(settings), &world).await;
    let sid = world.twilio.messages()[0].sid();
    assert!(good && said.starts_with(&sid.to_string()), "{said}");
    assert_eq!(world.twilio.received().len(), 3);
    assert_eq!(world.feedback.stats().sends.tagged, 3);
    assert_eq!(world.feedback.stats().sends.not_created, 2);
    assert_eq!(world.confirm(&[("to", TO)]).await, (200, "queued".into()));
    world.reported(&[sid]).await;
}

/// This one sends a create again when Twilio failed, and so two messages may come of it.
#[tokio::test]
async fn python_sends_again_after_503_where_it_is_asked_to() {
    let world = World::new().await;
    world.twilio.answer_create(Answer::processed_then(503));
    let program = format!(
        r#"
import asyncio, os
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

async def main():
    async with AsyncTwilioHttpClient(max_retries=3) as http_client:
        client = Client(
            os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"],
            http_client=http_client,
        )
        client.api.base_url = os.environ["GATEWAY"]
        message = await client.messages.create_async(body="Your code is 123456", from_="{FROM}", to="{TO}")
        print(message.sid)

asyncio.run(main())
"#
    );
    let mut python = Command::new("python3");
    python.args(["-c", &program]).env("PYTHONPATH", sdk("python"));
    let (good, said) = run(python, &world).await;
    let messages = world.twilio.messages();
    assert!(good, "{said}");
    assert_eq!(messages.len(), 2);
    assert_eq!(said.trim_end(), messages[1].sid().to_string());
    assert!(messages.iter().all(|message| message.provide_feedback()));
    assert_eq!(world.confirm(&[("to", TO)]).await, (200, "queued".into()));
    world.reported(&[messages[1].sid()]).await;
}

/// The guide's command, with another origin.
#[tokio::test]
async fn curl() {
    let world = World::new().await;
    let mut curl = Command::new("sh");
    let script = format!(
        r#"curl --silent --show-error --compressed -X POST "$GATEWAY/2010-04-01/Accounts/$TWILIO_ACCOUNT_SID/Messages.json" \
--data-urlencode "Body=Open to confirm: https://www.example.com/confirm?id=1234567890" \
--data-urlencode "From={FROM}" \
--data-urlencode "To={TO}" \
-u $TWILIO_ACCOUNT_SID:$TWILIO_AUTH_TOKEN
curl --silent --show-error -X POST "$GATEWAY/confirm" -H "Authorization: Bearer {TOKEN}" \
--data-urlencode "to={TO}""#
    );
    curl.args(["-c", &script]);
    let (good, said) = run(curl, &world).await;
    let sid = world.twilio.messages()[0].sid();
    assert!(good && said.contains(&sid.to_string()), "{said}");
    assert!(said.ends_with(r#"{"confirmation":"queued"}"#), "{said}");
    world.reported(&[sid]).await;
}

/// Twilio's command line names no other host than its own: a file that Node loads first
/// sends its requests elsewhere.
#[tokio::test]
async fn twilio_cli() {
    let world = World::new().await;
    let home = std::env::temp_dir().join(format!("twilio-cli-{}", std::process::id()));
    std::fs::create_dir_all(&home).expect("a folder");
    let preload = home.join("gateway.js");
    std::fs::write(&preload, include_str!("../../src/guide/twilio_cli.js")).expect("a file");
    let mut cli = Command::new(sdk("cli").join("node_modules/.bin/twilio"));
    cli.args(["api:core:messages:create", "--body", "Your code is 123456", "--from", FROM])
        .args(["--to", TO, "-o", "json"])
        .env("HOME", &home)
        .env("XDG_CONFIG_HOME", &home)
        .env("XDG_CACHE_HOME", &home)
        .env("NODE_OPTIONS", format!("--require {}", preload.display()));
    let (good, said) = run(cli, &world).await;
    drop(std::fs::remove_dir_all(&home));
    let messages = world.twilio.messages();
    assert!(good && messages.len() == 1 && said.contains(&messages[0].sid().to_string()), "{said}");
    assert!(messages[0].provide_feedback());
    assert_eq!(world.confirm(&[("to", TO)]).await, (200, "queued".into()));
    world.reported(&[messages[0].sid()]).await;
}
