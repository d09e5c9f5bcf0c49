//! What an application and its operator ask the handle for.

use http::Request;
use http_body_util::Full;
use tower_message_feedback::{
    Confirmation, CorrelationId, E164, ImportLine, MessageStatus, Mode, Recorded, SentMessage,
    report::{AlertRule, ReportQuery},
    simulator::Answer,
    store::StatusUpdate,
};

use crate::{
    app::{App, LABEL, PUBLIC, THIRD_AC},
    markers::{
        CODE, DEAD_ID, DEFERRED_ID, EARLY_ID, FORGOTTEN_ID, GERMAN_USER, IMPORTED_ID, MESSAGE,
        RECORDED_ID, UNKNOWN_ID, USER,
    },
    outgoing::error_body,
    said::{noted, noted_error, noted_output, noted_text},
    support::{AC, OTHER_AC, account, guarded, seconds, settle_down},
};

/// What is recorded, confirmed, looked up, told and forgotten.
pub(crate) async fn calls(app: &App) {
    let feedback = &app.world.feedback;
    let sent = app.message(AC).await;
    assert_eq!(noted(feedback.record(RECORDED_ID, sent.clone()).await), Recorded::Recorded);
    noted(feedback.record(UNKNOWN_ID.repeat(200), sent.clone()).await);
    noted(feedback.record(EARLY_ID, sent.clone()).await);
    let elsewhere = sent.base_url(format!("https://evil.example/{CODE}x").parse().expect("a URL"));
    // The path of a base URL is no secret, the application's own: it is not kept.
    assert_eq!(feedback.record(UNKNOWN_ID, elsewhere).await, Recorded::OriginNotAllowed);
    let sid = app.newest();
    for status in [MessageStatus::Sent, MessageStatus::Undelivered] {
        let mut update = StatusUpdate::new(sid, account(AC), status);
        update.error_code = Some(30_003);
        noted(feedback.record_status(noted(update)).await);
    }
    assert_eq!(noted(feedback.confirm(RECORDED_ID).await), Confirmation::Queued);
    noted(feedback.confirm(RECORDED_ID).await);
    noted(feedback.confirm(EARLY_ID).await);
    noted(feedback.confirm(UNKNOWN_ID).await);
    noted(feedback.confirm(UNKNOWN_ID.repeat(200)).await);
    noted(feedback.confirm(CorrelationId::recipient(GERMAN_USER)).await);
    let by_sid = app.message(AC).await;
    noted(feedback.confirm_sid(by_sid).await);
    for id in [RECORDED_ID, UNKNOWN_ID] {
        let entries = noted(feedback.lookup(id).await.expect("an answer"));
        noted_output(&serde_json::to_string(&entries).expect("JSON"));
    }
    noted(feedback.lookup_sid(sid).await.expect("an answer"));

    // An id of one's own number, read as people write it.
    noted_text(E164::parse("0176 55501987", "DE").expect("a number").as_str().len());
    noted(E164::parse("0176 55501987", "DE").expect("a number"));
    noted_error(E164::parse(MESSAGE, "DE").expect_err("no number"));
    noted_error(E164::parse(USER, CODE).expect_err("no region"));

    let sid = app.world.create(AC).await;
    let good = format!(
        r#"{{"id":"{IMPORTED_ID}","account":"{AC}","sid":"{sid}","to":"{USER}","label":"{LABEL}",
            "base_url":"{}"}}"#,
        app.world.server.base_url()
    );
    let good: ImportLine = noted(good.parse().expect("a line"));
    for bad in [
        format!("{IMPORTED_ID} {USER}"),
        format!(r#"{{"id":"{IMPORTED_ID}","account":"{USER}"}}"#),
        format!(r#"{{"id":"{IMPORTED_ID}","account":"{AC}","sid":"{CODE}"}}"#),
        format!(r#"{{"id":["{IMPORTED_ID}"],"account":"{AC}","sid":"{sid}"}}"#),
        format!(r#"{{"id":"{IMPORTED_ID}","account":"{AC}","sid":"{sid}","{MESSAGE}":1}}"#),
        format!(r#"{{"account":"{AC}","sid":"{sid}","to":["{USER}"]}}"#),
        format!(r#"{{"account":"{AC}","sid":"{sid}","to":"{USER}","sent_at":"{CODE}"}}"#),
        format!(r#"{{"account":"{AC}","sid":"{sid}","to":"{USER}","base_url":"{MESSAGE}"}}"#),
    ] {
        noted_error(bad.parse::<ImportLine>().expect_err("not what it should be"));
    }
    let again = SentMessage::new(account(AC), sid).base_url(app.world.server.base_url());
    let lines = [good, ImportLine::new(UNKNOWN_ID, again)];
    noted(feedback.import(lines).await.expect("an answer"));
    assert!(feedback.confirm(IMPORTED_ID).await.is_confirmed());

    for _ in 0..2 {
        noted(feedback.record(FORGOTTEN_ID, app.message(AC).await).await);
    }
    noted(feedback.confirm(FORGOTTEN_ID).await);
    assert_eq!(feedback.forget(FORGOTTEN_ID).await.expect("an answer"), 2);
    let sid = app.message(AC).await;
    noted(feedback.record(FORGOTTEN_ID, sid).await);
    assert!(feedback.forget_sid(app.newest()).await.expect("an answer"));
}

/// Twilio, and the way to it, at their worst; and what becomes of the feedback.
pub(crate) async fn deliveries(app: &App) {
    let (world, feedback) = (&app.world, &app.world.feedback);
    app.later().await;
    for answer in [
        Answer::status(500).with_body(error_body()).with_header("twilio-request-id", USER),
        Answer::status(429).with_body(error_body()),
        Answer::status(404).with_body(error_body()),
        Answer::reset(),
        // Where an operator would look for what is the matter.
        Answer::status(400).with_body(error_body()).with_header("x-number", USER),
    ] {
        world.twilio.answer_feedback(answer);
    }
    noted(feedback.record(DEAD_ID, app.message(AC).await).await);
    assert!(feedback.confirm(DEAD_ID).await.is_confirmed());
    for _ in 0..8 {
        app.later().await;
    }
    let letters = noted(feedback.dead_letters(None, 10).await.expect("an answer"));
    assert_eq!(letters.len(), 1);
    let mut export = noted(feedback.export_dead_letters());
    while let Some(lines) = export.next().await.expect("an answer") {
        noted_output(&lines);
    }
    noted(feedback.resend(letters[0].sid).await.expect("an answer"));
    app.later().await;

    // Credentials that are refused, one by one; then accepted.
    for owner in [OTHER_AC, THIRD_AC] {
        world.twilio.answer_feedback(Answer::status(401).with_body(error_body()));
        noted(feedback.record(DEAD_ID, app.message(owner).await).await);
        assert!(feedback.confirm(DEAD_ID).await.is_confirmed());
        settle_down().await;
        app.later().await;
    }
    noted(feedback.preflight(world.server.base_url()).await);
    let nowhere = "https://127.0.0.1:1/2010-04-01".parse().expect("a URL");
    noted(feedback.preflight(nowhere).await);
    app.later().await;
    noted(feedback.resend_dead_letters().await.expect("an answer"));
}

/// While the store fails, and after.
pub(crate) async fn trouble(app: &App, trouble: &impl Trouble) {
    let (world, feedback) = (&app.world, &app.world.feedback);
    let (first, second) = (app.message(AC).await, app.message(AC).await);
    trouble.begin().await;
    assert_eq!(noted(feedback.record(DEFERRED_ID, first).await), Recorded::Deferred);
    noted(feedback.record(CorrelationId::recipient(GERMAN_USER), second).await);
    assert_eq!(noted(feedback.confirm(DEFERRED_ID).await), Confirmation::Deferred);
    let update = StatusUpdate::new(app.newest(), account(AC), MessageStatus::Delivered);
    noted(feedback.record_status(update).await);
    for error in [
        feedback.lookup(DEFERRED_ID).await.err(),
        feedback.forget(FORGOTTEN_ID).await.err(),
        feedback.lookup_sid(app.newest()).await.err(),
        feedback.dead_letters(None, 10).await.err(),
        feedback.export_dead_letters().next().await.err(),
        feedback.report(seconds(3600)).await.err(),
        feedback.resend(app.newest()).await.err(),
    ] {
        noted_error(error.expect("a store that fails"));
    }
    noted(feedback.health().await);
    for _ in 0..3 {
        world.time.advance(seconds(7));
        settle_down().await;
    }
    noted(feedback.stats());
    trouble.end().await;
    // It is asked again at intervals, by a clock that stands still.
    guarded(async {
        while feedback.health().await.deferred > 0 {
            world.time.advance(seconds(7));
            settle_down().await;
        }
    })
    .await;
    app.later().await;

    let found = feedback.lookup(DEFERRED_ID).await.expect("an answer");
    assert_eq!(found.len(), 1, "what was deferred is kept");
}

/// How a store fails.
pub(crate) trait Trouble {
    async fn begin(&self);
    async fn end(&self);
}

/// A day later there are very many.
pub(crate) async fn alerts(app: &App) {
    let feedback = &app.world.feedback;
    app.world.time.advance(seconds(30 * 3600));
    feedback.flush().await;
    for _ in 0..120 {
        noted(feedback.record(UNKNOWN_ID, app.message(AC).await).await);
    }
    let rule = AlertRule::volume_rises().by(1.1).past(seconds(40 * 3600));
    let mut watch = noted(feedback.watch([noted(rule.clone().per_country()), rule.per_label()]));
    for _ in 0..2 {
        let alert = guarded(watch.next()).await.expect("an alert");
        noted((alert.of.clone(), alert.event));
        noted_text(alert);
    }
}

/// What operators look at.
pub(crate) async fn looks(app: &App) {
    let feedback = &app.world.feedback;
    for _ in 0..20 {
        noted(feedback.record(UNKNOWN_ID, app.message(AC).await).await);
    }
    let query = || ReportQuery::last(seconds(24 * 3600));
    let report = noted(feedback.report(noted(query())).await.expect("a report"));
    assert!(report.total.attempted > 20);
    noted((report.total.conversion_rate(), report.resolution));
    noted_output(&serde_json::to_string(&report).expect("JSON"));
    noted_output(&feedback.report_csv(query()).await.expect("CSV"));
    drop(noted(feedback.report_page()));
    let pages = feedback.report_router();
    for path in [
        "/".to_owned(),
        "/?sids=show".to_owned(),
        "/report.json".to_owned(),
        "/report.csv".to_owned(),
        format!("/?label={CODE}&country={CODE}&range={CODE}&from={CODE}"),
    ] {
        let request = Request::get(format!("{PUBLIC}{path}")).body(Full::default());
        let status = crate::app::ask_quietly(&pages, request.expect("a request"), CODE).await;
        assert!([200, 400].contains(&status), "{path}: {status}");
    }
    noted(feedback.health().await);
    noted(feedback.stats());
    noted(feedback.mode());
    feedback.set_mode(noted(Mode::Observe));
    noted(feedback.confirm(UNKNOWN_ID).await);
    feedback.set_mode(Mode::On);
    noted(feedback.flush().await);
}
