//! A login over gRPC: `confirm_layer` around tonic's routes.
//!
//! The id of the attempt is in the call's metadata, which are headers on the wire. A call
//! that fails is answered 200, with gRPC's own status beside it, and confirms nothing.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BufMut};
use http::uri::PathAndQuery;
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    client,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{self, NamedService, UnaryService},
    transport::{Channel, Server, server::TcpIncoming},
};
use tower::Service;
use tower_message_feedback::{
    Credentials, MessageFeedback, SentMessage,
    simulator::{RequestKind, Simulator},
    source::header,
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

/// What an application writes.
struct Verify;

impl UnaryService<String> for Verify {
    type Response = String;
    type Future = Ready<Result<Response<String>, Status>>;

    fn call(&mut self, code: Request<String>) -> Self::Future {
        ready(match code.get_ref().as_str() {
            "4711" => Ok(Response::new("Welcome!".into())),
            _ => Err(Status::unauthenticated("wrong code")),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let twilio = Simulator::new();
    let simulated = twilio.serve().await?;
    let feedback = MessageFeedback::builder()
        .credentials(Credentials::auth_token(ACCOUNT, "token")?)
        .allow_origin(simulated.base_url().as_str())
        .build()?;

    let listener = TcpIncoming::bind("127.0.0.1:0".parse()?)?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = Server::builder()
        .layer(feedback.confirm_layer(header(http::HeaderName::from_static("attempt"))))
        .add_service(Login)
        .serve_with_incoming(listener);
    tokio::spawn(server);

    let text = [
        ("To", "+15558675310"),
        ("From", "+15557122661"),
        ("Body", "Your code is 4711."),
        ("ProvideFeedback", "true"),
    ];
    let messages = format!("{}/Accounts/{ACCOUNT}/Messages.json", simulated.base_url());
    let create = reqwest::Client::new().post(messages).basic_auth(ACCOUNT, Some("token"));
    create.form(&text).send().await?;
    let sid = twilio.messages()[0].sid();
    let sent = SentMessage::new(ACCOUNT.parse()?, sid).base_url(simulated.base_url());
    feedback.record("attempt-42", sent).await;

    let channel = Channel::from_shared(url)?.connect().await?;
    for code in ["1234", "4711"] {
        let answer = verify(channel.clone(), code).await;
        feedback.flush().await;
        let status = answer.map_or_else(|status| status.code(), |_| Code::Ok);
        let calls = twilio.received();
        let reported = calls.iter().filter(|call| call.kind() == RequestKind::Feedback).count();
        println!("{code}: {status:?}, {reported} reported");
    }
    Ok(())
}

async fn verify(channel: Channel, code: &str) -> Result<Response<String>, Status> {
    let mut client = client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut request = Request::new(code.to_owned());
    request.metadata_mut().insert("attempt", "attempt-42".parse().expect("ASCII"));
    client.unary(request, PathAndQuery::from_static("/login.Login/Verify"), Text).await
}

/// What tonic generates out of a `.proto`, for messages that are plain text.
#[derive(Clone)]
struct Login;

impl NamedService for Login {
    const NAME: &'static str = "login.Login";
}

impl Service<http::Request<Body>> for Login {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(server::Grpc::new(Text).unary(Verify, request).await) })
    }
}

#[derive(Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        let text = String::from_utf8(bytes.into());
        text.map(Some).map_err(|_| Status::invalid_argument("no UTF-8"))
    }
}
