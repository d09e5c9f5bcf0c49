//! The people who get the messages.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    day::{Day, Host, Person, Way, millis},
    net::{Connector, client},
};

/// How long a browser waits, and how often a person tries again.
const PATIENCE: Duration = Duration::from_secs(8);
const TRIES: usize = 4;

type Browser = Client<Connector, Full<Bytes>>;

pub(crate) async fn run(day: Arc<Day>) {
    let browser = client();
    let mut people = JoinSet::new();
    for person in day.people.clone() {
        people.spawn(live(day.clone(), browser.clone(), person));
    }
    people.join_all().await;
}

async fn ask(browser: &Browser, request: Request<Full<Bytes>>) -> bool {
    let asked = tokio::time::timeout(PATIENCE, browser.request(request)).await;
    matches!(asked, Ok(Ok(response)) if response.status().is_success())
}

/// Tries until it works, at one process after the other.
async fn insist(day: &Day, browser: &Browser, id: u64, method: Method, path: &str) {
    for n in 0..TRIES {
        let host = Host::Application((id as usize + n) % day.applications).name();
        let request = Request::builder().method(method.clone()).uri(format!("http://{host}{path}"));
        if ask(browser, request.body(Full::default()).expect("a request")).await {
            return;
        }
        sleep(millis(1_500)).await;
    }
}

async fn live(day: Arc<Day>, browser: Browser, person: Person) {
    let id = person.id;
    sleep(person.comes_at).await;
    let mut doing = JoinSet::new();
    for (n, (send, after)) in person.sends.iter().copied().enumerate() {
        let (day, browser, opts_out) = (day.clone(), browser.clone(), person.opts_out);
        doing.spawn(async move {
            sleep(after).await;
            let host = Host::Application((id as usize + n) % day.applications).name();
            let uri = format!("http://{host}/send?send={send}&id={id}&opts_out={opts_out}");
            // A send that failed is never repeated.
            let request = Request::post(uri).body(Full::default()).expect("a request");
            let asked = browser.request(request);
            let _ = tokio::time::timeout(Duration::from_secs(16), asked).await;
        });
    }
    if let Some(after) = person.forgotten_after {
        let (day, browser) = (day.clone(), browser.clone());
        doing.spawn(async move {
            sleep(after).await;
            let path = format!("/forget?id=login-{id}");
            insist(&day, &browser, id + 1, Method::POST, &path).await;
        });
    }
    if person.is_previewed {
        let host = Host::Application(0).name();
        let uri = format!("http://{host}/link?id=login-{id}");
        let head = Request::head(&uri).body(Full::default()).expect("a request");
        ask(&browser, head).await;
        let prefetch = Request::get(&uri).header("sec-purpose", "prefetch");
        ask(&browser, prefetch.body(Full::default()).expect("a request")).await;
    }
    if person.is_wrong_first {
        insist_once(&day, &browser, id, &format!("/code?id=login-{id}&code=wrong")).await;
    }
    if let Some(after) = person.acts_after {
        sleep(after).await;
        let times = if person.acts_twice { 2 } else { 1 };
        for _ in 0..times {
            let (method, path) = match person.way {
                Way::Link => (Method::GET, format!("/link?id=login-{id}")),
                Way::Code => (Method::POST, format!("/code?id=login-{id}&code=right")),
            };
            insist(&day, &browser, id, method, &path).await;
        }
    }
    doing.join_all().await;
}

async fn insist_once(day: &Day, browser: &Browser, id: u64, path: &str) {
    let host = Host::Application(id as usize % day.applications).name();
    let request = Request::post(format!("http://{host}{path}")).body(Full::default());
    ask(browser, request.expect("a request")).await;
}
