//! Power loss, rehearsed: stores are opened from files as a crash leaves them.
//!
//! What counts: everything that was on disk before the crash is there again, then
//! nothing or more of what came after, in order, never half a transaction, and
//! never an error. What a crash cannot have done, an altered byte that was on disk
//! already, is refused or does not matter, and changes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::study::{AttemptId, Measurement, Record, TrialId};

/// SQLite's default.
const PAGE_BYTES: usize = 4096;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Of a log, and before each of its pages.
const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The files of a store; an index of the log that is in memory is lost with it.
#[derive(Debug, Clone, Default)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

/// A coordinator's store, and what it has acknowledged.
struct Site {
    folder: TempDir,
    store: Store,
    acknowledged: Vec<Stamped>,
}

/// Records whose bodies differ, and are longer than a sector now and then.
fn records(from: usize, count: usize) -> Vec<Stamped> {
    let id = AttemptId { trial: TrialId(0), execution: 0, attempt: 1 };
    (from..from + count)
        .map(|index| {
            let names = (0..1 + index % 40).map(|metric| format!("metric_{metric}"));
            let metrics = names.map(|name| (name, index as f64 / 7.0)).collect();
            let epoch = u32::try_from(index).expect("few") + 1;
            let record =
                Record::Measured { id, measurement: Measurement { epoch, metrics, seconds: 0.25 } };
            Stamped { at_ms: 1_000 + index as u64, record }
        })
        .collect()
}

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&folder.path().join("study.db")).expect("a new store");
        // The log grows until a test says otherwise.
        store.connection.execute_batch("PRAGMA wal_autocheckpoint = 0").expect("set");
        Self { folder, store, acknowledged: Vec::new() }
    }

    fn append(&mut self, count: usize) {
        let records = records(self.acknowledged.len(), count);
        self.store.append(&records).expect("appended");
        self.acknowledged.extend(records);
    }

    /// Copies the log's pages into the database; the next transaction begins the
    /// log anew, over what is there.
    fn checkpoint(&self) {
        let busy: i64 = self
            .store
            .connection
            .query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get(0))
            .expect("done");
        assert_eq!(busy, 0);
    }

    /// The files as they are now, which is what was synced.
    fn files(&self) -> Files {
        let path = self.folder.path().join("study.db");
        let database = fs::read(&path).expect("there");
        // There is none before the first transaction.
        let log = fs::read(log_of(&path)).unwrap_or_default();
        Files { database, log }
    }
}

impl Files {
    fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("study.db");
        fs::write(&path, &self.database).expect("written");
        fs::write(log_of(&path), &self.log).expect("written");
        path
    }

    /// What the next coordinator reads.
    fn records(&self) -> Result<Vec<Stamped>, StoreError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Store::open(&self.write(folder.path()))?.records()
    }

    fn with_log(&self, log: Vec<u8>) -> Self {
        Self { database: self.database.clone(), log }
    }

    /// The first `length` bytes of this log, and those of `old` behind them.
    fn torn(&self, length: usize, old: &[u8]) -> Self {
        let mut log = self.log[..length.min(self.log.len())].to_vec();
        log.extend_from_slice(old.get(log.len()..).unwrap_or_default());
        self.with_log(log)
    }
}

/// Asserts that the store has what was acknowledged, and whole transactions after it.
///
/// - `transactions`: after how many records each one ended
fn assert_prefix(files: &Files, synced: usize, site: &Site, transactions: &[usize], crash: &str) {
    let found = files.records().unwrap_or_else(|error| panic!("{crash}: {error}"));
    assert!(found.len() >= synced, "{crash}: {} of {synced} records", found.len());
    assert_eq!(found[..], site.acknowledged[..found.len()], "{crash}");
    assert!(transactions.contains(&found.len()), "{crash}: half a transaction");
}

