//! What the layer does not track is as without it; what it tracks differs by
//! the tag alone.

use std::{
    convert::Infallible,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use proptest::{collection::vec, prelude::*, sample::select};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_message_feedback::{CorrelationId, MessageFeedback};

use crate::{
    script::{Script, Seen, Step, frames},
    support::*,
};

#[derive(Debug, Clone)]
struct Sent {
    method: Method,
    path: String,
    version: Version,
    headers: HeaderMap,
    frames: Vec<Bytes>,
    /// Whether the form is pending now and then.
    slow: bool,
    /// Whether the size is known.
    sized: bool,
}

#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    steps: Vec<Step>,
    sized: bool,
    tells_end: bool,
}

/// All that the inner service sees of a request. Frames are joined: a form that
/// was read goes on in one.
#[derive(Debug, PartialEq)]
struct Arrived {
    method: Method,
    uri: String,
    version: Version,
    headers: HeaderMap,
    extension: Option<u32>,
    body: Vec<u8>,
}

/// All that the caller sees of an answer, frame by frame.
#[derive(Debug, PartialEq)]
struct Got {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    extension: Option<u32>,
    exact_size: Option<u64>,
    ended: bool,
    frames: Vec<Seen>,
}

fn request(sent: &Sent, id: Option<&str>) -> Request<Script> {
    let mut steps = Vec::new();
    for frame in &sent.frames {
        if sent.slow {
            steps.push(Step::Yield);
        }
        steps.push(Step::Data(frame.clone()));
    }
    let size = sent.frames.iter().map(Bytes::len).sum();
    let body = if sent.sized { Script::sized(size, steps) } else { Script::new(steps) };
    let mut request = Request::new(body);
    *request.method_mut() = sent.method.clone();
    *request.uri_mut() = format!("https://api.twilio.com{}", sent.path).parse().expect("a URI");
    *request.version_mut() = sent.version;
    *request.headers_mut() = sent.headers.clone();
    request.extensions_mut().insert(7_u32);
    if let Some(id) = id {
        request.extensions_mut().insert(CorrelationId::from(id));
    }
    request
}

fn response(answer: &Answer) -> Response<Script> {
    let size = answer
        .steps
        .iter()
        .map(|step| if let Step::Data(data) = step { data.len() } else { 0 })
        .sum();
    let steps = answer.steps.clone();
    let body = if answer.sized { Script::sized(size, steps) } else { Script::new(steps) };
    let mut response = Response::new(if answer.tells_end { body.telling_end() } else { body });
    *response.status_mut() = answer.status;
    *response.version_mut() = answer.version;
    *response.headers_mut() = answer.headers.clone();
    response.extensions_mut().insert(8_u32);
    response
}

type Log = Arc<Mutex<Vec<Arrived>>>;

fn inner(
    answer: &Answer,
    log: &Log,
) -> impl Service<
    Request<Script>,
    Response = Response<Script>,
    Error = Infallible,
    Future = impl Future<Output = Result<Response<Script>, Infallible>>,
> + Clone {
    let (answer, log) = (answer.clone(), log.clone());
    service_fn(move |request: Request<Script>| {
        let (response, log) = (response(&answer), log.clone());
        async move {
            let (parts, body) = request.into_parts();
            let mut bytes = Vec::new();
            for frame in frames(body).await {
                match frame {
                    Seen::Data(data) => bytes.extend_from_slice(&data),
                    other => panic!("{other:?}"),
                }
            }
            log.lock().unwrap().push(Arrived {
                method: parts.method,
                uri: parts.uri.to_string(),
                version: parts.version,
                headers: parts.headers,
                extension: parts.extensions.get().copied(),
                body: bytes,
            });
            Ok(response)
        }
    })
}

async fn send<S, R>(service: S, request: Request<Script>) -> Got
where
    S: Service<Request<Script>, Response = Response<R>, Error = Infallible>,
    R: Body<Data = Bytes, Error = crate::script::Failed>,
{
    let (mut parts, body) = service.oneshot(request).await.expect("infallible").into_parts();
    Got {
        status: parts.status,
        version: parts.version,
        headers: parts.headers,
        extension: parts.extensions.remove(),
        exact_size: body.size_hint().exact(),
        ended: body.is_end_stream(),
        frames: frames(body).await,
    }
}

/// Runs what never waits for anything outside itself.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..10_000 {
        if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
    panic!("it hangs")
}

