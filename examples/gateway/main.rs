//! A reverse proxy in front of Twilio's API, for applications in any language:
//! `cargo run --example gateway -- --help`.
//!
//! An application sends through it by changing its SDK's base URL. Creates that pass are
//! tagged with `ProvideFeedback=true`, and their SIDs are kept; `POST /confirm` says that
//! the user did what the message asked, and the feedback is delivered. Everything else
//! streams through as it is.
//!
//! ```text
//! curl -X POST http://127.0.0.1:4010/confirm -H "Authorization: Bearer $GATEWAY_TOKEN" \
//!      --data-urlencode "to=+15558675310"
//! ```
//!
//! `app/proxy.rs` has the layers; `app/routes.rs` what the gateway answers itself.

mod app;
mod options;

use std::{error::Error, io::Write, time::Duration};

use app::Gateway;
use clap::Parser;
use options::Options;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = Options::parse();
    tracing_subscriber::fmt().with_max_level(LevelFilter::INFO).with_writer(std::io::stderr).init();
    let settings = options.settings()?;
    let feedback = options.feedback().await?;
    let gateway = Gateway::new(feedback.clone(), &settings)?;
    let listener = TcpListener::bind(options.listen).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;

    gateway.serve(listener, asked_to_stop()).await;
    let left = feedback.shutdown(Duration::from_secs(10)).await;
    if left.outbox != Some(0) {
        tracing::warn!(outbox = left.outbox, "feedback is left for the next start");
    }
    Ok(())
}

/// Ctrl-C, or the signal by which a service manager stops a process.
async fn asked_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => {
                tokio::select! { _ = interrupted => {}, _ = terminated.recv() => {} }
            }
            Err(_) => drop(interrupted.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}
