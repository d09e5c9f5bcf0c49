//! Over plain HTTP.

use std::time::Duration;

use reqwest::{Method, StatusCode};

use crate::support::{PHONE, World, code_in, id_in, link_in, other_than, soon};

#[tokio::test]
async fn a_right_code_signs_in_and_is_reported_once() {
    let world = World::new().await;
    let visitor = world.visitor();
    assert_eq!(visitor.go("/", &[("phone", "+1 (555) 867-5310")]).await, "/code");
    let text = world.newest();
    assert_eq!(text.to(), PHONE);
    assert!(text.provide_feedback(), "the send was not tagged");
    let page = visitor.get("/code").await;
    assert!(page.text.contains(PHONE) && page.text.contains("one-time-code"), "{}", page.text);
    assert!(!page.text.contains(id_in(text.body())), "the page gives the link's id away");
    assert!(world.reported().await.is_empty());

    let code = code_in(text.body());
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    assert_eq!(visitor.go("/code", &[("code", &spaced)]).await, "/session");
    assert_eq!(world.reported().await, [text.sid()]);

    let session = visitor.get("/session").await;
    assert!(session.text.contains("Twilio knows: confirmed"), "{}", session.text);
    assert!(session.text.contains(PHONE) && session.text.contains("the code"));
    assert!(!session.text.contains("http-equiv"), "there is nothing to wait for any more");

    // A second click on the button, and going back to the form.
    assert_eq!(visitor.go("/code", &[("code", code)]).await, "/session");
    assert_eq!(visitor.get("/code").await.location.as_deref(), Some("/session"));
    assert_eq!(world.reported().await, [text.sid()]);
}

#[tokio::test]
async fn a_session_ends_with_signing_out_or_with_time() {
    let world = World::new().await;
    let visitor = world.visitor();
    let sign_in = async || {
        visitor.begin().await;
        visitor.post("/code", &[("code", code_in(world.newest().body()))]).await
    };
    let welcome = sign_in().await;
    let cookie = welcome.set_cookies.iter().find(|cookie| cookie.starts_with("session="));
    let cookie = cookie.expect("a session");
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
    let value = cookie["session=".len()..].split(';').next().unwrap_or_default();
    assert!(value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{cookie}");

    let kept = visitor.cookies.lock().unwrap().clone();
    assert_eq!(visitor.get("/session").await.status, StatusCode::OK);
    assert_eq!(visitor.go("/signout", &[]).await, "/");
    // Even for one who kept the cookie.
    *visitor.cookies.lock().unwrap() = kept;
    assert_eq!(visitor.get("/session").await.location.as_deref(), Some("/"));

    sign_in().await;
    world.time.advance(Duration::from_secs(12 * 3600 - 1));
    assert_eq!(visitor.get("/session").await.status, StatusCode::OK);
    world.time.advance(Duration::from_secs(1));
    assert_eq!(visitor.get("/session").await.location.as_deref(), Some("/"));
}

#[tokio::test]
async fn wrong_codes_are_bounded_and_report_nothing() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.begin().await;
    let text = world.newest();
    let wrong = other_than(code_in(text.body()));
    for left in (1..5).rev() {
        assert_eq!(visitor.go("/code", &[("code", &wrong)]).await, "/code");
        let page = visitor.get("/code").await.text;
        assert!(page.contains(&format!("That code is wrong. {left} of 5")), "{page}");
        assert!(!visitor.get("/code").await.text.contains("is wrong"), "it is said once");
    }
    // A slip costs no try.
    for slip in ["", "12345", "1234567", "abcdef", "12345١"] {
        assert_eq!(visitor.go("/code", &[("code", slip)]).await, "/code");
        assert!(visitor.get("/code").await.text.contains("has six digits"), "{slip}");
    }
    assert_eq!(visitor.go("/code", &[("code", &wrong)]).await, "/?why=tries");
    assert!(visitor.get("/?why=tries").await.text.contains("Too many wrong codes"));

    // The right one is too late, and so is the link.
    assert_eq!(visitor.go("/code", &[("code", code_in(text.body()))]).await, "/?why=over");
    assert_eq!(visitor.get(link_in(text.body())).await.status, StatusCode::GONE);
    assert_eq!(visitor.get("/session").await.location.as_deref(), Some("/"));
    assert!(world.reported().await.is_empty());
    assert_eq!(world.feedback.stats().confirms.queued, 0);
}

