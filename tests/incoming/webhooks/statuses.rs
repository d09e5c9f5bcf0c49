use std::{sync::Arc, time::Duration};

use MessageStatus::{Delivered, Sent, Undelivered};
use tower_message_feedback::{
    AccountSid, Clock, CorrelationId, ManualClock, MessageStatus, Recorded, SentMessage,
    StatusRecorded, StatusStats,
    simulator::Answer,
    store::{LedgerEntry, MemoryStore, StatusUpdate},
    webhook::SignatureVerifier,
};

use super::*;
use crate::support::GatedStore;

/// Far longer than any test waits.
const HOUR: Duration = Duration::from_secs(3600);

/// An application whose status callbacks come to it.
async fn called_back() -> Phone {
    called_back_with(|builder| builder).await
}

async fn called_back_with(
    configure: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
) -> Phone {
    let place = listen().await;
    let url = format!("{}/hooks/status?shop=7", place.1);
    Phone::on(place, |builder| configure(builder.status_callback(url))).await
}

impl Phone {
    fn status(&self, sid: MessageSid, status: &str) -> Webhook {
        self.twilio.status(sid, status).expect("a callback")
    }

    async fn entry(&self, sid: MessageSid) -> Option<LedgerEntry> {
        self.world.feedback.lookup_sid(sid).await.expect("an answer")
    }

    async fn delivery(&self, sid: MessageSid) -> (Option<MessageStatus>, Option<u32>) {
        let entry = self.entry(sid).await.expect("a tracked message");
        (entry.message_status, entry.error_code)
    }

    fn statuses(&self) -> StatusStats {
        self.world.feedback.stats().statuses
    }

    /// A create whose caller hangs up before it is answered.
    async fn abandoned(&self, label: &str) -> MessageSid {
        self.world.twilio.answer_create(Answer::normal().after(HOUR));
        let known = self.world.twilio.messages().len();
        let layer = self.world.feedback.provide_layer().correlate(conversation()).label(label);
        let client = layer.layer(reqwest::Client::new());
        let create = client.oneshot(self.create(&[("From", NUMBER)]));
        tokio::select! {
            _ = create => panic!("it was answered"),
            () = self.world.twilio.wait_until(|twilio| twilio.messages().len() > known) => {}
        }
        self.world.last()
    }
}

/// Sends a callback; it is always answered the same.
async fn call_back(webhook: &Webhook) {
    let response = send(webhook).await;
    assert_eq!((response.status().as_u16(), response.body().len()), (204, 0));
}

#[tokio::test]
async fn the_newest_status_of_a_tracked_message_is_kept() {
    let phone = called_back().await;
    let sid = phone.text(NUMBER).await;
    assert_eq!(phone.delivery(sid).await, (None, None));
    for answer in phone.twilio.deliver(sid).await.expect("callbacks") {
        assert_eq!(answer.status(), 204);
    }
    assert_eq!(phone.delivery(sid).await, (Some(Delivered), None));
    // Out of order, and repeated.
    for status in ["sent", "queued", "delivered", "sending"] {
        call_back(&phone.status(sid, status)).await;
    }
    assert_eq!(phone.delivery(sid).await, (Some(Delivered), None));
    call_back(&phone.status(sid, "read")).await;
    assert_eq!(phone.delivery(sid).await.0, Some(MessageStatus::Read));
    let statuses = phone.statuses();
    assert_eq!((statuses.recorded, statuses.not_newer, statuses.recovered), (3, 4, 0));

    let failed = phone.text(NUMBER).await;
    call_back(&phone.status(failed, "undelivered").with_field("ErrorCode", "30003")).await;
    assert_eq!(phone.delivery(failed).await, (Some(Undelivered), Some(30003)));
    // What Twilio has not invented yet changes nothing.
    call_back(&phone.status(failed, "beamed")).await;
    assert_eq!(phone.delivery(failed).await, (Some(Undelivered), Some(30003)));
    // It is no action.
    phone.world.nothing_reported().await;
}

#[tokio::test]
async fn a_status_stays_with_its_message_once_that_is_reported() {
    let phone = called_back().await;
    let sid = phone.text(NUMBER).await;
    call_back(&phone.status(sid, "sent")).await;
    assert_eq!(say(&phone.reply(sid, "yes")).await, "Queued");
    phone.world.reported(&[sid]).await;
    assert_eq!(phone.delivery(sid).await.0, Some(Sent));
    call_back(&phone.status(sid, "delivered")).await;
    assert_eq!(phone.delivery(sid).await.0, Some(Delivered));
    phone.world.only_reported(&[sid]).await;
}

