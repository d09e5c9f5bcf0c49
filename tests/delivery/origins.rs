//! Where credentials may go.

use std::sync::Arc;

use tower_message_feedback::{
    Confirmation, Recorded, Refusal, SentMessage,
    store::{Failure, FailureKind, LedgerStatus, MemoryStore},
};

use crate::support::{AC, CORRELATION_KEY, START, Site, World, account, credentials, guarded};

#[tokio::test]
async fn a_message_from_elsewhere_is_neither_recorded_nor_confirmed() {
    let world = World::new().await;
    for elsewhere in [
        "http://127.0.0.1:1/2010-04-01",
        "https://api.twilio.com.evil.example/2010-04-01",
        "http://api.twilio.com/2010-04-01",
        "https://api.twilio.com:8443/2010-04-01",
    ] {
        let sid = world.create(AC).await;
        let sent = SentMessage::new(account(AC), sid).base_url(elsewhere.parse().expect("a URL"));
        assert_eq!(world.feedback.record("id", sent.clone()).await, Recorded::OriginNotAllowed);
        assert_eq!(
            world.feedback.confirm_sid(sent).await,
            Confirmation::Refused(Refusal::OriginNotAllowed)
        );
        assert_eq!(world.feedback.lookup_sid(sid).await.expect("an answer"), None);
    }
    assert!(world.flush().await.is_empty());
}

#[tokio::test]
async fn an_origin_without_a_port_has_its_schemes() {
    let world = World::with(|builder| {
        builder.allow_origin("http://a.example").allow_origin("https://b.example")
    })
    .await;
    let sid = world.create(AC).await;
    for (url, allowed) in [
        ("http://a.example", true),
        ("http://A.example:80", true),
        ("http://a.example:443", false),
        ("https://a.example", false),
        ("https://b.example:443", true),
        ("https://b.example:80", false),
        ("http://b.example:443", false),
    ] {
        let sent = SentMessage::new(account(AC), sid).base_url(url.parse().expect("a URL"));
        let recorded = world.feedback.record("id", sent).await;
        assert_eq!(recorded != Recorded::OriginNotAllowed, allowed, "{url}: {recorded:?}");
    }
}

#[tokio::test]
async fn a_host_that_only_looks_like_twilios_gets_no_credentials() {
    let world = World::new().await;
    let sid = world.create(AC).await;
    let mut read = 0;
    for url in [
        // Of another domain.
        "https://twilio.com.evil.example",
        "https://api.twilio.com.evil.example",
        "https://eviltwilio.com",
        "https://api-twilio.com",
        "https://twilio.co",
        "https://api.twilio.com.",
        "https://api.twilio.comx",
        // A user name that looks like a host, a host that looks like a fragment or a path.
        "https://api.twilio.com@evil.example",
        "https://api.twilio.com:443@evil.example",
        "https://evil.example@api.twilio.com",
        "https://evil.example/api.twilio.com",
        "https://evil.example#.twilio.com",
        "https://evil.example?.twilio.com",
        "https://evil.example\\.twilio.com",
        "https://evil.example%2f.twilio.com",
        "https://evil.example%00.twilio.com",
        "https://api.twilio.com%2eevil.example",
        // Letters of other scripts, as they are and as DNS has them.
        "https://api.tw\u{456}lio.com",
        "https://api.twilio\u{3002}com",
        "https://api.xn--twlio-q4d.com",
        // Other schemes and ports.
        "http://api.twilio.com",
        "ftp://api.twilio.com",
        "https://api.twilio.com:444",
        "https://api.twilio.com:0443x",
        "//api.twilio.com",
        "api.twilio.com",
        // What is inside.
        "https://localhost",
        "https://127.0.0.1",
        "https://[::1]",
        "http://169.254.169.254",
        "https://10.0.0.1",
    ] {
        // Either it is no base URL at all, or one that nothing is sent to.
        let Ok(base_url) = format!("{url}/2010-04-01").parse() else { continue };
        read += 1;
        let sent = SentMessage::new(account(AC), sid).base_url(base_url);
        let recorded = world.feedback.record("id", sent.clone()).await;
        assert_eq!(recorded, Recorded::OriginNotAllowed, "{url}");
        let confirmed = world.feedback.confirm_sid(sent).await;
        assert_eq!(confirmed, Confirmation::Refused(Refusal::OriginNotAllowed), "{url}");
    }
    assert!(read > 12, "{read}");
    assert!(world.flush().await.is_empty());
    assert_eq!(world.feedback.stats().delivery.calls, 0);
}

#[tokio::test]
async fn the_origin_is_checked_again_before_each_call() {
    let site = Site::new().await;
    let store = Arc::new(MemoryStore::builder().clock(site.time.clock()).build());
    let builder = || {
        tower_message_feedback::MessageFeedback::builder()
            .clock(site.time.clock())
            .store(store.clone())
            .credentials(credentials())
            .correlation_key(CORRELATION_KEY)
    };
    // This one allows it, and delivers nothing.
    let (lax, _dispatcher) =
        builder().allow_origin(site.base_url().as_str()).build_pair().expect("a handle");
    let strict = builder().build().expect("a handle");
    let sent = site.sent().await;
    assert_eq!(lax.record("id", sent).await, Recorded::Recorded);
    assert_eq!(lax.confirm("id").await, Confirmation::Queued);

    assert!(guarded(strict.flush()).await.is_empty());
    let entries = strict.lookup("id").await.expect("an answer");
    let [entry] = &entries[..] else { panic!("one message: {entries:?}") };
    let LedgerStatus::Dead { attempts, failure, died_at, .. } = entry.status else {
        panic!("{:?}", entry.status);
    };
    assert_eq!(failure, Failure::new(FailureKind::OriginNotAllowed, None, None));
    assert_eq!((attempts.total, died_at), (0, START));
    // The create came by way of no socket; no other request was made.
    assert_eq!(site.twilio.received().len(), 1);
    assert_eq!(strict.stats().delivery.calls, 0);
    assert_eq!(strict.stats().delivery.dead_lettered, 1);
    assert_eq!(strict.dead_letters(None, 10).await.expect("an answer").len(), 1);
}