#[tokio::test]
async fn of_three_texts_the_newest_works_and_is_confirmed() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.begin().await;
    let first = world.newest();
    assert_eq!(visitor.go("/again", &[]).await, "/code");
    assert!(visitor.get("/code").await.text.contains("another in 20 s"));
    world.time.advance(Duration::from_millis(19_500));
    assert_eq!(visitor.go("/again", &[]).await, "/code");
    assert!(visitor.get("/code").await.text.contains("another in 1 s"));
    assert_eq!(world.twilio.messages().len(), 1, "too soon");

    for count in 2..=3 {
        world.time.advance(Duration::from_secs(20));
        assert_eq!(visitor.go("/again", &[]).await, "/code");
        assert!(visitor.get("/code").await.text.contains("Another text is on its way"));
        assert_eq!(world.twilio.messages().len(), count);
    }
    let newest = world.newest();
    assert_eq!(id_in(newest.body()), id_in(first.body()), "one attempt");

    // One in a million times the codes are the same.
    if code_in(first.body()) != code_in(newest.body()) {
        assert_eq!(visitor.go("/code", &[("code", code_in(first.body()))]).await, "/code");
        assert!(visitor.get("/code").await.text.contains("Only the newest"));
        assert!(world.reported().await.is_empty());
    }
    assert_eq!(visitor.go("/code", &[("code", code_in(newest.body()))]).await, "/session");
    assert_eq!(world.reported().await, [newest.sid()]);
    let session = visitor.get("/session").await.text;
    assert_eq!(session.matches("Twilio knows: confirmed").count(), 1, "{session}");
    assert_eq!(session.matches("an older text").count(), 2, "{session}");
}

#[tokio::test]
async fn an_attempt_has_five_texts_and_a_number_five_attempts() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.begin().await;
    for _ in 0..5 {
        world.time.advance(Duration::from_secs(20));
        visitor.go("/again", &[]).await;
    }
    assert!(visitor.get("/code").await.text.contains("That is enough texts"));
    assert_eq!(world.twilio.messages().len(), 5);

    for _ in 0..4 {
        world.visitor().begin().await;
    }
    let refused = world.visitor().post("/", &[("phone", PHONE)]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.text.contains("many texts"));
    // Another number, and the same one later, are free.
    assert_eq!(world.visitor().go("/", &[("phone", "+441632960001")]).await, "/code");
    world.time.advance(Duration::from_secs(600));
    world.visitor().begin().await;
    assert_eq!(world.twilio.messages().len(), 11);
}

#[tokio::test]
async fn looking_at_a_link_reports_nothing_and_pressing_its_button_does() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.begin().await;
    let text = world.newest();
    let link = link_in(text.body());

    let bot = world.visitor();
    let head = bot.send(bot.request(Method::HEAD, link)).await;
    assert_eq!(head.status, StatusCode::OK);
    let preview = bot.request(Method::GET, link).header("x-purpose", "preview");
    assert_eq!(bot.send(preview).await.status, StatusCode::OK);
    // This one does not say what it is.
    let page = bot.get(link).await;
    assert!(page.text.contains("5310") && !page.text.contains(PHONE), "{}", page.text);
    assert_eq!(page.text.matches("<button").count(), 1);
    assert!(page.set_cookies.is_empty());
    assert!(world.reported().await.is_empty());

    // On another device than the one that asked.
    let other = world.visitor();
    assert_eq!(other.go("/link", &[("id", id_in(text.body()))]).await, "/session");
    assert_eq!(world.reported().await, [text.sid()]);
    assert!(other.get("/session").await.text.contains("the link"));

    // It works once, and the browser that asked is told.
    let again = world.visitor().post("/link", &[("id", id_in(text.body()))]).await;
    assert_eq!(again.status, StatusCode::GONE);
    assert!(again.set_cookies.is_empty());
    assert_eq!(visitor.get("/code").await.location.as_deref(), Some("/?why=over"));
    assert!(visitor.get("/?why=over").await.text.contains("is over"));
    assert_eq!(world.reported().await, [text.sid()]);
}

