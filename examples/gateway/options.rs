use std::{env, error::Error, net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use tower_message_feedback::{
    BaseUrl, Credentials, MessageFeedback, Mode, store::StoreUrl, webhook::SignatureVerifier,
};

use crate::app::{Correlation, Settings};

/// A reverse proxy in front of Twilio's API that closes the loop of Message Feedback.
#[derive(Parser)]
#[command(name = "gateway", after_help = SECRETS)]
pub struct Options {
    /// Where to listen. Credentials arrive here: an address that only your applications reach.
    #[arg(long, env = "GATEWAY_LISTEN", default_value = "127.0.0.1:4010")]
    pub listen: SocketAddr,

    /// Where requests go: a scheme, http or https, a host, and perhaps a path before theirs.
    #[arg(long, env = "GATEWAY_UPSTREAM", default_value = "https://api.twilio.com")]
    upstream: BaseUrl,

    /// A PEM file of certificates to trust beside Mozilla's.
    #[arg(long, env = "GATEWAY_UPSTREAM_CA", value_name = "FILE")]
    upstream_ca: Option<PathBuf>,

    /// Where messages wait: memory:, sqlite:FILE, postgres://…, redis://…
    #[arg(long, env = "GATEWAY_STORE", default_value = "memory:", hide_env_values = true)]
    store: StoreUrl,

    /// What a message is found by: `recipient`; `link:NAME`, a query parameter of the link in
    /// its text; or `header`, by the header Message-Feedback-Id alone, which always goes first.
    #[arg(long, env = "GATEWAY_CORRELATE", default_value = "recipient")]
    correlate: Correlation,

    /// The name of these messages in the report.
    #[arg(long, env = "GATEWAY_LABEL")]
    label: Option<String>,

    /// `on`, or `observe` to tag and to report nothing, and count what would be.
    #[arg(long, env = "GATEWAY_MODE", default_value = "on", value_parser = ["on", "observe"])]
    mode: String,

    /// What Twilio reaches this gateway by, if it does: status callbacks then go to /status
    /// there, and the report knows what was delivered.
    #[arg(long, env = "GATEWAY_PUBLIC_URL", value_name = "URL")]
    public_url: Option<BaseUrl>,

    /// How many seconds the head of an answer may take, and each part of its body.
    #[arg(long, env = "GATEWAY_TIMEOUT", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    /// The longest body of a request, in bytes.
    #[arg(long, env = "GATEWAY_MAX_BODY", default_value_t = 16 * 1024 * 1024)]
    max_body: usize,
}

const SECRETS: &str = "\
Secrets come from the environment alone:
  GATEWAY_TOKEN            what POST /confirm and the operator's routes ask for, as a bearer
                           token or as the password of any user: 16 characters at least
  TWILIO_ACCOUNT_SID       the account whose messages are reported, with
  TWILIO_AUTH_TOKEN        its auth token, or
  TWILIO_API_KEY, TWILIO_API_SECRET    an API key
  GATEWAY_CORRELATION_KEY  with a durable store: what ids are hashed with, 16 bytes at least,
                           the same after every start and in every gateway

Routes of its own:
  POST /confirm             id=…, or to=… for the recipient: a form or JSON
  GET  /health, /ready      that it runs; that its store answers, too
  GET  /report              the conversion report
  GET  /dead-letters        as JSON Lines; POST /dead-letters/resend sends all again
  POST /import              messages sent before, as JSON Lines";

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

impl Options {
    pub fn settings(&self) -> Result<Settings> {
        let token = env::var("GATEWAY_TOKEN").unwrap_or_default();
        if token.len() < 16 {
            return Err("GATEWAY_TOKEN: it is missing, or shorter than 16 characters".into());
        }
        Ok(Settings {
            upstream: self.upstream.clone(),
            upstream_ca: self.upstream_ca.as_deref().map(std::fs::read).transpose()?,
            correlation: self.correlate.clone(),
            label: self.label.clone(),
            token,
            timeout: Duration::from_secs(self.timeout),
            max_body: self.max_body,
        })
    }

    pub async fn feedback(&self) -> Result<MessageFeedback> {
        self.store.migrate().await?;
        let credentials = Credentials::from_env()?;
        let own = credentials.clone();
        let mut builder = MessageFeedback::builder()
            .credentials(credentials)
            // What a main account's token sends for its subaccounts, it reports, too.
            .credentials_provider(move |account| Some(own.for_subaccount(account)))
            .allow_origin(self.upstream.as_str())
            .mode(if self.mode == "observe" { Mode::Observe } else { Mode::On })
            .store(self.store.open().await?);
        match env::var("GATEWAY_CORRELATION_KEY") {
            Ok(key) => builder = builder.correlation_key(key),
            Err(_) if self.store.is_durable() => {
                return Err("GATEWAY_CORRELATION_KEY: a durable store needs it".into());
            }
            Err(_) => {}
        }
        if let Some(public_url) = &self.public_url {
            builder = builder
                .status_callback(format!("{public_url}/status"))
                .webhooks(SignatureVerifier::default().public_url(public_url.as_str())?);
        }
        Ok(builder.build()?)
    }
}
