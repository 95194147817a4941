//! The file as a tree of values, with the overrides of the command line in it.
//!
//! The document keeps the text, so that a fault can be given its line, and
//! remembers which values came from `--set` and `--fix`, so that a fault in one
//! of those names the option instead.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};

use super::error::{ExperimentError, Fault, Place};
use super::locate::{duplicate_key, line_of};
use super::names::nearest;
use super::node::{Node, Scope, describe, shorten};
use super::path::{Segment, display_path, parse_path};
use super::repeat::INDEX;

/// Largest experiment file, in bytes; beyond it, it is something else.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The file and its values.
#[derive(Debug, Clone)]
pub(super) struct Document {
    file: PathBuf,
    text: String,
    value: Value,
    changes: Vec<Change>,
}

/// A value that came from the command line.
#[derive(Debug, Clone)]
struct Change {
    path: Vec<Segment>,
    place: Place,
}

impl Document {
    /// Reads a file.
    pub(super) fn open(file: &Path) -> Result<Self, ExperimentError> {
        let bytes = read_bytes(file)
            .map_err(|fault| ExperimentError::file(file.to_owned(), None, fault))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            let fault = Fault::new(&[], "this is not UTF-8 text").hint("save the file as UTF-8");
            ExperimentError::file(file.to_owned(), Some(line), fault)
        })?;
        Self::parse(file, text)
    }

    /// Reads text; `file` is only its name.
    pub(super) fn parse(file: &Path, text: String) -> Result<Self, ExperimentError> {
        let value: Value = serde_yaml::from_str(&text).map_err(|error| {
            let (line, fault) = syntax_fault(&text, &error);
            ExperimentError::file(file.to_owned(), line, fault)
        })?;
        let document = Self { file: file.to_owned(), text, value, changes: Vec::new() };
        if let Some(fault) = composite_key(&document.value, &mut Vec::new()) {
            return Err(document.error(fault));
        }
        let message = match &document.value {
            Value::Mapping(_) => return Ok(document),
            Value::Null => "the file is empty".to_owned(),
            other => format!("expected sections like `search:`, found {}", describe(other)),
        };
        let hint = "experiments/README.md shows a complete file";
        Err(document.error(Fault::new(&[], message).hint(hint)))
    }

    /// The whole file.
    pub(super) fn root<'a>(&'a self, scope: Scope<'a>) -> Node<'a> {
        Node::new(&self.value, Vec::new(), scope)
    }

    /// A section, if the file has it.
    pub(super) fn section<'a>(&'a self, name: &str, scope: Scope<'a>) -> Option<Node<'a>> {
        self.value.get(name).map(|value| self.root(scope).child(name, value))
    }

    /// Name of the file, without folder and ending.
    pub(super) fn stem(&self) -> String {
        self.file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }

    /// Puts a value in the place of what is at `path`, or where nothing was.
    pub(super) fn set(&mut self, path: &str, value: &str) -> Result<(), ExperimentError> {
        let place = Place::Set(path.to_owned());
        let fault = |message: String| Fault::new(&[], message);
        let at = |fault| ExperimentError::at(place.clone(), fault);
        let segments = parse_path(path, &self.value).ok_or_else(|| {
            at(fault("this is not a path".to_owned())
                .hint("write it like `search.max_trials` or `model[3].conv2d.filters`"))
        })?;
        let value: Value = serde_yaml::from_str(value).map_err(|error| {
            at(fault(format!("the value is not YAML: {}", without_place(&error)))
                .hint("put the whole argument in quotation marks: --set 'space.x={fixed: 4}'"))
        })?;
        if value.is_null() {
            return Err(at(fault("there is no value after `=`".to_owned())));
        }
        if let Some(fault) = composite_key(&value, &mut segments.clone()) {
            return Err(at(fault));
        }
        insert(&mut self.value, &segments, value).map_err(at)?;
        self.changes.push(Change { path: segments, place });
        Ok(())
    }

    /// Makes the hyperparameter declared at `path` a fixed one. Where it exists
    /// stays as it is.
    pub(super) fn fix(&mut self, name: &str, path: Vec<Segment>, value: Value) {
        let mut fixed = Mapping::new();
        fixed.insert("fixed".into(), value);
        for key in ["when", "repeat"] {
            if let Some(kept) = at(&self.value, &path).and_then(|old| old.get(key)) {
                fixed.insert(key.into(), kept.clone());
            }
        }
        if insert(&mut self.value, &path, Value::Mapping(fixed)).is_ok() {
            self.changes.push(Change { path, place: Place::Fix(name.to_owned()) });
        }
    }

    /// Gives a fault its place.
    pub(super) fn error(&self, fault: Fault) -> ExperimentError {
        ExperimentError::at(self.place(&fault.path), fault)
    }

    /// Where the value at `path` was written.
    pub(super) fn place(&self, path: &[Segment]) -> Place {
        let file = |line| Place::File { file: self.file.clone(), line };
        let over = self.changes.iter().rev().find(|change| path.starts_with(&change.path));
        if let Some(change) = over {
            return change.place.clone();
        }
        if let Some(line) = line_of(&self.text, path) {
            return file(Some(line));
        }
        let under = self.changes.iter().find(|change| change.path.starts_with(path));
        match under {
            Some(change) if !path.is_empty() => change.place.clone(),
            _ => file(None),
        }
    }

    /// All values as YAML text, with the name of the study.
    ///
    /// A study without a name has that of its file, but the copy in a run's
    /// folder has another file name.
    pub(super) fn canonical(&self, study: &str) -> String {
        serde_yaml::to_string(&self.named(study))
            .expect("what was read from YAML can be written as YAML")
    }

    /// All values, with the name of the study.
    pub(super) fn named(&self, study: &str) -> Value {
        let mut mapping = Mapping::new();
        mapping.insert("study".into(), study.into());
        if let Value::Mapping(sections) = &self.value {
            mapping.extend(
                sections
                    .iter()
                    .filter(|(key, _)| key.as_str() != Some("study"))
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
        Value::Mapping(mapping)
    }
}

/// A list or a mapping in the place of a key, wherever it stands: also where
/// nothing else would look, it could not be written into a run's copy of the file.
fn composite_key(value: &Value, path: &mut Vec<Segment>) -> Option<Fault> {
    match value {
        Value::Mapping(entries) => entries.iter().find_map(|(key, value)| match key {
            Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => {
                let message = format!("keys must be text, but one is {}", describe(key));
                Some(
                    Fault::new(path, message)
                        .hint("put text that begins with `{` or `[` in quotation marks"),
                )
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                path.push(Segment::key(key.as_str().unwrap_or_default()));
                let found = composite_key(value, path);
                path.pop();
                found
            }
        }),
        Value::Sequence(items) => items.iter().enumerate().find_map(|(index, value)| {
            path.push(Segment::Index(index));
            let found = composite_key(value, path);
            path.pop();
            found
        }),
        Value::Tagged(tagged) => composite_key(&tagged.value, path),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn read_bytes(file: &Path) -> Result<Vec<u8>, Fault> {
    let fault = |message: &str| Fault::new(&[], message);
    let metadata = fs::metadata(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let fault = fault("there is no such file");
            match neighbour(file) {
                Some(near) => fault.hint(format!("did you mean `{}`?", near.display())),
                None => {
                    fault.hint("name an experiment file, for example experiments/quickstart.yaml")
                }
            }
        }
        _ => fault(&format!("it cannot be read: {error}")),
    })?;
    if metadata.is_dir() {
        return Err(fault("this is a folder").hint("name an experiment file in it"));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(fault("this is larger than 1 MiB, so it is not an experiment file"));
    }
    fs::read(file).map_err(|error| fault(&format!("it cannot be read: {error}")))
}

/// The file in the same folder whose name is most like that of `file`.
fn neighbour(file: &Path) -> Option<PathBuf> {
    /// Folders with more entries are not searched to the end.
    const LOOKED_AT: usize = 1000;
    let name = file.file_name()?.to_str()?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .take(LOOKED_AT)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
            matches!(ending, Some("yaml" | "yml"))
        })
        .collect();
    nearest(name, names.iter().map(String::as_str)).map(|name| file.with_file_name(name))
}

