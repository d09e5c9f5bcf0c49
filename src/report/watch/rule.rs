use std::time::Duration;

/// What [`watch`](crate::MessageFeedback::watch) tells.
///
/// It compares the hour that is not over with the past of the same country or label. Of
/// conversion it judges the hour before instead until fifteen minutes have passed, of
/// volume the one of both that has more. What it has told of is no past to compare with
/// until it is over.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct AlertRule {
    pub(super) kind: Kind,
    pub(super) scope: Scope,
    pub(super) min_attempted: u64,
    pub(super) past: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// By this share of the usual rate.
    ConversionFalls(f64),
    /// To more than as many times the busiest hour.
    VolumeRises(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Total,
    Country,
    Label,
}

impl AlertRule {
    /// The conversion rate is less than 70 % of the usual one, which is not by chance: the
    /// upper end of its 95 % confidence interval is.
    ///
    /// It is not judged while feedback is late by ten minutes, as when Twilio does not
    /// answer: conversions are counted when it has them.
    pub const fn conversion_falls() -> Self {
        Self::of(Kind::ConversionFalls(0.3))
    }

    /// More than three times as many messages are sent as in the busiest hour of the past.
    pub const fn volume_rises() -> Self {
        Self::of(Kind::VolumeRises(3.0))
    }

    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            scope: Scope::Total,
            min_attempted: 100,
            past: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }

    /// For each country by itself, instead of all messages together.
    pub const fn per_country(mut self) -> Self {
        self.scope = Scope::Country;
        self
    }

    /// For each label by itself.
    pub const fn per_label(mut self) -> Self {
        self.scope = Scope::Label;
        self
    }

    /// By how much of the usual rate conversion has to fall, or to how many times the
    /// busiest hour the volume has to rise: 0.3 and 3 by default.
    ///
    /// # Panics
    ///
    /// If a fall is not between 0 and 1, or a rise is not above 1.
    pub const fn by(mut self, by: f64) -> Self {
        self.kind = match self.kind {
            Kind::ConversionFalls(_) => {
                assert!(by > 0.0 && by < 1.0, "conversion falls by a share between 0 and 1");
                Kind::ConversionFalls(by)
            }
            Kind::VolumeRises(_) => {
                assert!(by > 1.0, "volume rises to more than the usual one");
                Kind::VolumeRises(by)
            }
        };
        self
    }

    /// Hours with fewer messages than this are not judged: 100 by default.
    pub const fn min_attempted(mut self, min: u64) -> Self {
        self.min_attempted = min;
        self
    }

    /// How far back the past goes that it compares with: a week by default, and no further
    /// than the builder's
    /// [`report_retention`](crate::MessageFeedbackBuilder::report_retention) of hours. A
    /// rule judges nothing before there is a day of it beside the last two hours.
    pub const fn past(mut self, past: Duration) -> Self {
        self.past = past;
        self
    }
}
