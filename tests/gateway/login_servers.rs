//! Login servers, by the requests that they make when they are configured as the guide says.

use serde_json::json;

use crate::support::*;

/// What Ory Kratos sends: its HTTP channel encodes what the template returns by name, and
/// its web hook posts the template's JSON.
#[tokio::test]
async fn ory_kratos() {
    let world = World::new().await;
    let form = "Body=Your+login+code+is%3A+123456%0A%0AIt+expires+in+15+minutes.%0A\
                &From=%2B15557122661&To=%2B15558675310";
    let send = world
        .client
        .post(world.messages())
        .basic_auth(AC, Some(AUTH_TOKEN))
        .header("content-type", FORM)
        .body(form);
    assert_eq!(soon("an answer", send.send()).await.unwrap().status(), 201);
    assert!(world.twilio.messages()[0].provide_feedback());

    let hook = world
        .client
        .post(format!("{}/confirm", world.url))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("ory-webhook-trigger-id", "5f9c1d0e-9d6d-4f9a-8a4e-0d4f3f1a2b3c")
        .body("{\n   \"to\": \"+15558675310\"\n}\n");
    assert_eq!(answer_of(hook).await, (200, "queued".into()));
    world.reported(&[world.twilio.messages()[0].sid()]).await;
}

/// What Keycloak's plugin sends over Java's client, which offers HTTP/2 on each request.
#[tokio::test]
async fn keycloak() {
    let world = World::new().await;
    let java = |request: reqwest::RequestBuilder| {
        request
            .header("connection", "Upgrade, HTTP2-Settings")
            .header("upgrade", "h2c")
            .header("http2-settings", "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA")
            .header("user-agent", "Java-http-client/17.0.15")
    };
    let form = "Body=Your+code+is+123456&To=%2B15558675310&From=%2B15557122661";
    let send = world.client.post(world.messages()).header("content-type", FORM).body(form);
    let send = java(send.basic_auth(AC, Some(AUTH_TOKEN)));
    let answer = soon("an answer", send.send()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (201, http::Version::HTTP_11));
    let received = world.twilio.received();
    assert_eq!(received[0].body(), &format!("{form}&ProvideFeedback=true"));
    for name in ["connection", "upgrade", "http2-settings"] {
        assert_eq!(received[0].header(name), None, "{name}");
    }

    let hook = world.client.post(format!("{}/confirm", world.url)).bearer_auth(TOKEN);
    let hook = java(hook.json(&json!({ "to": "+15558675310" })));
    assert_eq!(answer_of(hook).await, (200, "queued".into()));
    world.reported(&[world.twilio.messages()[0].sid()]).await;
}
