use std::{future::Future, pin::pin, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, time};
use tower::ServiceExt;

use super::{Gateway, routes};

/// How long what is under way may take once the gateway is asked to stop.
const GRACE: Duration = Duration::from_secs(30);

pub async fn serve(gateway: Gateway, listener: TcpListener, stopped: impl Future<Output = ()>) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(30));
    let connections = GracefulShutdown::new();
    let mut stopped = pin!(stopped);
    loop {
        let stream = tokio::select! {
            () = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // No file descriptor is left, say: some come back.
                    tracing::warn!(%error, "a connection is not accepted");
                    time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        drop(stream.set_nodelay(true));
        let gateway = gateway.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let Gateway { routes, proxy } = gateway.clone();
            async move {
                if routes::is_own(request.uri().path()) {
                    let request = request.map(axum::body::Body::new);
                    return Ok(routes
                        .oneshot(request)
                        .await
                        .unwrap_or_else(|never| match never {}));
                }
                proxy.forward(request).await
            }
        });
        let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            // The client went away, or the upstream failed, which is told elsewhere.
            drop(connection.await);
        });
    }
    drop(listener);
    if time::timeout(GRACE, connections.shutdown()).await.is_err() {
        tracing::warn!("requests are left unanswered");
    }
}
