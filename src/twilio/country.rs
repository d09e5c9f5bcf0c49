use std::{error::Error, fmt, str::FromStr};

use super::country_prefixes::PREFIXES;

/// A country or territory, by its two letters in ISO 3166.
///
/// ```
/// use tower_message_feedback::Country;
///
/// let country = Country::of_number("+442079460000");
/// assert_eq!(country.map(|country| country.to_string()), Some("GB".to_owned()));
/// assert_eq!("gb".parse(), Ok(country.unwrap()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// The country of a number in E.164 (`+442079460000`), which may stand behind a
    /// channel, as in `whatsapp:+442079460000`; `None` for a short code, a number of no
    /// country (`+800…`) or what is no number.
    ///
    /// It goes by the leading digits, as libphonenumber knows them: of calling codes that
    /// countries share, too (`+1`, `+7`, `+44`).
    #[must_use]
    pub fn of_number(address: &str) -> Option<Self> {
        let number = address.rfind(':').map_or(address, |at| &address[at + 1..]);
        let digits = number.trim_start().strip_prefix('+')?.bytes().take_while(u8::is_ascii_digit);
        let mut packed = [0; LONGEST];
        let known = packed.iter_mut().zip(digits).map(|(place, digit)| *place = digit).count();
        let digits = u64::from_be_bytes(packed);
        let mut known = known as u32;
        loop {
            // The longest that fits is the last before the number, or of those before it
            // that begin as the two do.
            let digits = first(digits, known);
            let behind = PACKED.partition_point(|prefix| *prefix <= digits);
            let at = behind.checked_sub(1)?;
            let same = (PACKED[at] ^ digits).leading_zeros() / 8;
            let length = PREFIXES[at].0.len() as u32;
            if same >= length {
                return Some(Self(PREFIXES[at].1));
            }
            known = same;
        }
    }

    /// Its two letters, in upper case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The digits of a prefix at most.
const LONGEST: usize = 8;

/// The first `count` of packed digits.
fn first(digits: u64, count: u32) -> u64 {
    digits & !u64::MAX.checked_shr(8 * count).unwrap_or(0)
}

/// The prefixes as numbers, which have their order and are compared at once.
const PACKED: [u64; PREFIXES.len()] = {
    let mut packed = [0; PREFIXES.len()];
    let mut at = 0;
    while at < PREFIXES.len() {
        let prefix = PREFIXES[at].0.as_bytes();
        assert!(prefix.len() <= LONGEST);
        let mut digit = 0;
        while digit < prefix.len() {
            packed[at] |= (prefix[digit] as u64) << (56 - 8 * digit);
            digit += 1;
        }
        at += 1;
    }
    packed
};

impl FromStr for Country {
    type Err = InvalidCountry;

    /// Reads two letters, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, InvalidCountry> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(InvalidCountry(())),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({self})")
    }
}

/// A text that is not the two letters of a country. The text itself is not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidCountry(());

impl fmt::Display for InvalidCountry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a country: expected the two letters of ISO 3166")
    }
}

impl Error for InvalidCountry {}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> String {
        Country::of_number(address).map_or_else(String::new, |country| country.to_string())
    }

    #[test]
    fn the_longest_prefix_decides() {
        assert!(PREFIXES.is_sorted_by_key(|(prefix, _)| prefix));
        for (address, country) in [
            ("+15005550006", "US"),
            ("+14165550123", "CA"),
            ("+18765550123", "JM"),
            ("+77012345678", "KZ"),
            ("+79161234567", "RU"),
            ("+442079460000", "GB"),
            ("+447781123456", "GG"),
            ("+3906698", "VA"),
            ("+4915112345678", "DE"),
            ("whatsapp:+5511912345678", "BR"),
            // A plus sign that a form has for a space.
            (" +4915112345678", "DE"),
            ("12345", ""),
            ("messenger:107", ""),
            ("+800123", ""),
            ("+", ""),
            ("", ""),
            ("+४९१५", ""),
        ] {
            assert_eq!(of(address), country, "{address}");
        }
    }
}