#[tokio::test]
async fn an_expired_or_unknown_attempt_signs_nobody_in() {
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.begin().await;
    let text = world.newest();
    world.time.advance(Duration::from_secs(599));
    assert_eq!(visitor.get("/code").await.status, StatusCode::OK);
    assert_eq!(visitor.get(link_in(text.body())).await.status, StatusCode::OK);
    world.time.advance(Duration::from_secs(1));
    let (code, id) = (code_in(text.body()), id_in(text.body()));
    assert_eq!(visitor.get("/code").await.location.as_deref(), Some("/?why=over"));
    assert_eq!(visitor.go("/code", &[("code", code)]).await, "/?why=over");
    assert_eq!(visitor.go("/again", &[]).await, "/?why=over");
    assert_eq!(visitor.get(link_in(text.body())).await.status, StatusCode::GONE);
    assert_eq!(visitor.post("/link", &[("id", id)]).await.status, StatusCode::GONE);

    let stranger = world.visitor();
    assert_eq!(stranger.get("/code").await.location.as_deref(), Some("/?why=over"));
    assert_eq!(stranger.go("/code", &[("code", code)]).await, "/?why=over");
    for id in ["", "0", "\u{0}'\"<>", &"f".repeat(32)] {
        assert_eq!(stranger.post("/link", &[("id", id)]).await.status, StatusCode::GONE);
    }
    assert_eq!(stranger.get("/session").await.location.as_deref(), Some("/"));
    assert_eq!(world.twilio.messages().len(), 1);
    assert!(world.reported().await.is_empty());
}

#[tokio::test]
async fn a_code_works_only_in_the_browser_that_asked_for_it() {
    let world = World::new().await;
    let visitor = world.visitor();
    let other = world.visitor();
    visitor.begin().await;
    let text = world.newest();
    other.begin().await;
    // Two attempts of one number have the same code once in a million times.
    if code_in(text.body()) != code_in(world.newest().body()) {
        assert_eq!(other.go("/code", &[("code", code_in(text.body()))]).await, "/code");
        assert!(world.reported().await.is_empty());
    }
    assert_eq!(visitor.go("/code", &[("code", code_in(text.body()))]).await, "/session");
    assert_eq!(world.reported().await, [text.sid()]);
}

#[tokio::test]
async fn hostile_input_stays_text() {
    const HOSTILE: &str = "\"'><script>alert(1)</script>&amp;";
    const SAFE: &str = "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;";
    let world = World::new().await;
    let visitor = world.visitor();
    let page = visitor.post("/", &[("phone", HOSTILE)]).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains(&format!("value=\"{SAFE}\"")), "{}", page.text);
    assert!(!page.text.contains("<script"), "{}", page.text);
    assert!(world.twilio.messages().is_empty());

    // A text of another application, on the phone.
    let link = "https://example.com/\"onclick=\"alert(1)";
    let body = format!("{HOSTILE} {link}");
    let answer = visitor
        .request(
            Method::POST,
            &format!(
                "{}/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json",
                world.server.base_url()
            ),
        )
        .basic_auth("AC0123456789abcdef0123456789abcdef", Some("token"))
        .form(&[("To", PHONE), ("From", "+15557122661"), ("Body", &body)]);
    assert_eq!(visitor.send(answer).await.status, StatusCode::CREATED);
    let phone = visitor.get("/phone").await.text;
    assert!(phone.contains(SAFE), "{phone}");
    assert_eq!(phone.matches("<script").count(), 1, "its own alone: {phone}");
    assert!(phone.contains("href=\"https://example.com/&quot;onclick=&quot;alert(1)\""), "{phone}");

    let why = visitor.get("/?why=%3Cscript%3E").await;
    assert!(why.status == StatusCode::OK && !why.text.contains("<script"), "{}", why.text);
    let gone = visitor.get("/link?id=%22%3E%3Cscript%3E").await;
    assert!(gone.status == StatusCode::GONE && !gone.text.contains("<script"), "{}", gone.text);
}

