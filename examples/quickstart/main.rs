//! The whole loop in one program: `cargo run --example quickstart`.
//!
//! Without configuration it starts a Twilio that runs in process and an axum
//! application on loopback, lets ten people sign up and log in over real HTTP,
//! and prints what Twilio received. `application.rs` is the part to read: the
//! lines that a host application needs are marked there.
//!
//! With `TWILIO_ACCOUNT_SID` and `TWILIO_AUTH_TOKEN` (or `TWILIO_API_KEY` and
//! `TWILIO_API_SECRET`), `TWILIO_FROM` and `TWILIO_TO` in the environment, the
//! same application texts a code to `TWILIO_TO` through Twilio and asks for it.

mod application;
mod people;
mod report;

use std::{
    env,
    error::Error,
    io::{Write, stdin, stdout},
    time::Duration,
};

use application::{Account, Application};
use people::Person;
use tokio::net::TcpListener;
use tower_message_feedback::{
    BaseUrl, Credentials, MessageFeedback, simulator::Simulator, store::LedgerStatus,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    match (Account::from_env(), env::var("TWILIO_TO")) {
        (Some(account), Ok(to)) => with_twilio(account, &to).await,
        (Some(_), Err(_)) => {
            println!("Found credentials. To talk to Twilio, set TWILIO_FROM and TWILIO_TO, too.\n");
            with_simulator().await
        }
        (None, _) => with_simulator().await,
    }
}

async fn with_simulator() -> Result<()> {
    let twilio = Simulator::new();
    let server = twilio.serve().await?;
    let account = Account::example();

    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(&account.sid, &account.password)?)
        .allow_origin(server.base_url().as_str())
        .build()?;
    let site = serve(Application::new(&feedback, account, server.base_url())?, &feedback).await?;

    println!("An application on {site}, a simulated Twilio on {}.\n", server.base_url());
    for person in Person::everyone() {
        let deed = person.play(&site, &twilio).await?;
        println!("  {:<8} {deed}", person.name);
    }

    let left = feedback.shutdown(Duration::from_secs(5)).await;
    report::print(&twilio, &feedback.stats());
    if !left.is_empty() {
        return Err("some feedback was not delivered".into());
    }
    Ok(())
}

async fn with_twilio(account: Account, to: &str) -> Result<()> {
    let feedback = MessageFeedback::builder().credentials(Credentials::from_env()?).build()?;
    let application = Application::new(&feedback, account, BaseUrl::default())?;
    let site = serve(application, &feedback).await?;

    let browser = reqwest::Client::new();
    let attempt = people::ask_for_code(&browser, &site, to, None).await?;
    print!("Twilio took the message. The code on your phone: ");
    stdout().flush()?;
    let mut code = String::new();
    stdin().read_line(&mut code)?;
    let welcome = people::enter_code(&browser, &site, &attempt, code.trim()).await?;
    println!("{}", if welcome { "Right." } else { "Wrong: nothing is reported." });

    let left = feedback.shutdown(Duration::from_secs(10)).await;
    for message in feedback.lookup(attempt).await? {
        match message.status {
            LedgerStatus::Delivered { .. } => println!("{}: Twilio has the feedback", message.sid),
            status => println!("{}: {status:?}", message.sid),
        }
    }
    if !left.is_empty() {
        println!("Not delivered: {left:?}, {:?}", feedback.stats().delivery);
    }
    Ok(())
}

/// Serves the application on a free port; answers where.
async fn serve(application: Application, feedback: &MessageFeedback) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("http://{}", listener.local_addr()?);
    let router = application.router(&site, feedback);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(site)
}
