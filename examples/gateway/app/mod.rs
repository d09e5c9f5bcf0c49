//! The gateway, apart from its options, so that its tests can run it, too.

mod answer;
mod auth;
mod confirm;
mod correlation;
mod forward;
mod operate;
mod proxy;
mod routes;
mod server;

use std::{future::Future, time::Duration};

use axum::Router;
use tokio::net::TcpListener;
use tower_message_feedback::{BaseUrl, MessageFeedback};

pub use self::correlation::Correlation;
use self::proxy::Proxy;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub struct Settings {
    /// Where requests go.
    pub upstream: BaseUrl,
    /// Certificates to trust beside Mozilla's, as PEM.
    pub upstream_ca: Option<Vec<u8>>,
    pub correlation: Correlation,
    pub label: Option<String>,
    /// What the gateway's own routes ask for.
    pub token: String,
    pub timeout: Duration,
    pub max_body: usize,
}

#[derive(Clone)]
pub struct Gateway {
    routes: Router,
    proxy: Proxy,
}

impl Gateway {
    pub fn new(feedback: MessageFeedback, settings: &Settings) -> Result<Self, BoxError> {
        Ok(Self {
            proxy: Proxy::new(&feedback, settings)?,
            routes: routes::routes(feedback, &settings.token),
        })
    }

    /// Serves until `stopped`, and then until what is under way is answered.
    pub async fn serve(self, listener: TcpListener, stopped: impl Future<Output = ()>) {
        server::serve(self, listener, stopped).await;
    }
}
