//! Requests as an application makes them, and a Twilio that answers without a network.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::Service;

pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";

/// What Twilio answers to a create: 877 bytes, and 34 of them are the SID.
const RECEIPT: &str = r#"{"body": "Open to confirm: https://www.example.com/confirm?id=0000000000000000", "num_segments": "1", "direction": "outbound-api", "from": "+15557122661", "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000", "price": null, "error_message": null, "uri": "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.json", "account_sid": "AC0123456789abcdef0123456789abcdef", "num_media": "0", "to": "+15558675310", "date_created": "Thu, 24 Aug 2023 05:01:45 +0000", "status": "queued", "sid": "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "date_sent": null, "messaging_service_sid": "MG0123456789abcdef0123456789abcdef", "error_code": null, "price_unit": "USD", "api_version": "2010-04-01", "subresource_uris": {"media": "/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/Media.json"}}"#;

/// Answers at once, each create with a message of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Twilio {
    next: u64,
}

impl Service<Request<Full<Bytes>>> for Twilio {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let mut response = Response::new(Full::default());
        if request.method() == http::Method::POST {
            self.next += 1;
            let mut receipt = RECEIPT.as_bytes().to_vec();
            let sid = RECEIPT.find("\"sid\": \"SM").expect("a SID") + 10;
            for (at, digit) in receipt[sid..sid + 32].iter_mut().rev().enumerate() {
                *digit = b"0123456789abcdef"[(self.next >> (4 * at.min(15))) as usize & 15];
            }
            *response.status_mut() = http::StatusCode::CREATED;
            *response.body_mut() = Full::new(receipt.into());
        }
        ready(Ok(response))
    }
}

/// A route that thanks, and does nothing else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route;

impl Service<Request<Full<Bytes>>> for Route {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(Response::new(Full::new(Bytes::from_static(b"Thank you!")))))
    }
}

pub(crate) fn fetch() -> Request<Full<Bytes>> {
    let uri = "https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages/SM0123456789abcdef0123456789abcdef.json";
    Request::get(uri).body(Full::default()).expect("a request")
}

/// A create as Twilio's SDKs make it. `id` goes into its link; without, it has none.
pub(crate) fn create(id: Option<&str>) -> Request<Full<Bytes>> {
    let text = id.map_or_else(
        || "Your+parcel+is+on+its+way".to_owned(),
        |id| format!("Open+to+confirm%3A+https%3A%2F%2Fwww.example.com%2Fconfirm%3Fid%3D{id}"),
    );
    let form = format!(
        "To=%2B15558675310&MessagingServiceSid=MG0123456789abcdef0123456789abcdef&Body={text}"
    );
    Request::post(format!("https://api.twilio.com/2010-04-01/Accounts/{AC}/Messages.json"))
        .header("accept", "application/json")
        .header("authorization", "Basic QUM6eA==")
        .header("content-length", form.len())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", "twilio-rust/1.0")
        .body(Full::new(form.into()))
        .expect("a request")
}

/// A click, as a browser makes it.
pub(crate) fn click(id: &str) -> Request<Full<Bytes>> {
    Request::get(format!("/confirm?id={id}"))
        .header("host", "www.example.com")
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("accept-language", "en-GB,en;q=0.5")
        .header(
            "user-agent",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/131.0.0.0 Safari/537.36",
        )
        .body(Full::default())
        .expect("a request")
}
