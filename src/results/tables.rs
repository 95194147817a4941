//! A study as tables: `trials`, `executions`, `measurements`, each as CSV and
//! as Parquet.
//!
//! The same study gives the same bytes. A metric that is not a number is an
//! empty cell (null in Parquet), as is one that was not reported. Every row
//! carries the seed, the dataset's digest and the version of `sweep`, so that
//! tables of several studies can be stacked.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use polars::error::PolarsError;
use polars::prelude::{Column, CsvWriter, DataFrame, ParquetWriter, SerWriter};

use super::atomic::{WriteError, write_atomically};
use super::columns::{Names, hyperparameter_columns};
use super::facts::{
    attempt_seconds, execution_state, outcome_message, outcome_name, trial_attempts, trial_seconds,
    trial_workers,
};
use super::pareto::objective_values;
use super::time::iso8601;
use crate::data::fold_name;
use crate::space::Space;
use crate::study::{Attempt, Execution, Measurement, Metrics, Stage, Study, Trial};

/// Where a study's numbers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The seed of the search.
    pub seed: u64,
    /// Digest of the prepared dataset, lower-case hexadecimal.
    pub dataset_digest: String,
    /// Version of `sweep`.
    pub version: String,
}

/// Tables that could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// Polars refused the columns.
    #[error("cannot make the table `{table}`: {source}")]
    Table {
        /// `trials`, `executions` or `measurements`.
        table: &'static str,
        /// Why.
        source: PolarsError,
    },
    /// A file could not be written; the former one is unchanged.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Columns that every table ends with.
const PROVENANCE: [&str; 3] = ["seed", "dataset", "sweep_version"];

/// Writes `trials`, `executions` and `measurements`, each as `.csv` and
/// `.parquet`, each file whole or not at all.
///
/// - `directory`: the run directory; it exists
///
/// # Errors
///
/// The first file that could not be written, with the reason; it is then as it
/// was before.
pub fn write_tables(
    study: &Study,
    space: &Space,
    provenance: &Provenance,
    directory: &Path,
) -> Result<(), TablesError> {
    let trials: Vec<&Trial> = study.trials.iter().collect();
    for (name, mut table) in [
        ("trials", trials_table(study, space, provenance, &trials)?),
        ("executions", executions_table(study, provenance)?),
        ("measurements", measurements_table(study, provenance)?),
    ] {
        let csv = directory.join(format!("{name}.csv"));
        write_atomically(&csv, |file| write_csv(&mut table, file))?;
        let parquet = directory.join(format!("{name}.parquet"));
        write_atomically(&parquet, |file| write_parquet(&mut table, file))?;
    }
    Ok(())
}

/// One row a trial. Columns of names, of several objectives, and of a schedule
/// (bracket, round, epochs, and the trial that it was promoted from) are there
/// only if the study has such.
///
/// - `trials`: the rows, in this order; trials of `study`
///
/// # Errors
///
/// [`TablesError::Table`] when Polars refuses the columns.
pub fn trials_table(
    study: &Study,
    space: &Space,
    provenance: &Provenance,
    trials: &[&Trial],
) -> Result<DataFrame, TablesError> {
    let fixed = ["trial", "state", "score", "seconds", "worker", "attempts", "error"];
    let mut names = Names::new(&[&fixed[..], &PROVENANCE].concat());
    let mut columns = vec![column("trial", trials, |trial| trial.id.0)];
    if study.trials.iter().any(|trial| trial.name.is_some()) {
        let header = names.own("name");
        columns.push(column(header, trials, |trial| trial.name.clone()));
    }
    columns.extend([
        column("state", trials, |trial| trial.state.to_string()),
        column("score", trials, |trial| trial.score.and_then(number)),
    ]);
    columns.extend(objective_columns(study, trials, &mut names));
    columns.extend(stage_columns(study, trials, &mut names));
    columns.extend(hyperparameter_columns(study, space, trials, &mut names));
    columns.extend([
        column("seconds", trials, |trial| trial_seconds(trial)),
        column("worker", trials, |trial| trial_workers(trial)),
        column("attempts", trials, |trial| trial_attempts(trial)),
        column("error", trials, |trial| trial.error.clone()),
    ]);
    table("trials", trials.len(), columns, provenance)
}

