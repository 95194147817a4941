//! A dataset on its way into the cache, in a hidden folder beside its place.
//!
//! Files arrive one after another. One that has arrived as a whole has the checksum
//! that the coordinator says, and is on disk under its name; the one that arrives
//! has a dot before its name. So what is there tells where to go on, also after this
//! process was killed. Whatever comes from the network is checked before it becomes
//! a path.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use sweep_proto::v1::{DatasetChunk, FetchDatasetRequest};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::task::spawn_blocking;

use super::{Cache, DatasetError, MANIFEST, holds, io_error, room};
use crate::fetching::Sink;
use sweep_proto::digest::hexadecimal;

/// Most files in a dataset; it has a handful.
pub(super) const FILES_LIMIT: usize = 256;

/// Most bytes in a dataset: more than any that fits into memory for training.
pub(super) const BYTES_LIMIT: u64 = 256 << 30;

/// Longest name of a file.
const NAME_LIMIT: usize = 100;

/// A dataset on its way.
pub(super) struct Arriving {
    cache: PathBuf,
    limit: Option<u64>,
    digest: String,
    folder: PathBuf,
    /// Files that are there as a whole.
    names: BTreeSet<String>,
    /// The one that arrives.
    open: Option<(String, File)>,
    /// Of all files together, as far as they are there.
    bytes: u64,
    /// What is asked for.
    request: FetchDatasetRequest,
    /// Of all files together, once the coordinator has said so.
    total: Option<u64>,
}

impl Arriving {
    /// Takes up what there is in `folder`, or begins. To be called by one process at
    /// a time.
    pub(super) fn take_up(
        cache: &Cache,
        digest: &str,
        folder: &Path,
    ) -> Result<Self, DatasetError> {
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        let found = match Found::look(folder) {
            Some(found) => found,
            None => {
                // Nothing that this version has left.
                fs::remove_dir_all(folder).map_err(io_error(folder))?;
                fs::create_dir(folder).map_err(io_error(folder))?;
                Found::default()
            }
        };
        let Found { mut names, mut partial } = found;
        if partial.is_none()
            && let Some(last) = names.iter().max_by_key(|name| (*name == MANIFEST, *name)).cloned()
        {
            // The end of it is asked for again, and with it what comes after.
            let hidden = hidden(folder, &last);
            fs::rename(folder.join(&last), &hidden).map_err(io_error(&hidden))?;
            names.remove(&last);
            partial = Some(last);
        }
        let mut request = FetchDatasetRequest { digest: digest.to_owned(), ..Default::default() };
        let mut open = None;
        if let Some(name) = partial {
            let path = hidden(folder, &name);
            let file = fs::File::options().append(true).open(&path).map_err(io_error(&path))?;
            request.offset = file.metadata().map_err(io_error(&path))?.len();
            request.file.clone_from(&name);
            open = Some((name, File::from_std(file)));
        }
        Ok(Self {
            cache: cache.folder.clone(),
            limit: cache.limit,
            digest: digest.to_owned(),
            folder: folder.to_owned(),
            names,
            open,
            bytes: room::bytes_of(folder),
            request,
            total: None,
        })
    }

    /// What is to be asked for.
    pub(super) fn request(&self) -> FetchDatasetRequest {
        self.request.clone()
    }

    /// How much of the dataset was there before.
    pub(super) fn taken_up_bytes(&self) -> u64 {
        if self.request.file.is_empty() { 0 } else { self.bytes }
    }

    /// Gives the folder its name. Another worker may have been first.
    pub(super) fn settle(self, place: &Path) -> Result<(), DatasetError> {
        match fs::rename(&self.folder, place) {
            Ok(()) => Ok(()),
            Err(_) if holds(place, &self.digest) => {
                fs::remove_dir_all(&self.folder).map_err(io_error(&self.folder))
            }
            Err(source) => Err(io_error(place)(source)),
        }
    }