/// Sends with and without the layer; answers the handle and what arrived.
fn compare(sent: &Sent, answer: &Answer, id: Option<&str>) -> (MessageFeedback, [Arrived; 2]) {
    let log = Log::default();
    let mut bare = run(send(inner(answer, &log), request(sent, id)));
    let (feedback, _dispatcher) = builder(ORIGIN).build_pair().expect("a handle");
    let layered = feedback.provide_layer().layer(inner(answer, &log));
    let layered = run(send(layered, request(sent, id)));
    // Once it was read, an empty body knows that it is over.
    bare.ended |= id.is_some() && bare.frames.is_empty() && layered.ended;
    assert_eq!(bare, layered);
    let mut log = std::mem::take(&mut *log.lock().unwrap());
    let (second, first) = (log.pop().expect("a request"), log.pop().expect("a request"));
    (feedback, [first, second])
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    let names = ["x-a", "accept", "authorization", "content-length", "content-type", "set-cookie"];
    let values = ["", "1", FORM, "application/json", "gzip", "\u{a0}"];
    vec((select(names.to_vec()), select(values.to_vec())), 0..5).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
                (HeaderName::from_static(name), value)
            })
            .collect()
    })
}

fn form() -> impl Strategy<Value = Vec<Bytes>> {
    let odd = vec(any::<u8>(), 0..40);
    let fields = select(vec![OTP, LINK, "Body=%", "&&", "To=%2B1&MediaUrl=1&MediaUrl=2", "a", ""]);
    let frame = prop_oneof![odd, fields.prop_map(|text| text.as_bytes().to_vec())];
    vec(frame.prop_map(Bytes::from), 0..5)
}

fn version() -> impl Strategy<Value = Version> {
    select(vec![Version::HTTP_10, Version::HTTP_11, Version::HTTP_2])
}

fn sent() -> impl Strategy<Value = Sent> {
    let methods = [Method::POST, Method::POST, Method::GET, Method::PUT, Method::DELETE];
    let paths = vec![
        format!("/2010-04-01/Accounts/{AC}/Messages.json"),
        format!("/2010-04-01/Accounts/{AC}/Messages"),
        format!("/2010-04-01/Accounts/{AC}/SMS/Messages.json?a=b"),
        format!("/2010-04-01/Accounts/{AC}/Calls.json"),
        "/".to_owned(),
    ];
    (select(methods.to_vec()), select(paths), version(), headers(), form(), any::<[bool; 2]>())
        .prop_map(|(method, path, version, headers, frames, [slow, sized])| Sent {
            method,
            path,
            version,
            headers,
            frames,
            slow,
            sized,
        })
}

fn answer() -> impl Strategy<Value = Answer> {
    let data = prop_oneof![
        vec(any::<u8>(), 0..100).prop_map(Bytes::from),
        Just(Bytes::from(receipt())),
        Just(Bytes::from(vec![b'x'; 40 * 1024])),
    ];
    let step = prop_oneof![4 => data.prop_map(Step::Data), 1 => Just(Step::Yield)];
    let end = prop_oneof![
        Just(None),
        headers().prop_map(|headers| Some(Step::Trailers(headers))),
        any::<u32>().prop_map(|code| Some(Step::Fail(code))),
    ];
    let status = prop_oneof![Just(201), Just(200), 200..600_u16];
    (status, version(), headers(), vec(step, 0..6), end, any::<[bool; 2]>()).prop_map(
        |(status, version, headers, mut steps, end, [sized, tells_end])| {
            steps.extend(end);
            let status = StatusCode::from_u16(status).expect("a status");
            Answer { status, version, headers, steps, sized, tells_end }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn what_is_not_tracked_is_as_without_the_layer(sent in sent(), answer in answer()) {
        let (feedback, [bare, layered]) = compare(&sent, &answer, None);
        prop_assert_eq!(bare, layered);
        let sends = sends(&feedback);
        prop_assert_eq!((sends.tagged, sends.already_tagged, sends.recorded), (0, 0, 0));
    }

    #[test]
    fn what_is_tracked_differs_by_the_tag_alone(mut sent in sent(), answer in answer()) {
        sent.method = Method::POST;
        sent.path = format!("/2010-04-01/Accounts/{AC}/Messages.json");
        sent.headers.insert("content-type", FORM.parse().unwrap());
        sent.sized = true;
        let (feedback, [bare, mut layered]) = compare(&sent, &answer, Some("an id"));
        let sends = sends(&feedback);
        prop_assert_eq!(sends.tagged, 1, "{:?}", sends);
        let followed = sends.recorded + sends.receipt_unreadable + sends.not_created;
        prop_assert_eq!(followed, 1, "{:?}", sends);

        let tag = match bare.body.last() {
            None | Some(b'&') => &TAG[1..],
            Some(_) => TAG,
        };
        prop_assert_eq!(&layered.body, &[&bare.body[..], tag.as_bytes()].concat());
        let length = layered.headers.remove("content-length");
        let expected = bare.headers.contains_key("content-length");
        prop_assert_eq!(length, expected.then(|| layered.body.len().into()));
        let mut headers = bare.headers.clone();
        headers.remove("content-length");
        prop_assert_eq!(&layered.headers, &headers);
        layered.headers = bare.headers.clone();
        layered.body = bare.body.clone();
        prop_assert_eq!(layered, bare);
    }
}
