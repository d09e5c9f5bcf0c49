//! The pages. Whatever a person or a text said goes through `Escaped`.

use tower_message_feedback::{
    Timestamp,
    store::{LedgerEntry, LedgerStatus},
};

use super::{
    html::Escaped,
    logins::{By, Notice, Session, TRIES},
};

pub struct Page {
    title: &'static str,
    /// It has news soon: what is on its way to Twilio will have arrived.
    refresh: bool,
    main: String,
}

impl Page {
    fn new(title: &'static str, main: String) -> Self {
        Self { title, refresh: false, main }
    }

    pub fn render(&self, with_phone: bool) -> String {
        let Self { title, refresh, main } = self;
        let refresh = if *refresh { "<meta http-equiv=\"refresh\" content=\"1\">" } else { "" };
        let phone = if with_phone {
            "<aside aria-labelledby=\"phone-title\">\
             <h2 id=\"phone-title\">Your phone, simulated</h2>\
             <iframe class=\"phone\" src=\"/phone\" title=\"Texts on the simulated phone\"></iframe>\
             <p class=\"small\">Nothing is sent to anyone: this is what Twilio would deliver, \
             and what it knows of each text.</p></aside>"
        } else {
            ""
        };
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">{refresh}\
             <title>{title} · Lantern</title>\
             <link rel=\"icon\" href=\"/icon.svg\"><link rel=\"stylesheet\" href=\"/style.css\">\
             </head><body><header><a href=\"/\"><img src=\"/icon.svg\" alt=\"\" width=\"28\" \
             height=\"28\">Lantern</a></header>\
             <div class=\"columns\"><main>{main}</main>{phone}</div></body></html>"
        )
    }
}

/// Why one starts again.
pub enum Start {
    NotANumber,
    TooMany,
    NotSent,
    Over,
    NoTriesLeft,
}

pub fn start(typed: &str, problem: Option<Start>) -> Page {
    let of_field = matches!(problem, Some(Start::NotANumber));
    let problem = problem.map(|problem| match problem {
        Start::NotANumber => {
            "That is no phone number. Begin with + and the country, as in +1 555 867 5310."
        }
        Start::TooMany => "That number has had many texts. Try again in ten minutes.",
        Start::NotSent => "The text could not be sent. Check the number, and try again.",
        Start::Over => "That sign-in is over: it was finished, or its ten minutes were.",
        Start::NoTriesLeft => "Too many wrong codes. Have a new one sent.",
    });
    let alert = problem.map(alert).unwrap_or_default();
    let invalid = if of_field { " aria-invalid=\"true\"" } else { "" };
    let main = format!(
        "<h1>Sign in</h1>\
         <p>We text you a code and a link. Use whichever you like.</p>{alert}\
         <form method=\"post\" action=\"/\">\
         <label for=\"phone\">Phone number</label>\
         <input id=\"phone\" name=\"phone\" type=\"tel\" autocomplete=\"tel\" required autofocus \
         maxlength=\"40\" placeholder=\"+1 555 867 5310\" value=\"{}\" \
         aria-describedby=\"hint\"{invalid}>\
         <p class=\"hint\" id=\"hint\">With + and the country's code.</p>\
         <button>Text me</button></form>",
        Escaped(typed)
    );
    Page::new("Sign in", main)
}

pub fn code(phone: &str, notice: Option<Notice>) -> Page {
    let is_wrong = matches!(notice, Some(Notice::Wrong { .. } | Notice::NotSixDigits));
    let invalid = if is_wrong { " aria-invalid=\"true\"" } else { "" };
    let notice = notice.map(say).unwrap_or_default();
    let main = format!(
        "<h1>Enter the code</h1>\
         <p>We have texted it to <strong class=\"nowrap\">{phone}</strong>. It works for ten \
         minutes; so does the link beside it.</p>{notice}\
         <form method=\"post\" action=\"/code\">\
         <label for=\"code\">Code from the text</label>\
         <input id=\"code\" class=\"code\" name=\"code\" type=\"text\" inputmode=\"numeric\" \
         autocomplete=\"one-time-code\" maxlength=\"12\" required autofocus \
         aria-describedby=\"hint\"{invalid}>\
         <p class=\"hint\" id=\"hint\">Six digits.</p>\
         <button>Sign in</button></form>\
         <div class=\"beside\"><form method=\"post\" action=\"/again\">\
         <button class=\"quiet\">Send another text</button></form>\
         <a href=\"/\">Use another number</a></div>",
        phone = Escaped(phone)
    );
    Page::new("Enter the code", main)
}

