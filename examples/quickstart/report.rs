//! What Twilio received, and the funnel that its console would show.

use tower_message_feedback::{
    Stats,
    simulator::{Outcome, RequestKind, Simulator},
};

pub fn print(twilio: &Simulator, stats: &Stats) {
    let received = twilio.received();
    let messages = twilio.messages();
    let creates = received.iter().filter(|request| request.kind() == RequestKind::Create).count();
    let calls = received.iter().filter(|request| request.kind() == RequestKind::Feedback).count();
    let tracked = messages.iter().filter(|message| message.provide_feedback()).count();
    let confirmed =
        messages.iter().filter(|message| message.outcome() == Outcome::Confirmed).count();

    println!("\nTwilio received");
    println!("  {creates:>3} messages, {tracked} of them with ProvideFeedback=true");
    println!("  {calls:>3} times Outcome=confirmed:");
    for message in messages.iter().filter(|message| message.feedback_count() > 0) {
        println!("      {} to {}", message.sid(), message.to());
    }

    println!("\nOTP conversion");
    bar("attempted", tracked, tracked);
    bar("conversions", confirmed, tracked);
    println!(
        "\nNot reported, as it should be: {} requests that were no user's action, \
         {} repeated confirms.",
        stats.confirms.not_an_action, stats.confirms.already_confirmed
    );
}

fn bar(name: &str, count: usize, of: usize) {
    let percent = 100.0 * count as f64 / of.max(1) as f64;
    println!("  {name:<12} {count:>3}  {:<12}  {percent:>5.1} %", "█".repeat(count));
}