#[tokio::test]
async fn what_the_application_says_of_its_callbacks_stays() {
    let phone = called_back().await;
    let url = phone.site.url("/hooks/status?a=b");
    let own = [("From", NUMBER), ("StatusCallback", &*url)];
    let sid = phone.send(conversation(), &own).await;
    assert_eq!(phone.world.twilio.message(sid).expect("it").status_callback(), Some(&*url));
    let sent = phone.world.twilio.received().pop().expect("the send");
    let body = std::str::from_utf8(sent.body()).expect("a form");
    assert_eq!(body.matches("StatusCallback").count(), 1, "{body}");
    call_back(&phone.status(sid, "sent")).await;
    assert_eq!(phone.delivery(sid).await.0, Some(Sent));
    // Nor is anything added to a send that is not tracked.
    let untracked = phone.send((), &[("From", NUMBER)]).await;
    assert_eq!(phone.world.twilio.message(untracked).expect("it").status_callback(), None);
    // A send that the application tagged itself is tracked.
    let tagged = [("From", NUMBER), ("ProvideFeedback", "true")];
    let tagged = phone.send(conversation(), &tagged).await;
    let message = phone.world.twilio.message(tagged).expect("it");
    let url = message.status_callback().expect("a URL");
    assert!(url.starts_with(&phone.site.url("/hooks/status?shop=7&message_feedback=")), "{url}");
    assert!(!url.contains("5558675310"));
}

#[tokio::test]
async fn a_forged_status_changes_nothing() {
    let phone = called_back().await;
    let sid = phone.text(NUMBER).await;
    for (callback, status) in [
        (phone.status(sid, "sent").signed_with("another"), 403),
        (phone.status(sid, "sent").unsigned(), 400),
        (phone.status(sid, "sent").with_field("MessageSid", "IM0123"), 400),
        (phone.status(sid, "sent").with_field("MessageStatus", ""), 400),
        (phone.status(sid, "sent").with_field("AccountSid", OTHER_AC), 403),
    ] {
        assert_eq!(send(&callback).await.status().as_u16(), status);
    }
    assert_eq!(phone.delivery(sid).await, (None, None));
    assert_eq!(phone.statuses(), StatusStats::default());
}

const OTHER_AC: &str = "AC00000000000000000000000000000002";

#[tokio::test]
async fn no_account_speaks_for_anothers_message() {
    let verifier = SignatureVerifier::new(OTHER_AC, "other token").expect("a token");
    let phone = called_back_with(|builder| builder.webhooks(verifier)).await;
    let sid = phone.text(NUMBER).await;
    let other = |sid| {
        let callback = phone.status(sid, "delivered").with_field("AccountSid", OTHER_AC);
        callback.signed_with("other token")
    };
    call_back(&other(sid)).await;
    assert_eq!(phone.delivery(sid).await, (None, None));
    // Not even for one that is not recorded yet, with a URL that it has seen.
    let abandoned = phone.abandoned("login").await;
    call_back(&other(abandoned)).await;
    assert_eq!(phone.entry(abandoned).await, None);
}

#[tokio::test]
async fn a_create_that_was_abandoned_gets_its_sid_from_its_first_callback() {
    let phone = called_back().await;
    let sid = phone.abandoned("login").await;
    assert_eq!(phone.world.feedback.stats().sends.abandoned, 1);
    // The user is faster than the callback.
    let id = CorrelationId::conversation(USER, NUMBER);
    assert_eq!(phone.world.feedback.confirm(id).await, Confirmation::Unknown);
    assert_eq!(phone.entry(sid).await, None);
    call_back(&phone.status(sid, "sent")).await;
    phone.world.reported(&[sid]).await;
    let entry = phone.entry(sid).await.expect("a tracked message");
    assert_eq!(entry.message_status, Some(Sent));
    assert_eq!(entry.label(), Some("login"));
    assert_eq!(entry.base_url, phone.world.server.base_url());
    assert_eq!(phone.statuses().recovered, 1);
    call_back(&phone.status(sid, "delivered")).await;
    assert_eq!((phone.statuses().recovered, phone.statuses().recorded), (1, 2));
}

