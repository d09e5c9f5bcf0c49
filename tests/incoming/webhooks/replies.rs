use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tower_message_feedback::{
    MessageForm, MessageSid, link_query, recipient,
    simulator::Webhook,
    store::{FeedbackStore, ForgetTarget, MemoryStore},
    webhook::SignatureVerifier,
};

use super::{signatures::signature, *};
use crate::support::GatedStore;

fn quoting(webhook: Webhook, sid: MessageSid) -> Webhook {
    webhook.with_field("OriginalRepliedMessageSid", sid.to_string())
}

#[tokio::test]
async fn a_reply_confirms_the_newest_message_of_its_conversation() {
    let phone = Phone::new().await;
    phone.text(NUMBER).await;
    let newest = phone.text(NUMBER).await;
    let elsewhere = phone.text(OTHER_NUMBER).await;
    let reply = phone.reply(newest, "yes");
    let answer = send(&reply).await;
    assert_eq!(answer.headers()[CONFIRMATION], "Queued");
    assert_eq!(answer.headers()["content-type"], "text/xml; charset=utf-8");
    assert!(answer.body().ends_with(b"<Response><Message>Thank you</Message></Response>"));
    phone.world.reported(&[newest]).await;
    assert_eq!(say(&phone.reply(elsewhere, "yes")).await, "Queued");
    phone.world.reported(&[newest, elsewhere]).await;
}

#[tokio::test]
async fn a_messaging_service_is_answered_whichever_number_it_chose() {
    let phone = Phone::new().await;
    let service = [("MessagingServiceSid", SERVICE)];
    let sid = phone.send(conversation(), &service).await;
    let reply = phone.reply(sid, "yes");
    assert_eq!(reply.field("MessagingServiceSid"), Some(SERVICE));
    assert_eq!(say(&reply).await, "Queued");
    phone.world.reported(&[sid]).await;
}

#[tokio::test]
async fn what_a_number_of_a_service_sent_by_itself_is_answered_too() {
    let phone = Phone::new().await;
    let service = [("MessagingServiceSid", SERVICE)];
    let by_service = phone.send(conversation(), &service).await;
    let by_number = phone.text(NUMBER).await;
    let to_both = |sid| phone.reply(sid, "yes").with_field("MessagingServiceSid", SERVICE);
    assert_eq!(say(&to_both(by_number)).await, "Queued");
    phone.world.reported(&[by_number]).await;
    // The newest is confirmed: no older one is in its stead.
    assert_eq!(say(&to_both(by_number)).await, "AlreadyConfirmed");
    let newest = phone.send(conversation(), &service).await;
    assert_eq!(say(&to_both(by_number)).await, "Queued");
    phone.world.reported(&[by_number, newest]).await;
    assert_ne!(by_service, newest);
}

#[tokio::test]
async fn a_message_that_a_reply_quotes_is_the_one_it_answers() {
    let phone = Phone::new().await;
    let quoted = phone.text(NUMBER).await;
    let newest = phone.text(NUMBER).await;
    assert_eq!(say(&quoting(phone.reply(newest, "yes"), quoted)).await, "Queued");
    phone.world.reported(&[quoted]).await;
    // One that is not tracked is no other's.
    let unknown = "SM0123456789abcdef0123456789abcdef".parse().expect("a SID");
    assert_eq!(say(&quoting(phone.reply(newest, "yes"), unknown)).await, "Queued");
    phone.world.reported(&[quoted, newest]).await;
}

#[tokio::test]
async fn where_there_is_one_sender_the_recipient_is_enough() {
    let phone = Phone::new().await;
    let sid = phone.send(recipient(), &[("From", NUMBER)]).await;
    assert_eq!(say(&phone.reply(sid, "yes")).await, "Queued");
    phone.world.reported(&[sid]).await;
}

#[tokio::test]
async fn what_was_sent_for_something_else_is_not_answered() {
    let phone = Phone::new().await;
    let text = [("From", NUMBER), ("Body", "https://example.com/?id=1")];
    let sid = phone.send(link_query("id"), &text).await;
    assert_eq!(say(&phone.reply(sid, "yes")).await, "Unknown");
    phone.world.nothing_reported().await;
}

