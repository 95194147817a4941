//! Sizes and lengths of time as people write them: `20GB`, `1.5 GiB`, `30d`.

use std::time::Duration;

const SIZES: [(&str, f64); 10] = [
    ("b", 1.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("tb", 1e12),
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
    ("", 1.0),
];

const TIMES: [(&str, f64); 5] =
    [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 604_800.0)];

/// Longest time: a century.
const MAX_SECONDS: f64 = 3.2e9;

/// Reads a number of bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = parts(text);
    let unit = unit.to_lowercase();
    let factor = SIZES.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    match (number.parse::<f64>(), factor) {
        // Only 0 is a size without a unit: what else would be meant?
        (Ok(number), Some(_)) if unit.is_empty() && number != 0.0 => {
            Err(format!("it has no unit; write `{number}GB` or `{number}MB`"))
        }
        // `as` saturates.
        (Ok(number), Some(factor)) if number >= 0.0 => Ok((number * factor).round() as u64),
        (_, _) => Err("expected a size such as 20GB, 500MB or 1.5GiB".to_owned()),
    }
}

/// Reads a length of time.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = parts(text);
    let factor = TIMES.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    match (number.parse::<f64>(), factor) {
        (Ok(number), None) if unit.is_empty() => {
            Err(format!("it has no unit; write `{number}d` for days"))
        }
        (Ok(number), Some(factor)) if (0.0..=MAX_SECONDS).contains(&(number * factor)) => {
            Ok(Duration::from_secs_f64(number * factor))
        }
        (_, _) => Err("expected a time such as 30d, 2w, 12h, 90m or 45s".to_owned()),
    }
}

/// The number in front and what follows it.
fn parts(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    (number, unit.trim())
}

/// `12.3 MB`, in three digits or so.
pub(super) fn shown(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let digits = if size < 99.95 { 1 } else { 0 };
    format!("{size:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("0", 0),
            ("20GB", 20_000_000_000),
            ("1.5 GiB", 1_610_612_736),
            ("500mb", 500_000_000),
            ("7 B", 7),
            ("99999999999TB", u64::MAX),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!(size("20"), Err("it has no unit; write `20GB` or `20MB`".to_owned()));
        for text in ["", "GB", "-1GB", "1.2.3GB", "1 apple", "1e9", "NaN", "inf GB"] {
            assert_eq!(size(text), Err("expected a size such as 20GB, 500MB or 1.5GiB".to_owned()));
        }
    }

    #[test]
    fn times_have_units() {
        for (text, seconds) in [("30d", 2_592_000), ("2 w", 1_209_600), ("1.5h", 5400), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("30"), Err("it has no unit; write `30d` for days".to_owned()));
        for text in ["", "d", "-1d", "1y", "99999999999w"] {
            assert_eq!(
                duration(text),
                Err("expected a time such as 30d, 2w, 12h, 90m or 45s".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (99_960, "100 kB"),
            (999_600, "1.0 MB"),
            (12_345_678, "12.3 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }
}
