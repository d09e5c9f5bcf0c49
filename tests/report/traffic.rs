//! Logins by SMS to many countries, as many of them delivered and confirmed as a plan
//! says, through the layers and the simulator.
#![allow(dead_code, reason = "each program uses its own part of it")]

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region};
use tokio::task::JoinSet;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_message_feedback::{
    CorrelationId, Credentials, MessageFeedback, MessageFeedbackBuilder, MessageSid, MessageStatus,
    report::Report,
    simulator::{Simulator, Webhooks},
    source::query,
    store::StatusUpdate,
    webhook::{SignatureVerifier, status_callback},
};

pub(crate) const AC: &str = "AC0123456789abcdef0123456789abcdef";
const TOKEN: &str = "token-of-the-account";
const MG: &str = "MG0123456789abcdef0123456789abcdef";
const LABELS: [&str; 3] = ["login", "signup", "reset"];

/// How many messages are to be sent, delivered and confirmed, to how many countries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) attempted: u64,
    pub(crate) status_ok: u64,
    pub(crate) conversions: u64,
    pub(crate) countries: usize,
}

impl Plan {
    /// The figures of the picture in Twilio's guide, divided by `divisor`.
    pub(crate) const fn of_the_guide(divisor: u64) -> Self {
        Self {
            attempted: 2_300_000 / divisor,
            status_ok: 2_200_000 / divisor,
            conversions: 1_800_000 / divisor,
            countries: 213,
        }
    }

    /// How many of the first `n` are delivered: evenly spread, and all there are to be
    /// in the end.
    const fn ok_before(&self, n: u64) -> u64 {
        n * self.status_ok / self.attempted
    }

    pub(crate) const fn is_ok(&self, n: u64) -> bool {
        self.ok_before(n + 1) > self.ok_before(n)
    }

    pub(crate) const fn is_converted(&self, n: u64) -> bool {
        let before = self.ok_before(n);
        self.is_ok(n) && self.converted_before(before + 1) > self.converted_before(before)
    }

    /// Of those delivered.
    const fn converted_before(&self, ok: u64) -> u64 {
        ok * self.conversions / self.status_ok
    }

    /// Some have many more messages than others.
    fn country(&self, n: u64) -> usize {
        let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let share = (spread as f64 / f64::from(1 << 24)).powi(3);
        // Each has one at least.
        match usize::try_from(n) {
            Ok(n) if n < self.countries => n,
            _ => (share * self.countries as f64) as usize,
        }
    }
}

fn label(n: u64) -> &'static str {
    LABELS[(n % 3) as usize]
}

fn is_whatsapp(n: u64) -> bool {
    n % 10 == 0
}

/// Attempted, status OK, conversions.
pub(crate) type Shown = (u64, u64, u64);

/// What a report should show, by what each message is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) total: Shown,
    pub(crate) countries: BTreeMap<String, Shown>,
    pub(crate) labels: BTreeMap<String, Shown>,
    pub(crate) channels: BTreeMap<String, Shown>,
    pub(crate) services: BTreeMap<String, Shown>,
}

impl Expected {
    pub(crate) fn of(plan: &Plan, numbers: &[Number]) -> Self {
        let mut expected = Self::default();
        for n in 0..plan.attempted {
            let (ok, converted) = (u64::from(plan.is_ok(n)), u64::from(plan.is_converted(n)));
            let service = if n % 2 == 0 { MG } else { "" };
            let channel = if is_whatsapp(n) { "whatsapp" } else { "sms" };
            let country = numbers[plan.country(n)].country.clone();
            for shown in [
                &mut expected.total,
                expected.countries.entry(country).or_default(),
                expected.labels.entry(label(n).to_owned()).or_default(),
                expected.channels.entry(channel.to_owned()).or_default(),
                expected.services.entry(service.to_owned()).or_default(),
            ] {
                *shown = (shown.0 + 1, shown.1 + ok, shown.2 + converted);
            }
        }
        expected
    }