#[tokio::test]
async fn keywords_are_no_action_unless_the_application_says_so() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    for body in ["STOP", " stop.", "Help", "START"] {
        assert_eq!(say(&phone.reply(sid, body)).await, "NotAnAction");
    }
    let marked = phone.reply(sid, "arrêt").with_field("OptOutType", "STOP");
    assert_eq!(say(&marked).await, "NotAnAction");
    phone.world.nothing_reported().await;

    let twilio = phone.twilio.clone().replies_to(phone.site.url("/hooks/stop"));
    let say_it = |body| say_owned(twilio.reply(sid, body).expect("a reply"));
    assert_eq!(say_it("yes").await, "NotAnAction");
    assert_eq!(say_it("STOP").await, "Queued");
    phone.world.reported(&[sid]).await;
}

async fn say_owned(webhook: Webhook) -> String {
    say(&webhook).await
}

#[tokio::test]
async fn a_reply_that_comes_again_confirms_nothing_newer() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let reply = phone.reply(sid, "yes");
    assert_eq!(say(&reply).await, "Queued");
    phone.world.reported(&[sid]).await;
    phone.text(NUMBER).await;
    assert_eq!(say(&reply).await, "AlreadyConfirmed");
    phone.world.reported(&[sid]).await;
}

/// Another process forgets it, which knows nothing of the confirm that waits here.
#[tokio::test]
async fn a_message_that_is_forgotten_while_the_confirm_of_a_reply_waits_is_not_reported() {
    let store = GatedStore::new();
    let phone = Phone::with(|builder| {
        builder.store(store.clone()).store_timeout(Duration::from_millis(20))
    })
    .await;
    let sid = phone.text(NUMBER).await;
    store.confirms.shut();
    assert_eq!(say(&quoting(phone.reply(sid, "yes"), sid)).await, "Deferred");
    let forgotten = store.forget(&[ForgetTarget::Message(sid)]).await;
    assert_eq!(forgotten.expect("an answer"), [1]);
    store.confirms.open();
    soon("the confirm", async {
        while phone.world.feedback.health().await.deferred > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(phone.world.feedback.lookup_sid(sid).await.expect("an answer"), None);
    phone.world.nothing_reported().await;
}

#[tokio::test]
async fn a_reply_may_come_by_get() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let reply = phone.reply(sid, "yes & no").by_get();
    assert!(reply.url().contains("Body=yes+%26+no"));
    assert_eq!(say(&reply).await, "Queued");
    phone.world.reported(&[sid]).await;
}

#[tokio::test]
async fn nobody_answers_the_messages_of_another_account() {
    let other = "ACfedcba9876543210fedcba9876543210";
    let phone = Phone::with(|builder| {
        let verifier = SignatureVerifier::new(other, "token-of-the-other").expect("a token");
        builder.webhooks(verifier)
    })
    .await;
    let sid = phone.text(NUMBER).await;
    let reply = quoting(phone.reply(sid, "yes"), sid).with_field("AccountSid", other);
    assert_eq!(say(&reply.clone().signed_with("token-of-the-other")).await, "Unknown");
    // The credentials' own account is known beside it, by its own token alone.
    assert_eq!(send(&reply).await.status(), 403);
    phone.world.nothing_reported().await;
    assert_eq!(say(&phone.reply(sid, "yes")).await, "Queued");
    phone.world.reported(&[sid]).await;
}

#[tokio::test]
async fn whoever_has_the_token_of_one_account_cannot_speak_for_another() {
    let other = "AC00000000000000000000000000000000";
    let phone = Phone::with(|builder| {
        builder.webhooks(SignatureVerifier::new(other, "token-of-the-other").expect("a token"))
    })
    .await;
    let sid = phone.text(NUMBER).await;
    let genuine = phone.reply(sid, "yes").request().expect("a request");
    let form = http_body_util::BodyExt::collect(genuine.into_body()).await.expect("a form");
    let form = String::from_utf8(form.to_bytes().to_vec()).expect("text");
    let url = phone.site.url("/hooks/reply");

    // Both accounts in one form: the one that signs is the first in the order of names.
    let twice = format!("{form}&AccountSid={other}");
    let mut fields: Vec<_> = MessageForm::new(twice.as_bytes()).fields().collect();
    fields.sort_unstable();
    let text = fields.iter().map(|(name, value)| format!("{name}{value}")).collect::<String>();
    let signed = signature("token-of-the-other", &format!("{url}{text}"));
    assert_eq!(post(&phone, "/hooks/reply", &signed, twice).await, 400);

    // A form that its hash vouches for: nothing that is signed names an account.
    let digest: String = Sha256::digest(&form).iter().map(|byte| format!("{byte:02x}")).collect();
    let path = format!("/hooks/reply?bodySHA256={digest}");
    let signed = signature("token-of-the-other", &phone.site.url(&path));
    assert_eq!(post(&phone, &path, &signed, form).await, 400);
    phone.world.nothing_reported().await;
}

async fn post(phone: &Phone, path: &str, signature: &str, form: String) -> u16 {
    let request = phone.site.request(http::Method::POST, path).body(form);
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature);
    phone.site.send(request).await.status
}

