//! The durable store: `study.db`, one SQLite file a run.
//!
//! What is kept is the sequence of [`Record`](crate::study::Record)s, appended
//! in transactions that are on disk when they return (WAL, `synchronous=FULL`).
//! Nothing is ever changed. What a crash leaves of a transaction that had not
//! returned is not there when the file is opened again; what a disk has altered is
//! refused, as SQLite's pages have no checksums, but records do. `schema.sql` adds
//! views for people who query the file: `trials`, `attempts`, `measurements`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};

use crate::study::{FoldError, Stamped, Study};

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
    /// A record is not what was written, or there is none where one was written.
    #[error("{path}: record {sequence} is {problem}: the file is damaged", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Position of the record, from 1.
        sequence: i64,
        /// What has become of it: `missing`.
        problem: &'static str,
    },
    /// A file that belongs to the study, beside the store, cannot be written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The records do not tell a story.
    #[error("{path}: {source}: the file is damaged", path = path.display())]
    Fold {
        /// The file.
        path: PathBuf,
        /// The record that does not fit.
        source: FoldError,
    },
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        const DAMAGED: &str = "nothing in it was changed; put a copy from before in its place, or \
                               save what can be read with `sqlite3 study.db .recover`, or start \
                               anew with --overwrite";
        const FULL: &str =
            "what was acknowledged is kept; free space on its disk, and run the same command again";
        match self {
            Self::Format { .. } => "use the version of sweep that made it",
            Self::File { .. } => FULL,
            Self::Record { .. } | Self::Damaged { .. } | Self::Fold { .. } => DAMAGED,
            Self::Sqlite { source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => DAMAGED,
                Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                    "what was acknowledged is kept; make the file and its folder writable, and run \
                     the same command again"
                }
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    "what was acknowledged is kept; end the program that holds the file, and run \
                     the same command again"
                }
                // SQLite's errors are many and grow.
                _ => FULL,
            },
        }
    }
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
        if !store.has_checksums()? {
            let sql = "ALTER TABLE records ADD COLUMN checksum INTEGER";
            store.connection.execute_batch(sql).map_err(fail)?;
        }
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
    /// When SQLite refuses, or a record cannot be read or is not what was written.
    pub fn records(&self) -> Result<Vec<Stamped>, StoreError> {
        let checksum = if self.has_checksums()? { "checksum" } else { "NULL" };
        let mut statement = self
            .connection
            .prepare(&format!(
                "SELECT sequence, at_ms, body, {checksum} FROM records ORDER BY sequence"
            ))
            .map_err(|source| self.sqlite(source))?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .map_err(|source| self.sqlite(source))?;
        let mut records = Vec::new();
        // Those of an older version come before those that have a checksum.
        let mut are_checked = false;
        for (row, expected) in rows.zip(1_i64..) {
            let (sequence, at_ms, body, checksum): (i64, i64, String, Option<i64>) =
                row.map_err(|source| self.sqlite(source))?;
            are_checked |= checksum.is_some();
            if sequence != expected {
                return Err(self.damaged(expected, "missing"));
            }
            if are_checked && checksum != Some(checksum_of(at_ms, &body)) {
                return Err(self.damaged(sequence, "not what was written"));
            }
            let record = serde_json::from_str(&body).map_err(|source| StoreError::Record {
                path: self.path.clone(),
                sequence,
                source,
            })?;
            records.push(Stamped { at_ms: at_ms.unsigned_abs(), record });
        }
        Ok(records)
    }

    /// Folds all records into a study that has none yet.
    ///
    /// Returns when the last of them was made, milliseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// As [`Store::records`], and when the records do not fit each other.
    pub fn replay(&self, study: &mut Study) -> Result<Option<u64>, StoreError> {
        let records = self.records()?;
        study
            .replay(&records)
            .map_err(|source| StoreError::Fold { path: self.path.clone(), source })?;
        Ok(records.last().map(|last| last.at_ms))
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
                .prepare_cached("INSERT INTO records (at_ms, body, checksum) VALUES (?1, ?2, ?3)")
                .map_err(fail)?;
            for Stamped { at_ms, record } in records {
                let body = serde_json::to_string(record)
                    .expect("a record has string keys and no other way to fail");
                let at_ms = at_ms.cast_signed();
                let checksum = checksum_of(at_ms, &body);
                insert.execute(params![at_ms, body, checksum]).map_err(fail)?;
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

    /// Files of older versions have none before they are taken up again.
    fn has_checksums(&self) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM pragma_table_info('records') WHERE name = 'checksum'";
        self.connection.query_row(sql, [], |row| row.get(0)).map_err(|source| self.sqlite(source))
    }

    fn sqlite(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source }
    }

    fn damaged(&self, sequence: i64, problem: &'static str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), sequence, problem }
    }
}

/// CRC-32 of a record as it is kept.
fn checksum_of(at_ms: i64, body: &str) -> i64 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&at_ms.to_le_bytes());
    hasher.update(body.as_bytes());
    hasher.finalize().into()
}

#[cfg(test)]
mod power_loss;

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
    fn a_file_without_checksums_is_read_and_gone_on_with() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("study.db");
        let mut store = Store::open(&path).expect("a new store");
        store.append(&records()[..2]).expect("appended");
        drop(store);
        let connection = Connection::open(&path).expect("the file");
        connection.execute_batch("ALTER TABLE records DROP COLUMN checksum").expect("dropped");
        drop(connection);
        let reader = Store::open_to_read(&path).expect("the store");
        assert_eq!(reader.records().expect("records"), records()[..2]);
        drop(reader);
        let mut store = Store::open(&path).expect("the store");
        store.append(&records()[2..]).expect("appended");
        assert_eq!(store.records().expect("records"), records());
    }

    #[test]
    fn records_that_are_not_what_was_written_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("study.db");
        for (harm, problem) in [
            ("UPDATE records SET body = replace(body, '32', '33')", "2 is not what was written"),
            ("UPDATE records SET at_ms = 9 WHERE sequence = 3", "3 is not what was written"),
            ("UPDATE records SET checksum = NULL WHERE sequence = 4", "4 is not what was written"),
            ("DELETE FROM records WHERE sequence = 2", "2 is missing"),
        ] {
            let mut store = Store::open(&path).expect("a new store");
            store.append(&records()).expect("appended");
            store.connection.execute_batch(harm).expect("harmed");
            let error = store.records().expect_err(harm);
            let expected = format!("{}: record {problem}: the file is damaged", path.display());
            assert_eq!(error.to_string(), expected);
            assert!(error.hint().starts_with("nothing in it was changed"));
            drop(store);
            std::fs::remove_file(&path).expect("removed");
        }
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