    pub(crate) fn in_report(report: &Report) -> Self {
        use tower_message_feedback::report::Funnel;
        let shown = |funnel: &Funnel| (funnel.attempted, funnel.status_ok, funnel.conversions);
        macro_rules! groups {
            ($groups:expr) => {
                $groups
                    .iter()
                    .map(|group| {
                        let of = group.of.as_ref().map(ToString::to_string).unwrap_or_default();
                        (of, shown(&group.funnel))
                    })
                    .collect()
            };
        }
        Self {
            total: shown(&report.total),
            countries: groups!(report.countries),
            labels: groups!(report.labels),
            channels: groups!(report.channels),
            services: groups!(report.messaging_services),
        }
    }
}

/// A number, and the country that it is of.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub(crate) e164: String,
    pub(crate) country: String,
}

/// A number of each of as many countries.
pub(crate) fn numbers(countries: usize) -> Vec<Number> {
    let mut regions: Vec<Region> = PHONE_NUMBER_UTIL.get_supported_regions().collect();
    regions.sort_by_key(ToString::to_string);
    let of = |region: &Region| {
        [PhoneNumberType::Mobile, PhoneNumberType::FixedLine].into_iter().find_map(|kind| {
            let number =
                PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(*region, kind).ok()?;
            let country = PHONE_NUMBER_UTIL.get_region_for_number(&number)?;
            let e164 = PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).to_string();
            (country == *region).then(|| Number { e164, country: country.to_string() })
        })
    };
    let numbers: Vec<Number> = regions.iter().filter_map(of).take(countries).collect();
    assert_eq!(numbers.len(), countries);
    numbers
}

/// What sends through the layer.
type Client = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;

/// Where the messages are created that go over no socket.
const TWILIO: &str = "https://api.twilio.com/2010-04-01";

/// An application, and the Twilio that it sends through.
#[derive(Clone)]
pub(crate) struct Town {
    pub(crate) feedback: MessageFeedback,
    pub(crate) plan: Plan,
    clients: Arc<[Client]>,
    base_url: Arc<str>,
    numbers: Arc<[Number]>,
    app: Router,
    /// What calls the application's route for status callbacks, if it serves that.
    webhooks: Option<Webhooks>,
}

/// A handle's settings that every town has; nothing goes over a socket.
pub(crate) fn builder(twilio: &Simulator) -> MessageFeedbackBuilder {
    let simulator = twilio.clone();
    let transport = tower::service_fn(move |request| simulator.service().oneshot(request));
    MessageFeedback::builder()
        .credentials(Credentials::auth_token(AC, TOKEN).expect("credentials"))
        .transport(transport)
        .max_in_flight(64)
        .correlation_key(*b"a correlation key of enough bytes")
}

impl Town {
    /// It sends through `client` to what is at `base_url`.
    pub(crate) fn new<S, B>(
        client: &S,
        base_url: &str,
        feedback: MessageFeedback,
        plan: Plan,
    ) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError> + Send + 'static,
        B: http_body::Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
    {
        let layered = |label: &&str| {
            let service = ServiceBuilder::new()
                .map_response(|response: Response<_>| response.map(Body::new))
                .map_err(Into::into)
                .layer(feedback.provide_layer().label(*label))
                .service(client.clone());
            BoxCloneSyncService::new(service)
        };
        let clients = LABELS.iter().map(layered).collect();
        let confirm = get(|| async { "Welcome!" }).layer(feedback.confirm_layer(query("id")));
        let app = Router::new().route("/confirm", confirm);
        let numbers = numbers(plan.countries).into();
        Self { feedback, plan, clients, base_url: base_url.into(), numbers, app, webhooks: None }
    }