    async fn begin(&mut self, total: u64) -> Result<(), DatasetError> {
        self.total = Some(total);
        if total > BYTES_LIMIT {
            return Err(DatasetError::Bytes);
        }
        let (cache, digest, limit) = (self.cache.clone(), self.digest.clone(), self.limit);
        let missing = total.saturating_sub(self.bytes);
        spawn_blocking(move || room::make(&cache, &digest, limit, total, missing))
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Opens the file that comes next.
    async fn open(&mut self, name: String) -> Result<(), DatasetError> {
        if !is_plain_name(&name) {
            return Err(DatasetError::FileName(name));
        }
        if self.names.len() == FILES_LIMIT {
            return Err(DatasetError::Files);
        }
        // The one before has not ended, or this one has.
        if self.open.is_some() || self.names.contains(&name) {
            return Err(DatasetError::Order(name));
        }
        let path = hidden(&self.folder, &name);
        let file = File::create_new(&path).await.map_err(io_error(&path))?;
        self.open = Some((name, file));
        Ok(())
    }

    /// Brings the open file onto the disk, so that a dataset that is there after a
    /// power failure is whole, and gives it its name if it is what was sent.
    async fn close(&mut self, sha256: &str) -> Result<(), DatasetError> {
        let Some((name, mut file)) = self.open.take() else { return Ok(()) };
        let path = hidden(&self.folder, &name);
        file.flush().await.map_err(io_error(&path))?;
        file.sync_all().await.map_err(io_error(&path))?;
        // From the disk, since some of it may have been there before.
        let hashed = spawn_blocking({
            let path = path.clone();
            move || hash(&path)
        });
        let found = hashed
            .await
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
            .map_err(io_error(&path))?;
        if found != sha256 {
            return Err(DatasetError::Checksum(name));
        }
        let place = self.folder.join(&name);
        fs::rename(&path, &place).map_err(io_error(&place))?;
        self.names.insert(name);
        Ok(())
    }
}

impl Sink for Arriving {
    type Chunk = DatasetChunk;
    type Error = DatasetError;

    const GOES_ON: bool = true;

    async fn write(&mut self, chunk: DatasetChunk) -> Result<(), DatasetError> {
        let DatasetChunk { file: name, data, sha256, total_bytes } = chunk;
        if self.total.is_none() {
            self.begin(total_bytes).await?;
        }
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        if self.bytes > BYTES_LIMIT {
            return Err(DatasetError::Bytes);
        }
        if self.open.as_ref().is_none_or(|(open, _)| *open != name) {
            self.open(name).await?;
        }
        if let Some((name, file)) = &mut self.open {
            file.write_all(&data).await.map_err(io_error(&hidden(&self.folder, name)))?;
        }
        if sha256.is_empty() { Ok(()) } else { self.close(&sha256).await }
    }

    async fn finish(&mut self) -> Result<(), DatasetError> {
        if self.open.is_some() || !holds(&self.folder, &self.digest) {
            return Err(DatasetError::Manifest(self.digest.clone()));
        }
        // Someone may have removed what was there before.
        if self.total.is_some_and(|total| total != room::bytes_of(&self.folder)) {
            return Err(DatasetError::Incomplete);
        }
        Ok(())
    }

    async fn break_off(&mut self) {
        if let Some((_, file)) = &mut self.open {
            // What was not written is asked for again.
            file.flush().await.ok();
        }
    }
}

/// What an earlier transfer has left.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// Files that are whole.
    names: BTreeSet<String>,
    /// The file that was arriving.
    partial: Option<String>,
}

impl Found {
    /// `None` where anything is there that does not belong.
    fn look(folder: &Path) -> Option<Self> {
        let mut found = Self::default();
        for entry in fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let is_file = entry.file_type().ok()?.is_file();
            match name.strip_prefix('.') {
                Some(name) if is_file && is_plain_name(name) && found.partial.is_none() => {
                    found.partial = Some(name.to_owned());
                }
                None if is_file && is_plain_name(&name) => {
                    found.names.insert(name);
                }
                Some(_) | None => return None,
            }
        }
        Some(found)
    }
}

