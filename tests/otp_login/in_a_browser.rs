//! In a real, headless Chromium.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::{
    chrome::Chrome,
    support::{PHONE, World, other_than},
};

/// Width, height, colours.
type Look = (u32, u32, &'static str);

const PHONE_DOCUMENT: &str = "document.querySelector('iframe').contentDocument";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_small_light_screen() {
    both_ways((360, 740, "light")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_large_dark_screen() {
    both_ways((1440, 900, "dark")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_small_dark_screen() {
    both_ways((360, 740, "dark")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_large_light_screen() {
    both_ways((1440, 900, "light")).await;
}

/// Signs in by the link, and then by a code, on one such screen.
async fn both_ways((width, height, scheme): Look) {
    let name = format!("{width}-{scheme}");
    let world = World::new().await;
    Chrome::run(&name, async |chrome| {
        chrome.look(width, height, scheme).await;
        chrome.goto(&world.url).await;
        let person = Person { chrome, world: &world, name: &name };
        person.fits("1-start").await;
        person.signs_in_by_the_link().await;
        person.signs_in_by_a_code().await;
        assert_eq!(chrome.console().await, [""; 0], "the console");
    })
    .await;
}

struct Person<'a> {
    chrome: &'a Chrome,
    world: &'a World,
    name: &'a str,
}

impl Person<'_> {
    async fn signs_in_by_the_link(&self) {
        let Self { chrome, world, .. } = self;
        self.types("#phone", "+1 555 867 5310").await;
        chrome.find("#code").await;
        let text = self.reads_the_phone(1).await;
        self.fits("2-code").await;

        let link = text.split(' ').find(|word| word.starts_with("http")).expect("a link");
        let bot = Client::new();
        let looked = bot.head(link).send().await.expect("an answer");
        assert_eq!(looked.status(), StatusCode::OK);
        let looked = bot.get(link).send().await.expect("an answer");
        assert!(looked.text().await.expect("a page").contains("Sign me in"));
        assert!(world.reported().await.is_empty(), "a bot has confirmed");

        chrome.wait_for(&format!("({PHONE_DOCUMENT}.querySelector('a').click(), true)")).await;
        chrome.find("main form[action='/link'] button").await;
        assert!(world.reported().await.is_empty(), "opening the link has confirmed");
        self.fits("3-link").await;
        self.press("main form[action='/link'] button").await;

        self.sees_the_session("the link").await;
        assert_eq!(world.reported().await, [world.newest().sid()]);
        self.fits("4-session").await;
        self.press("main form[action='/signout'] button").await;
        chrome.find("#phone").await;
    }

    async fn signs_in_by_a_code(&self) {
        let Self { chrome, world, .. } = self;
        let before = world.reported().await.len();
        self.types("#phone", PHONE).await;
        let text = self.reads_the_phone(2).await;
        self.types("#code", &other_than(&text[..6])).await;
        chrome.wait_for("document.querySelector('[role=alert]')").await;
        assert_eq!(chrome.value("document.activeElement.id").await, json!("code"));
        self.fits("5-wrong-code").await;

        world.time.advance(Duration::from_secs(20));
        self.press("form[action='/again'] button").await;
        chrome.wait_for("document.querySelector('[role=status]')").await;
        let newest = self.reads_the_phone(3).await;
        assert_eq!(world.reported().await.len(), before, "a wrong code has confirmed");
        self.fits("6-another-text").await;
        self.types("#code", &newest[..6]).await;

        self.sees_the_session("the code").await;
        let reported = world.reported().await;
        assert_eq!(reported[before..], [world.newest().sid()]);
        self.fits("7-session").await;
    }

    /// Types, and presses Enter.
    async fn types(&self, field: &str, text: &str) {
        self.chrome.types(field, &format!("{text}\u{e007}")).await;
    }

    async fn press(&self, button: &str) {
        self.chrome.click(button).await;
    }

    /// The newest text, once the phone shows as many.
    async fn reads_the_phone(&self, count: usize) -> String {
        let texts = format!("{PHONE_DOCUMENT}.querySelectorAll('.texts p')");
        self.chrome.wait_for(&format!("{texts}.length === {count}")).await;
        let text = self.chrome.value(&format!("{texts}[0].textContent")).await;
        let text = text.as_str().expect("a text").to_owned();
        assert_eq!(text, self.world.newest().body());
        text
    }

    async fn sees_the_session(&self, by: &str) {
        let chrome = self.chrome;
        chrome.wait_for("location.pathname === '/session'").await;
        chrome.wait_for("document.querySelector('main .badge.good')").await;
        let page = chrome.value("document.querySelector('main').innerText").await;
        let page = page.as_str().expect("a text");
        for part in ["You are signed in", PHONE, by, "Twilio knows: confirmed"] {
            assert!(page.contains(part), "no {part}: {page}");
        }
        // So does the phone, by itself.
        let badge = format!("{PHONE_DOCUMENT}.querySelector('li .badge')");
        chrome.wait_for(&format!("{badge}.classList.contains('good')")).await;
    }

    /// Nothing sticks out at the side, all is styled, and a picture is taken.
    async fn fits(&self, page: &str) {
        let chrome = self.chrome;
        chrome.wait_for("document.readyState === 'complete'").await;
        let sizes = chrome
            .value("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            .await;
        assert_eq!(sizes[0], sizes[1], "{page} is wider than the screen");
        let ground = chrome.value("getComputedStyle(document.body).backgroundColor").await;
        let expected =
            if self.name.ends_with("dark") { "rgb(14, 21, 20)" } else { "rgb(243, 246, 245)" };
        assert_eq!(ground, json!(expected), "{page}");
        chrome.screenshot(&format!("{}-{page}", self.name)).await;
    }
}