/// What trials reached in each of several objectives; nothing if there is one.
fn objective_columns(study: &Study, trials: &[&Trial], names: &mut Names) -> Vec<Column> {
    let objective = &study.settings.objective;
    if objective.terms.is_empty() {
        return Vec::new();
    }
    let values: Vec<Option<Vec<f64>>> =
        trials.iter().map(|trial| objective_values(trial, objective)).collect();
    let metrics: Vec<&str> = objective.metrics().map(|(metric, _)| metric).collect();
    let headers = names.assign(&metrics, "metric_");
    headers
        .iter()
        .zip(0..)
        .map(|(header, index)| {
            column(header, &values, |values| values.as_ref().map(|values| values[index]))
        })
        .collect()
}

/// Places in a schedule; nothing where no trial has one.
fn stage_columns(study: &Study, trials: &[&Trial], names: &mut Names) -> Vec<Column> {
    if study.trials.iter().all(|trial| trial.stage.is_none()) {
        return Vec::new();
    }
    let mut stage_column = |name, cell: fn(&Stage) -> Option<u32>| {
        column(names.own(name), trials, |trial| trial.stage.as_ref().and_then(cell))
    };
    vec![
        stage_column("bracket", |stage| Some(stage.bracket)),
        stage_column("round", |stage| Some(stage.round)),
        stage_column("epochs", |stage| Some(stage.epochs)),
        stage_column("promoted_from", |stage| stage.promoted_from.map(|source| source.0)),
    ]
}

/// One row an execution.
///
/// `attempt`, `worker`, `epochs` and what follows are those of the attempt that
/// counts or, before there is one, of the latest. `fold`, only with
/// cross-validation, is the part in `splits.csv` that it validates on. `best_<objective>` is the
/// objective's best value, and `<metric>_at_best_epoch` every other metric at
/// the same epoch.
///
/// # Errors
///
/// [`TablesError::Table`] when Polars refuses the columns.
pub fn executions_table(study: &Study, provenance: &Provenance) -> Result<DataFrame, TablesError> {
    struct Row<'a> {
        trial: &'a Trial,
        index: u32,
        execution: &'a Execution,
        attempt: Option<&'a Attempt>,
        best: Option<(&'a Measurement, f64)>,
    }

    let objective = &study.settings.objective;
    let rows: Vec<Row<'_>> = executions(study)
        .map(|(trial, index, execution)| {
            let attempt = execution.current();
            let best = attempt.and_then(|attempt| attempt.best(objective));
            Row { trial, index, execution, attempt, best }
        })
        .collect();

    let fixed = [
        "trial",
        "execution",
        "state",
        "attempt",
        "attempts",
        "worker",
        "epochs",
        "best_epoch",
        "started",
        "ended",
        "seconds",
        "outcome",
        "error",
    ];
    let mut names = Names::new(&[&fixed[..], &PROVENANCE].concat());
    let mut columns = vec![
        column("trial", &rows, |row| row.trial.id.0),
        column("execution", &rows, |row| row.index),
    ];
    if study.settings.folds.is_some() {
        let header = names.own("fold");
        columns.push(column(header, &rows, |row| fold_name(row.index + 1)));
    }
    columns.extend([
        column("state", &rows, |row| execution_state(row.trial, row.execution).to_string()),
        column("attempt", &rows, |row| row.attempt.map(|attempt| attempt.number)),
        column("attempts", &rows, |row| row.execution.attempts.len() as u32),
        column("worker", &rows, |row| row.attempt.map(|attempt| attempt.worker.clone())),
        column("epochs", &rows, |row| row.attempt.map(|attempt| attempt.measurements.len() as u32)),
        column("best_epoch", &rows, |row| row.best.map(|(measurement, _)| measurement.epoch)),
    ]);
    let best = names.assign(&[&format!("best_{}", objective.metric)], "metric_").remove(0);
    columns.push(column(&best, &rows, |row| row.best.map(|(_, value)| value)));
    let others: Vec<&str> =
        metric_names(study).into_iter().filter(|name| *name != objective.metric).collect();
    let headers: Vec<String> = others.iter().map(|name| format!("{name}_at_best_epoch")).collect();
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    for (name, header) in others.iter().zip(names.assign(&headers, "metric_")) {
        columns.push(column(&header, &rows, |row| {
            row.best.and_then(|(measurement, _)| measurement.get(name)).and_then(number)
        }));
    }
    columns.extend([
        column("started", &rows, |row| row.attempt.and_then(|attempt| iso8601(attempt.started_ms))),
        column("ended", &rows, |row| row.attempt.and_then(|attempt| iso8601(attempt.ended_ms?))),
        column("seconds", &rows, |row| row.attempt.and_then(attempt_seconds)),
        column("outcome", &rows, |row| {
            row.attempt.and_then(|attempt| attempt.outcome.as_ref()).map(outcome_name)
        }),
        column("error", &rows, |row| {
            row.attempt.and_then(|attempt| attempt.outcome.as_ref()).and_then(outcome_message)
        }),
    ]);
    table("executions", rows.len(), columns, provenance)
}

