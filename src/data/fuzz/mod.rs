//! Readers of files, fed with broken ones.
//!
//! A [`Target`] is a reader and some good files. The files are changed at
//! random (`mutate`), checksums and lengths are put right again so that changes
//! get past them, and the reader must neither panic nor take more memory than the
//! file can be worth (`memory`). A few inputs are part of every test run;
//! `scripts/fuzz` reads at least a million.

mod memory;
mod mutate;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{self, RefUnwindSafe};
use std::path::Path;

use zip::CompressionMethod;

use crate::data::random::Random;
use crate::data::source::recording::{self, golden};
use crate::data::source::{arrays, panics};

/// Memory that a reader may take whatever the file: tables, buffers of codecs.
const MEMORY_FREE: usize = 64 << 20;
/// And so much for each byte of the file. A frame of FLAC has at most 65 536
/// samples and can be as short as a dozen bytes, but no mutation makes many.
const MEMORY_A_BYTE: usize = 64;

/// A reader, and files that it can read.
pub(in crate::data) struct Target {
    pub(in crate::data) name: &'static str,
    /// Files that the inputs are made of.
    pub(in crate::data) seeds: Vec<Vec<u8>>,
    /// Reads an input; whether it could be used. Panics where what is read
    /// breaks a promise.
    pub(in crate::data) read: fn(&[u8]) -> bool,
}

/// What became of the inputs of a target.
#[derive(Debug, Default)]
pub(in crate::data) struct Outcome {
    inputs: u64,
    read: u64,
    /// Panics that readers contained, by place.
    contained: BTreeMap<String, u64>,
    /// Panics that they did not, with the first inputs that do it.
    escaped: Vec<Vec<u8>>,
    /// Most memory that an input took, in bytes.
    peak: usize,
    /// The first input that took more memory than it may.
    greedy: Option<Vec<u8>>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contained: u64 = self.contained.values().sum();
        write!(
            formatter,
            "{} inputs, {} of them read, {} panics contained, {} not, at most {:.1} MiB",
            self.inputs,
            self.read,
            contained,
            self.escaped.len(),
            self.peak as f64 / f64::from(1 << 20),
        )?;
        for (place, count) in &self.contained {
            // What stands before the library's name differs from machine to machine.
            let library = place
                .rsplit_once("registry/src/")
                .and_then(|(_, rest)| rest.split_once('/'))
                .map_or(place.as_str(), |(_, rest)| rest);
            write!(formatter, "\n  {count} at {library}")?;
        }
        Ok(())
    }
}

impl Target {
    /// Reads so many inputs. The same seed gives the same inputs.
    pub(in crate::data) fn run(&self, seed: u64, inputs: u64) -> Outcome {
        let mut outcome = Outcome::default();
        panics::take_noted();
        for input in 0..inputs {
            let mut random = Random::new(&[seed, input]);
            let bytes = mutate::input(&self.seeds, &mut random);
            self.read_one(bytes, &mut outcome);
        }
        outcome
    }

    fn read_one(&self, bytes: Vec<u8>, outcome: &mut Outcome)
    where
        fn(&[u8]) -> bool: RefUnwindSafe,
    {
        outcome.inputs += 1;
        let (result, peak) = memory::peak(|| panic::catch_unwind(|| (self.read)(&bytes)));
        for place in panics::take_noted() {
            *outcome.contained.entry(place).or_default() += 1;
        }
        outcome.peak = outcome.peak.max(peak);
        if peak > MEMORY_FREE + MEMORY_A_BYTE * bytes.len() && outcome.greedy.is_none() {
            outcome.greedy = Some(bytes.clone());
        }
        match result {
            Ok(read) => outcome.read += u64::from(read),
            Err(_) if outcome.escaped.len() < 10 => outcome.escaped.push(bytes),
            Err(_) => {}
        }
    }

    /// Reads inputs and prints what became of them.
    ///
    /// # Panics
    ///
    /// When the reader panicked or took too much memory; the input is written
    /// to a file that is named.
    fn check(&self, seed: u64, inputs: u64) {
        let outcome = self.run(seed, inputs);
        println!("{}: {outcome}", self.name);
        let failures = outcome.escaped.iter().map(|bytes| ("panic", bytes));
        let greedy = outcome.greedy.iter().map(|bytes| ("memory", bytes));
        let mut failed = Vec::new();
        for (index, (what, bytes)) in failures.chain(greedy).enumerate() {
            let path =
                std::env::temp_dir().join(format!("sweep-fuzz-{}-{what}-{index}", self.name));
            std::fs::write(&path, bytes).expect("a folder for temporary files");
            failed.push(path);
        }
        assert!(failed.is_empty(), "{}: see {failed:?}", self.name);
        assert!(outcome.read > 0, "{}: every input was refused", self.name);
    }
}

