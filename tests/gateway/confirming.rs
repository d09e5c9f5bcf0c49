//! `POST /confirm`.

use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn it_takes_a_form_and_json_an_id_and_a_recipient() {
    for (content_type, body) in [
        ("application/json", json!({ "to": TO }).to_string()),
        ("application/json; charset=utf-8", json!({ "phone": TO, "user": "7" }).to_string()),
        (FORM, "to=%2B15558675310".into()),
        (FORM, "recipient=%2B1+555+867+5310&user=7".into()),
        // As login servers keep numbers.
        (FORM, "To=15558675310".into()),
        (FORM, "to=0015558675310".into()),
        (FORM, "to=%2B1%20(555)%20867-5310".into()),
    ] {
        let world = World::new().await;
        let sid = world.sent().await;
        let request = world.client.post(format!("{}/confirm", world.url)).bearer_auth(TOKEN);
        let request = request.header("content-type", content_type).body(body.clone());
        assert_eq!(answer_of(request).await, (200, "queued".into()), "{body}");
        world.reported(&[sid]).await;
    }
}

#[tokio::test]
async fn it_reports_the_newest_message_and_each_once() {
    let world = World::new().await;
    let _older = world.sent().await;
    let newest = world.sent().await;
    assert_eq!(world.confirm(&[("to", TO)]).await, (200, "queued".into()));
    assert_eq!(world.confirm(&[("to", TO)]).await, (200, "already_confirmed".into()));
    // What nobody sent is no error: a login must not fail for it.
    assert_eq!(world.confirm(&[("to", "+15005550006")]).await, (200, "unknown".into()));
    assert_eq!(world.confirm(&[("id", "15558675310")]).await, (200, "unknown".into()));
    world.reported(&[newest]).await;
}

#[tokio::test]
async fn who_has_no_token_confirms_nothing() {
    let world = World::new().await;
    world.sent().await;
    let confirm = || world.client.post(format!("{}/confirm", world.url)).form(&[("to", TO)]);
    for request in [
        confirm(),
        confirm().bearer_auth("token-of-another"),
        confirm().bearer_auth(""),
        confirm().basic_auth(TOKEN, Some("")),
        confirm().header("authorization", TOKEN),
        confirm().header("authorization", format!("Digest {TOKEN}")),
    ] {
        let answer = soon("an answer", request.send()).await.unwrap();
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("www-authenticate"));
    }
    world.reported(&[]).await;
    // The password of any user, for what knows no bearer token.
    let (status, _) = answer_of(confirm().basic_auth("anybody", Some(TOKEN))).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn what_it_cannot_read_is_refused_with_a_reason() {
    let world = World::new().await;
    let sent = world.sent().await;
    let confirm = |content_type: &str, body: &str| {
        let request = world.client.post(format!("{}/confirm", world.url)).bearer_auth(TOKEN);
        answer_of(request.header("content-type", content_type).body(body.to_owned()))
    };
    let both = "gateway: expected id or to, and not both";
    for (content_type, body, problem) in [
        (FORM, "", both),
        (FORM, "id=1&to=2", both),
        ("application/json", "{}", both),
        ("application/json", "{\"to\":", "gateway: expected a JSON object with id or to"),
        (
            "application/json",
            "{\"to\":15558675310}",
            "gateway: expected a JSON object with id or to",
        ),
        ("text/plain", "to=1", "gateway: expected JSON or a form with id or to"),
    ] {
        assert_eq!(confirm(content_type, body).await, (400, problem.to_owned()), "{body}");
    }
    let get = world.client.get(format!("{}/confirm?to=1", world.url)).bearer_auth(TOKEN);
    assert_eq!(soon("an answer", get.send()).await.unwrap().status(), 405);
    assert_eq!(world.confirm(&[("to", TO)]).await, (200, "queued".into()));
    world.reported(&[sent]).await;
}
