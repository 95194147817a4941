//! A folder of files, a folder a class, of which each becomes examples.
//!
//! Files whose content is not known yet (`digests`) are read once to know it, and
//! all once more, in parallel, to compute from them. What a file is turned into is
//! an [`Extractor`]'s matter; a file that it cannot use is skipped with its reason.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::digests::{Digests, Known, open};
use super::folder::{self, Class, Content};
use super::{Input, Outcome, Track};
use crate::data::error::io_error;
use crate::data::npy::{Dtype, Element, Rows};
use crate::data::progress::Phase;
use crate::data::{DataError, Progress, Skipped, Sound};

/// Files are computed in parallel and written in order, so many a thread at a
/// time: enough to keep all threads busy, and few enough for any memory.
const BATCH_PER_THREAD: RangeInclusive<usize> = 4..=64;

/// What a thread's share of a batch may be in bytes, where it has more files than
/// the least.
const BATCH_BYTES: usize = 8 << 20;

/// Larger files are skipped: this is more than an hour of any format, and each
/// thread holds one file.
pub(in crate::data) const MAX_FILE_BYTES: u64 = 1 << 30;

/// Turns the bytes of a file into examples.
pub(in crate::data) trait Extractor: Sync {
    /// What examples consist of.
    type Element: Element;
    /// Buffers of one thread.
    type Scratch;

    /// What computing is called in progress.
    fn phase(&self) -> &'static str;

    fn scratch(&self) -> Self::Scratch;

    /// # Errors
    ///
    /// The reason why the file is skipped.
    fn extract(
        &self,
        bytes: &[u8],
        scratch: &mut Self::Scratch,
    ) -> Result<Examples<Self::Element>, String>;

    /// The setting that brings all examples to one shape; none where they always
    /// have one.
    fn length_field(&self) -> Option<String>;
}

/// Examples of one file, at least one.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Examples<T> {
    /// One after another, each in C order.
    pub(in crate::data) values: Vec<T>,
    /// Shape of each, channels last.
    pub(in crate::data) shape: Vec<usize>,
    /// What the recording was like that they come from.
    pub(in crate::data) sound: Option<Sound>,
}

/// Files that may be used, and what is made of them.
pub(in crate::data) struct Files<E> {
    extractor: E,
    content: Content,
    classes: Vec<Class>,
    candidates: Vec<Candidate>,
}

/// A file that may be used.
struct Candidate {
    /// Index of its class.
    class: usize,
    /// `class/file`, whatever the system's separator.
    name: String,
    path: PathBuf,
    /// Its content, or why it cannot be read.
    known: Result<Known, String>,
}

/// Why a file gives no row.
enum Failure {
    /// The others go on.
    Skip(String),
    /// Nothing goes on.
    Abort(DataError),
}

/// What became of a file.
type Computed<'a, T> = (&'a Candidate, Result<Examples<T>, Failure>);

/// What is written so far.
struct Written<'a, T> {
    path: &'a Path,
    outcome: Outcome,
    /// Begun with the first rows.
    file: Option<Rows<T>>,
}

impl<E: Extractor> Files<E> {
    /// Lists and reads the files in `root`.
    ///
    /// - `classes`: only these; else every folder that holds such files
    /// - `digests`: what is known of them
    ///
    /// # Errors
    ///
    /// When there is no usable folder.
    pub(in crate::data) fn read(
        root: &Path,
        content: Content,
        classes: Option<&[String]>,
        extractor: E,
        digests: &Digests,
        progress: &dyn Progress,
    ) -> Result<Self, DataError> {
        let classes = folder::list(root, content, classes)?;
        let phase = match content {
            Content::Recordings => "reading recordings",
            Content::Images => "reading images",
        };
        let candidates = digest_all(root, &classes, digests, phase, progress);
        Ok(Self { extractor, content, classes, candidates })
    }

