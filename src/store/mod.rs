//! The durable store: `study.db`, one SQLite file a run.
//!
//! What is kept is the sequence of [`Record`](crate::study::Record)s, appended
//! in transactions that are on disk when they return (WAL, `synchronous=FULL`).
//! Nothing is ever changed. `schema.sql` adds views for people who query the
//! file: `trials`, `attempts`, `measurements`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::study::Stamped;

/// Version of the file's format; `PRAGMA user_version`.
const FORMAT: i64 = 1;

/// How long a reader waits for a writer's lock, and the other way round.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// An open `study.db`.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused: a damaged file, a full disk, missing rights.
    #[error("{path}: {source}", path = path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// The file is of another version of `sweep`.
    #[error("{path}: format {found}, but this version of sweep reads format {FORMAT}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: i64,
    },
    /// A record cannot be read.
    #[error("{path}: record {sequence}: {source}", path = path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Position of the record, from 1.
        sequence: i64,
        /// What is wrong with its JSON.
        source: serde_json::Error,
    },
}

/// What a run was started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The experiment file as run, overrides included.
    pub experiment: String,
    /// Digest of the dataset.
    pub dataset: String,
    /// Version of `sweep`.
    pub version: String,
}

impl Store {
    /// Opens `path` for a coordinator; makes it if it is not there.
    ///
    /// # Errors
    ///
    /// When SQLite refuses, or the file is of another format.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let fail = |source| StoreError::Sqlite { path: path.to_owned(), source };
        let connection = Connection::open(path).map_err(fail)?;
        let store = Self { connection, path: path.to_owned() };
        store.connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
        if store.format()? == 0 {
            store.create().map_err(fail)?;
        }
        store.check_format()?;
        store
            .connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(fail)?;
        Ok(store)
    }

    /// Opens `path` for reading, beside a coordinator or after it.
    ///
    /// # Errors
    ///
    /// When there is no such file, SQLite refuses, or it is of another format.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let fail = |source| StoreError::Sqlite { path: path.to_owned(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
        let store = Self { connection, path: path.to_owned() };
        store.check_format()?;
        Ok(store)
    }

    /// What the run was started with; absent in a store just made.
    ///
    /// # Errors
    ///
    /// When SQLite refuses.
    pub fn origin(&self) -> Result<Option<Origin>, StoreError> {
        self.connection
            .query_row("SELECT experiment, dataset, version FROM origin", [], |row| {
                Ok(Origin { experiment: row.get(0)?, dataset: row.get(1)?, version: row.get(2)? })
            })
            .optional()
            .map_err(|source| self.sqlite(source))
    }

    /// Writes what the run is started with, instead of what was there: a run may
    /// be taken up again with more trials.
    ///
    /// # Errors
    ///
    /// When SQLite refuses.
    pub fn set_origin(&mut self, origin: &Origin) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO origin (id, experiment, dataset, version) VALUES (1, ?1, ?2, ?3)",
                params![origin.experiment, origin.dataset, origin.version],
            )
            .map(|_| ())
            .map_err(|source| self.sqlite(source))
    }

    /// All records, oldest first.
    ///
    /// # Errors
    ///
    /// When SQLite refuses or a record cannot be read.
    pub fn records(&self) -> Result<Vec<Stamped>, StoreError> {
        let mut statement = self
            .connection
            .prepare("SELECT sequence, at_ms, body FROM records ORDER BY sequence")
            .map_err(|source| self.sqlite(source))?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .map_err(|source| self.sqlite(source))?;
        rows.map(|row| {
            let (sequence, at_ms, body): (i64, i64, String) =
                row.map_err(|source| self.sqlite(source))?;
            let record = serde_json::from_str(&body).map_err(|source| StoreError::Record {
                path: self.path.clone(),
                sequence,
                source,
            })?;
            Ok(Stamped { at_ms: at_ms.unsigned_abs(), record })
        })
        .collect()
    }

    /// Appends records in one transaction, which is on disk on return.
    ///
    /// # Errors
    ///
    /// When SQLite refuses; then none of them is kept.
    pub fn append(&mut self, records: &[Stamped]) -> Result<(), StoreError> {
        let path = self.path.clone();
        let fail = |source| StoreError::Sqlite { path: path.clone(), source };
        let transaction = self.connection.transaction().map_err(fail)?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO records (at_ms, body) VALUES (?1, ?2)")
                .map_err(fail)?;
            for Stamped { at_ms, record } in records {
                let body = serde_json::to_string(record)
                    .expect("a record has string keys and no other way to fail");
                insert.execute(params![at_ms.cast_signed(), body]).map_err(fail)?;
            }
        }
        transaction.commit().map_err(fail)
    }

    fn format(&self) -> Result<i64, StoreError> {
        self.connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(|source| self.sqlite(source))
    }

    fn check_format(&self) -> Result<(), StoreError> {
        match self.format()? {
            FORMAT => Ok(()),
            found => Err(StoreError::Format { path: self.path.clone(), found }),
        }
    }

    fn create(&self) -> Result<(), rusqlite::Error> {
        self.connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;\n{}\nPRAGMA user_version = {FORMAT};\nCOMMIT;",
            include_str!("schema.sql")
        ))
    }

    fn sqlite(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Value;
    use crate::study::{AttemptId, Measurement, Outcome, Record, TrialId, TrialState};

    fn records() -> Vec<Stamped> {
        let id = AttemptId { trial: TrialId(0), execution: 0, attempt: 1 };
        let metrics = |loss: f64, accuracy: f64| {
            [("val_loss", loss), ("val_accuracy", accuracy)].into_iter().collect()
        };
        [
            Record::Started { version: "0.1.0".to_owned() },
            Record::TrialCreated {
                name: None,
                stage: None,
                trial: TrialId(0),
                hyperparameters: [
                    ("lr".to_owned(), Value::Float(0.000_252_983_812_018_026_14)),
                    ("units".to_owned(), Value::Int(32)),
                    ("bn".to_owned(), Value::Bool(true)),
                ]
                .into_iter()
                .collect(),
                seed_state: 4,
            },
            Record::AttemptStarted { id, worker: "local-1".to_owned(), from: None },
            Record::Measured {
                id,
                measurement: Measurement { epoch: 1, metrics: metrics(1.5, 0.25), seconds: 0.1 },
            },
            Record::AttemptEnded { id, outcome: Outcome::Finished },
            Record::TrialEnded {
                trial: TrialId(0),
                state: TrialState::Completed,
                score: Some(0.1 + 0.2),
                error: None,
            },
        ]
        .into_iter()
        .zip(1_u64..)
        .map(|(record, at_ms)| Stamped { at_ms, record })
        .collect()
    }

    #[test]
    fn records_come_back_as_they_were() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("study.db");
        let mut store = Store::open(&path).expect("a new store");
        store.append(&records()[..2]).expect("appended");
        store.append(&records()[2..]).expect("appended");
        drop(store);
        assert_eq!(Store::open(&path).expect("the store").records().expect("records"), records());
        let reader = Store::open_to_read(&path).expect("the store");
        assert_eq!(reader.records().expect("records"), records());
    }

    #[test]
    fn a_metric_that_is_no_number_comes_back_as_nan() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut store = Store::open(&folder.path().join("study.db")).expect("a new store");
        let id = AttemptId { trial: TrialId(0), execution: 0, attempt: 1 };
        let metrics = [("loss", f64::INFINITY)].into_iter().collect();
        let measurement = Measurement { epoch: 1, metrics, seconds: 0.0 };
        let record = Record::Measured { id, measurement };
        store.append(&[Stamped { at_ms: 1, record }]).expect("appended");
        let Record::Measured { measurement, .. } = &store.records().expect("records")[0].record
        else {
            panic!("a measurement")
        };
        assert!(measurement.get("loss").is_some_and(f64::is_nan));
    }

    #[test]
    fn views_show_trials_attempts_and_measurements() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut store = Store::open(&folder.path().join("study.db")).expect("a new store");
        store.append(&records()).expect("appended");
        let query = |sql: &str| -> String {
            store.connection.query_row(sql, [], |row| row.get(0)).expect("a row")
        };
        assert_eq!(
            query(
                "SELECT trial || ' ' || state || ' ' || round(score, 3) || ' ' || json_extract(hyperparameters, '$.units') FROM trials"
            ),
            "0 completed 0.3 32"
        );
        assert_eq!(
            query(
                "SELECT trial || execution || attempt || ' ' || worker || ' ' || outcome || ' ' || seconds FROM attempts"
            ),
            "001 local-1 finished 0.002"
        );
        assert_eq!(
            query("SELECT group_concat(epoch || ' ' || metric || ' ' || value) FROM measurements"),
            "1 val_loss 1.5,1 val_accuracy 0.25"
        );
    }

    #[test]
    fn another_format_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("study.db");
        Store::open(&path).expect("a new store");
        let connection = Connection::open(&path).expect("the file");
        connection.execute_batch("PRAGMA user_version = 99").expect("set");
        assert!(matches!(Store::open(&path), Err(StoreError::Format { found: 99, .. })));
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("study.db");
        std::fs::write(&path, "no database at all, and long enough to be read as a header")
            .expect("written");
        assert!(matches!(Store::open(&path), Err(StoreError::Sqlite { .. })));
    }
}
