//! What was prepared, for programs.

use serde_json::{Map, Value, json};

use super::Findings;
use crate::data::{ClassOverview, Lengths, SoundFormat};

impl Findings<'_> {
    pub(super) fn json(&self) -> String {
        let Self { experiment, prepared, overview, seconds, report } = *self;
        let manifest = &prepared.manifest;
        let class = |class: &ClassOverview| {
            let mut fields = Map::from_iter([("class".to_owned(), json!(class.name))]);
            fields.extend(counts(class, &overview.parts));
            fields
        };
        let format = |format: &SoundFormat| {
            let SoundFormat { sample_rate, channels, recordings } = *format;
            json!({ "sample_rate": sample_rate, "channels": channels, "recordings": recordings })
        };
        let object = json!({
            "study": experiment.settings.study,
            "dataset": manifest.digest,
            "folder": prepared.path,
            "cached": prepared.cached,
            "seconds": (seconds * 1e3).round() / 1e3,
            "report": report,
            "input_shape": manifest.input_shape,
            "unit": overview.unit,
            "classes": overview.classes.iter().map(class).collect::<Vec<_>>(),
            "total": counts(&overview.total, &overview.parts),
            "formats": overview.formats.iter().map(format).collect::<Vec<_>>(),
            "skipped": manifest.skipped,
        });
        let text = serde_json::to_string_pretty(&object).expect("plain values are JSON");
        text + "\n"
    }
}

/// What there is of a class, or of all; lengths are there for recordings only.
fn counts(class: &ClassOverview, parts: &[String]) -> Map<String, Value> {
    let sizes: Map<String, Value> =
        parts.iter().cloned().zip(class.parts.iter().map(|&size| size.into())).collect();
    let mut fields = Map::from_iter([
        ("tracks".to_owned(), json!(class.tracks)),
        ("examples".to_owned(), json!(class.examples)),
        ("parts".to_owned(), Value::Object(sizes)),
        ("skipped".to_owned(), json!(class.skipped)),
    ]);
    if let Some(lengths) = class.lengths {
        let Lengths {
            total_seconds,
            clipped_seconds,
            shortest_seconds,
            median_seconds,
            longest_seconds,
        } = lengths;
        let seconds = json!({
            "total": total_seconds,
            "clipped": clipped_seconds,
            "shortest": shortest_seconds,
            "median": median_seconds,
            "longest": longest_seconds,
        });
        fields.insert("seconds".to_owned(), seconds);
    }
    fields
}
