use std::sync::Arc;

use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower_message_feedback::{BaseUrl, MessageFeedback, SentMessage, simulator::Simulator};
use twilio2::{CreateMessageRequest, TwilioAuth, TwilioClient, TwilioClientConfig};

use crate::support::{ACCOUNT, Result, TO, feedback, reported};

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

/// It takes no other URL than one of `https`.
async fn over_tls(twilio: &Simulator) -> Result<(String, String)> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("https://localhost:{}", listener.local_addr()?.port());
    let service = twilio.service();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), service.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = TowerToHyperService::new(service);
                let server = hyper::server::conn::http1::Builder::new();
                drop(server.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    Ok((origin, cert.pem()))
}

#[tokio::test]
async fn what_it_sent_is_recorded() -> Result<()> {
    // Its client asks for one; the application chooses.
    drop(rustls::crypto::ring::default_provider().install_default());
    let simulator = Simulator::new();
    let (origin, pem) = over_tls(&simulator).await?;
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
