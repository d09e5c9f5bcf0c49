//! What the report costs, how quick its page is, and whether its numbers are right.
//!
//! ```console
//! cargo bench --bench report               # cost and page
//! cargo bench --bench report -- cost       # a tracked send and a confirm, on against off
//! cargo bench --bench report -- page       # a year of 213 countries, in each store
//! cargo bench --bench report -- guide      # the 2.3 million messages of Twilio's guide
//! ```

mod cost;
mod guide;
mod page;

#[path = "../../tests/servers/mod.rs"]
mod servers;
#[path = "../../tests/report/traffic.rs"]
mod traffic;

#[tokio::main]
async fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let is_asked = |name: &str| asked.iter().any(|asked| asked == name);
    if asked.is_empty() || is_asked("cost") {
        cost::measure().await;
    }
    if asked.is_empty() || is_asked("page") {
        page::measure().await;
    }
    if is_asked("guide") {
        guide::run().await;
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
