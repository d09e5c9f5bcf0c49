use std::{fmt, sync::Arc};

use crate::{Channel, Country, MessagingServiceSid};

/// What a report groups messages by, beside the account: the application's own label,
/// and what the message's own address tells. It holds no number.
///
/// ```
/// use tower_message_feedback::store::{Dimensions, Segment};
///
/// let dimensions = Dimensions::of_recipient("+4915112345678");
/// let segment = Segment::new(Some("login"), dimensions);
/// assert_eq!((segment.label(), segment.dimensions()), (Some("login"), dimensions));
/// assert_eq!(Segment::from("login").label(), Some("login"));
/// ```
///
/// A store keeps it as one text, [`as_str`](Self::as_str), of 250 characters at most;
/// there are few distinct ones, so that a message names it by a small number.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Segment(Option<Arc<str>>);

/// What a message's own form tells a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub struct Dimensions {
    /// The country of the number that it goes to.
    pub country: Option<Country>,
    /// The channel that it goes through.
    pub channel: Option<Channel>,
    /// The Messaging Service that sends it.
    pub messaging_service: Option<MessagingServiceSid>,
}

impl Dimensions {
    /// What the address of a message without media tells, Twilio's `To`: its country and
    /// its channel. The address itself is not kept.
    #[must_use]
    pub fn of_recipient(to: &str) -> Self {
        Self {
            country: Country::of_number(to),
            channel: Channel::of(to, false),
            messaging_service: None,
        }
    }
}

/// Between the label, the country, the channel, the service, and the mark of what was
/// recorded by its confirm. A text without any is a label alone.
const SEPARATOR: char = '\u{1f}';
/// Of a label, in characters.
const LABEL: usize = 200;
const BY_CONFIRM: &str = "c";

impl Segment {
    /// The segment of a label and dimensions. An empty label is none; of a longer one
    /// the first 200 characters are kept.
    #[must_use]
    pub fn new(label: Option<&str>, dimensions: Dimensions) -> Self {
        Self::packed(label.unwrap_or_default(), dimensions, "")
    }

    fn packed(label: &str, dimensions: Dimensions, mark: &str) -> Self {
        let as_kept = |c: char| if c == SEPARATOR || c == '\0' { '\u{fffd}' } else { c };
        let mut text: String = label.chars().map(as_kept).take(LABEL).collect();
        if dimensions != Dimensions::default() || !mark.is_empty() {
            let Dimensions { country, channel, messaging_service } = dimensions;
            let service = messaging_service.map(|service| service.to_string());
            for part in [
                country.as_ref().map_or("", Country::as_str),
                channel.map_or("", Channel::as_str),
                service.as_deref().unwrap_or_default(),
                mark,
            ] {
                text.push(SEPARATOR);
                text.push_str(part);
            }
        }
        Self((!text.is_empty()).then(|| text.into()))
    }

    /// The segment that a store kept as this text.
    #[must_use]
    pub fn from_stored(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        Self((!text.is_empty()).then_some(text))
    }

    /// As a store keeps it: empty if nothing is known.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The same, shared; `None` if nothing is known.
    #[must_use]
    pub const fn stored(&self) -> Option<&Arc<str>> {
        self.0.as_ref()
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        self.as_str().split(SEPARATOR)
    }

    /// The application's own name for this sort of message.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.parts().next().filter(|label| !label.is_empty())
    }

    /// What the message's own form told.
    #[must_use]
    pub fn dimensions(&self) -> Dimensions {
        let mut parts = self.parts().skip(1);
        let mut part = || parts.next().unwrap_or_default();
        Dimensions {
            country: part().parse().ok(),
            channel: Channel::from_name(part()),
            messaging_service: part().parse().ok(),
        }
    }

    /// The same under another label.
    pub(crate) fn relabelled(&self, label: &str) -> Self {
        Self::new(Some(label), self.dimensions())
    }

    /// The same of a message that its confirm has to record.
    pub(crate) fn recorded_by_confirm(&self) -> Self {
        Self::packed(self.label().unwrap_or_default(), self.dimensions(), BY_CONFIRM)
    }

    /// The segment without that mark, and whether it had it.
    pub(crate) fn without_mark(&self) -> (Self, bool) {
        match self.parts().nth(4) {
            Some(BY_CONFIRM) => (Self::new(self.label(), self.dimensions()), true),
            _ => (self.clone(), false),
        }
    }
}

impl From<&str> for Segment {
    /// The segment of a label alone.
    fn from(label: &str) -> Self {
        Self::new(Some(label), Dimensions::default())
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Dimensions { country, channel, messaging_service } = self.dimensions();
        f.debug_struct("Segment")
            .field("label", &self.label())
            .field("country", &country)
            .field("channel", &channel)
            .field("messaging_service", &messaging_service)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dimensions() -> impl Strategy<Value = Dimensions> {
        let country = prop::option::of("[A-Z]{2}".prop_map(|code| code.parse().unwrap()));
        let channel = prop::option::of(prop::sample::select(Channel::ALL.to_vec()));
        let service = prop::option::of("MG[0-9a-f]{32}".prop_map(|sid| sid.parse().unwrap()));
        (country, channel, service).prop_map(|(country, channel, messaging_service)| Dimensions {
            country,
            channel,
            messaging_service,
        })
    }

    #[test]
    fn a_label_cannot_name_dimensions() {
        let segment = Segment::from("login\u{1f}US\u{1f}sms\0");
        assert_eq!(segment.label(), Some("login\u{fffd}US\u{fffd}sms\u{fffd}"));
        assert_eq!(segment.dimensions(), Dimensions::default());
    }

    proptest! {
        #[test]
        fn it_comes_back_from_what_a_store_keeps(
            label in prop::option::of("[^\0\u{1f}]{1,250}"), dimensions in dimensions(),
        ) {
            let kept: Option<String> = label.as_ref().map(|label| label.chars().take(LABEL).collect());
            let segment = Segment::new(label.as_deref(), dimensions);
            prop_assert!(segment.as_str().chars().count() <= 250);
            let read = Segment::from_stored(segment.as_str());
            prop_assert_eq!(&read, &segment);
            prop_assert_eq!((read.label(), read.dimensions()), (kept.as_deref(), dimensions));
            let marked = segment.recorded_by_confirm();
            prop_assert_ne!(&marked, &segment);
            prop_assert_eq!(marked.without_mark(), (segment.clone(), true));
            prop_assert_eq!(segment.without_mark(), (segment, false));
        }

        #[test]
        fn no_text_is_misread_for_another(text in any::<String>()) {
            let segment = Segment::from(text.as_str());
            prop_assert_eq!(segment.dimensions(), Dimensions::default());
            let _ = Segment::from_stored(text.as_str()).dimensions();
        }
    }
}
