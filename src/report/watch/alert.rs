use std::fmt;

use crate::{Country, Timestamp, report::Rate};

/// Something to look at.
///
/// `Display` says it in a sentence, for a log or a pager.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// When it was seen.
    pub at: Timestamp,
    /// When the hour began that it is about.
    pub hour: Timestamp,
    /// Which messages it is about.
    pub of: AlertGroup,
    /// What was seen.
    pub event: AlertEvent,
}

/// Which messages an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AlertGroup {
    /// All of them.
    Total,
    /// Those to one country; `None` if it is not known.
    Country(Option<Country>),
    /// Those with one label, or without.
    Label(Option<Box<str>>),
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum AlertEvent {
    /// Fewer users confirm than usual.
    #[non_exhaustive]
    ConversionFell {
        /// The rate of the hour.
        rate: Rate,
        /// The rate of the past.
        usual: Rate,
    },
    /// It is as usual again.
    ConversionRecovered,
    /// More messages are sent than usual.
    #[non_exhaustive]
    VolumeRose {
        /// How many in the hour, so far.
        attempted: u64,
        /// How many in the busiest hour of the past.
        busiest: u64,
    },
    /// It is as usual again.
    VolumeRecovered,
}

impl fmt::Display for AlertGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => f.write_str("messages"),
            Self::Country(Some(country)) => write!(f, "messages to {country}"),
            Self::Country(None) => f.write_str("messages to no known country"),
            Self::Label(Some(label)) => write!(f, "messages labelled {label:?}"),
            Self::Label(None) => f.write_str("messages without a label"),
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = &self.of;
        let percent = |rate: &Rate| 100.0 * rate.value;
        match &self.event {
            AlertEvent::ConversionFell { rate, usual } => {
                let (rate, usual) = (percent(rate), percent(usual));
                write!(f, "conversion of {of} fell to {rate:.1} % from {usual:.1} %")
            }
            AlertEvent::ConversionRecovered => write!(f, "conversion of {of} is as usual again"),
            AlertEvent::VolumeRose { attempted, busiest } => {
                write!(f, "{attempted} {of} in an hour, and {busiest} in the busiest before")
            }
            AlertEvent::VolumeRecovered => write!(f, "the volume of {of} is as usual again"),
        }
    }
}
