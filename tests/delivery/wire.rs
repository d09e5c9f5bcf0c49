//! The request as it arrives.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Method;
use tower_message_feedback::{
    Confirmation, Credentials, MessageSid,
    simulator::{Outcome, Received},
    store::LedgerStatus,
};

use crate::support::{
    AC, OTHER_AC, SK, START, Site, TOKEN, World, account, create, credentials, guarded,
    other_credentials,
};

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn the_call(world: &World) -> Received {
    let [call] = <[Received; 1]>::try_from(world.calls()).expect("one call");
    call
}

#[tokio::test]
async fn a_confirm_becomes_one_call_as_twilio_documents_it() {
    let world = World::new().await;
    let sid = world.act("id").await;
    assert!(world.flush().await.is_empty());
    let call = the_call(&world);
    assert_eq!(call.method(), Method::POST);
    assert_eq!(call.path(), format!("/2010-04-01/Accounts/{AC}/Messages/{sid}/Feedback.json"));
    assert_eq!(&call.body()[..], b"Outcome=confirmed");
    assert_eq!(call.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(call.header("accept"), Some("application/json"));
    assert_eq!(call.header("content-length"), Some("17"));
    assert_eq!(call.header("host"), Some(world.server.address().to_string().as_str()));
    assert_eq!(call.header("authorization"), Some(basic(AC, TOKEN).as_str()));
    assert!(call.header("user-agent").is_some_and(|agent| agent.contains("message-feedback")));
    assert_eq!(call.status(), Some(200));
    assert_eq!(world.twilio.message(sid).expect("a message").outcome(), Outcome::Confirmed);
    assert!(matches!(
        world.status(sid).await,
        LedgerStatus::Delivered { confirmed_at: START, delivered_at: START, attempts, .. }
            if attempts.total == 1
    ));
    let stats = world.feedback.stats().delivery;
    assert_eq!((stats.calls, stats.delivered, stats.retried), (1, 1, 0));
}

#[tokio::test]
async fn confirming_again_and_again_is_reported_once() {
    let world = World::new().await;
    let sid = world.act("id").await;
    for _ in 0..3 {
        assert_eq!(world.feedback.confirm("id").await, Confirmation::AlreadyConfirmed);
        world.flush().await;
    }
    assert_eq!(world.reports(sid), 1);
    assert_eq!(world.calls().len(), 1);
}

#[tokio::test]
async fn nothing_is_reported_that_was_not_confirmed() {
    let world = World::new().await;
    world.send("one").await;
    let sid = world.act("two").await;
    world.send("three").await;
    world.flush().await;
    assert_eq!(world.twilio.confirmed(), [sid]);
}

#[tokio::test]
async fn each_account_is_called_with_its_own_credentials() {
    let world = World::with(|builder| builder.credentials(other_credentials())).await;
    let one = world.send("one").await;
    let other = world.send_of(OTHER_AC, "other").await;
    world.twilio.accept_only([credentials(), other_credentials()]);
    for id in ["one", "other"] {
        assert_eq!(world.feedback.confirm(id).await, Confirmation::Queued);
    }
    assert!(world.flush().await.is_empty());
    for call in world.calls() {
        let expected = match call.message() {
            Some(sid) if sid == one => basic(AC, TOKEN),
            Some(sid) if sid == other => basic(OTHER_AC, "token-of-the-other"),
            _ => panic!("a call for another message"),
        };
        assert_eq!(call.header("authorization"), Some(expected.as_str()));
        assert_eq!(call.status(), Some(200));
    }
    assert_eq!(world.twilio.confirmed().len(), 2);
}

async fn authorization_with(credentials: Credentials) -> String {
    let site = Site::new().await;
    let builder = site.builder().credentials(credentials);
    let world = site.world(builder);
    world.act("id").await;
    assert!(world.flush().await.is_empty());
    the_call(&world).header("authorization").expect("ASCII").to_owned()
}

#[tokio::test]
async fn an_api_key_signs_in_for_the_account_in_the_path() {
    let key = Credentials::api_key(AC, SK, "secret of the key").expect("credentials");
    assert_eq!(authorization_with(key).await, basic(SK, "secret of the key"));
}

#[tokio::test]
async fn an_oauth_token_is_sent_as_bearer() {
    let bearer = Credentials::bearer(AC, "an.oauth.token").expect("credentials");
    assert_eq!(authorization_with(bearer).await, "Bearer an.oauth.token");
}

#[tokio::test]
async fn a_provider_is_asked_before_each_call_for_accounts_without_credentials() {
    let site = Site::new().await;
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let provider = {
        let asked = asked.clone();
        move |of| {
            let n = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            assert_eq!(of, account(OTHER_AC));
            Credentials::bearer(OTHER_AC, &format!("token-{n}")).ok()
        }
    };
    let builder = site.builder().credentials(credentials()).credentials_provider(provider);
    let world = site.world(builder);
    for id in ["one", "two"] {
        world.act_of(OTHER_AC, id).await;
        world.flush().await;
    }
    world.act_of(AC, "three").await;
    world.flush().await;
    let sent: Vec<_> =
        world.calls().iter().filter_map(|c| c.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, ["Bearer token-0", "Bearer token-1", &basic(AC, TOKEN)]);
}

#[tokio::test]
async fn a_message_with_media_is_reported_like_any_other() {
    let world = World::new().await;
    let sid = create(&world.twilio, AC, "&MediaUrl=https%3A%2F%2Fa.example%2Fx").await;
    assert!(sid.to_string().starts_with("MM"));
    let confirmed = guarded(world.feedback.confirm_sid(world.sent(AC, sid))).await;
    assert_eq!(confirmed, Confirmation::Queued);
    world.flush().await;
    assert_eq!(world.twilio.confirmed(), [sid]);
}

#[test]
fn a_sid_of_another_kind_is_no_message() {
    for prefix in ["IM", "CA", "MG", "VE", "AC", "sm"] {
        assert!(format!("{prefix}0123456789abcdef0123456789abcdef").parse::<MessageSid>().is_err());
    }
}

#[tokio::test]
async fn connections_are_kept_for_the_next_call() {
    let world = World::new().await;
    for n in 0..20 {
        world.act(&format!("id {n}")).await;
        assert!(world.flush().await.is_empty());
    }
    assert_eq!(world.twilio.confirmed().len(), 20);
    let stats = world.feedback.stats().delivery;
    assert_eq!((stats.calls, stats.connections), (20, 1));
}
