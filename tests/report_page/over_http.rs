use std::time::Duration;

use http::{StatusCode, header};
use reqwest::{Client, Response, redirect};
use serde_json::Value;
use tower_message_feedback::{Channel, Country, report::ReportQuery};

use crate::support::{AC, DEAD, MG, NUMBER, OTHER_AC, World};

fn client() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().expect("a client")
}

async fn got(url: &str) -> Response {
    client().get(url).send().await.expect("an answer")
}

async fn text(url: &str) -> String {
    let answer = got(url).await;
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    answer.text().await.expect("a page")
}

#[tokio::test]
async fn it_shows_what_the_report_says_and_filters_narrow_it() {
    let world = World::new().await;
    let day = || ReportQuery::last(Duration::from_secs(24 * 3600));
    let germany: Country = "DE".parse().expect("a country");
    let service: tower_message_feedback::MessagingServiceSid = MG.parse().expect("a SID");
    let other: tower_message_feedback::AccountSid = OTHER_AC.parse().expect("a SID");
    for (query, asked) in [
        ("", day()),
        ("range=24h&country=&label=&channel=", day()),
        ("country=de", day().country(germany)),
        ("country=none", day().country(None)),
        ("label=login", day().label("login")),
        ("label=-", day().label("")),
        ("channel=whatsapp", day().channel(Channel::WhatsApp)),
        (&format!("service={MG}"), day().messaging_service(service)),
        ("service=none", day().messaging_service(None)),
        (&format!("account={OTHER_AC}"), day().account(other)),
        ("country=DE&label=signup", day().country(germany).label("signup")),
        ("range=7d", ReportQuery::last(Duration::from_secs(7 * 24 * 3600))),
    ] {
        let report = world.feedback.report(asked.clone()).await.expect("a report");
        let shown: Value =
            serde_json::from_str(&text(&format!("{}/report.json?{query}", world.page())).await)
                .expect("JSON");
        let written = serde_json::to_string(&report).expect("JSON");
        let mut expected: Value = serde_json::from_str(&written).expect("JSON");
        expected["at"] = shown["at"].clone();
        assert_eq!(shown, expected, "{query}");
        let csv = text(&format!("{}/report.csv?{query}", world.page())).await;
        assert_eq!(csv, world.feedback.report_csv(asked).await.expect("CSV"), "{query}");
        let page = text(&format!("{}?{query}", world.page())).await;
        let attempted = with_commas(report.total.attempted);
        assert!(page.contains(&format!("<small>{attempted}</small>")), "{query}: {attempted}");
    }
    // A time of one's own.
    let url = format!("{}/report.json?from=2026-11-20&to=2026-11-21T00:00:00Z", world.page());
    let shown: Value = serde_json::from_str(&text(&url).await).expect("JSON");
    assert_eq!(
        (&shown["from"], &shown["to"]),
        (&"2026-11-20T00:00:00Z".into(), &"2026-11-21T00:00:00Z".into())
    );
    // An account that nobody has has no messages.
    let none: Value = serde_json::from_str(
        &text(&format!("{}/report.json?account=ffffffff", world.page())).await,
    )
    .expect("JSON");
    assert_eq!(none["total"]["attempted"], 0);
}

fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits"))
        .collect();
    groups.join(",")
}

#[tokio::test]
async fn it_shows_no_number_id_or_sid_that_nobody_asked_for() {
    let world = World::new().await;
    for query in ["", "?range=30d", "?country=DE", "?label=login&channel=sms"] {
        let page = text(&format!("{}{query}", world.page())).await;
        assert!(page.contains("Send again") && page.contains("United States"));
        for secret in [AC, OTHER_AC, MG, DEAD, NUMBER, &NUMBER[1..]] {
            assert!(!page.contains(secret), "{secret} in the page {query}");
        }
    }
    let page = text(&format!("{}?sids=show", world.page())).await;
    for shown in [AC, OTHER_AC, MG, DEAD] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!page.contains(NUMBER));
    // Hidden again they are hidden, whatever is chosen by them.
    let page = text(&format!("{}?account={AC}&service={MG}", world.page())).await;
    assert!(page.contains("class=\"chips\"") && !page.contains(AC) && !page.contains(MG));
    let page = text(&format!("{}?account={}", world.page(), AC.replace('0', "a"))).await;
    assert!(!page.contains(&AC.replace('0', "a")));
    // What the page shows for an account filters like it.
    let page = text(&world.page()).await;
    let (_, rest) = page.split_once("account=").expect("a link");
    let reference: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    assert_eq!(reference.len(), 8);
    let all = text(&format!("{}/report.json", world.page())).await;
    let one = text(&format!("{}/report.json?account={reference}", world.page())).await;
    let [all, one] = [all, one].map(|json| serde_json::from_str::<Value>(&json).expect("JSON"));
    assert_eq!(one["accounts"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["total"]["attempted"], all["accounts"][0]["attempted"]);
}

#[tokio::test]
async fn a_label_is_no_markup() {
    let world = World::new().await;
    let page = text(&world.page()).await;
    assert!(!page.contains("<script"), "neither the label's nor its own");
    assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;"));
}