fn syntax_fault(text: &str, error: &serde_yaml::Error) -> (Option<usize>, Fault) {
    if let Some((key, line)) = duplicate_key(text) {
        let fault = Fault::new(&[], format!("`{}` stands twice in one mapping", shorten(&key)));
        return (Some(line), fault.hint("keep one of them"));
    }
    let line = error.location().map(|location| location.line());
    let fault = Fault::new(&[], format!("this is not YAML: {}", without_place(error)));
    let indented_by_tab =
        |line: &str| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty();
    let fault = if text.lines().any(indented_by_tab) {
        fault.hint("indent with spaces; YAML does not allow tabs")
    } else if line.and_then(|line| text.lines().nth(line - 1)).is_some_and(bare_index) {
        fault.hint("inside `{...}`, put names with `{i}` in quotation marks: \"$units_{i}\"")
    } else {
        fault
    };
    (line, fault)
}

/// Whether a line has `{i}` outside quotation marks.
fn bare_index(line: &str) -> bool {
    line.split(['"', '\'']).step_by(2).any(|outside| outside.contains(INDEX))
}

/// The message without the line, which stands before it.
fn without_place(error: &serde_yaml::Error) -> String {
    let mut message = error.to_string();
    if let Some(location) = error.location() {
        let place = format!(" at line {} column {}", location.line(), location.column());
        message = message.replace(&place, "");
    }
    message
}

/// The value at `path`.
fn at<'a>(root: &'a Value, path: &[Segment]) -> Option<&'a Value> {
    path.iter().try_fold(root, |here, segment| match segment {
        Segment::Key(key) => here.get(key),
        Segment::Index(index) => here.get(index),
    })
}

/// Puts `value` at `path`, making mappings where there is nothing.
fn insert(root: &mut Value, path: &[Segment], value: Value) -> Result<(), Fault> {
    let mut here = root;
    for (depth, segment) in path.iter().enumerate() {
        let so_far = || display_path(&path[..depth]);
        here = match segment {
            Segment::Key(key) => {
                if here.is_null() {
                    *here = Value::Mapping(Mapping::new());
                }
                let found = describe(here);
                let Value::Mapping(mapping) = here else {
                    let rest = display_path(&path[depth..]);
                    return Err(Fault::new(
                        &[],
                        format!("`{}` is {found}, so it has no `{rest}`", so_far()),
                    ));
                };
                mapping.entry(Value::String(key.clone())).or_insert(Value::Null)
            }
            Segment::Index(index) => {
                let found = describe(here);
                let Value::Sequence(items) = here else {
                    return Err(Fault::new(&[], format!("`{}` is {found}, not a list", so_far())));
                };
                let length = items.len();
                items.get_mut(*index).ok_or_else(|| {
                    Fault::new(&[], format!("`{}` has {length} items, counted from 0", so_far()))
                })?
            }
        };
    }
    *here = value;
    Ok(())
}
