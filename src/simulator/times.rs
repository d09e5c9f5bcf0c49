use std::{
    fmt,
    ops::{
        Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive,
    },
};

/// How many times something is expected: a number or a range of them, wherever
/// [`Expectations`](super::Expectations) asks for `impl Into<Times>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    least: usize,
    /// `None`: as many as like.
    most: Option<usize>,
}

impl Times {
    pub(super) fn admits(self, count: usize) -> bool {
        count >= self.least && self.most.is_none_or(|most| count <= most)
    }

    fn of(range: &impl RangeBounds<usize>) -> Self {
        let least = match range.start_bound() {
            Bound::Included(&least) => least,
            Bound::Excluded(&below) => below.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let most = match range.end_bound() {
            Bound::Included(&most) => Some(most),
            // `0..0` admits nothing: neither does `1..=0`.
            Bound::Excluded(&0) => return Self { least: 1, most: Some(0) },
            Bound::Excluded(&above) => Some(above - 1),
            Bound::Unbounded => None,
        };
        Self { least, most }
    }
}

impl From<usize> for Times {
    fn from(exactly: usize) -> Self {
        Self::of(&(exactly..=exactly))
    }
}

macro_rules! from_range {
    ($($range:ty),*) => {$(
        impl From<$range> for Times {
            fn from(range: $range) -> Self {
                Self::of(&range)
            }
        }
    )*};
}

from_range!(
    Range<usize>,
    RangeFrom<usize>,
    RangeFull,
    RangeInclusive<usize>,
    RangeTo<usize>,
    RangeToInclusive<usize>
);

impl fmt::Display for Times {
    /// `2`, `1 to 2`, `at least 1`, `any number of`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, Some(most)) if least == most => write!(f, "{least}"),
            (0, Some(most)) => write!(f, "at most {most}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
            (0, None) => f.write_str("any number of"),
            (least, None) => write!(f, "at least {least}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_admits_what_it_contains() {
        let admitted = |times: Times| (0..6).filter(|&n| times.admits(n)).collect::<Vec<_>>();
        assert_eq!(admitted(2.into()), [2]);
        assert_eq!(admitted((1..3).into()), [1, 2]);
        assert_eq!(admitted((1..=3).into()), [1, 2, 3]);
        assert_eq!(admitted((4..).into()), [4, 5]);
        assert_eq!(admitted((..2).into()), [0, 1]);
        assert_eq!(admitted((..=2).into()), [0, 1, 2]);
        assert_eq!(admitted((..).into()), [0, 1, 2, 3, 4, 5]);
        assert_eq!(admitted((0..0).into()), [0usize; 0]);
        assert_eq!(admitted((..0).into()), [0usize; 0]);
        assert_eq!(admitted((3..3).into()), [0usize; 0]);
    }

    #[test]
    fn times_are_words_in_a_failure() {
        let text = |times: Times| times.to_string();
        assert_eq!(text(2.into()), "2");
        assert_eq!(text((1..4).into()), "1 to 3");
        assert_eq!(text((1..).into()), "at least 1");
        assert_eq!(text((..=3).into()), "at most 3");
        assert_eq!(text((..).into()), "any number of");
    }
}
