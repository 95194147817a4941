//! NumPy arrays: `x` with an example a row, `y` with its class, and, where
//! several rows belong together, `groups`.
//!
//! The arrays are files of their own, or members of one archive. Only labels
//! are held in memory; examples go from file to file, some rows at a time. The
//! format is read here and not by a crate, because those at hand read an array
//! as a whole and trust its header.

mod blocks;
mod header;
mod labels;
mod problem;
mod stored;
mod values;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use self::labels::{Labels, Names};
pub use self::problem::ArrayProblem;
use self::stored::Array;
use self::values::Target;
use super::digests::{Digests, Known};
use super::folder::nearest;
use super::{Input, Outcome, Track};
use crate::data::error::io_error;
use crate::data::npy::{Dtype, Element, MAX_ROW_RANK, Rows};
use crate::data::progress::Phase;
use crate::data::settings::selected;
use crate::data::{ArrayFiles, ArraySettings, DataError, Progress};

/// Most classes; more are hardly meant.
const MAX_CLASSES: u32 = 10_000;

/// Arrays that have been looked at, and whose labels have been read.
#[derive(Debug)]
pub(in crate::data) struct Arrays {
    x: Located,
    /// Header and place of `x`.
    examples: Array,
    classes: Vec<String>,
    /// For each row of `x`, the index of its class; none where it is left out.
    rows: Vec<Option<u32>>,
    groups: Option<Labels>,
    /// Where `groups` is.
    groups_place: String,
    /// Where there is room.
    spool: PathBuf,
    content: Vec<(&'static str, PathBuf, Known)>,
}

/// An array's file, and its name there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Located {
    path: PathBuf,
    /// In an archive.
    member: Option<String>,
}

impl Located {
    fn problem(&self, problem: ArrayProblem) -> DataError {
        DataError::Arrays { place: self.shown(), problem }
    }

    fn shown(&self) -> String {
        match &self.member {
            Some(member) => format!("`{member}` of `{}`", self.path.display()),
            None => format!("`{}`", self.path.display()),
        }
    }

    fn open(&self) -> Result<File, DataError> {
        let metadata = std::fs::metadata(&self.path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => self.of_file(ArrayProblem::Missing),
            // A foreign enum that grows.
            _ => io_error("read", &self.path)(cause),
        })?;
        if metadata.is_dir() {
            return Err(self.of_file(ArrayProblem::Folder));
        }
        File::open(&self.path).map_err(io_error("read", &self.path))
    }

    /// What is wrong with the file as a whole.
    fn of_file(&self, problem: ArrayProblem) -> DataError {
        DataError::Arrays { place: format!("`{}`", self.path.display()), problem }
    }

    fn array(&self, most: usize) -> Result<(File, Array), DataError> {
        let mut file = self.open()?;
        let array =
            Array::open(&mut file, self.member.as_deref(), most).map_err(
                |problem| match problem {
                    ArrayProblem::NotNpz(_) | ArrayProblem::NoMember { .. } => {
                        self.of_file(problem)
                    }
                    problem => self.problem(problem),
                },
            )?;
        Ok((file, array))
    }

    fn labels(&self, rows: u64, most: u32, spool: &Path) -> Result<Labels, DataError> {
        let (mut file, array) = self.array(MAX_ROW_RANK)?;
        let found = array.header.rows();
        if found != rows {
            return Err(self.problem(ArrayProblem::Rows { expected: rows, found }));
        }
        Labels::read(&array, &mut file, spool, most).map_err(|problem| self.problem(problem))
    }
}

impl Arrays {
    /// Looks at the arrays and reads their labels.
    ///
    /// - `classes`: only rows of these; else of all that there are
    /// - `cache`: where digests are remembered, and where there is room
    ///
    /// # Errors
    ///
    /// [`DataError::Arrays`] names what is wrong; [`DataError::OneClass`] where
    /// there is nothing to tell apart.
    pub(in crate::data) fn read(
        settings: &ArraySettings,
        classes: Option<&[String]>,
        cache: &Path,
        progress: &dyn Progress,
    ) -> Result<Self, DataError> {
        let mut arrays = Self::look(settings, classes, cache)?;
        let files: Vec<(&str, &PathBuf)> = match &settings.files {
            ArrayFiles::Apart { x, y, groups } => [("x", x), ("y", y)]
                .into_iter()
                .chain(groups.iter().map(|groups| ("groups", groups)))
                .collect(),
            ArrayFiles::Archive { file, .. } => vec![("arrays", file)],
        };
        let phase = Phase::begin(progress, "reading arrays", files.len());
        for (name, path) in files {
            let known = known(path, cache).map_err(io_error("read", path))?;
            phase.step();
            arrays.content.push((name, path.clone(), known));
        }
        drop(phase);
        Ok(arrays)
    }