#[tokio::test]
async fn a_first_callback_that_meets_a_store_that_hangs_loses_no_sid() {
    let store = GatedStore::new();
    let time = ManualClock::new(Clock::system().now());
    let phone = called_back_with(|builder| {
        let bound = Duration::from_millis(10);
        builder.clock(time.clock()).store(store.clone()).store_timeout(bound)
    })
    .await;
    let sid = phone.abandoned("login").await;
    store.statuses.shut();
    call_back(&phone.status(sid, "sent")).await;
    assert_eq!(phone.statuses().deferred, 1);
    assert_eq!(phone.entry(sid).await, None);
    store.statuses.open();
    soon("the status", async {
        while phone.statuses().recorded == 0 {
            time.advance(Duration::from_secs(5));
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(phone.statuses().recovered, 1);
    assert_eq!(phone.delivery(sid).await.0, Some(Sent));
    assert_eq!(say(&phone.reply(sid, "yes")).await, "Queued");
    phone.world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_callback_that_beats_the_answer_to_its_create_loses_nothing() {
    let phone = called_back().await;
    let sid = phone.abandoned("login").await;
    call_back(&phone.status(sid, "delivered")).await;
    let answer = SentMessage::new(AC.parse().expect("an account"), sid);
    let answer = answer.base_url(phone.world.server.base_url());
    let id = CorrelationId::conversation(USER, NUMBER);
    assert_eq!(phone.world.feedback.record(id, answer).await, Recorded::AlreadyRecorded);
    assert_eq!(phone.delivery(sid).await.0, Some(Delivered));
    assert_eq!(say(&phone.reply(sid, "yes")).await, "Queued");
    phone.world.reported(&[sid]).await;
}

#[tokio::test]
async fn a_status_without_a_url_of_ours_waits_a_moment_for_its_record() {
    let phone = called_back().await;
    let message = phone.world.create().await;
    let sid = phone.world.last();
    let account: AccountSid = AC.parse().expect("an account");
    let update = StatusUpdate::new(sid, account, Sent);
    assert_eq!(phone.world.feedback.record_status(update).await, StatusRecorded::Unknown);
    assert_eq!(phone.entry(sid).await, None);
    assert_eq!(phone.world.feedback.record("id", message).await, Recorded::Recorded);
    soon("the status", async {
        while phone.statuses().recorded == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(phone.delivery(sid).await.0, Some(Sent));
}

#[tokio::test]
async fn what_was_forgotten_or_is_long_ago_does_not_come_back() {
    let time = ManualClock::new(Clock::system().now());
    let phone = called_back_with(|builder| builder.clock(time.clock())).await;
    let forgotten = phone.text(NUMBER).await;
    assert!(phone.world.feedback.forget_sid(forgotten).await.expect("an answer"));
    call_back(&phone.status(forgotten, "delivered")).await;
    assert_eq!(phone.entry(forgotten).await, None);

    let by_id = phone.text(OTHER_NUMBER).await;
    let id = CorrelationId::conversation(USER, OTHER_NUMBER);
    assert_eq!(phone.world.feedback.forget(&id).await.expect("an answer"), 1);
    call_back(&phone.status(by_id, "delivered")).await;
    assert_eq!(phone.entry(by_id).await, None);
    // What is sent after that is known.
    time.advance(Duration::from_millis(1));
    let next = phone.text(OTHER_NUMBER).await;
    call_back(&phone.status(next, "delivered")).await;
    assert_eq!(phone.delivery(next).await.0, Some(Delivered));

    let just = phone.abandoned("login").await;
    let late = phone.abandoned("login").await;
    time.advance(Duration::from_secs(600));
    call_back(&phone.status(just, "sent")).await;
    assert_eq!(phone.delivery(just).await.0, Some(Sent));
    time.advance(Duration::from_millis(1));
    call_back(&phone.status(late, "sent")).await;
    assert_eq!(phone.entry(late).await, None);
}

#[tokio::test]
async fn a_call_to_a_number_of_a_service_finds_the_services_message() {
    let store = Arc::new(MemoryStore::new());
    let shared = |builder: MessageFeedbackBuilder| {
        builder.store(store.clone()).correlation_key(*b"sixteen bytes and")
    };
    let phone = called_back_with(shared).await;
    let service = [("MessagingServiceSid", SERVICE)];
    let sid = phone.send(conversation(), &service).await;
    let call = phone.twilio.call(sid).expect("a call").with_field("Digits", "1");
    assert_eq!(call.field("MessagingServiceSid"), None);
    assert_eq!(say(&call).await, "Unknown");
    call_back(&phone.status(sid, "sent")).await;
    // Another process knows it, too, and only of that number.
    let other = Phone::with(shared).await;
    let elsewhere = phone.world.twilio.webhooks(TOKEN).calls_to(other.site.url("/hooks/call"));
    let call = elsewhere.call(sid).expect("a call").with_field("Digits", "1");
    assert_eq!(say(&call.clone().with_field("To", OTHER_NUMBER)).await, "Unknown");
    assert_eq!(say(&call).await, "Queued");
}