#[tokio::test]
async fn another_webhook_on_the_route_is_told_apart() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let call = phone.twilio.clone().calls_to(phone.site.url("/hooks/reply"));
    let answer = send(&call.call(sid).expect("a call")).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.body().starts_with(b"this webhook has no MessageSid"));
    phone.world.nothing_reported().await;
}

#[tokio::test]
async fn a_reply_that_is_replayed_to_another_process_confirms_nothing_more() {
    let store = Arc::new(MemoryStore::new());
    let shared = |builder: MessageFeedbackBuilder| {
        builder.store(store.clone()).correlation_key(*b"sixteen bytes and")
    };
    let (phone, other) = (Phone::with(shared).await, Phone::with(shared).await);
    let sid = phone.text(NUMBER).await;
    let reply = phone.reply(sid, "yes");
    assert_eq!(say(&reply).await, "Queued");
    phone.text(NUMBER).await;
    let elsewhere = phone.world.twilio.webhooks(TOKEN).replies_to(other.site.url("/hooks/reply"));
    let again = elsewhere.reply(sid, "yes").expect("a reply");
    let own = reply.field("MessageSid").expect("its own SID");
    assert_eq!(say(&again.clone().with_field("MessageSid", own)).await, "AlreadyConfirmed");
    assert_eq!(say(&again).await, "Queued");
}

#[tokio::test]
async fn a_reply_tells_its_fields_and_debug_does_not() {
    async fn tell(message: IncomingMessage) -> String {
        assert_eq!(format!("{message:?}"), "IncomingMessage { .. }");
        assert_eq!(message.field("Unheard"), None);
        let profile = message.field("ProfileName").unwrap_or_default();
        let account = message.account_sid().to_string();
        [&account, message.message_sid(), message.from(), message.to(), &profile].join(" ")
    }
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let app = Router::new().route("/", any(tell)).layer(phone.world.feedback.layer());
    let site = Site::axum(app).await;
    let webhooks = phone.twilio.clone().replies_to(site.url("/"));
    let reply = webhooks.reply(sid, "yes").expect("a reply").with_field("ProfileName", "A & B");
    let own = reply.field("MessageSid").expect("a SID");
    assert_eq!(send(&reply).await.body(), &format!("{AC} {own} {USER} {NUMBER} A & B"));
}

#[tokio::test]
async fn a_reply_whose_confirm_waits_for_the_store_confirms_once() {
    let store = GatedStore::new();
    let timeout = Duration::from_millis(20);
    let phone = Phone::with(|builder| builder.store(store.clone()).store_timeout(timeout)).await;
    let sid = phone.text(NUMBER).await;
    let reply = phone.reply(sid, "yes");
    store.confirms.shut();
    assert_eq!(say(&reply).await, "Deferred");
    store.confirms.open();
    phone.world.reported(&[sid]).await;
    // It is no answer to what is sent later.
    phone.text(NUMBER).await;
    assert_eq!(say(&reply).await, "AlreadyConfirmed");
    phone.world.reported(&[sid]).await;
}
