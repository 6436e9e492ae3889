//! The store of fetched inputs: files named by their digest in one folder, shared by every rebake of a user.
//!
//! ```text
//! blobs/sha256/HEX    whole files; they are hashed whenever they are asked for, unless who asks trusts notes
//! partial/NAME        what is being received; whoever writes one holds its lock
//! ```
//!
//! A file comes in by a rename, so it is whole or not there, whoever is killed. Where files come from is left to others.

mod part;
mod seen;

pub use part::Part;

use crate::file;
use crate::oci::{Descriptor, Digest, Sha256, document, json};
use seen::{Note, Seen};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How the names of parts begin whose digest nobody knows yet.
const NEW: &str = "new-";

/// A folder of files named by their digests.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    /// Notes of what was hashed, for who trusts them.
    seen: Option<Seen>,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk says no.
    #[error("the store {} cannot be used: {source}", folder.display())]
    Io {
        /// The store's folder.
        folder: PathBuf,
        /// The disk's word.
        source: io::Error,
    },
    /// What was received is not what was asked for.
    #[error("what came has the digest {found}, and should have {expected}")]
    Digest {
        /// Asked for.
        expected: Digest,
        /// Received.
        found: Digest,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// What the store has under a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The file, hashed just now, or noted as one that was.
    Sound(PathBuf),
    /// There was a file with other bytes; it is removed.
    Damaged,
    /// Nothing.
    Missing,
}

/// One file of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