    /// The same with a route for status callbacks, over a socket.
    pub(crate) async fn with_callbacks(
        twilio: &Simulator,
        plan: Plan,
        set: impl FnOnce(MessageFeedbackBuilder) -> MessageFeedbackBuilder,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let verifier = SignatureVerifier::default().public_url(&origin).expect("a URL");
        let builder =
            builder(twilio).webhooks(verifier).status_callback(format!("{origin}/status"));
        let feedback = set(builder).build().expect("a handle");
        let route = axum::routing::post(status_callback).layer(feedback.layer());
        let app = Router::new().route("/status", route);
        tokio::spawn(async move { axum::serve(listener, app).await });
        let webhooks = Some(twilio.webhooks(TOKEN));
        Self { webhooks, ..Self::new(&twilio.service(), TWILIO, feedback, plan) }
    }

    pub(crate) fn expected(&self) -> Expected {
        Expected::of(&self.plan, &self.numbers)
    }

    /// Sends these messages, and tells what became of them.
    pub(crate) async fn send(&self, some: Range<u64>) {
        self.at_once(some, |town, n| async move {
            let sid = town.send_one(n).await;
            let status = match town.plan.is_ok(n) {
                true => MessageStatus::Delivered,
                false => MessageStatus::Undelivered,
            };
            town.told(sid, status).await;
        })
        .await;
    }

    /// The users of these messages do what they ask for, if they do.
    pub(crate) async fn confirm(&self, some: Range<u64>) {
        self.at_once(some, |town, n| async move {
            if town.plan.is_converted(n) {
                let request = Request::get(format!("/confirm?id=m{n}"));
                let request = request.body(Body::empty()).expect("a request");
                let response = town.app.clone().oneshot(request).await.expect("an answer");
                assert_eq!(response.status(), StatusCode::OK);
            }
        })
        .await;
    }

    async fn at_once<F: Future<Output = ()> + Send + 'static>(
        &self,
        some: Range<u64>,
        work: impl Fn(Self, u64) -> F + Clone + Send + 'static,
    ) {
        const AT_ONCE: u64 = 16;
        let mut tasks = JoinSet::new();
        for first in 0..AT_ONCE {
            let (town, work, some) = (self.clone(), work.clone(), some.clone());
            tasks.spawn(async move {
                for n in some.skip(first as usize).step_by(AT_ONCE as usize) {
                    work(town.clone(), n).await;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic in it");
        }
    }

    async fn send_one(&self, n: u64) -> MessageSid {
        let number = &self.numbers[self.plan.country(n)].e164;
        let number = number.replace('+', "%2B");
        let to = if is_whatsapp(n) { format!("whatsapp:{number}") } else { number };
        let from = match n % 2 {
            0 => format!("MessagingServiceSid={MG}"),
            _ if is_whatsapp(n) => "From=whatsapp:%2B15557122661".to_owned(),
            _ => "From=%2B15557122661".to_owned(),
        };
        let form = format!("To={to}&{from}&Body=Your+code+is+123456");
        let request = Request::post(format!("{}/Accounts/{AC}/Messages.json", self.base_url))
            .header("authorization", "Bearer x")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(CorrelationId::new(format!("m{n}")))
            .body(Full::new(Bytes::from(form)))
            .expect("a request");
        let client = self.clients[(n % 3) as usize].clone();
        let response = client.oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::CREATED);
        let body = axum::body::to_bytes(response.into_body(), 1 << 16);
        let message: serde_json::Value =
            serde_json::from_slice(&body.await.expect("a body")).expect("JSON");
        message["sid"].as_str().and_then(|sid| sid.parse().ok()).expect("a SID")
    }

    async fn told(&self, sid: MessageSid, status: MessageStatus) {
        match &self.webhooks {
            Some(webhooks) => {
                let callback = webhooks.status(sid, status.as_str()).expect("a callback");
                assert!(callback.send().await.expect("an answer").status().is_success());
            }
            None => {
                let account = AC.parse().expect("a SID");
                let update = StatusUpdate::new(sid, account, status);
                let _ = self.feedback.record_status(update).await;
            }
        }
    }
}
