//! The routes of the person who operates it.

use serde_json::{Value, json};
use tower_message_feedback::simulator::Answer;

use crate::support::*;

async fn json_of(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = soon("an answer", request.send()).await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn it_says_how_it_is() {
    let world = World::new().await;
    let health = world.client.get(format!("{}/health", world.url));
    assert_eq!(soon("an answer", health.send()).await.unwrap().text().await.unwrap(), "ok\n");
    let ready = || world.client.get(format!("{}/ready", world.url));
    let (status, body) = json_of(ready()).await;
    assert_eq!(status, 200);
    assert_eq!((&body["ready"], &body["outbox"]), (&json!(true), &json!(0)));

    world.feedback.pause_delivery();
    world.sent().await;
    world.confirm(&[("to", TO)]).await;
    assert_eq!(json_of(ready()).await.1["outbox"], json!(1));

    world.feedback.shutdown(std::time::Duration::ZERO).await;
    assert_eq!(json_of(ready()).await.0, 503);
}

#[tokio::test]
async fn dead_letters_are_exported_and_sent_again() {
    let world = World::new().await;
    world.twilio.answer_feedback(Answer::status(400));
    let sid = world.sent().await;
    world.confirm(&[("to", TO)]).await;
    soon("the refusal", world.feedback.flush()).await;

    let letters = || world.client.get(format!("{}/dead-letters", world.url));
    let answer = soon("an answer", letters().send()).await.unwrap();
    assert_eq!(answer.status(), 401);
    let answer = soon("an answer", letters().bearer_auth(TOKEN).send()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/jsonl");
    let lines = answer.text().await.unwrap();
    let letter: Value = serde_json::from_str(lines.trim_end()).expect("one line");
    assert_eq!(letter["sid"], json!(sid.to_string()));
    assert_eq!((&letter["failure"], &letter["failure_status"]), (&json!("rejected"), &json!(400)));
    assert!(!lines.contains("5558675310"));

    let resend = world.client.post(format!("{}/dead-letters/resend", world.url)).bearer_auth(TOKEN);
    assert_eq!(json_of(resend).await, (200, json!({ "resent": 1 })));
    world.reported(&[sid]).await;
    let answer = soon("an answer", letters().bearer_auth(TOKEN).send()).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "");
}

#[tokio::test]
async fn messages_that_were_sent_before_are_imported() {
    let world = World::new().await;
    // Sent past the gateway, with the tag.
    let sent = world.sent().await;
    let account = world.twilio.messages()[0].account();
    world.feedback.forget_sid(sent).await.unwrap();
    let base_url = format!("{}/2010-04-01", world.upstream);
    let line = json!({ "account": account.to_string(), "sid": sent.to_string(), "to": TO, "base_url": base_url });
    let import = |body: String| {
        let request = world.client.post(format!("{}/import", world.url)).bearer_auth(TOKEN);
        json_of(request.body(body))
    };
    let (status, body) = import(format!("{line}\n\n{{\"sid\":7}}\n")).await;
    assert_eq!(status, 400);
    assert_eq!(body["message"], json!("gateway: line 3: account: it is missing"));
    assert_eq!(world.confirm(&[("to", TO)]).await.1, "unknown");

    let (status, body) = import(format!("{line}\n")).await;
    assert_eq!((status, &body["recorded"]), (200, &json!(1)));
    // The confirm that came before it is made up for.
    world.reported(&[sent]).await;
}

#[tokio::test]
async fn the_report_is_behind_the_token_and_a_browser_can_give_it() {
    let world = World::new().await;
    world.sent().await;
    soon("the counts", world.feedback.flush()).await;
    let report = || world.client.get(format!("{}/report/report.json", world.url));
    assert_eq!(soon("an answer", report().send()).await.unwrap().status(), 401);
    let (status, report) = json_of(report().basic_auth("", Some(TOKEN))).await;
    assert_eq!((status, &report["total"]["attempted"]), (200, &json!(1)));
    let page = world.client.get(format!("{}/report", world.url)).basic_auth("", Some(TOKEN));
    let page = soon("a page", page.send()).await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("<h1>"));
}
