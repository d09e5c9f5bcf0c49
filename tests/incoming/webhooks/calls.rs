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

#[tokio::test]
async fn a_call_tells_who_called_whom_and_debug_does_not() {
    async fn tell(call: IncomingCall) -> String {
        assert_eq!(format!("{call:?}"), "IncomingCall { .. }");
        let digits = call.digits().unwrap_or_default().into_owned();
        [call.call_sid(), call.from(), call.to(), &digits].join(" ")
    }
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let app = Router::new().route("/", post(tell)).layer(phone.world.feedback.layer());
    let site = Site::axum(app).await;
    let webhooks = phone.twilio.clone().calls_to(site.url("/"));
    let call = pressing(&webhooks.call(sid).expect("a call"), "12");
    let call_sid = call.field("CallSid").expect("a SID");
    let told = send(&call).await;
    assert_eq!(told.body(), &format!("{call_sid} {USER} {NUMBER} 12"));
}

#[tokio::test]
async fn what_is_said_is_xml() {
    let phone = Phone::new().await;
    let sid = phone.text(NUMBER).await;
    let answer = send(&pressing(&phone.call(sid), "1")).await;
    assert!(answer.headers()["content-type"].to_str().expect("ASCII").starts_with("text/xml"));
    assert!(answer.body().ends_with(b"<Response><Say>Thank you</Say></Response>"));
    let escaped = Twiml::say("<1 & 2>");
    assert!(escaped.as_str().ends_with("<Say>&lt;1 &amp; 2&gt;</Say></Response>"));
    assert!(Twiml::empty().as_str().ends_with("<Response></Response>"));
    assert_eq!(format!("{escaped:?}"), "Twiml { .. }");
}
