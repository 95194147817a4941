//! A strict reader of Prometheus's text format, version 0.0.4, that also holds
//! names and units to Prometheus's conventions. It panics at what is wrong.

use std::collections::{BTreeMap, HashSet};

/// All metrics of one name.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

/// One line.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// What a page says, by name.
#[derive(Debug)]
pub(crate) struct Page(BTreeMap<String, Family>);

impl Page {
    pub(crate) fn read(text: &str) -> Self {
        assert!(text.ends_with('\n') && !text.contains('\r'), "lines end with a line break");
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let (name, help) = after(line, "# HELP ").split_once(' ').expect("a help text");
            assert!(is_name(name) && name.starts_with("sweep_"), "{line}");
            assert!(help.ends_with('.') && help.trim() == help, "a sentence: {line}");
            let line = lines.next().expect("a type after the help text");
            let (typed, kind) = after(line, "# TYPE ").split_once(' ').expect("a type");
            assert_eq!(typed, name, "the type follows the help text");
            let mut family = Family { kind: kind.to_owned(), samples: Vec::new() };
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                family.samples.push(sample(line));
            }
            check(name, &family);
            assert!(families.insert(name.to_owned(), family).is_none(), "{name} comes twice");
        }
        Self(families)
    }

    pub(crate) fn family(&self, name: &str) -> &Family {
        self.0.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The value of a family's sample with these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut samples = self.family(name).samples.iter();
        let sample = samples.find(|sample| sample.labels == labels);
        sample.unwrap_or_else(|| panic!("no {name} with {labels:?}")).value
    }

    /// The sum over all labels.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.family(name).samples.iter().map(|sample| sample.value).sum()
    }
}

fn after<'a>(line: &'a str, start: &str) -> &'a str {
    line.strip_prefix(start).unwrap_or_else(|| panic!("expected `{start}`: {line}"))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.contains("__")
        && !name.ends_with('_')
}

fn sample(line: &str) -> Sample {
    let (labelled, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = match labelled.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("a closing brace")),
        None => (labelled, ""),
    };
    assert!(is_name(name), "{line}");
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().unwrap_or_else(|_| panic!("no number: {line}")),
    };
    Sample { name: name.to_owned(), labels: read_labels(labels), value }
}

/// `a="x",b="y"`, with `\\`, `\"` and `\n` escaped.
fn read_labels(mut text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"").expect("a label");
        assert!(is_name(name), "{name}");
        let mut value = String::new();
        let mut letters = rest.char_indices();
        let end = loop {
            match letters.next().expect("a closing quotation mark") {
                (end, '"') => break end,
                (_, '\\') => value.push(match letters.next().expect("an escaped letter").1 {
                    '\\' => '\\',
                    '"' => '"',
                    'n' => '\n',
                    other => panic!("unknown escape \\{other}"),
                }),
                (_, letter) => value.push(letter),
            }
        };
        assert!(labels.insert(name.to_owned(), value).is_none(), "{name} comes twice");
        text = &rest[end + 1..];
        if let Some(next) = text.strip_prefix(',') {
            assert!(!next.is_empty(), "nothing after a comma");
            text = next;
        }
    }
    labels
}

fn check(name: &str, family: &Family) {
    assert!(!family.samples.is_empty(), "{name} has no sample");
    let mut seen = HashSet::new();
    for sample in &family.samples {
        assert!(seen.insert((&sample.name, &sample.labels)), "{sample:?} comes twice");
    }
    assert_eq!(name.ends_with("_total"), family.kind == "counter", "{name} {}", family.kind);
    for unit in ["_ms", "milliseconds", "minutes", "_mb", "kilobytes"] {
        assert!(!name.contains(unit), "{name}: not a base unit");
    }
    match family.kind.as_str() {
        "counter" | "gauge" => {
            for sample in &family.samples {
                assert_eq!(sample.name, name);
                assert!(family.kind == "gauge" || sample.value >= 0.0, "{sample:?}");
            }
        }
        "histogram" => check_histogram(name, family),
        other => panic!("{name}: {other}"),
    }
}

/// One without labels of its own.
fn check_histogram(name: &str, family: &Family) {
    assert!(name.ends_with("_seconds") || name.ends_with("_bytes"), "{name} has a unit");
    let (buckets, rest): (Vec<_>, Vec<_>) =
        family.samples.iter().partition(|sample| sample.name == format!("{name}_bucket"));
    let buckets: Vec<(f64, f64)> = buckets
        .into_iter()
        .map(|sample| {
            assert_eq!(sample.labels.len(), 1, "{sample:?}");
            let bound = sample.labels["le"].as_str();
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect(bound) };
            (bound, sample.value)
        })
        .collect();
    assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "cumulative: {buckets:?}");
    let names: Vec<&str> = rest.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names, [format!("{name}_sum"), format!("{name}_count")]);
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, rest[1].value)));
}

#[test]
fn what_breaks_the_format_or_the_conventions_is_noticed() {
    let page = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let good = ["# HELP sweep_a_total Help.", "# TYPE sweep_a_total counter", "sweep_a_total 1"];
    assert_eq!(Page::read(&page(&good)).value("sweep_a_total", &[]), 1.0);
    for (position, line) in [
        (0, "# HELP sweep_b_total Help."),
        (0, "# HELP sweep_a_total help without an end"),
        (1, "# TYPE sweep_a_total gauge"),
        (2, "sweep_a 1"),
        (2, "sweep_a_total one"),
        (2, "sweep_a_total -1"),
        (2, "sweep_a_total{a=\"x\",} 1"),
        (2, "sweep_a_total{a=\"\\x\"} 1"),
        (2, ""),
    ] {
        let mut lines = good;
        lines[position] = line;
        let text = page(&lines);
        assert!(std::panic::catch_unwind(|| Page::read(&text)).is_err(), "{text}");
    }
}
