//! Text and numbers as they stand in a page.

use std::fmt;

/// Text that is no markup, in an element or in a quoted attribute.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (plain, special) = rest.split_at(at);
            f.write_str(plain)?;
            f.write_str(match special.as_bytes()[0] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &special[1..];
        }
        f.write_str(rest)
    }
}

/// With commas: `2,300,000`.
pub(super) fn exact(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// In few digits: `2.3M`.
pub(super) fn rough(number: u64) -> String {
    let (unit, name) = match number {
        0..1_000 => return number.to_string(),
        1_000..1_000_000 => (1_000.0, "k"),
        1_000_000..1_000_000_000 => (1_000_000.0, "M"),
        _ => (1_000_000_000.0, "G"),
    };
    let number = number as f64 / unit;
    // Not up to the next unit.
    let tenths = (number * 10.0).floor() / 10.0;
    if tenths >= 100.0 {
        format!("{:.0}{name}", tenths.floor())
    } else {
        format!("{tenths:.1}{name}")
    }
}

/// `78.3 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `42 s`, `3.5 min`, `2.1 h`, `1.4 d`.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.1} min", s / 60.0),
        s if s < 129_600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, shown, whole) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1.0k", "1,000"),
            (23_456, "23.4k", "23,456"),
            (999_999, "999k", "999,999"),
            (2_300_000, "2.3M", "2,300,000"),
            (1_234_567_890, "1.2G", "1,234,567,890"),
        ] {
            assert_eq!((rough(number).as_str(), exact(number).as_str()), (shown, whole));
        }
        for (number, shown) in
            [(0.5, "0.5 s"), (42.0, "42 s"), (210.0, "3.5 min"), (7560.0, "2.1 h"), (2e5, "2.3 d")]
        {
            assert_eq!(seconds(number), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_no_markup_and_comes_back(text in "[a<>&\"'é]{0,20}") {
            let escaped = Escaped(&text).to_string();
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            let back = escaped
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&amp;", "&");
            prop_assert_eq!(back, text);
        }
    }
}