#[tokio::test]
async fn every_answer_is_strict() {
    let world = World::new().await;
    for path in
        ["", "/report.json", "/report.csv", "/report.css", "?country=X", "/report.csv?range=1h"]
    {
        let answer = got(&format!("{}{path}", world.page())).await;
        let of =
            |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("ASCII"));
        let csp = of("content-security-policy").expect("a policy");
        assert!(csp.contains("default-src 'none'") && !csp.contains("unsafe"), "{path}");
        assert!(csp.contains("frame-ancestors 'none'") && csp.contains("form-action 'self'"));
        assert_eq!(of("x-content-type-options"), Some("nosniff"));
        assert_eq!(of("referrer-policy"), Some("same-origin"));
        assert_eq!(of("cache-control") == Some("no-store"), path != "/report.css", "{path}");
    }
    for (query, name) in [
        ("country=X", "country"),
        ("range=1h", "range"),
        ("from=x", "from"),
        ("service=%2B49151", "service"),
        ("account=x", "account"),
    ] {
        let answer = got(&format!("{}?{query}", world.page())).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let words = answer.text().await.expect("words");
        assert_eq!(words, format!("The parameter {name} cannot be read.\n"));
    }
    let csv = got(&format!("{}/report.csv", world.page())).await;
    assert!(
        csv.headers()[header::CONTENT_DISPOSITION].to_str().expect("ASCII").contains("attachment")
    );
    let head = client().head(world.page()).send().await.expect("an answer");
    assert_eq!((head.status(), head.text().await.expect("nothing").len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn its_links_lead_to_itself_wherever_it_stands() {
    let world = World::new().await;
    for place in ["/admin/report", "/", "/quiet"] {
        let url = format!("{}{place}", world.origin);
        let page = text(&url).await;
        let base = reqwest::Url::parse(&url).expect("a URL");
        let (_, rest) = page.split_once("rel=\"stylesheet\" href=\"").expect("a style sheet");
        let (href, _) = rest.split_once('"').expect("its end");
        assert!(text(base.join(href).expect("a URL").as_str()).await.contains(":root"), "{place}");
        for file in ["report.csv", "report.json"] {
            let at = page.find(&format!("{file}?")).expect("a link");
            let start = page[..at].rfind('"').expect("its beginning") + 1;
            let end = at + page[at..].find('"').expect("its end");
            let href = page[start..end].replace("&amp;", "&");
            text(base.join(&href).expect("a URL").as_str()).await;
        }
    }
}

/// The form of the dead letter: where it goes, and what it says.
fn form(page: &str) -> (String, String) {
    let (_, rest) = page.split_once("<form method=\"post\" action=\"").expect("a form");
    let (action, rest) = rest.split_once('"').expect("its end");
    let value = |name: &str| {
        let (_, rest) = rest.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
        rest.split_once('"').expect("its end").0.replace("&amp;", "%26").replace('=', "%3D")
    };
    let fields = ["reference", "back", "slash"].map(|name| format!("{name}={}", value(name)));
    (action.to_owned(), fields.join("&"))
}

#[tokio::test]
async fn a_dead_letter_is_sent_again_from_the_page_alone() {
    let world = World::new().await;
    let url = format!("{}?country=DE&range=7d", world.page());
    let (action, body) = form(&text(&url).await);
    let target = reqwest::Url::parse(&url).expect("a URL").join(&action).expect("a URL");
    let post = |headers: &[(&'static str, &'static str)]| {
        let mut request = client()
            .post(target.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        async { request.send().await.expect("an answer") }
    };
    for headers in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
    ] {
        assert_eq!(post(headers).await.status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    world.feedback.pause_delivery();
    let answer = post(&[("sec-fetch-site", "same-origin")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let location = answer.headers()[header::LOCATION].to_str().expect("ASCII").to_owned();
    assert_eq!(location, "../report?range=7d&country=DE&resent=queued#dead-letters");
    let back = target.join(&location).expect("a URL");
    let page = text(back.as_str()).await;
    assert!(page.contains("on its way to Twilio again") && !page.contains("<form method=\"post\""));
    let report = world.feedback.report(Duration::from_secs(3600)).await.expect("a report");
    assert_eq!((report.outbox.waiting, report.outbox.dead_letters), (1, 0));
    // It is none any more.
    let again = post(&[("sec-fetch-site", "same-origin")]).await;
    assert!(again.headers()[header::LOCATION].to_str().expect("ASCII").contains("resent=gone"));
}

#[tokio::test]
async fn the_button_can_be_switched_off() {
    let world = World::new().await;
    let page = text(&format!("{}/quiet", world.origin)).await;
    assert!(page.contains("Dead letters") && !page.contains("Send again"));
    let posted = client()
        .post(format!("{}/quiet/resend", world.origin))
        .header("sec-fetch-site", "same-origin")
        .body("reference=x")
        .send()
        .await
        .expect("an answer");
    assert_eq!(posted.status(), StatusCode::NOT_FOUND);
}