    fn compute(
        &self,
        candidate: &Candidate,
        bytes: &mut Vec<u8>,
        scratch: &mut E::Scratch,
    ) -> Result<Examples<E::Element>, Failure> {
        let known = candidate.known.as_ref().map_err(|reason| Failure::Skip(reason.clone()))?;
        let unchanged = read(&candidate.path, bytes)
            .and_then(|file| known.is_of(&file, bytes))
            .map_err(|cause| Failure::Abort(io_error("read", &candidate.path)(cause)))?;
        if !unchanged {
            return Err(Failure::Abort(DataError::Changed { path: candidate.path.clone() }));
        }
        self.extractor.extract(bytes, scratch).map_err(Failure::Skip)
    }

    fn compute_all<'a>(
        &self,
        batch: &'a [Candidate],
        phase: &Phase<'_>,
    ) -> Vec<Computed<'a, E::Element>> {
        type Memory<E> = (Vec<u8>, <E as Extractor>::Scratch);
        let compute = |(bytes, scratch): &mut Memory<E>, candidate: &'a Candidate| {
            let result = self.compute(candidate, bytes, scratch);
            phase.step();
            (candidate, result)
        };
        batch.par_iter().map_init(|| (Vec::new(), self.extractor.scratch()), compute).collect()
    }

    fn add_all(
        &self,
        written: &mut Written<'_, E::Element>,
        computed: Vec<Computed<'_, E::Element>>,
    ) -> Result<(), DataError> {
        for (candidate, result) in computed {
            let examples = match result {
                Ok(examples) => examples,
                Err(Failure::Skip(reason)) => {
                    let path = PathBuf::from(&candidate.name);
                    written.outcome.skipped.push(Skipped { path, reason });
                    continue;
                }
                Err(Failure::Abort(error)) => return Err(error),
            };
            self.add(&mut written.outcome, candidate, &examples)?;
            let file = match &mut written.file {
                Some(file) => file,
                None => written.file.insert(Rows::create(written.path, &examples.shape)?),
            };
            file.push(&examples.values)?;
        }
        Ok(())
    }

    /// Notes the rows of a file, if they have the shape of all others.
    fn add(
        &self,
        outcome: &mut Outcome,
        candidate: &Candidate,
        examples: &Examples<E::Element>,
    ) -> Result<(), DataError> {
        match outcome.tracks.first() {
            Some(first) if examples.shape != outcome.shape => {
                return Err(DataError::ShapesDiffer {
                    first: first.name.clone(),
                    first_shape: outcome.shape.clone(),
                    other: candidate.name.clone(),
                    other_shape: examples.shape.clone(),
                    field: self.extractor.length_field(),
                });
            }
            Some(_) => {}
            None => outcome.shape.clone_from(&examples.shape),
        }
        let rows = examples.values.len() / examples.shape.iter().product::<usize>();
        outcome.groups.extend(std::iter::repeat_n(outcome.tracks.len(), rows));
        outcome.tracks.push(Track {
            name: candidate.name.clone(),
            class: candidate.class,
            sound: examples.sound.clone(),
        });
        Ok(())
    }
}

impl<E: Extractor> Input for Files<E> {
    fn classes(&self) -> Vec<String> {
        self.classes.iter().map(|class| class.name.clone()).collect()
    }

    fn content(&self) -> Vec<(&str, Option<&str>)> {
        self.candidates
            .iter()
            .map(|candidate| {
                let digest = candidate.known.as_ref().ok().map(|known| known.digest.as_str());
                (candidate.name.as_str(), digest)
            })
            .collect()
    }

    fn dtype(&self) -> Dtype {
        E::Element::DTYPE
    }