/// One row an epoch of an execution, ordered by trial, execution and epoch:
/// the epochs of the attempt that counts or, before there is one, of the latest.
///
/// # Errors
///
/// [`TablesError::Table`] when Polars refuses the columns.
pub fn measurements_table(
    study: &Study,
    provenance: &Provenance,
) -> Result<DataFrame, TablesError> {
    struct Row<'a> {
        trial: u32,
        execution: u32,
        attempt: u32,
        measurement: &'a Measurement,
    }

    let mut rows = Vec::new();
    for (trial, execution, attempt) in attempts(study) {
        rows.extend(attempt.measurements.iter().map(|measurement| Row {
            trial: trial.id.0,
            execution,
            attempt: attempt.number,
            measurement,
        }));
    }

    let fixed = ["trial", "execution", "attempt", "epoch", "seconds"];
    let mut names = Names::new(&[&fixed[..], &PROVENANCE].concat());
    let mut columns = vec![
        column("trial", &rows, |row| row.trial),
        column("execution", &rows, |row| row.execution),
        column("attempt", &rows, |row| row.attempt),
        column("epoch", &rows, |row| row.measurement.epoch),
    ];
    let metrics = metric_names(study);
    for (metric, header) in metrics.iter().zip(names.assign(&metrics, "metric_")) {
        let value = Metrics::getter(metric);
        columns
            .push(column(&header, &rows, |row| value(&row.measurement.metrics).and_then(number)));
    }
    columns.push(column("seconds", &rows, |row| number(row.measurement.seconds)));
    table("measurements", rows.len(), columns, provenance)
}

/// A table as CSV: a header row, commas, quotes where needed, `true` and
/// `false`, the shortest digits that read back equal, empty where there is
/// nothing.
///
/// # Errors
///
/// What `writer` returns.
pub fn write_csv(table: &mut DataFrame, writer: impl Write) -> io::Result<()> {
    // One thread: the tables are small, and training needs the cores.
    CsvWriter::new(writer).n_threads(1).finish(table).map_err(into_io)
}

fn write_parquet(table: &mut DataFrame, file: &mut File) -> io::Result<()> {
    let mut writer = BufWriter::new(Remembering { writer: file, kind: None });
    let written = ParquetWriter::new(&mut writer).set_parallel(false).finish(table);
    let kind = writer.get_ref().kind;
    written.map_err(|error| match kind {
        Some(kind) => io::Error::new(kind, error),
        None => into_io(error),
    })?;
    writer.flush()
}

/// Remembers why writing failed, which is only words once it has been through
/// Polars's Parquet.
struct Remembering<W> {
    writer: W,
    kind: Option<io::ErrorKind>,
}