#[tokio::test]
async fn what_is_no_number_is_not_texted() {
    let world = World::new().await;
    for typed in
        ["", "+", "5558675310", "+0155586753", "+1555867531x", "+1234567", "+1234567890123456"]
    {
        let page = world.visitor().post("/", &[("phone", typed)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed}");
        assert!(page.text.contains("That is no phone number"), "{typed}");
    }
    assert!(world.twilio.received().is_empty());
    assert_eq!(world.visitor().go("/", &[("phone", "0044 1632/960.001")]).await, "/code");
    assert_eq!(world.newest().to(), "+441632960001");
}

#[tokio::test]
async fn a_send_that_fails_is_said_and_can_be_repeated() {
    use tower_message_feedback::simulator::Answer;
    let world = World::new().await;
    let visitor = world.visitor();
    world.twilio.answer_create(Answer::status(500));
    let page = visitor.post("/", &[("phone", PHONE)]).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert!(page.text.contains("could not be sent") && page.text.contains(PHONE));
    assert!(page.set_cookies.is_empty());

    visitor.begin().await;
    world.time.advance(Duration::from_secs(20));
    world.twilio.answer_create(Answer::status(500));
    visitor.go("/again", &[]).await;
    assert!(visitor.get("/code").await.text.contains("could not be sent"));
    assert_eq!(world.twilio.messages().len(), 1);
}

#[tokio::test]
async fn while_twilio_is_away_the_session_says_so_and_looks_again() {
    use tower_message_feedback::simulator::Answer;
    let world = World::new().await;
    let visitor = world.visitor();
    visitor.begin().await;
    world.twilio.answer_feedback(Answer::status(503));
    let code = world.newest();
    assert_eq!(visitor.go("/code", &[("code", code_in(code.body()))]).await, "/session");
    let tried = world.twilio.wait_until(|twilio| twilio.received().len() == 2);
    soon("the first call", tried).await;
    let page = visitor.get("/session").await.text;
    assert!(page.contains("on its way to Twilio"), "{page}");
    assert!(page.contains("http-equiv=\"refresh\""), "{page}");
}

#[tokio::test]
async fn pages_say_what_they_may_do_and_forms_come_from_them_alone() {
    let world = World::new().await;
    let visitor = world.visitor();
    for path in ["/", "/phone", "/style.css", "/phone.js", "/icon.svg", "/nothing"] {
        let seen = visitor.get(path).await;
        let header = |name| seen.headers.get(name).and_then(|value| value.to_str().ok());
        let policy = header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(!seen.text.contains(" style=\"") && !seen.text.contains("<style"), "{path}");
    }
    for foreign in ["cross-site", "same-site"] {
        let request = visitor
            .request(Method::POST, "/")
            .header("sec-fetch-site", foreign)
            .form(&[("phone", PHONE)]);
        assert_eq!(visitor.send(request).await.status, StatusCode::FORBIDDEN);
    }
    assert!(world.twilio.received().is_empty());
    let request = visitor
        .request(Method::POST, "/")
        .header("sec-fetch-site", "same-origin")
        .form(&[("phone", PHONE)]);
    assert_eq!(visitor.send(request).await.status, StatusCode::SEE_OTHER);
}