impl Store {
    /// The store in a folder; the folder is made when the first file comes in.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, seen: None }
    }

    /// The same, which does not hash again what it has hashed, as long as device, inode, size, mtime and ctime of the file are
    /// what they were. It takes notes of that in the folder `notes`. `now` is the time, in seconds since 1970, at which
    /// rebake began.
    #[must_use]
    pub fn with_notes(self, notes: PathBuf, now: i64) -> Self {
        Self { seen: Some(Seen { notes, now }), ..self }
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn blobs(&self) -> PathBuf {
        self.folder.join("blobs/sha256")
    }

    fn failed(&self, source: io::Error) -> StoreError {
        StoreError::Io { folder: self.folder.clone(), source }
    }

    /// Looks for a file and hashes it. One that is damaged is removed, so that it can be fetched again.
    ///
    /// # Errors
    /// What the disk reports; [`StoreError::Interrupted`].
    pub fn find(&self, digest: Digest, interrupt: &AtomicBool) -> Result<Found, StoreError> {
        let found = self.look(digest, interrupt)?;
        if found == Found::Damaged
            && let Err(error) = fs::remove_file(self.blobs().join(digest.hex()))
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(self.failed(error));
        }
        Ok(found)
    }

    /// Looks for a file and hashes it. Whatever it is, it stays.
    ///
    /// # Errors
    /// What the disk reports; [`StoreError::Interrupted`].
    pub fn look(&self, digest: Digest, interrupt: &AtomicBool) -> Result<Found, StoreError> {
        let path = self.blobs().join(digest.hex());
        // Before it is hashed: a change meanwhile is one.
        let note = self.seen.as_ref().and_then(|seen| seen.note(digest, &path));
        if note.as_ref().is_some_and(Note::is_taken) {
            return Ok(Found::Sound(path));
        }
        match hash(&path, interrupt) {
            Ok((found, _)) if found == digest => {
                note.iter().for_each(Note::take);
                Ok(Found::Sound(path))
            }
            Ok(_) => Ok(Found::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Missing),
            Err(_) if interrupt.load(Ordering::Relaxed) => Err(StoreError::Interrupted),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Some files and, where they are manifests or indexes, every file that these name.
    #[must_use]
    pub fn with_what_they_name(&self, digests: BTreeSet<Digest>) -> BTreeSet<Digest> {
        let mut all = BTreeSet::new();
        let mut next: Vec<Digest> = digests.into_iter().collect();
        while let Some(digest) = next.pop() {
            let path = self.blobs().join(digest.hex());
            if all.insert(digest)
                && let Ok(bytes) = file::open(&path).and_then(document::read)
                && let Ok(json) = json::parse(&bytes)
            {
                let lists = ["manifests", "layers"].into_iter().filter_map(|name| json.get(name)?.as_array());
                let named = lists.flatten().chain(json.get("config"));
                next.extend(named.filter_map(|json| Descriptor::from_json(json).ok()).map(|found| found.digest));
            }
        }
        all
    }

    /// Begins to receive a file. If its digest is known, what an earlier, killed rebake received of it is still there, and
    /// while another rebake receives it this waits: [`Store::find`] may then have it.
    ///
    /// # Errors
    /// What the disk reports; [`StoreError::Interrupted`].
    pub fn part(&self, digest: Option<Digest>, interrupt: &AtomicBool) -> Result<Part, StoreError> {
        let folder = self.folder.join("partial");
        fs::create_dir_all(&folder).map_err(|error| self.failed(error))?;
        let Some(digest) = digest else {
            let file = tempfile::Builder::new().prefix(NEW).permissions(as_umask()).tempfile_in(&folder);
            let (file, path) = file.and_then(|file| Ok(file.keep()?)).map_err(|error| self.failed(error))?;
            file.lock().map_err(|error| self.failed(error))?;
            self.sweep(&folder, &file).map_err(|error| self.failed(error))?;
            return Part::new(file, path, true).map_err(|error| self.failed(error));
        };
        let path = folder.join(digest.hex());
        loop {
            let file = File::options().read(true).append(true).create(true).open(&path);
            let file = file.map_err(|error| self.failed(error))?;
            loop {
                match file.try_lock() {
                    Ok(()) => break,
                    Err(fs::TryLockError::WouldBlock) if interrupt.load(Ordering::Relaxed) => {
                        return Err(StoreError::Interrupted);
                    }
                    Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
                    Err(fs::TryLockError::Error(error)) => return Err(self.failed(error)),
                }
            }
            // Whoever held the lock may have put the file in its place meanwhile.
            let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
            match (file.metadata(), fs::metadata(&path)) {
                (Ok(opened), Ok(there)) if same(&opened, &there) => {
                    return Part::new(file, path, false).map_err(|error| self.failed(error));
                }
                (Err(error), _) => return Err(self.failed(error)),
                _ => {}
            }
        }
    }

    /// Removes what killed rebakes left half received without a digest: nobody can go on with it. What is younger than an
    /// hour may be so young that its lock is not taken yet.
    fn sweep(&self, folder: &Path, newest: &File) -> io::Result<()> {
        let now = newest.metadata()?.mtime();
        for (path, _) in files(folder)? {
            let new = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(NEW.as_bytes()));
            let old = || fs::metadata(&path).is_ok_and(|metadata| metadata.mtime() < now - 3600);
            if new && old() && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                let _ = fs::remove_file(&path);
            }
        }
        Ok(())
    }

    /// Puts a received file in its place and tells its digest and path. If it is not the one that was `expected`, it is
    /// thrown away.
    ///
    /// # Errors
    /// [`StoreError::Digest`]; what the disk reports.
    pub fn keep(&self, part: Part, expected: Option<Digest>) -> Result<(Digest, PathBuf), StoreError> {
        let found = part.digest();
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            part.discard();
            return Err(StoreError::Digest { expected, found });
        }
        let path = self.blobs().join(found.hex());
        let placed = fs::create_dir_all(self.blobs()).and_then(|()| part.place(&path));
        placed.map(|()| (found, path)).map_err(|error| self.failed(error))
    }

    /// Keeps some bytes.
    ///
    /// # Errors
    /// What the disk reports; [`StoreError::Interrupted`].
    pub fn add(&self, bytes: &[u8], interrupt: &AtomicBool) -> Result<(Digest, PathBuf), StoreError> {
        let digest = Digest::of(bytes);
        if let Found::Sound(path) = self.find(digest, interrupt)? {
            return Ok((digest, path));
        }
        let mut part = self.part(None, interrupt)?;
        if let Err(error) = io::Write::write_all(&mut part, bytes) {
            part.discard();
            return Err(self.failed(error));
        }
        self.keep(part, Some(digest))
    }

    /// Every file, by its digest; none is read.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let mut entries: Vec<Entry> = files(&self.blobs())
            .map_err(|error| self.failed(error))?
            .into_iter()
            .filter_map(|(path, size)| {
                let name = path.file_name()?.to_str()?;
                Some(Entry { digest: format!("sha256:{name}").parse().ok()?, size })
            })
            .collect();
        entries.sort();
        Ok(entries)
    }

    /// Removes every file that `keep` does not want, and what killed rebakes left half received. Tells what is gone.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn prune(&self, keep: impl Fn(Digest) -> bool) -> Result<Vec<Entry>, StoreError> {
        let failed = |error| self.failed(error);
        for (path, _) in files(&self.folder.join("partial")).map_err(failed)? {
            // One that is being written is locked.
            if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
                let _ = fs::remove_file(&path);
            }
        }
        let mut gone = Vec::new();
        for entry in self.entries()?.into_iter().filter(|entry| !keep(entry.digest)) {
            match fs::remove_file(self.blobs().join(entry.digest.hex())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => gone.push(entry),
            }
        }
        Ok(gone)
    }
}

/// Digest and length of a regular file.
///
/// # Errors
/// What the disk reports; any error once `interrupt` is set.
pub fn hash(path: &Path, interrupt: &AtomicBool) -> io::Result<(Digest, u64)> {
    let mut file = file::open(path)?;
    let mut sha256 = Sha256::default();
    let mut buffer = vec![0; 256 << 10];
    loop {
        if interrupt.load(Ordering::Relaxed) {
            return Err(io::Error::other("interrupted"));
        }
        match io::Read::read(&mut file, &mut buffer) {
            Ok(0) => return Ok(sha256.finish()),
            Ok(n) => sha256.update(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The regular files of a folder with their sizes; none if there is no such folder.
#[allow(clippy::disallowed_methods, reason = "the files are sorted or treated alike, and no image sees their order")]
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        // One that another rebake has just taken away is none.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            files.push((entry.path(), metadata.len()));
        }
    }
    Ok(files)
}

/// What the user's umask leaves, as for any other file.
fn as_umask() -> fs::Permissions {
    fs::Permissions::from_mode(0o666)
}

/// Makes a file read-only: nobody edits what is named by its digest by mistake.
fn read_only(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode();
    file.set_permissions(fs::Permissions::from_mode(mode & 0o444))
}

#[cfg(test)]
mod tests;