/// Where a file lies while it arrives.
fn hidden(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".{name}"))
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut fs::File::open(path)?, &mut hasher)?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// Whether a name from the network is safe as the name of a file.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_LIMIT
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a dataset of two files of three bytes, and the manifest.
    const TOTAL: u64 = 6 + 78;

    const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    /// A chunk; the last one of its file if it has the whole file's content.
    fn chunk(file: &str, data: &[u8], whole: Option<&[u8]>) -> DatasetChunk {
        let sha256 = whole.map_or_else(String::new, |whole| hexadecimal(&Sha256::digest(whole)));
        DatasetChunk { file: file.to_owned(), data: data.to_vec(), sha256, total_bytes: TOTAL }
    }

    fn take_up(cache: &Path) -> Arriving {
        let folder = cache.join("part");
        Arriving::take_up(&Cache::new(cache.to_owned(), None), DIGEST, &folder).expect("a folder")
    }

    fn place(arriving: &Arriving) -> (String, u64) {
        (arriving.request().file, arriving.request().offset)
    }

    #[test]
    fn only_plain_names_are_accepted() {
        for name in ["manifest.json", "train_x.npy", "a", "A-1.bin", &"n".repeat(100)] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in
            ["", ".", "..", ".hidden", "a/b", "/a", "a\\b", "a\0", "ä", "a b", &"n".repeat(101)]
        {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }

    #[tokio::test]
    async fn what_was_cut_off_goes_on_where_it_was() {
        let cache = tempfile::tempdir().expect("a folder");
        let mut first = take_up(cache.path());
        assert_eq!(place(&first), (String::new(), 0));
        first.write(chunk("a", b"12", None)).await.expect("taken");
        first.write(chunk("a", b"3", Some(b"123"))).await.expect("taken");
        first.write(chunk("b", b"45", None)).await.expect("taken");
        first.break_off().await;
        drop(first);
        let mut second = take_up(cache.path());
        assert_eq!((place(&second), second.taken_up_bytes()), (("b".to_owned(), 2), 5));
        second.write(chunk("b", b"6", None)).await.expect("taken");
        second.write(chunk("b", b"", Some(b"456"))).await.expect("taken");
        drop(second);
        // Between two files: the end of the last one is asked for once more.
        let mut third = take_up(cache.path());
        assert_eq!(place(&third), ("b".to_owned(), 3));
        third.write(chunk("b", b"", Some(b"456"))).await.expect("the same");
        let manifest = format!(r#"{{"digest": "{DIGEST}"}}"#);
        let last = chunk("manifest.json", manifest.as_bytes(), Some(manifest.as_bytes()));
        third.write(last).await.expect("taken");
        drop(third);
        let mut fourth = take_up(cache.path());
        let length = manifest.len() as u64;
        assert_eq!(place(&fourth), ("manifest.json".to_owned(), length), "the manifest is last");
        fourth.write(chunk("manifest.json", b"", Some(manifest.as_bytes()))).await.expect("taken");
        fourth.finish().await.expect("whole");
        fs::rename(cache.path().join("part/a"), cache.path().join("a")).expect("moved");
        let error = fourth.finish().await.expect_err("not any more");
        assert!(matches!(error, DatasetError::Incomplete));
        fs::rename(cache.path().join("a"), cache.path().join("part/a")).expect("moved");
        let folder = cache.path().join("place");
        fourth.settle(&folder).expect("renamed");
        assert_eq!(fs::read(folder.join("a")).expect("there"), b"123");
        assert_eq!(fs::read(folder.join("b")).expect("there"), b"456");
    }

    #[tokio::test]
    async fn what_is_not_what_was_sent_is_refused() {
        let cache = tempfile::tempdir().expect("a folder");
        let mut arriving = take_up(cache.path());
        let error = arriving.write(chunk("a", b"12", Some(b"123"))).await.expect_err("altered");
        assert!(matches!(error, DatasetError::Checksum(name) if name == "a"));
        let mut arriving = take_up(cache.path());
        arriving.write(chunk("a", b"", Some(b"12"))).await.expect("it was that");
        for (name, why) in [("a", "it has ended"), ("../b", "no name")] {
            arriving.write(chunk(name, b"4", None)).await.expect_err(why);
        }
        arriving.write(chunk("b", b"1", None)).await.expect("taken");
        let error = arriving.write(chunk("c", b"1", None)).await.expect_err("b has not ended");
        assert!(matches!(error, DatasetError::Order(name) if name == "c"));
        let error = arriving.finish().await.expect_err("nor has it now");
        assert!(matches!(error, DatasetError::Manifest(_)));
    }

    #[tokio::test]
    async fn sizes_and_numbers_are_bounded() {
        let cache = tempfile::tempdir().expect("a folder");
        let mut arriving = take_up(cache.path());
        arriving.names.extend((0..FILES_LIMIT).map(|index| index.to_string()));
        let error = arriving.write(chunk("one-more", b"", None)).await.expect_err("too many");
        assert!(matches!(error, DatasetError::Files));
        let huge = DatasetChunk { total_bytes: BYTES_LIMIT + 1, ..chunk("a", b"", None) };
        let error = take_up(cache.path()).write(huge).await.expect_err("too large");
        assert!(matches!(error, DatasetError::Bytes));
    }

    #[test]
    fn what_does_not_belong_there_makes_it_begin_anew() {
        for strange in [&[".a", ".b"][..], &["a b"], &[".", "x"]] {
            let cache = tempfile::tempdir().expect("a folder");
            let folder = cache.path().join("part");
            fs::create_dir(&folder).expect("made");
            fs::write(folder.join("whole"), "1").expect("written");
            for name in strange.iter().filter(|name| **name != ".") {
                fs::write(folder.join(name), "1").expect("written");
            }
            fs::create_dir(folder.join("folder")).expect("made");
            assert_eq!(place(&take_up(cache.path())), (String::new(), 0));
            assert_eq!(fs::read_dir(&folder).expect("there").count(), 0);
        }
    }

    #[test]
    fn the_second_of_two_workers_finds_the_first_ones_folder() {
        let cache = tempfile::tempdir().expect("a folder");
        let folder = cache.path().join(DIGEST);
        for _ in 0..2 {
            let arriving = take_up(cache.path());
            let manifest = format!(r#"{{"digest": "{DIGEST}", "classes": []}}"#);
            fs::write(arriving.folder.join(MANIFEST), manifest).expect("written");
            arriving.settle(&folder).expect("there");
            assert!(holds(&folder, DIGEST));
        }
        assert_eq!(fs::read_dir(cache.path()).expect("there").count(), 1);
        assert!(!holds(&folder, &DIGEST.replace('0', "1")));
    }
}