/// Places where something begins or ends in a log of this length, and their
/// neighbours; every byte of the headers, and one in so many of the rest.
fn places(length: usize, every: usize) -> Vec<usize> {
    let frame = FRAME_HEADER_BYTES + PAGE_BYTES;
    (0..=length)
        .filter(|place| {
            let Some(place_in_frame) = place.checked_sub(HEADER_BYTES).map(|rest| rest % frame)
            else {
                return true;
            };
            place_in_frame <= FRAME_HEADER_BYTES + 1
                || place_in_frame == frame - 1
                || place.is_multiple_of(every)
        })
        .collect()
}

#[test]
fn a_log_that_is_cut_anywhere_keeps_what_was_whole() {
    let mut site = Site::new();
    let empty = site.files();
    let mut ends = vec![(0, 0)];
    for count in [1, 1, 30, 2, 5] {
        site.append(count);
        ends.push((site.files().log.len(), site.acknowledged.len()));
    }
    assert_eq!(site.files().database, empty.database, "all of it is in the log");
    let transactions: Vec<usize> = ends.iter().map(|(_, records)| *records).collect();
    let whole = site.files();
    for place in places(whole.log.len(), 997) {
        let synced = ends.iter().rev().find(|(end, _)| *end <= place).map_or(0, |end| end.1);
        let cut = whole.torn(place, &[]);
        assert_prefix(&cut, synced, &site, &transactions, &format!("cut after {place} bytes"));
        let count = cut.records().expect("just read").len();
        assert_eq!(count, synced, "what is not whole is not there");
    }
}

#[test]
fn pages_that_are_half_written_change_nothing() {
    let mut site = Site::new();
    site.append(60);
    site.append(3);
    site.checkpoint();
    // The log begins anew; behind what is written now stands what was.
    let before = site.files();
    let transactions = [63, 64, 70];
    site.append(1);
    let one = site.files();
    site.append(6);
    let two = site.files();
    for (now, old, synced) in [(&one, &before, 63), (&two, &one, 64)] {
        let written = now.log.iter().zip(&old.log).rposition(|(a, b)| a != b);
        let written = written.map_or(0, |last| last + 1);
        assert!(written > PAGE_BYTES, "a page or more");
        for place in (0..written).step_by(SECTOR_BYTES).chain(places(written, 1009)) {
            let torn = now.torn(place, &old.log);
            assert_prefix(&torn, synced, &site, &transactions, &format!("torn at {place}"));
        }
        // Sectors reach the disk in any order: all but one.
        for start in (0..written).step_by(SECTOR_BYTES) {
            let end = (start + SECTOR_BYTES).min(written);
            let mut torn = now.clone();
            torn.log[start..end].copy_from_slice(&old.log[start..end]);
            assert_prefix(&torn, synced, &site, &transactions, &format!("without {start}"));
        }
    }
}

#[test]
fn a_checkpoint_that_is_broken_off_is_made_again() {
    let mut site = Site::new();
    site.append(40);
    site.checkpoint();
    site.append(50);
    let before = site.files();
    site.checkpoint();
    let after = site.files();
    assert_ne!(before.database.len(), after.database.len(), "it grew");
    for place in (0..=after.database.len()).step_by(SECTOR_BYTES) {
        let mut database = after.database[..place].to_vec();
        database.extend_from_slice(before.database.get(place..).unwrap_or_default());
        let torn = Files { database, log: before.log.clone() };
        let found = torn.records().unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(found, site.acknowledged, "broken off after {place} bytes");
    }
}

#[test]
fn whatever_stands_behind_the_log_is_not_read() {
    let mut site = Site::new();
    site.append(5);
    site.append(9);
    let whole = site.files();
    let frame = whole.log[whole.log.len() - FRAME_HEADER_BYTES - PAGE_BYTES..].to_vec();
    for tail in [vec![0; 10_000], vec![0xff; 10_000], frame] {
        let log = [whole.log.clone(), tail].concat();
        let found = whole.with_log(log).records().expect("opened");
        assert_eq!(found, site.acknowledged);
    }
}

