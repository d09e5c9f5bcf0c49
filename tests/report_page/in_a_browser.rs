//! In a real, headless Chromium.

use std::{env, fs};

use serde_json::Value;

use crate::{chrome::Chrome, support::World};

/// Width, height, colours.
type Look = (u32, u32, &'static str);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_small_light_screen() {
    in_this_look((360, 740, "light")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_large_dark_screen() {
    in_this_look((1440, 900, "dark")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_small_dark_screen() {
    in_this_look((360, 740, "dark")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_large_light_screen() {
    in_this_look((1440, 900, "light")).await;
}

async fn in_this_look((width, height, scheme): Look) {
    let name = format!("report-{width}-{scheme}");
    let world = World::new().await;
    Chrome::run(&name, async |chrome| {
        chrome.look(width, height, scheme).await;
        chrome.scripting(false).await;
        chrome.goto(&format!("{}?range=7d", world.page())).await;
        let operator = Operator { chrome, name: &name };
        operator.looks("1-all").await;
        let all = operator.attempted().await;

        // A country, by its link; and back, by what shows the filter.
        chrome.click("#countries ~ .scroll a[href*='country=DE']").await;
        chrome.find(".chips a").await;
        operator.looks("2-country").await;
        let germany = operator.attempted().await;
        assert!(germany < all, "{germany} of {all}");
        assert_eq!(operator.text(".chips a").await, "Germany ×: show all again");
        chrome.click(".chips a").await;
        chrome.wait_for("!document.querySelector('.chips')").await;
        assert_eq!(operator.attempted().await, all);

        // A label and a channel, by the form and the keyboard.
        chrome.types("select[name=label]", "signup").await;
        chrome.types("select[name=channel]", "WhatsApp").await;
        chrome.types("form.filters button", "\u{e007}").await;
        chrome.wait_for("document.querySelectorAll('.chips a').length == 2").await;
        let some = operator.attempted().await;
        assert!(some > 0 && some < all);
        operator.looks("3-form").await;

        // Another time.
        chrome.click("nav a[href*='range=30d']").await;
        chrome
            .wait_for("document.querySelector('nav [aria-current]').textContent == '30 days'")
            .await;
        assert!(operator.attempted().await > some);

        // The dead letter, which dies once more.
        world.feedback.pause_delivery();
        chrome.click("#dead-letters button").await;
        chrome.find("[role=status]").await;
        chrome.wait_for("!document.querySelector('#dead-letters button')").await;
        assert!(operator.text("[role=status]").await.contains("on its way"));
        operator.looks("4-sent-again").await;
        assert_eq!(chrome.console().await, [""; 0], "the console");
    })
    .await;
}

struct Operator<'a> {
    chrome: &'a Chrome,
    name: &'a str,
}

impl Operator<'_> {
    async fn attempted(&self) -> u64 {
        let shown = self.text("dl .attempted small").await.replace(',', "");
        shown.parse().expect("a number")
    }

    async fn text(&self, css: &str) -> String {
        let shown =
            self.chrome.value(&format!("document.querySelector(\"{css}\").textContent")).await;
        shown.as_str().expect("a text").trim().to_owned()
    }

    /// Nothing sticks out, everything is styled, and whoever uses other means than their
    /// eyes and a mouse finds their way.
    async fn looks(&self, step: &str) {
        let Self { chrome, name } = self;
        chrome.wait_for("document.readyState == 'complete'").await;
        chrome.screenshot(&format!("{name}-{step}")).await;
        let overflow =
            "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(chrome.value(overflow).await, 0, "{step}: something sticks out");
        let styled = "getComputedStyle(document.querySelector('section')).borderRadius";
        assert_ne!(chrome.value(styled).await, "0px", "{step}: no style");
        // It runs in the page, which itself does without.
        chrome.scripting(true).await;
        let violations = chrome.call(&axe()).await;
        chrome.scripting(false).await;
        assert_eq!(violations, Value::Array(Vec::new()), "{step}: {violations:#}");
    }
}

/// Examines the page with axe-core.
fn axe() -> String {
    let target = env::current_exe().expect("a path");
    let mut files = target.ancestors().map(|folder| folder.join("axe-core/axe.min.js"));
    let file = files.find(|file| file.is_file()).expect(
        "axe-core: `npm pack axe-core`, and its axe.min.js to target/axe-core (tests/run.sh does)",
    );
    let axe = fs::read_to_string(file).expect("a script");
    let tags = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']";
    format!(
        "const done = arguments[arguments.length - 1]; {axe}; \
         axe.run(document, {{ runOnly: {tags} }}).then(({{ violations }}) => done(violations.map(\
         ({{ id, help, nodes }}) => ({{ id, help, nodes: nodes.map(node => node.html) }}))), \
         error => done(String(error)));"
    )
}
