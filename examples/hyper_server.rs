//! A link, on a server of hyper's own: `confirm_layer` needs no framework.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_message_feedback::{
    Credentials, MessageFeedback, link_query, simulator::Simulator, source::query,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

/// The application as it was: `confirm_layer` goes around it.
async fn confirm(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("Thank you!"));
    if request.uri().path() != "/confirm" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        *response.body_mut() = Full::from("There is nothing here.");
    }
    Ok(response)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let twilio = Simulator::new();
    let simulated = twilio.serve().await?;
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .allow_origin(simulated.base_url().as_str())
        .build()?;

    let service = ServiceBuilder::new()
        .layer(feedback.confirm_layer(query("id")))
        .service(service_fn(confirm));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                // A client that goes away is no trouble of the server's.
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });

    // The send goes through hyper's own client, too.
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Full<Bytes>>();
    let text = format!(
        "To=%2B15558675310&From=%2B15557122661&Body=Open+{site}/confirm%3Fid%3D14911840021375840233"
    );
    let create =
        Request::post(format!("{}/Accounts/{ACCOUNT}/Messages.json", simulated.base_url()))
            .header(
                "authorization",
                "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0b2tlbg==",
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(text))?;
    let sent = feedback
        .provide_layer()
        .correlate(link_query("id"))
        .layer(client.clone())
        .oneshot(create)
        .await?;
    println!("sent: {}", sent.status());

    for path in ["/confrim?id=14911840021375840233", "/confirm?id=14911840021375840233"] {
        let get = Request::get(format!("{site}{path}"))
            .header("user-agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)")
            .body(Full::default())?;
        let answer = client.request(get).await?;
        feedback.flush().await;
        println!("{}: {} reported", answer.status(), twilio.confirmed().len());
    }
    Ok(())
}