    fn tracks(&self) -> &'static str {
        self.content.plural()
    }

    fn write(&self, path: &Path, progress: &dyn Progress) -> Result<Outcome, DataError> {
        let phase = Phase::begin(progress, self.extractor.phase(), self.candidates.len());
        let mut written = Written { path, outcome: Outcome::default(), file: None };
        let mut last = Vec::new();
        let mut rest = self.candidates.as_slice();
        let mut per_thread = *BATCH_PER_THREAD.start();
        // One batch is written while the next one is computed.
        while !rest.is_empty() {
            let batch;
            (batch, rest) =
                rest.split_at(rest.len().min(per_thread * rayon::current_num_threads()));
            let (computed, result) = rayon::join(
                || self.compute_all(batch, &phase),
                || self.add_all(&mut written, last),
            );
            result?;
            per_thread = files_per_thread(&computed);
            last = computed;
        }
        self.add_all(&mut written, last)?;
        if let Some(file) = written.file {
            file.finish()?;
        }
        Ok(written.outcome)
    }
}

/// How many files a thread takes of the next batch.
fn files_per_thread<T>(computed: &[Computed<'_, T>]) -> usize {
    let bytes = computed
        .iter()
        .filter_map(|(_, result)| Some(size_of_val(result.as_ref().ok()?.values.as_slice())))
        .max();
    let (least, most) = BATCH_PER_THREAD.into_inner();
    bytes.map_or(least, |bytes| (BATCH_BYTES / bytes.max(1)).clamp(least, most))
}

/// Shape of the first file's examples, and the classes.
///
/// # Errors
///
/// When there is no usable folder, or no file that can be used.
pub(in crate::data) fn first_shape(
    root: &Path,
    content: Content,
    classes: &[Class],
    extractor: &impl Extractor,
) -> Result<Vec<usize>, DataError> {
    let (mut bytes, mut scratch) = (Vec::new(), extractor.scratch());
    let mut reason = None;
    for class in classes {
        for file in &class.files {
            let read = read(&root.join(&class.name).join(file), &mut bytes);
            let examples = read
                .map_err(|cause| format!("cannot be read: {cause}"))
                .and_then(|_| extractor.extract(&bytes, &mut scratch));
            match examples {
                Ok(examples) => return Ok(examples.shape),
                Err(problem) => {
                    reason.get_or_insert(format!("`{}/{file}`: {problem}", class.name));
                }
            }
        }
    }
    Err(DataError::NoneUsable { path: root.to_owned(), content, skipped: reason })
}

fn digest_all(
    root: &Path,
    classes: &[Class],
    digests: &Digests,
    phase: &str,
    progress: &dyn Progress,
) -> Vec<Candidate> {
    let files: Vec<(usize, &Class, &String)> = classes
        .iter()
        .enumerate()
        .flat_map(|(index, class)| class.files.iter().map(move |file| (index, class, file)))
        .collect();
    let phase = Phase::begin(progress, phase, files.len());
    let candidates: Vec<Candidate> = files
        .into_par_iter()
        .map(|(class, folder, file)| {
            let (path, name) =
                (root.join(&folder.name).join(file), format!("{}/{file}", folder.name));
            let known = digests
                .of(&name, &path, MAX_FILE_BYTES)
                .map_err(|cause| format!("cannot be read: {cause}"));
            phase.step();
            Candidate { class, name, path, known }
        })
        .collect();
    // Another experiment may use other classes, or other files in them.
    let seen: HashSet<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    let known = candidates
        .iter()
        .filter_map(|candidate| Some((candidate.name.as_str(), candidate.known.as_ref().ok()?)));
    digests.remember(known, |name| !seen.contains(name) && root.join(name).exists());
    candidates
}

/// Fills `bytes` with those of a file, at most as many as were allowed when it was
/// looked at.
fn read(path: &Path, bytes: &mut Vec<u8>) -> io::Result<File> {
    let mut file = open(path)?;
    // One byte more, so that the end is seen without growing.
    let expected = file.metadata()?.len().min(MAX_FILE_BYTES) + 1;
    bytes.clear();
    bytes.reserve(expected as usize);
    (&mut file).take(MAX_FILE_BYTES + 1).read_to_end(bytes)?;
    Ok(file)
}
