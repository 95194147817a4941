//! Where a page is written, looked at before anything is prepared.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::results::WriteError;
use crate::results::atomic::write_atomically;

/// Why no page can be written at a place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// A folder is there.
    #[error("{path} is a folder", path = .path.display())]
    Folder {
        /// The place.
        path: PathBuf,
    },
    /// A device is there, or the path ends without a name.
    #[error("{path} is no file that can be replaced", path = .path.display())]
    NotAFile {
        /// The place.
        path: PathBuf,
    },
    /// There is no such folder to write it in.
    #[error("there is no folder {folder}", folder = .folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The file system refused.
    #[error("cannot look at {path}: {cause}", path = .path.display())]
    Io {
        /// The place.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
}

impl PlaceError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Folder { path } => {
                format!("name a file, for example {}", path.join("data.html").display())
            }
            Self::NotAFile { .. } | Self::Io { .. } => "name another file".to_owned(),
            Self::NoFolder { folder } => format!("mkdir -p {}", folder.display()),
        }
    }
}

/// Whether a file can stand there, as far as that can be told.
///
/// # Errors
///
/// Why not.
pub fn check_place(path: &Path) -> Result<(), PlaceError> {
    let place = || path.to_owned();
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(PlaceError::Folder { path: place() }),
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(_) => return Err(PlaceError::NotAFile { path: place() }),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => {}
        Err(cause) => return Err(PlaceError::Io { path: place(), cause }),
    }
    if path.file_name().is_none() {
        return Err(PlaceError::NotAFile { path: place() });
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => return Ok(()),
    };
    match folder.is_dir() {
        true => Ok(()),
        false => Err(PlaceError::NoFolder { folder: folder.to_owned() }),
    }
}

/// Writes a page, whole or not at all.
///
/// # Errors
///
/// Why it could not be written; what was there is unchanged.
pub fn write(path: &Path, page: &str) -> Result<(), WriteError> {
    write_atomically(path, |file| file.write_all(page.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_a_file_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| check_place(&folder.path().join(name));
        let file = folder.path().join("data.html");
        place("data.html").unwrap();
        write(&file, "<p/>").unwrap();
        place("data.html").unwrap();
        let error = check_place(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with(" is a folder"), "{error}");
        assert!(error.hint().ends_with("data.html"));
        let error = place("none/data.html").unwrap_err();
        assert_eq!(error.hint(), format!("mkdir -p {}", folder.path().join("none").display()));
        let error = place("data.html/page.html").unwrap_err();
        assert!(error.to_string().starts_with("there is no folder "), "{error}");
        assert!(check_place(Path::new("data.html")).is_ok());
        if cfg!(unix) {
            let error = check_place(Path::new("/dev/null")).unwrap_err();
            assert_eq!(error.to_string(), "/dev/null is no file that can be replaced");
        }
    }
}