/// A target for each format of recordings.
fn recordings() -> Vec<Target> {
    fn read(bytes: &[u8]) -> bool {
        match recording::decode(bytes, Vec::new()) {
            Ok(recording) => {
                assert!(!recording.samples.is_empty());
                assert!(recording.samples.iter().all(|sample| sample.is_finite()));
                true
            }
            Err(error) => error.to_string().is_empty(),
        }
    }

    let folders = ["audio", "wav"].map(|folder| golden::folder().with_file_name(folder));
    [
        ("wav", &["wav"][..]),
        ("aiff", &["aiff"]),
        ("au", &["au"]),
        ("flac", &["flac"]),
        ("vorbis", &["ogg"]),
        ("mp3", &["mp3"]),
    ]
    .map(|(name, endings)| Target { name, seeds: files(&folders, endings), read })
    .into()
}

/// A target for arrays, and one for archives of them.
fn arrays() -> Vec<Target> {
    fn read(bytes: &[u8], member: Option<&str>) -> bool {
        match arrays::read_all(bytes, member) {
            Ok((shape, values)) => {
                assert_eq!(values.len() as u64, shape.iter().product::<u64>());
                assert!(values.iter().all(|value| value.is_finite()));
                true
            }
            Err(problem) => {
                assert!(!problem.to_string().is_empty());
                assert!(problem.hint().is_none_or(|hint| !hint.is_empty()));
                false
            }
        }
    }

    /// What is no archive is put into one, so that changes are also found behind
    /// a good directory and in what is compressed.
    fn read_members(bytes: &[u8]) -> bool {
        if bytes.starts_with(b"PK") {
            // All are tried.
            ["x", "y", "groups"].map(|member| read(bytes, Some(member))).contains(&true)
        } else {
            [CompressionMethod::Stored, CompressionMethod::Deflated]
                .map(|method| read(&arrays::testing::pack(bytes, method), Some("x")))
                .contains(&true)
        }
    }

    let seeds = |endings: &[&str]| files(&[arrays::testing::folder()], endings);
    vec![
        Target { name: "npy", seeds: seeds(&["npy"]), read: |bytes| read(bytes, None) },
        Target { name: "npz", seeds: seeds(&["npz", "npy"]), read: read_members },
    ]
}

/// The golden files in `folders` with one of these endings.
fn files(folders: &[impl AsRef<Path>], endings: &[&str]) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(std::fs::read_dir)
        .flatten()
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| endings.iter().any(|ending| path.extension().is_some_and(|e| e == *ending)))
        .collect();
    paths.sort();
    let read = |path| std::fs::read(path).expect("a golden file");
    paths.into_iter().map(read).collect()
}

/// All readers of files that are not ours.
fn targets() -> Vec<Target> {
    recordings().into_iter().chain(arrays()).collect()
}

#[test]
fn broken_files_neither_panic_nor_take_memory() {
    for target in targets() {
        target.check(0, 2000);
    }
}

/// For `scripts/fuzz`, which sets the variables.
#[test]
#[ignore = "takes minutes: scripts/fuzz"]
fn a_million_broken_files() {
    let number =
        |name| std::env::var(name).ok().and_then(|value: String| value.parse::<u64>().ok());
    let inputs = number("SWEEP_FUZZ_INPUTS").unwrap_or(1_000_000);
    let seed = number("SWEEP_FUZZ_SEED").unwrap_or(1);
    let only = std::env::var("SWEEP_FUZZ_TARGET").unwrap_or_default();
    let targets: Vec<Target> =
        targets().into_iter().filter(|target| only.is_empty() || target.name == only).collect();
    assert!(!targets.is_empty(), "there is no target `{only}`");
    let each = inputs.div_ceil(targets.len() as u64);
    // One after another: each has the peak of its own thread, and what is
    // printed stays in order.
    for target in targets {
        target.check(seed, each);
    }
}
