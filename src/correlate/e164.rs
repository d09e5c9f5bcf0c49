use std::{error::Error, fmt};

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumberFormat, Region};

use super::CorrelationId;

/// A phone number as Twilio takes it: `+`, the country's code, and digits alone
/// (ITU-T E.164).
///
/// It is read out of whatever people type, so that the same number is texted, and found
/// again, however it was spelled. The rules are those of Google's libphonenumber. They
/// tell what a number means, not that it is anybody's.
///
/// ```
/// use tower_message_feedback::{CorrelationId, E164};
///
/// let number = E164::parse("(415) 555-2671", "US")?;
/// assert_eq!(number.as_str(), "+14155552671"); // the `To` of the send
/// assert_eq!(E164::parse("+1 415.555.2671", "DE")?, number);
/// assert_eq!(E164::parse("0039 06 1234 5678", "DE")?.as_str(), "+390612345678");
///
/// // What `recipient()` finds in the send:
/// assert_eq!(CorrelationId::from(&number), CorrelationId::recipient("+14155552671"));
/// # Ok::<(), tower_message_feedback::InvalidNumber>(())
/// ```
///
/// `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct E164(String);

impl E164 {
    /// Reads a number that somebody typed. `region` is the country that one without a
    /// country's code is of, by its two letters (ISO 3166-1: `"US"`).
    ///
    /// # Errors
    ///
    /// If there is no such region, or if the text is no number there: none at all, or one
    /// that is too short or too long.
    pub fn parse(typed: &str, region: &str) -> Result<Self, InvalidNumber> {
        let region: Region = region.parse().map_err(|_| InvalidNumber::Region)?;
        // Two letters that are nobody's are a region, too.
        if PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_none() {
            return Err(InvalidNumber::Region);
        }
        quietly(|| {
            let number =
                PHONE_NUMBER_UTIL.parse(typed, Some(region)).map_err(|_| InvalidNumber::Number)?;
            // Nor is it one that is dialled within a town only.
            if PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number)
                != Ok(NumberLengthType::IsPossible)
            {
                return Err(InvalidNumber::Number);
            }
            Ok(Self(PHONE_NUMBER_UTIL.format(&number, PhoneNumberFormat::E164).into_owned()))
        })
    }

    /// The number, for the field `To` of a send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The recipient: [`CorrelationId::recipient`].
/// The library logs the numbers that it reads, at `TRACE`: nothing of that reaches a
/// subscriber of `tracing`.
fn quietly<T>(read: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(&tracing::Dispatch::none(), read)
}

impl From<&E164> for CorrelationId {
    fn from(number: &E164) -> Self {
        Self::recipient(&number.0)
    }
}

impl From<E164> for CorrelationId {
    fn from(number: E164) -> Self {
        (&number).into()
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("E164").finish_non_exhaustive()
    }
}

/// Why a text is no phone number. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidNumber {
    /// The text is no number, in the region or anywhere.
    Number,
    /// The region is not one of the two-letter codes.
    Region,
}

impl fmt::Display for InvalidNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "not a phone number",
            Self::Region => "not a region: expected two letters, for example US",
        })
    }
}

impl Error for InvalidNumber {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libphonenumber itself says.
    #[test]
    fn numbers_are_read_as_people_type_them() {
        for (region, typed, e164) in [
            ("US", "(415) 555-2671", "+14155552671"),
            ("US", "415.555.2671", "+14155552671"),
            ("US", "1-415-555-2671", "+14155552671"),
            ("US", " +1 415 555-2671 ", "+14155552671"),
            ("US", "tel:+1-415-555-2671", "+14155552671"),
            ("US", "(415) 555-2671 ext. 3", "+14155552671"),
            ("US", "1-800-FLOWERS", "+18003569377"),
            ("US", "011 44 20 7946 0018", "+442079460018"),
            ("US", "+33142764978", "+33142764978"),
            ("GB", "020 7946 0018", "+442079460018"),
            ("GB", "00442079460018", "+442079460018"),
            ("DE", "0171/123 45 67", "+491711234567"),
            ("DE", "+49 (0)171 1234567", "+491711234567"),
            ("IT", "06 1234 5678", "+390612345678"),
            ("RU", "+78005553535", "+78005553535"),
            ("RU", "8 800 555-35-35", "+78005553535"),
            ("AR", "(11) 2345-6789", "+541123456789"),
            (
                "MA",
                "\u{660}\u{666}\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}\u{668}",
                "+212612345678",
            ),
            ("FR", "\u{ff10}\u{ff16} 12 34 56 78", "+33612345678"),
        ] {
            let number = E164::parse(typed, region);
            assert_eq!(number.as_ref().map(E164::as_str), Ok(e164), "{typed} in {region}");
            // As it is, it is the same anywhere.
            assert_eq!(E164::parse(e164, "JP"), number);
        }
    }

    #[test]
    fn what_is_no_number_is_told_and_not_repeated() {
        for typed in [
            "",
            "+",
            "++1",
            "hello",
            "1",
            "12",
            "555-2671",
            "  2 22#:",
            "0xd2dc00a30027c9d5",
            "+0000000",
        ] {
            let error = E164::parse(typed, "US").expect_err(typed);
            assert_eq!(error, InvalidNumber::Number, "{typed}");
        }
        for region in ["", "USA", "XX", "1"] {
            let error = E164::parse("(415) 555-2671", region).expect_err(region);
            assert_eq!(error, InvalidNumber::Region, "{region}");
        }
        let number = E164::parse("(415) 555-2671", "US").unwrap();
        assert_eq!(format!("{number:?}"), "E164 { .. }");
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_typed_it_does_not_panic(typed in "\\PC{0,60}", digits in "[+0-9 ()x#;=.a-z-]{0,300}") {
            let _ = (E164::parse(&typed, "US"), E164::parse(&digits, "DE"));
        }
    }
}
