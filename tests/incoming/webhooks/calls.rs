use super::*;

impl Phone {
    fn call(&self, sid: MessageSid) -> Webhook {
        self.twilio.call(sid).expect("a call")
    }
}

/// The webhook that follows once the user has pressed something.
fn pressing(call: &Webhook, digits: &str) -> Webhook {
    call.clone().with_field("CallStatus", "in-progress").with_field("Digits", digits)
}

#[tokio::test]
async fn a_call_confirms_once_however_many_webhooks_it_has() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let call = phone.call(sid);
    let answer = send(&call).await;
    assert!(answer.body().windows(8).any(|part| part == b"<Gather "));
    phone.world.nothing_reported().await;
    assert_eq!(say(&pressing(&call, "2")).await, "NoId");
    assert_eq!(say(&pressing(&call, "1")).await, "Queued");
    phone.world.reported(&[sid]).await;
    let next = phone.text(NUMBER).await;
    assert_eq!(say(&pressing(&call, "1")).await, "AlreadyConfirmed");
    phone.world.reported(&[sid]).await;
    assert_eq!(say(&pressing(&phone.call(next), "1").by_get()).await, "Queued");
    phone.world.reported(&[sid, next]).await;
}

#[tokio::test]
async fn a_call_to_another_number_answers_nothing() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let call = pressing(&phone.call(sid), "1");
    assert_eq!(say(&call.clone().with_field("To", OTHER_NUMBER)).await, "Unknown");
    for from in ["anonymous", "client:alice", "sip:alice@example.com"] {
        assert_eq!(say(&call.clone().with_field("From", from)).await, "Unknown");
    }
    assert_eq!(say(&call.with_field("Direction", "outbound-api")).await, "NotAnAction");
    phone.world.nothing_reported().await;
}