    /// The same without knowing the content of `x`.
    pub(in crate::data) fn look(
        settings: &ArraySettings,
        classes: Option<&[String]>,
        spool: &Path,
    ) -> Result<Self, DataError> {
        let (x, y, groups) = locate(&settings.files)?;
        let (_, examples) = x.array(MAX_ROW_RANK)?;
        let header = &examples.header;
        if header.values.are_text() {
            return Err(x.problem(ArrayProblem::Text));
        }
        if header.shape.len() < 2 {
            return Err(x.problem(ArrayProblem::Flat(header.shown())));
        }
        if header.row_shape().iter().any(|&length| u32::try_from(length).is_err()) {
            return Err(x.problem(ArrayProblem::TooLarge(header.shown())));
        }
        let labels = y.labels(header.rows(), MAX_CLASSES, spool)?;
        let (classes, rows) = choose(labels, settings.names.as_deref(), classes)
            .map_err(|problem| y.problem(problem))?;
        if let [only] = classes.as_slice() {
            let (path, class) = (y.path, only.clone());
            return Err(DataError::OneClass { path, what: "rows", class });
        }
        let labels = groups.as_ref().map(|groups| groups.labels(header.rows(), u32::MAX, spool));
        let groups_place = groups.as_ref().map_or_else(String::new, Located::shown);
        let (groups, spool, content) = (labels.transpose()?, spool.to_owned(), Vec::new());
        Ok(Self { x, examples, classes, rows, groups, groups_place, spool, content })
    }

    /// Shape of an example, channels last.
    pub(in crate::data) fn shape(&self) -> Vec<usize> {
        self.examples.header.row_shape()
    }

    /// Writes the rows that are used.
    fn write_rows<T: Target>(&self, path: &Path, progress: &dyn Progress) -> Result<(), DataError> {
        let header = &self.examples.header;
        let (row_len, row_bytes) = (header.row_len() as usize, header.row_bytes() as usize);
        let all = self.rows.iter().all(Option::is_some);
        let mut file = self.x.open()?;
        let mut rows = Rows::create(path, &header.row_shape())?;
        let mut numbers: Vec<T> = Vec::new();
        // What `each_block` does not know of: that the output cannot be written.
        let mut unwritten = None;
        let phase = Phase::begin(progress, "writing arrays", blocks::count(header) as usize);
        let read = self.examples.each_block(&mut file, &self.spool, |block| {
            numbers.clear();
            let mut first = block.first;
            let mut convert = |bytes: &[u8], first: u64| {
                T::convert(header.values, bytes, &mut numbers).map_err(|place| {
                    let width = header.values.bytes() as usize;
                    let value = header.values.number(&bytes[place * width..][..width]);
                    ArrayProblem::NotFinite {
                        index: header.index(first * row_len as u64 + place as u64),
                        value: value.to_string().to_lowercase(),
                    }
                })
            };
            if all {
                convert(block.bytes, first)?;
            } else {
                for row in block.bytes.chunks_exact(row_bytes) {
                    if self.rows[first as usize].is_some() {
                        convert(row, first)?;
                    }
                    first += 1;
                }
            }
            phase.step();
            rows.push(&numbers).map_err(|error| {
                unwritten = Some(error);
                ArrayProblem::Unreadable("not written".to_owned())
            })
        });
        if let Some(error) = unwritten {
            return Err(error);
        }
        read.map_err(|problem| self.x.problem(problem))?;
        rows.finish()
    }

    /// The tracks that the rows belong to: their groups, or they themselves.
    fn tracks(&self) -> Result<(Vec<Track>, Vec<usize>), DataError> {
        let used = || {
            let class = |(row, class): (usize, &Option<u32>)| Some((row, (*class)? as usize));
            self.rows.iter().enumerate().filter_map(class)
        };
        let track = |name, class| Track { name, class, sound: None };
        let Some(groups) = &self.groups else {
            let tracks: Vec<Track> =
                used().map(|(row, class)| track(format!("row {row}"), class)).collect();
            let rows = (0..tracks.len()).collect();
            return Ok((tracks, rows));
        };
        let names = groups.names.shown();
        let mut tracks: Vec<Track> = Vec::new();
        let mut track_of: Vec<Option<usize>> = vec![None; names.len()];
        let mut rows = Vec::new();
        for (row, class) in used() {
            let group = groups.rows[row] as usize;
            let track = *track_of[group].get_or_insert_with(|| {
                tracks.push(track(format!("group {}", names[group]), class));
                tracks.len() - 1
            });
            if tracks[track].class != class {
                let problem = ArrayProblem::MixedGroup {
                    group: names[group].clone(),
                    first: self.classes[tracks[track].class].clone(),
                    other: self.classes[class].clone(),
                };
                return Err(DataError::Arrays { place: self.groups_place.clone(), problem });
            }
            rows.push(track);
        }
        Ok((tracks, rows))
    }
}

impl Input for Arrays {
    fn classes(&self) -> Vec<String> {
        self.classes.clone()
    }

    fn content(&self) -> Vec<(&str, Option<&str>)> {
        let content = self.content.iter();
        content.map(|(name, _, known)| (*name, Some(known.digest.as_str()))).collect()
    }

    fn dtype(&self) -> Dtype {
        if self.examples.header.values.are_u8() { u8::DTYPE } else { f32::DTYPE }
    }

