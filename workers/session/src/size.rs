//! Sizes as people write them: `20GB`, `1.5GiB`.

const UNITS: [(&str, f64); 9] = [
    ("b", 1.0),
    ("kb", 1e3),
    ("mb", 1e6),
    ("gb", 1e9),
    ("tb", 1e12),
    ("kib", 1024.0),
    ("mib", 1_048_576.0),
    ("gib", 1_073_741_824.0),
    ("tib", 1_099_511_627_776.0),
];

/// Reads a number of bytes, as `sweep cache prune --max-size` does.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit.trim().to_lowercase();
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    match (number.parse::<f64>(), factor) {
        // `as` saturates.
        (Ok(number), Some(factor)) if number >= 0.0 => Ok((number * factor).round() as u64),
        // Only 0 is a size without a unit: what else would be meant?
        (Ok(number), None) if unit.is_empty() && number == 0.0 => Ok(0),
        (Ok(number), None) if unit.is_empty() => {
            Err(format!("it has no unit; write `{number}GB` or `{number}MB`"))
        }
        (_, _) => Err("expected a size such as 20GB, 500MB or 1.5GiB".to_owned()),
    }
}

/// `1.5 GB`, in three digits or so.
pub(crate) fn shown(bytes: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let size = bytes as f64;
    match units.into_iter().find(|(_, factor)| size >= 0.9995 * factor) {
        Some((unit, factor)) => format!("{:.1} {unit}", size / factor),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, expected) in [
            ("20GB", Ok(20_000_000_000)),
            ("1.5 GiB", Ok(1_610_612_736)),
            ("0", Ok(0)),
            ("5b", Ok(5)),
            ("50", Err("it has no unit; write `50GB` or `50MB`".to_owned())),
            ("much", Err("expected a size such as 20GB, 500MB or 1.5GiB".to_owned())),
            ("-1GB", Err("expected a size such as 20GB, 500MB or 1.5GiB".to_owned())),
        ] {
            assert_eq!(parse_size(text), expected, "{text}");
        }
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1500, "1.5 kB"),
            (999_900_000, "1.0 GB"),
            (12 << 40, "13.2 TB"),
        ] {
            assert_eq!(shown(bytes), expected);
        }
    }
}