impl<W: Write> Write for Remembering<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes).inspect_err(|error| self.kind = Some(error.kind()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().inspect_err(|error| self.kind = Some(error.kind()))
    }
}

/// Keeps the kind of the error, so that a full disk is seen as one.
fn into_io(error: PolarsError) -> io::Error {
    match error {
        PolarsError::IO { error, .. } => io::Error::new(error.kind(), error),
        other => io::Error::other(other),
    }
}

fn column<'a, Row, Cell, Phantom: ?Sized>(
    name: &str,
    rows: &'a [Row],
    cell: impl Fn(&'a Row) -> Cell,
) -> Column
where
    polars::prelude::Series: polars::prelude::NamedFrom<Vec<Cell>, Phantom>,
{
    Column::new(name.into(), rows.iter().map(cell).collect::<Vec<Cell>>())
}

fn table(
    name: &'static str,
    height: usize,
    mut columns: Vec<Column>,
    provenance: &Provenance,
) -> Result<DataFrame, TablesError> {
    let [seed, dataset, version] = PROVENANCE;
    columns.extend([
        Column::new(seed.into(), vec![provenance.seed; height]),
        Column::new(dataset.into(), vec![provenance.dataset_digest.as_str(); height]),
        Column::new(version.into(), vec![provenance.version.as_str(); height]),
    ]);
    DataFrame::new(height, columns).map_err(|source| TablesError::Table { table: name, source })
}

fn executions(study: &Study) -> impl Iterator<Item = (&Trial, u32, &Execution)> {
    study.trials.iter().flat_map(|trial| {
        trial.executions.iter().zip(0..).map(move |(execution, index)| (trial, index, execution))
    })
}

/// The attempts that stand for executions.
fn attempts(study: &Study) -> impl Iterator<Item = (&Trial, u32, &Attempt)> {
    executions(study)
        .filter_map(|(trial, index, execution)| Some((trial, index, execution.current()?)))
}

/// Names of all metrics, in the order of their first appearance.
fn metric_names(study: &Study) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let mut last: Option<&Metrics> = None;
    for measurement in attempts(study).flat_map(|(_, _, attempt)| &attempt.measurements) {
        let metrics = &measurement.metrics;
        if last.is_some_and(|last| last.shares_names_with(metrics)) {
            continue;
        }
        for (name, _) in metrics.iter() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        last = Some(metrics);
    }
    names
}

