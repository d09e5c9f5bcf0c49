use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// Reads `SendAt`, an ISO 8601 time, as milliseconds since the Unix epoch.
///
/// A time without an offset is read as UTC.
pub(crate) fn parse_send_at(text: &str) -> Option<i64> {
    let timestamp = text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    })?;
    Some(timestamp.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_8601_is_read() {
        assert_eq!(parse_send_at("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(parse_send_at("1970-01-01T01:00:01+01:00"), Some(1000));
        assert_eq!(parse_send_at("1970-01-01T00:00:01.5Z"), Some(1500));
        assert_eq!(parse_send_at("1970-01-01T00:00:01"), Some(1000));
        assert_eq!(parse_send_at("tomorrow"), None);
        assert_eq!(parse_send_at("2016-12-31T23:59:60Z"), Some(1_483_228_799_000));
        assert_eq!(parse_send_at("2016-12-31T23:59:60"), Some(1_483_228_799_000));
    }
}
