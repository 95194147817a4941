//! The table of classes, for the terminal and for the page.

use crate::data::{ClassOverview, Overview};
use crate::results::time::duration;

/// Cells of a table; all but the first column are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassTable {
    /// What the columns hold.
    pub header: Vec<String>,
    /// A row a class.
    pub rows: Vec<Vec<String>>,
    /// All classes together.
    pub total: Vec<String>,
}

/// A row a class: tracks, examples where some track gave several, durations of
/// recordings, sizes of the parts, and what was skipped where something may be.
#[must_use]
pub fn class_table(overview: &Overview) -> ClassTable {
    let columns = Columns::of(overview);
    ClassTable {
        header: columns.header(overview),
        rows: overview.classes.iter().map(|class| columns.cells(class)).collect(),
        total: columns.cells(&overview.total),
    }
}

struct Columns {
    examples: bool,
    durations: Durations,
    skipped: bool,
}

/// How the durations of recordings are told.
#[derive(PartialEq, Eq)]
enum Durations {
    /// There are none.
    None,
    /// All recordings are equally long.
    Same,
    /// From the shortest to the longest.
    Range,
}

impl Columns {
    fn of(overview: &Overview) -> Self {
        let durations = match overview.total.lengths {
            None => Durations::None,
            Some(all) if duration(all.shortest_seconds) == duration(all.longest_seconds) => {
                Durations::Same
            }
            Some(_) => Durations::Range,
        };
        // Rows of a table are used, or the table is refused.
        Self { examples: overview.has_slices(), durations, skipped: overview.unit != "rows" }
    }

    fn header(&self, overview: &Overview) -> Vec<String> {
        let mut header = vec!["class", overview.unit];
        header.extend(self.examples.then_some("examples"));
        header.extend(match self.durations {
            Durations::None => &[][..],
            Durations::Same => &["duration", "each"],
            Durations::Range => &["duration", "shortest", "median", "longest"],
        });
        header.extend(overview.parts.iter().map(String::as_str));
        header.extend(self.skipped.then_some("skipped"));
        header.into_iter().map(str::to_owned).collect()
    }

    fn cells(&self, class: &ClassOverview) -> Vec<String> {
        let mut cells = vec![class.name.clone(), class.tracks.to_string()];
        cells.extend(self.examples.then(|| class.examples.to_string()));
        let told = |seconds: fn(&crate::data::Lengths) -> f64| match &class.lengths {
            Some(lengths) => duration(seconds(lengths)),
            None => "-".to_owned(),
        };
        cells.extend(match self.durations {
            Durations::None => Vec::new(),
            Durations::Same => {
                vec![told(|all| all.total_seconds), told(|all| all.median_seconds)]
            }
            Durations::Range => vec![
                told(|all| all.total_seconds),
                told(|all| all.shortest_seconds),
                told(|all| all.median_seconds),
                told(|all| all.longest_seconds),
            ],
        });
        cells.extend(class.parts.iter().map(u64::to_string));
        cells.extend(self.skipped.then(|| class.skipped.to_string()));
        cells
    }
}
