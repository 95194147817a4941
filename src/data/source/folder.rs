//! Which files a folder holds: `<class>/<recording>.wav`.
//!
//! Only names are looked at. Hidden entries and files of another kind are
//! passed over in silence; a recording in a format that is not read stays in
//! the list, so that it is reported as skipped.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use crate::data::DataError;
use crate::data::error::io_error;
use crate::data::settings::selected;

/// Endings of audio files in lower case; the first two are what is read.
const AUDIO_ENDINGS: [&str; 14] = [
    "wav", "wave", "mp3", "flac", "ogg", "oga", "opus", "m4a", "aac", "wma", "aif", "aiff", "aifc",
    "au",
];

/// What is looked for in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Audio.
    Recordings,
}

impl Content {
    /// Its name, in the plural.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Recordings => "recordings",
        }
    }

    /// The key of the `data:` section that names the folder.
    pub(in crate::data) fn key(self) -> &'static str {
        match self {
            Self::Recordings => "audio",
        }
    }

    /// Endings of files that are read, for messages.
    pub(in crate::data) fn files(self) -> &'static str {
        match self {
            Self::Recordings => ".wav files",
        }
    }

    /// Name of such a file, for messages.
    pub(in crate::data) fn example(self) -> &'static str {
        match self {
            Self::Recordings => "one.wav",
        }
    }

    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Recordings => &AUDIO_ENDINGS,
        }
    }
}

/// A class and its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::data) struct Class {
    /// The name of its folder.
    pub(in crate::data) name: String,
    /// File names, sorted.
    pub(in crate::data) files: Vec<String>,
}

/// Lists the classes in `root`, sorted by name.
///
/// - `classes`: only these; else every folder that holds `content`
///
/// A class that is asked for by name may have no files.
pub(in crate::data) fn list(
    root: &Path,
    content: Content,
    classes: Option<&[String]>,
) -> Result<Vec<Class>, DataError> {
    check_folder(root, content)?;
    let found = match selected(classes) {
        Some(names) => {
            let known = folders(root)?;
            names
                .into_iter()
                .map(|name| named(root, content, &known, name))
                .collect::<Result<Vec<_>, _>>()?
        }
        None => holding(root, content)?,
    };
    if found.iter().all(|class| class.files.is_empty()) {
        let nested = nested(root, content);
        return Err(DataError::NoClasses { path: root.to_owned(), content, nested });
    }
    if let [only] = found.as_slice() {
        let (path, class) = (root.to_owned(), only.name.clone());
        return Err(DataError::OneClass { path, what: content.plural(), class });
    }
    Ok(found)
}

fn check_folder(root: &Path, content: Content) -> Result<(), DataError> {
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(DataError::NotAFolder { path: root.to_owned(), content }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            Err(DataError::FolderMissing { path: root.to_owned(), content })
        }
        Err(cause) => Err(io_error("read", root)(cause)),
    }
}

fn named(
    root: &Path,
    content: Content,
    known: &[String],
    name: String,
) -> Result<Class, DataError> {
    if known.contains(&name) {
        return Ok(Class { files: files(&root.join(&name), content)?, name });
    }
    let nearest = nearest(&name, known);
    Err(DataError::UnknownClass { class: name, path: root.to_owned(), nearest })
}

/// The known name that `name` was probably meant to be.
pub(in crate::data) fn nearest(name: &str, known: &[String]) -> Option<String> {
    known
        .iter()
        .map(|known| {
            (strsim::damerau_levenshtein(&known.to_lowercase(), &name.to_lowercase()), known)
        })
        .min()
        .filter(|&(distance, _)| distance <= 1 + name.chars().count() / 3)
        .map(|(_, known)| known.clone())
}

fn holding(root: &Path, content: Content) -> Result<Vec<Class>, DataError> {
    let mut classes = Vec::new();
    for name in folders(root)? {
        let files = files(&root.join(&name), content)?;
        if !files.is_empty() {
            classes.push(Class { name, files });
        }
    }
    Ok(classes)
}

/// A folder in `root` that holds classes: archives often wrap theirs in one.
fn nested(root: &Path, content: Content) -> Option<PathBuf> {
    let folders = folders(root).ok()?;
    folders
        .into_iter()
        .map(|name| root.join(name))
        .find(|path| holding(path, content).is_ok_and(|classes| classes.len() >= 2))
}

