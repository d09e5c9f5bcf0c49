//! Time in the test's hands.

use std::time::Duration;

use http::Method;
use tokio::time::timeout;
use tower_message_feedback::{
    ManualClock, Timestamp,
    simulator::{Answer, Simulator},
};

use crate::support::*;

/// Tue, 14 Nov 2023 22:13:20 GMT.
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[tokio::test]
async fn an_answer_waits_for_the_clock_that_the_test_owns() {
    let time = ManualClock::new(START);
    let twilio = Simulator::with_clock(time.clock());
    let server = twilio.serve().await.unwrap();
    twilio.answer_create(Answer::normal().after(Duration::from_secs(3600)));
    let url = format!("{}/Accounts/{AC}/Messages.json", server.base_url());
    let sending = tokio::spawn(client().request(request(Method::POST, &url, TAGGED)));
    twilio.wait_until(|twilio| twilio.messages().len() == 1).await;

    time.advance(Duration::from_millis(3_599_999));
    // Another request goes all the way in the meantime.
    assert_eq!(create(&twilio, TAGGED).await.status, 201);
    assert!(!sending.is_finished());
    assert_eq!(twilio.received()[0].status(), None);
    time.advance(Duration::from_millis(1));
    let response = timeout(Duration::from_secs(10), sending).await.expect("due").unwrap().unwrap();
    assert_eq!(response.headers()["twilio-request-duration"], "3600.000");
}

#[tokio::test(start_paused = true)]
async fn tokios_clock_does_not_move_an_answer_that_another_clock_holds() {
    let time = ManualClock::new(START);
    let twilio = Simulator::with_clock(time.clock());
    twilio.answer_create(Answer::normal().after(Duration::from_millis(1)));
    let year = Duration::from_secs(365 * 86_400);
    assert!(timeout(year, create(&twilio, TAGGED)).await.is_err());
}

#[tokio::test]
async fn dates_go_by_the_clock() {
    let time = ManualClock::new(START);
    let twilio = Simulator::with_clock(time.clock());
    let reply = create(&twilio, TAGGED).await;
    assert_eq!(reply.json()["date_created"], "Tue, 14 Nov 2023 22:13:20 +0000");
    let sid = reply.sid();
    assert_eq!(twilio.message(sid).unwrap().created(), START);
    assert_eq!(twilio.message(sid).unwrap().reported(), None);
    time.advance(Duration::from_secs(90));
    let json = confirm(&twilio, sid).await.json();
    assert_eq!(json["date_created"], "Tue, 14 Nov 2023 22:13:20 +0000");
    assert_eq!(json["date_updated"], "Tue, 14 Nov 2023 22:14:50 +0000");
    let reported = twilio.message(sid).unwrap().reported().unwrap();
    assert_eq!(reported.since(START), Duration::from_secs(90));
}
