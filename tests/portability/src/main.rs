//! Writes messages of every sort to a Redis, or goes on with what another machine wrote,
//! and prints what the store has of each.

use std::{env, error::Error, time::Duration};

use tower::{ServiceExt, service_fn};
use tower_message_feedback::{
    Confirmation, Credentials, FeedbackBody, ManualClock, MessageFeedback, Recorded, RetryPolicy,
    SentMessage, Timestamp,
    simulator::{Answer, Simulator},
    store::RedisStore,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const START: Timestamp = Timestamp::from_millis(1_800_000_000_123);
const MESSAGES: u64 = 40;

fn id(n: u64) -> String {
    format!("login {n}")
}

async fn print_all(feedback: &MessageFeedback) -> Result<(), Box<dyn Error>> {
    for n in 0..MESSAGES {
        println!("{n}: {:?}", feedback.lookup(id(n)).await?);
    }
    println!("{:?}", feedback.dead_letters(None, 100).await?);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut arguments, usage) = (env::args().skip(1), "portability write|read REDIS_URL");
    let (what, url) = (arguments.next().ok_or(usage)?, arguments.next().ok_or(usage)?);
    let time = ManualClock::new(START);
    let store = RedisStore::builder().clock(time.clock()).connect(url).await?;
    store.migrate().await?;
    let twilio = Simulator::with_clock(time.clock());
    let transport = {
        let twilio = twilio.clone();
        service_fn(move |request: http::Request<FeedbackBody>| twilio.service().oneshot(request))
    };
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .correlation_key("a secret that every machine has")
        .store(store)
        .store_timeout(Duration::from_secs(60))
        .transport(transport)
        .retry_policy(RetryPolicy::default().base(Duration::from_secs(1_000)).max(Duration::from_secs(1_000)))
        .clock(time.clock())
        .build()?;
    if what == "write" {
        for n in 0..MESSAGES {
            let account = ACCOUNT.parse()?;
            let sid = format!("{}{:032x}", if n % 3 == 0 { "MM" } else { "SM" }, n * 0x0102_0304);
            let sent = SentMessage::new(account, sid.parse()?).label("sign in");
            assert_eq!(feedback.record(id(n), sent).await, Recorded::Recorded);
        }
        // A fourth each: refused for good, not found for now, delivered, and not confirmed.
        for (part, answer) in [400, 404, 200].into_iter().enumerate() {
            twilio.answer_feedback(Answer::status(answer).always());
            for n in (0..MESSAGES).filter(|n| n % 4 == part as u64) {
                assert_eq!(feedback.confirm(id(n)).await, Confirmation::Queued);
            }
            feedback.flush().await;
        }
        print_all(&feedback).await?;
    } else {
        print_all(&feedback).await?;
        // What is left is seen through to its end.
        twilio.answer_feedback(Answer::status(200).always());
        for n in (0..MESSAGES).filter(|n| n % 4 == 3) {
            assert_eq!(feedback.confirm(id(n)).await, Confirmation::Queued);
        }
        time.advance(Duration::from_secs(2_000));
        let left = feedback.flush().await;
        assert_eq!(left.outbox, Some(0), "{left:?}");
        let delivered = feedback.stats().delivery.delivered;
        assert_eq!(delivered, MESSAGES / 2, "those that were not found, and those of now");
    }
    Ok(())
}