fn say(notice: Notice) -> String {
    match notice {
        Notice::NotSixDigits => alert("A code has six digits."),
        Notice::Wrong { tries_left, several_texts } => {
            let newest = if several_texts { " Only the newest text's code works." } else { "" };
            let tries = if tries_left == 1 { "try" } else { "tries" };
            alert(&format!("That code is wrong. {tries_left} of {TRIES} {tries} left.{newest}"))
        }
        Notice::TextedAgain => {
            "<p class=\"notice\" role=\"status\">Another text is on its way, with a new code.</p>"
                .to_owned()
        }
        Notice::TooSoon { seconds } => {
            alert(&format!("Give the last text a moment. You can have another in {seconds} s."))
        }
        Notice::NoMoreTexts => alert("That is enough texts. Use the newest one, or start again."),
        Notice::NotSent => alert("The text could not be sent. Try again in a moment."),
    }
}

fn alert(text: &str) -> String {
    format!("<p class=\"notice bad\" role=\"alert\">{}</p>", Escaped(text))
}

/// What a link opens. Whoever opens it sees little of the number.
pub fn link(phone: &str, id: &str) -> Page {
    let end = phone.get(phone.len().saturating_sub(4)..).unwrap_or_default();
    let main = format!(
        "<h1>Sign in here?</h1>\
         <p>Somebody asked to sign in with the number that ends in \
         <strong>{}</strong>. If it was you, press the button.</p>\
         <form method=\"post\" action=\"/link\">\
         <input type=\"hidden\" name=\"id\" value=\"{}\">\
         <button>Sign me in</button></form>\
         <p class=\"hint\">If it was not, close this page: nothing happens.</p>",
        Escaped(end),
        Escaped(id)
    );
    Page::new("Sign in here?", main)
}

pub fn gone() -> Page {
    let main = "<h1>This link is over</h1>\
                <p>It was used, its ten minutes are over, or it was not copied whole.</p>\
                <p><a class=\"button\" href=\"/\">Start again</a></p>";
    Page::new("This link is over", main.to_owned())
}

pub fn session(session: &Session, ledger: &[LedgerEntry]) -> Page {
    let by = match session.by {
        By::Code => "the code",
        By::Link => "the link",
    };
    let rows: String = ledger.iter().map(|text| of_text(text, ledger.len() > 1)).collect();
    let rows = if rows.is_empty() { "<li>No longer known.</li>".to_owned() } else { rows };
    let main = format!(
        "<h1>You are signed in</h1>\
         <dl><dt>Number</dt><dd>{}</dd>\
         <dt>Since</dt><dd>{} UTC</dd>\
         <dt>By</dt><dd>{by}</dd></dl>\
         <h2>What became of your texts</h2><ul class=\"ledger\">{rows}</ul>\
         <form method=\"post\" action=\"/signout\"><button class=\"quiet\">Sign out</button></form>",
        Escaped(&session.phone),
        format_time(session.since, "%-d %B %Y, %H:%M"),
    );
    let on_its_way = ledger.iter().any(|text| matches!(text.status, LedgerStatus::Queued { .. }));
    Page { refresh: on_its_way, ..Page::new("Your session", main) }
}

/// What the ledger says of one text.
fn of_text(text: &LedgerEntry, several: bool) -> String {
    let time = |time| format_time(time, "%H:%M:%S");
    let (class, word, steps) = match text.status {
        LedgerStatus::Pending if several => ("", "an older text", String::new()),
        LedgerStatus::Pending => ("", "not confirmed", String::new()),
        LedgerStatus::Queued { confirmed_at, .. } => {
            ("", "on its way to Twilio", format!("<span>used {}</span>", time(confirmed_at)))
        }
        LedgerStatus::Delivered { confirmed_at, delivered_at, .. } => (
            " good",
            "Twilio knows: confirmed",
            format!(
                "<span>used {}</span><span>told Twilio {}</span>",
                time(confirmed_at),
                time(delivered_at)
            ),
        ),
        LedgerStatus::Dead { confirmed_at, died_at, .. } => (
            " bad",
            "Twilio would not take it",
            format!(
                "<span>used {}</span><span>given up {}</span>",
                time(confirmed_at),
                time(died_at)
            ),
        ),
        _ => ("", "unknown", String::new()),
    };
    format!(
        "<li><strong class=\"badge{class}\">{word}</strong>\
         <span class=\"steps\"><span>sent {}</span>{steps}</span>\
         <code>{}</code></li>",
        time(text.sent_at),
        text.sid
    )
}

fn format_time(time: Timestamp, format: &str) -> String {
    jiff::Timestamp::from_millisecond(time.as_millis())
        .map(|time| time.strftime(format).to_string())
        .unwrap_or_default()
}
