//! Times as text. Always UTC: the machines of a study need not share a time zone.

use chrono::{DateTime, SecondsFormat, Utc};

/// `2026-03-01T12:03:04.250Z` from milliseconds since the Unix epoch; `None`
/// beyond the calendar.
#[must_use]
pub fn iso8601(at_ms: u64) -> Option<String> {
    date_time(at_ms).map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// `12:03:04` from milliseconds since the Unix epoch.
#[must_use]
pub fn clock(at_ms: u64) -> String {
    let second = at_ms / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// `9.5s`, `2m 03s`, `1h 05m`, `3d 04h`: two units at most.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{:.1}s", seconds.max(0.0));
    }
    // `as` saturates, so neither infinity nor NaN is a problem.
    let seconds = seconds.round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if minutes < 60 {
        format!("{minutes}m {:02}s", seconds % 60)
    } else if hours < 24 {
        format!("{hours}h {:02}m", minutes % 60)
    } else {
        format!("{days}d {:02}h", hours % 24)
    }
}

fn date_time(at_ms: u64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(at_ms).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        assert_eq!(iso8601(0).as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(iso8601(1_772_366_584_250).as_deref(), Some("2026-03-01T12:03:04.250Z"));
        assert_eq!(iso8601(u64::MAX), None);
        assert_eq!(clock(1_772_366_584_250), "12:03:04");
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in [
            (0.04, "0.0s"),
            (9.46, "9.5s"),
            (59.96, "1m 00s"),
            (123.0, "2m 03s"),
            (3900.0, "1h 05m"),
            (273_600.0, "3d 04h"),
            (f64::NAN, "0m 00s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
