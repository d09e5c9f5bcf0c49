use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};

use super::service::SimulatorService;
use crate::twilio::BaseUrl;

/// A [`Simulator`](super::Simulator) on a port of 127.0.0.1, over HTTP/1.1
/// without TLS.
///
/// Dropping it closes the port and every open connection, also one on which an
/// answer is due.
#[must_use = "the server ends when it is dropped"]
pub struct SimulatorServer {
    address: SocketAddr,
    task: AbortHandle,
}

impl SimulatorServer {
    pub(super) async fn start(service: SimulatorService) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, service)).abort_handle();
        Ok(Self { address, task })
    }

    /// What stands for `https://api.twilio.com/2010-04-01`:
    /// `http://127.0.0.1:{port}/2010-04-01`.
    #[must_use]
    pub fn base_url(&self) -> BaseUrl {
        BaseUrl::from_parts("http", &self.address.to_string(), "/2010-04-01")
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SimulatorServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for SimulatorServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatorServer").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Runs until it is aborted; the set then aborts the connections with it.
async fn accept(listener: TcpListener, service: SimulatorService) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely too many open files: some will be closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Answers are small and due at once.
        let _ = stream.set_nodelay(true);
        while connections.try_join_next().is_some() {}
        let service = TowerToHyperService::new(service.clone());
        connections.spawn(async move {
            // The peer's errors are the peer's: what arrived is in `received()`.
            let _ = Builder::new(TokioExecutor::new())
                .http1_only()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
