//! Who is let in: the webhooks that Twilio signed, wherever the application stands.

use axum::routing::post;
use http::{Method, header::CONTENT_LENGTH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_message_feedback::{Credentials, webhook::SignatureVerifier};

use super::*;

const PUBLIC: &str = "https://www.example.com/app";

#[tokio::test]
async fn a_forger_is_refused_and_learns_nothing() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let reply = phone.reply(sid, "yes");
    for (forged, status) in [
        (reply.clone().unsigned(), 400),
        (reply.clone().signed_with("another"), 403),
        (reply.clone().signed_with("another").by_get(), 403),
        // Of an account that nobody knows, with the token of one that is known.
        (reply.clone().with_field("AccountSid", "ACfedcba9876543210fedcba9876543210"), 403),
        (reply.clone().with_field("AccountSid", "x"), 403),
    ] {
        let answer = send(&forged).await;
        assert_eq!(answer.status(), status);
        assert!(answer.body().is_empty());
    }
    phone.world.nothing_reported().await;
    assert_eq!(phone.world.confirms().webhooks_refused, 5);
    assert_eq!(say(&reply).await, "Queued");
    phone.world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_webhook_that_was_changed_on_its_way_is_refused() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let genuine = phone.reply(sid, "no").request().expect("a request");
    let signature = genuine.headers()["x-twilio-signature"].clone();
    let form = http_body_util::BodyExt::collect(genuine.into_body()).await.expect("a form");
    let form = String::from_utf8(form.to_bytes().to_vec()).expect("text");
    let changed = [
        ("/hooks/reply", form.replace("Body=no", "Body=yes")),
        ("/hooks/reply", format!("{form}&Body=yes")),
        ("/hooks/reply?x=1", form.clone()),
        ("/hooks/stop", form.clone()),
        ("/hooks/reply", String::new()),
        ("/hooks/reply", format!("{form}&Padding={}", "x".repeat(64 * 1024))),
    ];
    for (path, form) in changed {
        let request = phone.site.request(Method::POST, path).body(form);
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", &signature);
        let answer = phone.site.send(request).await;
        assert!([400, 403].contains(&answer.status), "{path}: {}", answer.status);
        assert_eq!(answer.body, "");
    }
    phone.world.nothing_reported().await;
}

#[tokio::test]
async fn a_webhook_that_is_cut_short_does_nothing() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let (parts, form) = phone.reply(sid, "yes").request().expect("a request").into_parts();
    let form = http_body_util::BodyExt::collect(form).await.expect("a form").to_bytes();
    let address = phone.site.url("").replace("http://", "");
    let mut stream = tokio::net::TcpStream::connect(&address).await.expect("a connection");
    let mut head = format!("POST /hooks/reply HTTP/1.1\r\n{CONTENT_LENGTH}: {}\r\n", form.len());
    for (name, value) in &parts.headers {
        head += &format!("{name}: {}\r\n", value.to_str().expect("ASCII"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.expect("sent");
    stream.write_all(&form[..form.len() - 1]).await.expect("sent");
    stream.shutdown().await.expect("closed");
    let mut answer = String::new();
    let _ = soon("an end", stream.read_to_string(&mut answer)).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    phone.world.nothing_reported().await;
}

#[tokio::test]
async fn a_proxy_hides_what_twilio_was_told() {
    let phone = Phone::with(|builder| {
        let verifier = SignatureVerifier::default().public_url(PUBLIC).expect("a URL");
        builder.webhooks(verifier)
    })
    .await;
    let sid = phone.text(NUMBER).await;
    let public = phone.twilio.clone().replies_to(format!("{PUBLIC}/hooks/reply?x='%27"));
    let reply = public.reply(sid, "yes").expect("a reply");
    let answer = reply.send_to(&phone.site.url("/hooks/reply?x='%27")).await.expect("an answer");
    assert_eq!(answer.headers()[CONFIRMATION], "Queued");
    phone.world.reported(&[sid]).await;
    // What a request says of itself does not count any more.
    assert_eq!(send(&phone.reply(sid, "yes")).await.status(), 403);
}

#[tokio::test]
async fn an_application_without_a_token_or_a_layer_is_told_so() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let reply = phone.reply(sid, "yes");

    let key = Credentials::api_key(AC, "SK0123456789abcdef0123456789abcdef", "secret");
    let tokenless = tower_message_feedback::MessageFeedback::builder()
        .credentials(key.expect("a key"))
        .build()
        .expect("a handle");
    let routes = Router::new().route("/hooks/reply", post(replied));
    let site = Site::axum(routes.clone().layer(tokenless.layer())).await;
    let answer = reply.send_to(&site.url("/hooks/reply")).await.expect("an answer");
    assert_eq!((answer.status(), answer.body().len()), (500.try_into().unwrap(), 0));

    let site = Site::axum(routes).await;
    let answer = reply.send_to(&site.url("/hooks/reply")).await.expect("an answer");
    assert_eq!(answer.status(), 500);
    assert!(answer.body().windows(12).any(|part| part == b".layer(feedb"));
}

#[test]
fn debug_shows_no_token() {
    let verifier = SignatureVerifier::new(AC, "the-token").expect("a token");
    let shown = format!("{verifier:?}");
    assert!(shown.starts_with("SignatureVerifier") && !shown.contains("the-token"), "{shown}");
}