    fn tracks(&self) -> &'static str {
        if self.groups.is_some() { "groups" } else { "rows" }
    }

    fn write(&self, path: &Path, progress: &dyn Progress) -> Result<Outcome, DataError> {
        let (tracks, groups) = self.tracks()?;
        match self.dtype() {
            Dtype::U8 => self.write_rows::<u8>(path, progress)?,
            Dtype::F32 | Dtype::I64 => self.write_rows::<f32>(path, progress)?,
        }
        for (_, path, known) in &self.content {
            if !known.is_still(path).map_err(io_error("read", path))? {
                return Err(DataError::Changed { path: path.clone() });
            }
        }
        Ok(Outcome { shape: self.shape(), tracks, groups, skipped: Vec::new() })
    }
}

/// Where `x`, `y` and `groups` are.
fn locate(files: &ArrayFiles) -> Result<(Located, Located, Option<Located>), DataError> {
    match files {
        ArrayFiles::Apart { x, y, groups } => {
            let apart = |path: &PathBuf| Located { path: path.clone(), member: None };
            Ok((apart(x), apart(y), groups.as_ref().map(apart)))
        }
        ArrayFiles::Archive { file, x, y, groups } => {
            let member = |name: &str| Located { path: file.clone(), member: Some(name.to_owned()) };
            let groups = match groups {
                Some(name) => Some(member(name)),
                None => {
                    let usual = member("groups");
                    let has = stored::has(&mut usual.open()?, "groups");
                    has.map_err(|problem| usual.of_file(problem))?.then_some(usual)
                }
            };
            Ok((member(x), member(y), groups))
        }
    }
}

/// The classes that are used, in the order of their labels, and that of each row.
///
/// - `names`: of the labels 0, 1, ...
/// - `wanted`: only these; else all that there are
fn choose(
    labels: Labels,
    names: Option<&[String]>,
    wanted: Option<&[String]>,
) -> Result<(Vec<String>, Vec<Option<u32>>), ArrayProblem> {
    let Labels { names: found, mut rows } = labels;
    let known = match (names, found) {
        (None, found) => found.shown(),
        (Some(_), Names::Text(_)) => return Err(ArrayProblem::NamedText),
        (Some(names), Names::Numbers(numbers)) => {
            let named = |number: &&i64| usize::try_from(**number).is_ok_and(|n| n < names.len());
            if let Some(&label) = numbers.iter().find(|number| !named(number)) {
                return Err(ArrayProblem::NoName { label, last: names.len() - 1 });
            }
            // Also those that no row has: that is said where they are divided.
            rows.iter_mut().for_each(|row| *row = numbers[*row as usize] as u32);
            names.to_vec()
        }
    };
    let Some(wanted) = selected(wanted) else {
        return Ok((known, rows.into_iter().map(Some).collect()));
    };
    if let Some(class) = wanted.iter().find(|class| !known.contains(class)) {
        let (class, nearest) = (class.clone(), nearest(class, &known));
        return Err(ArrayProblem::UnknownClass { class, nearest, classes: known });
    }
    let mut places = vec![None; known.len()];
    let mut classes = Vec::new();
    for (label, class) in known.into_iter().enumerate() {
        if wanted.contains(&class) {
            places[label] = Some(classes.len() as u32);
            classes.push(class);
        }
    }
    Ok((classes, rows.into_iter().map(|label| places[label as usize]).collect()))
}

/// The content of a file, from earlier preparations where it is unchanged.
fn known(path: &Path, cache: &Path) -> io::Result<Known> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let digests = Digests::open(cache, folder, SystemTime::now());
    let known = digests.of(&name, path, u64::MAX)?;
    digests.remember([(&*name, &known)], |other| other != name && folder.join(other).exists());
    Ok(known)
}

/// Reads an array from memory as `x` is read, and once more as labels.
///
/// - `member`: the array's name, where `bytes` are an archive
///
/// Returns shape and values.
///
/// # Errors
///
/// What is wrong with it.
#[cfg(test)]
pub(in crate::data) fn read_all(
    bytes: &[u8],
    member: Option<&str>,
) -> Result<(Vec<u64>, Vec<f32>), ArrayProblem> {
    let (mut reader, spool) = (io::Cursor::new(bytes), std::env::temp_dir());
    let array = Array::open(&mut reader, member, MAX_ROW_RANK)?;
    let mut numbers = Vec::new();
    let labels = Labels::read(&array, &mut reader, &spool, MAX_CLASSES);
    if array.header.values.are_text() {
        labels?;
        return Err(ArrayProblem::Text);
    }
    array.each_block(&mut reader, &spool, |block| {
        f32::convert(array.header.values, block.bytes, &mut numbers).map_err(|place| {
            let place = block.first * array.header.row_len() + place as u64;
            let (index, value) = (array.header.index(place), "nan".to_owned());
            ArrayProblem::NotFinite { index, value }
        })
    })?;
    Ok((array.header.shape, numbers))
}

#[cfg(test)]
pub(in crate::data) mod testing;
#[cfg(test)]
mod tests;
