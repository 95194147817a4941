//! Which files a folder holds: `<class>/<recording>.wav`, `<class>/<image>.png`.
//!
//! Only names are looked at, and no deeper than that: links cannot lead in
//! circles. Hidden entries and files of another kind are passed over in silence;
//! a recording or an image in a format that is not read, or a link to nowhere
//! with such a name, stays in the list, so that it is reported as skipped.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use crate::data::DataError;
use crate::data::error::io_error;
use crate::data::settings::selected;

/// Endings of audio files in lower case, whether they are read or not.
const AUDIO_ENDINGS: [&str; 22] = [
    "wav", "wave", "mp3", "flac", "ogg", "oga", "aif", "aiff", "aifc", "au", "snd", "opus", "m4a",
    "m4p", "aac", "wma", "mp2", "mpga", "caf", "amr", "ape", "wv",
];

/// Endings of images in lower case; the first three are what is read.
const IMAGE_ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff"];

/// What is looked for in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Audio.
    Recordings,
    /// Pictures.
    Images,
}

impl Content {
    /// Its name, in the plural.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Recordings => "recordings",
            Self::Images => "images",
        }
    }

    /// The key of the `data:` section that names the folder.
    pub(in crate::data) fn key(self) -> &'static str {
        match self {
            Self::Recordings => "audio",
            Self::Images => "images",
        }
    }

    /// Endings of files that are read, for messages.
    pub(in crate::data) fn files(self) -> &'static str {
        match self {
            Self::Recordings => ".wav, .au, .aiff, .flac, .ogg or .mp3 files",
            Self::Images => ".png or .jpg files",
        }
    }

    /// Name of such a file, for messages.
    pub(in crate::data) fn example(self) -> &'static str {
        match self {
            Self::Recordings => "one.wav",
            Self::Images => "one.png",
        }
    }

    fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Recordings => &AUDIO_ENDINGS,
            Self::Images => &IMAGE_ENDINGS,
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
        let hidden = hidden(root, content);
        return Err(DataError::NoClasses { path: root.to_owned(), content, nested, hidden });
    }
    // Whoever names both knows of them.
    if let (None, Some((first, second))) = (classes, case_only(&found)) {
        return Err(DataError::CaseOnly { first, second, path: root.to_owned() });
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
    if name.starts_with('.') && root.join(&name).is_dir() {
        return Err(DataError::HiddenClass { class: name, path: root.to_owned() });
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

/// A hidden folder in `root` that holds `content`.
fn hidden(root: &Path, content: Content) -> Option<String> {
    let entries =
        fs::read_dir(root).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    entries
        .filter(|name| name.starts_with('.'))
        .filter(|name| files(&root.join(name), content).is_ok_and(|files| !files.is_empty()))
        .min()
}

/// Two classes whose names differ only in case. Elsewhere they would be one
/// folder, and a set that was copied there would have other classes.
fn case_only(classes: &[Class]) -> Option<(String, String)> {
    let mut seen = BTreeMap::new();
    classes.iter().find_map(|class| {
        let first: Option<&String> = seen.insert(class.name.to_lowercase(), &class.name);
        first.map(|first| (first.clone(), class.name.clone()))
    })
}

fn folders(root: &Path) -> Result<Vec<String>, DataError> {
    names(root, |entry, _| Ok(fs::metadata(entry.path())?.is_dir()))
}

fn files(folder: &Path, content: Content) -> Result<Vec<String>, DataError> {
    names(folder, |entry, name| {
        let ending =
            Path::new(name).extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let wanted = ending.is_some_and(|ending| content.endings().contains(&ending.as_str()));
        // What cannot be looked at is reported when it is read.
        Ok(wanted && !fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()))
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
        // A link to nowhere is no folder.
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
        assert!(error.hint().unwrap().contains("a folder per class with .wav, .au, "));

        let error = list(&root.path().join("file"), Content::Recordings, None).unwrap_err();
        assert!(matches!(error, DataError::NotAFolder { .. }), "{error}");

        let error = list(root.path(), Content::Recordings, None).unwrap_err();
        assert!(
            error.to_string().contains("expected a folder per class with .wav, .au, "),
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
    fn images_are_found_beside_other_files() {
        let root = tree(&[
            "rock/b.PNG",
            "rock/a.jpeg",
            "rock/c.gif",
            "rock/d.wav",
            "blues/x.jpg",
            "jazz/y.wav",
        ]);
        let classes = list(root.path(), Content::Images, None).unwrap();
        let files: Vec<&[String]> = classes.iter().map(|class| class.files.as_slice()).collect();
        assert_eq!(files, [&["x.jpg"][..], &["a.jpeg", "b.PNG", "c.gif"]]);
        let empty = tree(&["rock/d.wav"]);
        let error = list(empty.path(), Content::Images, None).unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with("holds no images: expected a folder per class with .png or .jpg files"),
            "{text}"
        );
    }

    #[test]
    fn one_class_is_refused() {
        let root = tree(&["rock/b.wav"]);
        let error = list(root.path(), Content::Recordings, None).unwrap_err();
        assert!(matches!(&error, DataError::OneClass { class, .. } if class == "rock"), "{error}");
    }
    #[test]
    fn names_of_classes_may_be_anything_but_hidden() {
        let root = tree(&["drum & bass/a.wav", "Müsik 音楽/b.au", "rock'n'roll/c.flac"]);
        let classes = list(root.path(), Content::Recordings, None).unwrap();
        let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        assert_eq!(names, ["Müsik 音楽", "drum & bass", "rock'n'roll"]);
    }

    #[test]
    fn hidden_classes_are_passed_over_but_named_where_they_are_all_there_is() {
        let root = tree(&[".rock/a.wav", ".blues/b.wav"]);
        let error = list(root.path(), Content::Recordings, None).unwrap_err();
        assert_eq!(
            error.hint().unwrap(),
            "`.blues` does, but a folder whose name begins with a dot is no class: rename it"
        );
        let root = tree(&[".rock/a.wav", "blues/b.wav", "jazz/c.wav"]);
        assert_eq!(list(root.path(), Content::Recordings, None).unwrap().len(), 2);
        let asked = ["blues".to_owned(), ".rock".to_owned()];
        let error = list(root.path(), Content::Recordings, Some(&asked)).unwrap_err();
        assert!(error.to_string().starts_with("class `.rock` is a hidden folder in `"), "{error}");
        assert!(error.hint().unwrap().starts_with("rename it to `rock`: "));
    }

    #[test]
    fn classes_that_differ_only_in_case_must_be_named() {
        let root = tree(&["Rock/a.wav", "blues/b.wav", "rock/c.wav"]);
        if fs::read_dir(root.path()).unwrap().count() < 3 {
            return; // This file system does not know case.
        }
        let error = list(root.path(), Content::Recordings, None).unwrap_err();
        assert!(error.to_string().starts_with("`Rock` and `rock` in `"), "{error}");
        assert!(error.hint().unwrap().ends_with("`classes: [Rock, rock]`"));
        for asked in [["Rock", "rock"], ["blues", "rock"]] {
            let asked = asked.map(str::to_owned);
            assert_eq!(list(root.path(), Content::Recordings, Some(&asked)).unwrap().len(), 2);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_may_lead_in_circles() {
        use std::os::unix::fs::symlink;

        let root = tree(&["rock/a.wav", "blues/b.wav"]);
        symlink("..", root.path().join("rock/up")).unwrap();
        symlink("../rock", root.path().join("blues/other.wav")).unwrap();
        symlink("self.wav", root.path().join("blues/self.wav")).unwrap();
        symlink(".", root.path().join("again")).unwrap();
        symlink("round", root.path().join("round")).unwrap();
        let classes = list(root.path(), Content::Recordings, None).unwrap();
        let files: Vec<&[String]> = classes.iter().map(|class| class.files.as_slice()).collect();
        assert_eq!(files, [&["b.wav", "self.wav"][..], &["a.wav"]]);
    }
}
