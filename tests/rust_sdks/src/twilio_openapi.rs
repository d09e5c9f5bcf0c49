use tower_message_feedback::{BaseUrl, MessageFeedback, SentMessage, simulator::Simulator};
use twilio_openapi::apis::{configuration::Configuration, default_api::create_message};

use crate::support::{ACCOUNT, Result, TO, feedback, reported};

#[rustfmt::skip]
async fn send_code(
    twilio: &Configuration,
    feedback: &MessageFeedback,
    attempt: &str,
    to: &str,
    base_url: BaseUrl,
) -> Result<()> {
    let message = create_message(
        twilio, ACCOUNT, to, None, None, None,
        Some(true), // provide_feedback
        None, None, None, None, None, None, None, None, None, None, None, None, None,
        Some("+15557122661"), None, Some("Your code is 4711."), None,
    )
    .await?;
    let sid = message.sid.flatten().ok_or("Twilio's answer has no SID")?;
    let sent = SentMessage::new(ACCOUNT.parse()?, sid.parse()?).base_url(base_url);
    feedback.record(attempt, sent).await;
    Ok(())
}

#[tokio::test]
async fn what_it_sent_is_recorded() -> Result<()> {
    let simulator = Simulator::new();
    let server = simulator.serve().await?;
    let feedback = feedback(server.base_url().as_str());
    let twilio = Configuration {
        base_path: format!("http://{}", server.address()),
        basic_auth: Some((ACCOUNT.into(), Some("token".into()))),
        ..Configuration::default()
    };
    send_code(&twilio, &feedback, "attempt-42", TO, server.base_url()).await?;
    reported(&feedback, &simulator).await;
    Ok(())
}