fn folders(root: &Path) -> Result<Vec<String>, DataError> {
    names(root, |entry, _| Ok(fs::metadata(entry.path())?.is_dir()))
}

fn files(folder: &Path, content: Content) -> Result<Vec<String>, DataError> {
    names(folder, |entry, name| {
        let ending =
            Path::new(name).extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let wanted = ending.is_some_and(|ending| content.endings().contains(&ending.as_str()));
        Ok(wanted && !fs::metadata(entry.path())?.is_dir())
    })
}

/// Sorted names of the entries of `folder` that are kept; never hidden ones.
fn names(
    folder: &Path,
    keep: impl Fn(&DirEntry, &str) -> io::Result<bool>,
) -> Result<Vec<String>, DataError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error("read", folder))? {
        let entry = entry.map_err(io_error("read", folder))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') {
            continue;
        }
        // A link to nowhere is neither folder nor file.
        if !keep(&entry, &text).unwrap_or(false) {
            continue;
        }
        match name.into_string() {
            Ok(name) => names.push(name),
            Err(_) => return Err(DataError::NotUtf8 { path: entry.path() }),
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        root
    }

    #[test]
    fn classes_and_recordings_are_sorted_and_the_rest_is_passed_over() {
        let root = tree(&[
            "rock/b.WAV",
            "rock/a.wave",
            "rock/notes.txt",
            "rock/.hidden.wav",
            "rock/c.mp3",
            "rock/deeper.wav/d.wav",
            "blues/x.wav",
            ".git/y.wav",
            "docs/readme.md",
            "loose.wav",
        ]);
        let classes = list(root.path(), Content::Recordings, None).unwrap();
        let class = |name: &str, files: &[&str]| Class {
            name: name.to_owned(),
            files: files.iter().map(|&name| name.to_owned()).collect(),
        };
        assert_eq!(
            classes,
            [class("blues", &["x.wav"]), class("rock", &["a.wave", "b.WAV", "c.mp3"])]
        );

        let asked = ["rock".to_owned(), "blues".to_owned(), "rock".to_owned()];
        assert_eq!(list(root.path(), Content::Recordings, Some(&asked)).unwrap(), classes);
    }

    #[test]
    fn a_misspelt_class_gets_the_nearest_name() {
        let root = tree(&["rock/b.wav", "blues/x.wav"]);
        let error = list(root.path(), Content::Recordings, Some(&["Blus".to_owned()])).unwrap_err();
        assert!(error.to_string().starts_with("class `Blus` has no folder in `"), "{error}");
        assert_eq!(error.hint().unwrap(), "did you mean `blues`?");
        let error =
            list(root.path(), Content::Recordings, Some(&["zydeco".to_owned()])).unwrap_err();
        assert_eq!(error.hint(), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let root = tree(&["file", "empty/readme.md"]);
        let error = list(&root.path().join("nowhere"), Content::Recordings, None).unwrap_err();
        assert!(matches!(error, DataError::FolderMissing { .. }), "{error}");
        assert!(error.hint().unwrap().contains("a folder per class with .wav files"));

        let error = list(&root.path().join("file"), Content::Recordings, None).unwrap_err();
        assert!(matches!(error, DataError::NotAFolder { .. }), "{error}");

        let error = list(root.path(), Content::Recordings, None).unwrap_err();
        assert!(
            error.to_string().contains("expected a folder per class with .wav files"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("named after their classes"));
    }

    #[test]
    fn a_wrapping_folder_is_seen_through() {
        let root = tree(&["genres/rock/b.wav", "genres/blues/x.wav", "images/rock/b.png"]);
        let error = list(root.path(), Content::Recordings, None).unwrap_err();
        let hint = error.hint().unwrap();
        assert!(hint.contains("genres` does: did you mean that folder?"), "{hint}");
    }

    #[test]
    fn one_class_is_refused() {
        let root = tree(&["rock/b.wav"]);
        let error = list(root.path(), Content::Recordings, None).unwrap_err();
        assert!(matches!(&error, DataError::OneClass { class, .. } if class == "rock"), "{error}");
    }
}
