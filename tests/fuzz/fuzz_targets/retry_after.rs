//! `Retry-After`: digits, or a date as RFC 9110 has it; and how long is waited for it.
#![no_main]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};
use libfuzzer_sys::fuzz_target;
use tower_message_feedback::{RetryPolicy, fuzzing};
use tower_message_feedback_fuzz::Input;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut number = || u64::from(input.byte()) << 8 | u64::from(input.byte());
    let (base, max, cap, attempts) = (number(), number(), number(), number());
    let now_ms = (number() as i64 - 2) << 26 | number() as i64;
    let value = input.rest();
    let Ok(header) = HeaderValue::from_bytes(value) else { return };
    let headers = HeaderMap::from_iter([(RETRY_AFTER, header)]);
    let asked = fuzzing::retry_after(&headers, now_ms);

    let text = std::str::from_utf8(value).unwrap_or("\u{fffd}").trim();
    let is_ascii = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if !is_ascii {
        assert_eq!(asked, None);
    } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than can be counted is as long as can be.
        let seconds = text.bytes().try_fold(0_u64, |seconds, digit| {
            seconds.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        assert_eq!(asked, Some(Duration::from_secs(seconds.unwrap_or(u64::MAX))));
    } else if let Some(date) = date(text) {
        let date = date.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let wait = i64::try_from(date).unwrap().saturating_sub(now_ms).max(0);
        assert_eq!(asked, Some(Duration::from_millis(wait as u64)), "{text:?}");
    } else if asked.is_some() {
        // Nothing else is, but for what mail has of dates beyond those of HTTP.
        assert!(
            text.contains(':') && text.bytes().filter(u8::is_ascii_digit).count() >= 5,
            "{text:?}"
        );
    }

    let ms = Duration::from_millis;
    let (base, max, cap) = (ms(base + 1), ms(base + 1 + max * 16), Duration::from_secs(cap));
    let policy = RetryPolicy::default().base(base).max(max).max_retry_after(cap);
    let attempts = u32::try_from(attempts).unwrap();
    let doubled = (1..attempts.min(64)).fold(base, |bound, _| (bound * 2).min(max)).min(max);
    let least = asked.map_or(Duration::ZERO, |asked| asked.min(cap));
    let wait = fuzzing::wait(&policy, attempts, asked);
    assert!((least..=least.max(doubled)).contains(&wait), "{wait:?} of {least:?}, {doubled:?}");
});

/// A date in one of the three forms of RFC 9110, if its parts fit together.
fn date(text: &str) -> Option<SystemTime> {
    let date = httpdate::parse_http_date(text).ok()?;
    let preferred = httpdate::fmt_http_date(date);
    let words: Vec<&str> = preferred.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [weekday, day, month, year, time, zone] = words[..] else { panic!("{preferred}") };
    let full = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let full = full.iter().find(|full| full.starts_with(weekday))?;
    let obsolete = format!("{full}, {day}-{month}-{} {time} {zone}", &year[2..]);
    let of_c = format!("{weekday} {month} {:>2} {time} {year}", day.trim_start_matches('0'));
    // Which century two digits are of is told from the present, and by a library from a year:
    // here by 70, there by 69.
    let is_of_one_century = !year.ends_with("69") || text != obsolete;
    ([preferred.as_str(), &obsolete, &of_c].contains(&text) && is_of_one_century).then_some(date)
}
