//! What the guard costs a request, beside a look at its header alone.
//!
//! ```console
//! cargo bench --bench guard
//! ```

use std::{hint::black_box, time::Instant};

use http::{HeaderMap, HeaderValue, Method, header::USER_AGENT};
use tower_message_feedback::PreviewGuard;

const CALLS: u32 = 100_000;
const TURNS: usize = 21;

/// A user's agent of common length, of an app's browser, and a preview's.
const AGENTS: [(&str, &str); 3] = [
    (
        "browser",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/131.0.0.0 Safari/537.36",
    ),
    (
        "app",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
         Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/470.0.0.40.105;FBBV/615880001;FBDV/iPhone14,5;\
         FBMD/iPhone;FBSN/iOS;FBSV/17.5;FBSS/3;FBID/phone;FBLC/en_US;FBOP/5]",
    ),
    ("preview", "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"),
];

fn nanoseconds(mut call: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let guard = PreviewGuard::default();
    for (name, agent) in AGENTS {
        let headers = HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(agent))]);
        let (mut guarded, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            guarded.push(nanoseconds(|| {
                black_box(guard.check(black_box(&Method::GET), black_box(&headers)));
            }));
            bare.push(nanoseconds(|| {
                black_box(black_box(&headers).get(USER_AGENT));
            }));
        }
        let (guarded, bare) = (median(guarded), median(bare));
        println!("{name:<8} {guarded:>6.0} ns, a look at the header {bare:.0} ns");
    }
}