fn number(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use polars::prelude::{ParquetReader, SerReader};

    use super::*;
    use crate::results::testing::{busy_study, space, staged_study, study, trial, two_objectives};
    use crate::space::{HyperParameter, Kind, Value};

    fn provenance() -> Provenance {
        Provenance { seed: 2, dataset_digest: "0123abcd".to_owned(), version: "0.1.0".to_owned() }
    }

    fn csv(mut table: DataFrame) -> String {
        let mut bytes = Vec::new();
        write_csv(&mut table, &mut bytes).expect("memory takes everything");
        String::from_utf8(bytes).expect("tables are UTF-8")
    }

    #[test]
    fn trials_as_csv() {
        let study = busy_study();
        let trials: Vec<&Trial> = study.trials.iter().collect();
        let table = trials_table(&study, &space(), &provenance(), &trials).expect("a table");
        assert_eq!(
            csv(table),
            "\
trial,state,score,units,lr,activation,normalize,depth,seconds,worker,attempts,error,seed,dataset,sweep_version
0,completed,0.6875,64,0.001,relu,false,4,20.0,local-1 local-2,2,,2,0123abcd,0.1.0
1,failed,,128,0.00001,tanh,false,4,3.0,local-1,1,\"layer 3 `conv2d`: needs 3 rows, \"\"got\"\" 2,
so it has no output\",2,0123abcd,0.1.0
2,completed,0.875,16,0.05,relu,false,4,40.0,local-2 node-7,3,,2,0123abcd,0.1.0
3,running,,32,0.01,tanh,false,4,,local-1,1,,2,0123abcd,0.1.0
"
        );
    }

    #[test]
    fn objectives_names_and_stages_have_columns_where_there_are_some() {
        let rows = |study: &Study| {
            let mut space = space();
            space.hyperparameters.truncate(1);
            space.hyperparameters[0].name = "round".to_owned();
            let trials: Vec<&Trial> = study.trials.iter().collect();
            let table = trials_table(study, &space, &provenance(), &trials).expect("a table");
            let text = csv(table);
            text.lines()
                .map(|line| line.split(",64").next().unwrap_or_default().to_owned())
                .collect::<Vec<_>>()
        };
        let staged = rows(&staged_study());
        assert!(
            staged[0].starts_with(
                "trial,name,state,score,bracket,round,epochs,promoted_from,hyperparameter_round,"
            ),
            "{}",
            staged[0]
        );
        assert_eq!(staged[1], "0,,completed,0.5,2,0,3,,");
        assert_eq!(staged[2], "1,,running,,2,1,9,0,");
        assert!(staged[3].starts_with("2,B-2,stopped,0.125,,,,,,16"), "{}", staged[3]);
        let several = rows(&two_objectives());
        assert!(
            several[0].starts_with("trial,state,score,val_accuracy,loss,round,units,"),
            "{}",
            several[0]
        );
        assert_eq!(several[1], "0,completed,-0.375,0.625,0.5,");
    }

    #[test]
    fn executions_as_csv() {
        let table = executions_table(&busy_study(), &provenance()).expect("a table");
        assert_eq!(
            csv(table),
            "\
trial,execution,state,attempt,attempts,worker,epochs,best_epoch,best_val_accuracy,loss_at_best_epoch,started,ended,seconds,outcome,error,seed,dataset,sweep_version
0,0,finished,1,1,local-1,3,2,0.75,0.5,2026-03-01T12:00:00.000Z,2026-03-01T12:00:10.000Z,10.0,finished,,2,0123abcd,0.1.0
0,1,finished,1,1,local-2,2,1,0.625,1.0,2026-03-01T12:00:00.000Z,2026-03-01T12:00:10.000Z,10.0,finished,,2,0123abcd,0.1.0
1,0,failed,1,1,local-1,0,,,,2026-03-01T12:00:00.000Z,2026-03-01T12:00:03.000Z,3.0,error,\"layer 3 `conv2d`: needs 3 rows, \"\"got\"\" 2,
so it has no output\",2,0123abcd,0.1.0
1,1,failed,,0,,,,,,,,,,,2,0123abcd,0.1.0
2,0,finished,1,1,local-2,1,1,0.8125,1.0,2026-03-01T12:00:00.000Z,2026-03-01T12:00:10.000Z,10.0,finished,,2,0123abcd,0.1.0
2,1,finished,2,2,node-7,2,2,0.9375,0.5,2026-03-01T12:00:00.000Z,2026-03-01T12:00:30.000Z,30.0,finished,,2,0123abcd,0.1.0
3,0,running,1,1,local-1,1,1,0.375,1.0,2026-03-01T12:00:00.000Z,,,,,2,0123abcd,0.1.0
3,1,waiting,,0,,,,,,,,,,,2,0123abcd,0.1.0
"
        );
    }

    #[test]
    fn with_folds_an_execution_has_the_name_of_its_part() {
        let mut study = busy_study();
        study.settings.folds = Some(2);
        let table = executions_table(&study, &provenance()).expect("a table");
        let text = csv(table);
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].starts_with("trial,execution,fold,state,"), "{}", rows[0]);
        assert!(rows[1].starts_with("0,0,fold-1,finished,"), "{}", rows[1]);
        assert!(rows[2].starts_with("0,1,fold-2,finished,"), "{}", rows[2]);
    }

    #[test]
    fn measurements_as_csv() {
        let table = measurements_table(&busy_study(), &provenance()).expect("a table");
        assert_eq!(
            csv(table),
            "\
trial,execution,attempt,epoch,loss,val_accuracy,seconds,seed,dataset,sweep_version
0,0,1,1,1.0,0.25,1.25,2,0123abcd,0.1.0
0,0,1,2,0.5,0.75,1.25,2,0123abcd,0.1.0
0,0,1,3,0.3333333333333333,0.5,1.25,2,0123abcd,0.1.0
0,1,1,1,1.0,0.625,1.25,2,0123abcd,0.1.0
0,1,1,2,0.5,0.5,1.25,2,0123abcd,0.1.0
2,0,1,1,1.0,0.8125,1.25,2,0123abcd,0.1.0
2,1,2,1,1.0,,1.25,2,0123abcd,0.1.0
2,1,2,2,0.5,0.9375,1.25,2,0123abcd,0.1.0
3,0,1,1,1.0,0.375,1.25,2,0123abcd,0.1.0
"
        );
    }

    #[test]
    fn names_that_mean_something_else_are_prefixed() {
        let mut study = study();
        let mut space = space();
        space.hyperparameters.truncate(1);
        space.hyperparameters.push(HyperParameter {
            name: "seed".to_owned(),
            kind: Kind::Fixed(Value::Int(9)),
            when: Vec::new(),
        });
        study.trials = vec![trial(0, &[("units", Value::Int(16)), ("seed", Value::Int(9))])];
        let trials: Vec<&Trial> = study.trials.iter().collect();
        let table = trials_table(&study, &space, &provenance(), &trials).expect("a table");
        assert_eq!(
            csv(table),
            "\
trial,state,score,units,hyperparameter_seed,seconds,worker,attempts,error,seed,dataset,sweep_version
0,waiting,,16,9,,,0,,2,0123abcd,0.1.0
"
        );
    }

    #[test]
    fn a_study_without_trials_has_tables_with_headers_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_tables(&study(), &space(), &provenance(), folder.path()).expect("written");
        let text = fs::read_to_string(folder.path().join("measurements.csv")).expect("there");
        assert_eq!(text, "trial,execution,attempt,epoch,seconds,seed,dataset,sweep_version\n");
        let text = fs::read_to_string(folder.path().join("trials.csv")).expect("there");
        assert_eq!(text.lines().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_seen_as_one() {
        let mut table = measurements_table(&busy_study(), &provenance()).expect("a table");
        let full = || File::options().write(true).open("/dev/full").expect("Linux has it");
        let csv = write_csv(&mut table, full()).expect_err("there is never room");
        assert_eq!(csv.kind(), io::ErrorKind::StorageFull);
        let parquet = write_parquet(&mut table, &mut full()).expect_err("there is never room");
        assert_eq!(parquet.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn parquet_reads_back_as_the_table_and_files_are_the_same_every_time() {
        let study = busy_study();
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
        for folder in &folders {
            write_tables(&study, &space(), &provenance(), folder.path()).expect("written");
        }
        let mut names: Vec<_> = fs::read_dir(folders[0].path())
            .expect("there")
            .map(|entry| entry.expect("readable").file_name())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "executions.csv",
                "executions.parquet",
                "measurements.csv",
                "measurements.parquet",
                "trials.csv",
                "trials.parquet"
            ]
        );
        for name in names {
            let [one, two] = folders
                .each_ref()
                .map(|folder| fs::read(folder.path().join(&name)).expect("there"));
            assert_eq!(one, two, "{name:?}");
        }
        let file = File::open(folders[0].path().join("trials.parquet")).expect("there");
        let read = ParquetReader::new(file).finish().expect("a whole file");
        let trials: Vec<&Trial> = study.trials.iter().collect();
        let table = trials_table(&study, &space(), &provenance(), &trials).expect("a table");
        assert!(read.equals_missing(&table));
        assert_eq!(read.schema(), table.schema());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write_tables(&study(), &space(), &provenance(), Path::new("/nonexistent/run"))
            .expect_err("no folder");
        assert!(error.to_string().starts_with("cannot write /nonexistent/run/trials.csv: "));
    }
}
