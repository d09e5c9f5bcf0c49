//! SMS pumping: somebody has the application text codes to numbers that pay them for each,
//! in a country that it has no users in, and nobody enters one. The report's watch tells.
//!
//! Twilio and the time are simulated. With `--serve` the report's page stays open.

use std::{env, time::Duration};

use axum::body::Body;
use http::Request;
use tower::{Layer, ServiceExt, service_fn};
use tower_message_feedback::{
    Clock, CorrelationId, Credentials, ManualClock, MessageFeedback, report::AlertRule,
    simulator::Simulator, store::Resolution,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const HOUR: Duration = Duration::from_secs(3600);

type Failure = Box<dyn std::error::Error>;

/// Texts codes to a number; of each ten as many are entered as `entered` says.
async fn logins(
    (feedback, twilio): (&MessageFeedback, &Simulator),
    (number, count, entered): (&str, usize, usize),
) -> Result<(), Failure> {
    let client = feedback.provide_layer().label("login").layer(twilio.service());
    for n in 0..count {
        let attempt = format!("{number} {}", twilio.messages().len());
        let form = format!("To=%2B{number}&From=%2B15557122661&Body=Your+code+is+081500");
        let uri = format!("https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json");
        let send = Request::post(uri)
            .header("authorization", "Bearer x")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(CorrelationId::new(attempt.clone()))
            .body(Body::from(form))?;
        client.clone().oneshot(send).await?;
        if n % 10 < entered {
            feedback.confirm(attempt).await;
        }
    }
    feedback.flush().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // Twenty past, when the hour is judged that is not over.
    let start = Resolution::Hour.start(Clock::system().now() - 48 * HOUR) + HOUR / 3;
    let time = ManualClock::new(start);
    let twilio = Simulator::with_clock(time.clock());
    let simulated = twilio.clone();
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .transport(service_fn(move |call| simulated.service().oneshot(call)))
        .clock(time.clock())
        .build()?;
    let mut alerts = feedback.watch([
        AlertRule::volume_rises().per_country().min_attempted(50),
        AlertRule::conversion_falls().min_attempted(50),
    ]);
    let watching = tokio::spawn(async move {
        while let Some(alert) = alerts.next().await {
            println!("ALERT: {alert}");
        }
    });

    // Two usual days, and in the last hour, beside them, the pump.
    for hour in 0..48 {
        logins((&feedback, &twilio), ("4915112345678", 20, 8)).await?;
        logins((&feedback, &twilio), ("33612345678", 10, 8)).await?;
        if hour == 47 {
            logins((&feedback, &twilio), ("37120000000", 60, 0)).await?;
        }
        time.advance(HOUR / 60);
        // Time stands still while it looks.
        tokio::time::sleep(Duration::from_millis(20)).await;
        time.advance(HOUR * 59 / 60);
    }
    let report = feedback.report(48 * HOUR).await?;
    let latvia = report.countries.iter().find(|group| group.of == "LV".parse().ok());
    let latvia = latvia.ok_or("no messages to Latvia")?;
    println!(
        "Latvia: {} attempted, {} conversions",
        latvia.funnel.attempted, latvia.funnel.conversions
    );
    if env::args().any(|argument| argument == "--serve") {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/?range=3d", listener.local_addr()?);
        axum::serve(listener, feedback.report_router::<()>()).await?;
    }
    watching.abort();
    Ok(())
}
