//! Ten people with phones, and a messaging app that looks at links before
//! they do.

use reqwest::{Client, StatusCode};
use tower_message_feedback::simulator::Simulator;

use crate::Result;

pub struct Person {
    pub name: &'static str,
    phone: &'static str,
    deed: Deed,
}

#[derive(Clone, Copy)]
enum Deed {
    ClicksTheLink,
    ClicksTwice,
    ClicksAfterAPreview,
    HasAPreviewOnly,
    IgnoresTheLink,
    EntersTheCode,
    EntersAWrongCodeFirst,
    EntersTheThirdCode,
    EntersAWrongCode,
    IgnoresTheCode,
}

impl Person {
    pub fn everyone() -> [Self; 10] {
        use Deed::*;
        let person = |name, phone, deed| Self { name, phone, deed };
        [
            person("Ada", "+15550000001", ClicksTheLink),
            person("Grace", "+15550000002", ClicksTwice),
            person("Joan", "+15550000003", ClicksAfterAPreview),
            person("Edsger", "+15550000004", HasAPreviewOnly),
            person("Alan", "+15550000005", IgnoresTheLink),
            person("Barbara", "+15550000006", EntersTheCode),
            person("Tony", "+15550000007", EntersAWrongCodeFirst),
            person("Radia", "+15550000008", EntersTheThirdCode),
            person("Dennis", "+15550000009", EntersAWrongCode),
            person("Ken", "+15550000010", IgnoresTheCode),
        ]
    }

    /// Signs up or logs in, and does what this person does.
    pub async fn play(&self, site: &str, twilio: &Simulator) -> Result<&'static str> {
        let browser = Client::new();
        let text = || newest_text(twilio, self.phone);
        Ok(match self.deed {
            Deed::ClicksTheLink => {
                sign_up(&browser, site, self.phone).await?;
                browser.get(link(&text())).send().await?.error_for_status()?;
                "clicks the link"
            }
            Deed::ClicksTwice => {
                sign_up(&browser, site, self.phone).await?;
                for _ in 0..2 {
                    browser.get(link(&text())).send().await?.error_for_status()?;
                }
                "clicks the link twice; it is reported once"
            }
            Deed::ClicksAfterAPreview => {
                sign_up(&browser, site, self.phone).await?;
                preview(&browser, link(&text())).await?;
                browser.get(link(&text())).send().await?.error_for_status()?;
                "clicks the link, after a preview bot has looked at it"
            }
            Deed::HasAPreviewOnly => {
                sign_up(&browser, site, self.phone).await?;
                preview(&browser, link(&text())).await?;
                "never clicks; a preview bot looks at the link, which is no action"
            }
            Deed::IgnoresTheLink => {
                sign_up(&browser, site, self.phone).await?;
                "never clicks"
            }
            Deed::EntersTheCode => {
                let attempt = ask_for_code(&browser, site, self.phone, None).await?;
                enter_code(&browser, site, &attempt, &code(&text())).await?;
                "enters the code"
            }
            Deed::EntersAWrongCodeFirst => {
                let attempt = ask_for_code(&browser, site, self.phone, None).await?;
                enter_code(&browser, site, &attempt, "wrong").await?;
                enter_code(&browser, site, &attempt, &code(&text())).await?;
                "enters a wrong code first, then the right one"
            }
            Deed::EntersTheThirdCode => {
                let attempt = ask_for_code(&browser, site, self.phone, None).await?;
                for _ in 0..2 {
                    ask_for_code(&browser, site, self.phone, Some(&attempt)).await?;
                }
                enter_code(&browser, site, &attempt, &code(&text())).await?;
                "has the code sent three times and enters the last"
            }
            Deed::EntersAWrongCode => {
                let attempt = ask_for_code(&browser, site, self.phone, None).await?;
                enter_code(&browser, site, &attempt, "wrong").await?;
                "enters a wrong code and gives up"
            }
            Deed::IgnoresTheCode => {
                ask_for_code(&browser, site, self.phone, None).await?;
                "never enters the code"
            }
        })
    }
}

async fn sign_up(browser: &Client, site: &str, phone: &str) -> Result<()> {
    browser
        .post(format!("{site}/signup"))
        .form(&[("phone", phone)])
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}

/// Answers the attempt.
pub async fn ask_for_code(
    browser: &Client,
    site: &str,
    phone: &str,
    attempt: Option<&str>,
) -> Result<String> {
    let mut form = vec![("phone", phone)];
    form.extend(attempt.map(|attempt| ("attempt", attempt)));
    let answer = browser.post(format!("{site}/login")).form(&form).send().await?;
    Ok(answer.error_for_status()?.text().await?)
}

/// Answers whether the code was right.
pub async fn enter_code(browser: &Client, site: &str, attempt: &str, code: &str) -> Result<bool> {
    let form = [("attempt", attempt), ("code", code)];
    let answer = browser.post(format!("{site}/verify")).form(&form).send().await?;
    Ok(answer.status() == StatusCode::OK)
}

/// What a polite preview bot sends: a look at the head, and then a fetch that
/// says what it is for. One that says nothing would need a page with a button.
async fn preview(bot: &Client, link: String) -> Result<()> {
    bot.head(&link).send().await?.error_for_status()?;
    bot.get(&link).header("x-purpose", "preview").send().await?.error_for_status()?;
    Ok(())
}

fn newest_text(twilio: &Simulator, phone: &str) -> String {
    let messages = twilio.messages();
    let newest = messages.iter().rev().find(|message| message.to() == phone);
    newest.map(|message| message.body().to_owned()).unwrap_or_default()
}

fn link(text: &str) -> String {
    text.split_whitespace().find(|word| word.contains("://")).unwrap_or_default().to_owned()
}

fn code(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
