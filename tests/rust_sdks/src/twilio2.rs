use tower_message_feedback::{BaseUrl, MessageFeedback, SentMessage, simulator::Simulator};
use twilio2::{CreateMessageRequest, TwilioAuth, TwilioClient, TwilioClientConfig};

use crate::{
    support::{ACCOUNT, Result, TO, feedback, reported},
    tls::over_tls,
};

async fn send_code(
    twilio: &TwilioClient,
    auth: &TwilioAuth,
    feedback: &MessageFeedback,
    attempt: &str,
    to: &str,
    base_url: BaseUrl,
) -> Result<()> {
    let send = CreateMessageRequest::new(to)
        .from("+15557122661")
        .body("Your code is 4711.")
        .provide_feedback(true);
    let message = twilio.account(auth).messages().create(send).await?;
    let account = message.account_sid.ok_or("Twilio's answer has no account")?;
    let sid = message.sid.ok_or("Twilio's answer has no SID")?;
    let sent = SentMessage::new(account.parse()?, sid.parse()?).base_url(base_url);
    feedback.record(attempt, sent).await;
    Ok(())
}

#[tokio::test]
async fn what_it_sent_is_recorded() -> Result<()> {
    // Its client asks for one; the application chooses.
    drop(rustls::crypto::ring::default_provider().install_default());
    let simulator = Simulator::new();
    // It takes no other URL than one of `https`.
    let (origin, pem) = over_tls(&simulator).await;
    // Feedback goes where no certificate is in the way.
    let server = simulator.serve().await?;
    let feedback = feedback(server.base_url().as_str());
    let certificate = reqwest::Certificate::from_pem(pem.as_bytes())?;
    let twilio = TwilioClient::from_config_with_http_builder(
        TwilioClientConfig::new().rest_base_url(origin),
        |http| http.tls_certs_only([certificate]),
    )?;
    let auth = TwilioAuth::auth_token(ACCOUNT.to_owned(), "token".to_owned());
    send_code(&twilio, &auth, &feedback, "attempt-42", TO, server.base_url()).await?;
    reported(&feedback, &simulator).await;
    Ok(())
}
