//! A folder of files, a folder a class, of which each becomes examples.
//!
//! Files whose content is not known yet (`digests`) are read once to know it, and
//! all once more, in parallel, to compute from them. What a file is turned into is
//! an [`Extractor`]'s matter; a file that it cannot use is skipped with its reason.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
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
const BATCH_PER_THREAD: usize = 4;

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
        bytes: Vec<u8>,
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
        scratch: &mut E::Scratch,
    ) -> Result<Examples<E::Element>, Failure> {
        let known = candidate.known.as_ref().map_err(|reason| Failure::Skip(reason.clone()))?;
        let read = || -> io::Result<(Vec<u8>, bool)> {
            let (file, bytes) = read(&candidate.path)?;
            let unchanged = known.is_of(&file, &bytes)?;
            Ok((bytes, unchanged))
        };
        let (bytes, unchanged) =
            read().map_err(|cause| Failure::Abort(io_error("read", &candidate.path)(cause)))?;
        if !unchanged {
            return Err(Failure::Abort(DataError::Changed { path: candidate.path.clone() }));
        }
        self.extractor.extract(bytes, scratch).map_err(Failure::Skip)
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
        let mut outcome = Outcome::default();
        let mut file: Option<Rows<E::Element>> = None;
        for batch in self.candidates.chunks(BATCH_PER_THREAD * rayon::current_num_threads()) {
            let computed: Vec<Result<Examples<E::Element>, Failure>> = batch
                .par_iter()
                .map_init(
                    || self.extractor.scratch(),
                    |scratch, candidate| {
                        let result = self.compute(candidate, scratch);
                        phase.step();
                        result
                    },
                )
                .collect();
            for (candidate, result) in batch.iter().zip(computed) {
                let examples = match result {
                    Ok(examples) => examples,
                    Err(Failure::Skip(reason)) => {
                        let path = PathBuf::from(&candidate.name);
                        outcome.skipped.push(Skipped { path, reason });
                        continue;
                    }
                    Err(Failure::Abort(error)) => return Err(error),
                };
                self.add(&mut outcome, candidate, &examples)?;
                let file = match &mut file {
                    Some(file) => file,
                    None => file.insert(Rows::create(path, &examples.shape)?),
                };
                file.push(&examples.values)?;
            }
        }
        if let Some(file) = file {
            file.finish()?;
        }
        Ok(outcome)
    }
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
    let mut scratch = extractor.scratch();
    let mut reason = None;
    for class in classes {
        for file in &class.files {
            let read = read(&root.join(&class.name).join(file));
            let examples = read
                .map_err(|cause| format!("cannot be read: {cause}"))
                .and_then(|(_, bytes)| extractor.extract(bytes, &mut scratch));
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

/// A file and its bytes, at most as many as were allowed when it was looked at.
fn read(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut file = open(path)?;
    // One byte more, so that the end is seen without growing.
    let expected = file.metadata()?.len().min(MAX_FILE_BYTES) + 1;
    let mut bytes = Vec::with_capacity(expected as usize);
    (&mut file).take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((file, bytes))
}