#[test]
fn an_index_of_another_time_is_made_anew() {
    let mut site = Site::new();
    site.append(5);
    let index = fs::read(site.folder.path().join("study.db-shm")).expect("there");
    site.append(20);
    let whole = site.files();
    for index in [index, vec![0xa5; 32_768], vec![1; 100], Vec::new()] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = whole.write(folder.path());
        fs::write(folder.path().join("study.db-shm"), index).expect("written");
        let store = Store::open(&path).expect("opened");
        assert_eq!(store.records().expect("read"), site.acknowledged);
    }
}

#[test]
fn after_a_crash_the_study_goes_on() {
    let mut site = Site::new();
    site.append(5);
    site.append(30);
    let whole = site.files();
    let cut = whole.torn(whole.log.len() - 1, &[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = cut.write(folder.path());
    let mut store = Store::open(&path).expect("opened");
    store.append(&records(5, 2)).expect("appended");
    drop(store);
    let reader = Store::open_to_read(&path).expect("opened");
    assert_eq!(reader.records().expect("read"), records(0, 7));
}

#[test]
fn a_store_that_was_being_made_is_made() {
    let site = Site::new();
    for database in [Vec::new(), site.files().database] {
        let files = Files { database, log: Vec::new() };
        assert_eq!(files.records().expect("made"), []);
    }
}

/// A database without a log, as after a coordinator's good end.
fn at_rest() -> (Vec<u8>, Vec<Stamped>) {
    let mut site = Site::new();
    site.append(90);
    let Site { folder, store, acknowledged } = site;
    drop(store);
    let path = folder.path().join("study.db");
    assert!(!log_of(&path).exists(), "its pages are in the database");
    (fs::read(path).expect("there"), acknowledged)
}

/// Opens a damaged database as a coordinator does; what is read is right or refused.
fn assert_noticed(database: &[u8], written: &[Stamped], harm: &str) -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("study.db");
    fs::write(&path, database).expect("written");
    let found = Store::open(&path).and_then(|store| store.records());
    match found {
        Ok(found) => {
            assert!(found == written, "{harm}: read as if nothing were wrong");
            false
        }
        Err(error) => {
            assert!(!error.hint().is_empty());
            assert!(error.to_string().contains("study.db"), "{error}");
            assert!(fs::read(&path).expect("there") == database, "{harm}: the file was changed");
            true
        }
    }
}

#[test]
fn a_database_that_lost_its_end_is_refused_and_left_alone() {
    let (database, written) = at_rest();
    for pages in 1..database.len() / PAGE_BYTES {
        let harm = format!("cut after {pages} pages");
        assert!(assert_noticed(&database[..pages * PAGE_BYTES], &written, &harm), "{harm}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_altered_byte_is_noticed_or_does_not_matter(
        place in any::<prop::sample::Index>(),
        bits in 1_u8..,
    ) {
        use std::sync::OnceLock;
        static AT_REST: OnceLock<(Vec<u8>, Vec<Stamped>)> = OnceLock::new();
        let (database, written) = AT_REST.get_or_init(at_rest);
        let mut database = database.clone();
        let place = place.index(database.len());
        database[place] ^= bits;
        assert_noticed(&database, written, &format!("byte {place} xor {bits:#x}"));
    }

    #[test]
    fn any_garbage_in_place_of_the_last_transaction_is_that_of_a_crash(
        from in any::<prop::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 1..2000),
    ) {
        let mut site = Site::new();
        site.append(8);
        let synced = site.files().log.len();
        site.append(3);
        let mut files = site.files();
        let place = synced + from.index(files.log.len() - synced);
        let end = files.log.len().min(place + garbage.len());
        files.log[place..end].copy_from_slice(&garbage[..end - place]);
        assert_prefix(&files, 8, &site, &[8, 11], "garbage");
    }
}
