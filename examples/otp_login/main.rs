//! A website on which one signs in by text message: `cargo run --example otp_login`.
//!
//! Without configuration it talks to a Twilio that runs in process, and shows
//! beside each page a phone with the texts that would have been sent. With
//! `TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN` (or `TWILIO_API_KEY` and
//! `TWILIO_API_SECRET`) and `TWILIO_FROM` (a number, or a Messaging Service's
//! `MG…`) in the environment, the texts go out through Twilio.
//!
//! ```text
//! --listen ADDRESS   where to listen: 127.0.0.1:3000, or port 0 for a free one
//! --site URL         what the links in the texts begin with, if phones reach
//!                    this site by another address: https://login.example.com
//! ```
//!
//! `app/site.rs` is the part to read: the lines marked `1` to `5` are all that
//! this crate asks of a website. `app/logins.rs` has the rules of signing in.

mod app;

use std::{
    env,
    error::Error,
    io::{Write, stdout},
    time::Duration,
};

use app::{Account, Site};
use tokio::{net::TcpListener, signal};
use tower_message_feedback::{BaseUrl, Clock, Credentials, MessageFeedback, simulator::Simulator};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read(env::args().skip(1))?;
    match account_from_env() {
        Some(account) => {
            let feedback =
                MessageFeedback::builder().credentials(Credentials::from_env()?).build()?;
            serve(options, feedback, account, BaseUrl::default(), None).await
        }
        None => {
            let twilio = Simulator::new();
            let server = twilio.serve().await?;
            let account = Account::example();
            let feedback = MessageFeedback::builder()
                .credentials(Credentials::auth_token(&account.sid, &account.password)?)
                .allow_origin(server.base_url().as_str())
                .build()?;
            serve(options, feedback, account, server.base_url(), Some(twilio)).await
        }
    }
}

async fn serve(
    options: Options,
    feedback: MessageFeedback,
    account: Account,
    api: BaseUrl,
    twilio: Option<Simulator>,
) -> Result<()> {
    let listener = TcpListener::bind(&options.listen).await?;
    let here = format!("http://{}", listener.local_addr()?);
    let through = if twilio.is_some() {
        "Texts go to the phone on the page. No account, no configuration."
    } else {
        "Texts go out through Twilio."
    };
    // The address stands alone on its line, for whatever starts this program.
    writeln!(stdout(), "{here}\n{through} Ctrl-C ends it.")?;
    stdout().flush()?;

    let url = options.site.unwrap_or(here);
    let site = Site::new(&feedback, account, api, &url, Clock::system(), twilio)?;
    axum::serve(listener, site.router(&feedback))
        .with_graceful_shutdown(async {
            // Without a handler for the signal, it ends the program by itself.
            let _ = signal::ctrl_c().await;
        })
        .await?;
    let left = feedback.shutdown(Duration::from_secs(10)).await;
    if left.is_empty() { Ok(()) } else { Err("some feedback was not delivered".into()) }
}

fn account_from_env() -> Option<Account> {
    let var = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let sid = var("TWILIO_ACCOUNT_SID")?;
    let (user, password) = var("TWILIO_API_KEY")
        .zip(var("TWILIO_API_SECRET"))
        .or_else(|| Some((sid.clone(), var("TWILIO_AUTH_TOKEN")?)))?;
    Some(Account { sid, user, password, from: var("TWILIO_FROM")? })
}

struct Options {
    listen: String,
    site: Option<String>,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { listen: "127.0.0.1:3000".into(), site: None };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--listen" => options.listen = value?,
                "--site" => options.site = Some(value?.trim_end_matches('/').to_owned()),
                _ => return Err("usage: otp_login [--listen ADDRESS] [--site URL]".into()),
            }
        }
        Ok(options)
    }
}
