//! A layout that is added to where it stands: blobs come in one by one, and the index last, in one step.

use super::Held;
use super::blob::FileBlob;
use super::place::names;
use crate::oci::{Blob, Digest, Sink};
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How the file that is to be `index.json` is called before it is.
pub(super) const NEW_INDEX: &str = ".index.json.new";
/// How blobs are called before they are whole.
pub(super) const NEW_BLOB: &str = ".new-";

/// A layout that is being added to. Dropped before it is published, it is what it was.
pub struct Adding {
    folder: PathBuf,
    held: Held,
    /// The blobs that came in.
    added: Arc<Mutex<Vec<PathBuf>>>,
}

impl Adding {
    /// Begins to add to the layout at `folder`, which the caller holds.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn begin(folder: &Path, held: Held) -> io::Result<Self> {
        let blobs = folder.join("blobs/sha256");
        if !blobs.is_dir() {
            DirBuilder::new().recursive(true).mode(0o755).create(&blobs)?;
        }
        // What a killed rebake left: whoever else adds here holds the folder first.
        for name in names(&blobs)? {
            if name.as_encoded_bytes().starts_with(NEW_BLOB.as_bytes()) {
                let _ = fs::remove_file(blobs.join(name));
            }
        }
        Ok(Self { folder: folder.to_owned(), held, added: Arc::default() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Keeps the blobs that came in: the index that is there names them.
    pub fn keep(self) {
        taken(&self.added);
    }

    /// Puts another index in the place of the one that is there.
    ///
    /// # Errors
    /// What the disk reports; if another program has put another layout in its place meanwhile. The old index then stays.
    pub fn publish(self, index_json: &[u8]) -> io::Result<()> {
        File::open(self.folder.join("blobs/sha256"))?.sync_all()?;
        // By the folder itself and not by its name, which may lead elsewhere any time.
        let folder = self.held.folder();
        let _ = unlinkat(folder, NEW_INDEX, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(openat(folder, NEW_INDEX, flags, Mode::from_raw_mode(0o644))?);
        let written = (|| {
            file.write_all(index_json)?;
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
            file.sync_all()?;
            if !self.held.stands_at(&self.folder) {
                return Err(io::Error::other("another program has put another layout there meanwhile; try again"));
            }
            Ok(renameat(folder, NEW_INDEX, folder, "index.json")?)
        })();
        if written.is_err() {
            let _ = unlinkat(folder, NEW_INDEX, AtFlags::empty());
        }
        written?;
        taken(&self.added);
        folder.sync_all()
    }
}

/// The blobs that came in since it was asked last.
fn taken(added: &Mutex<Vec<PathBuf>>) -> Vec<PathBuf> {
    std::mem::take(&mut *added.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Drop for Adding {
    fn drop(&mut self) {
        for blob in taken(&self.added) {
            // Whoever else adds here waits for the hold that is still ours.
            let _ = fs::remove_file(blob);
        }
    }
}

impl Sink for Adding {
    fn blob(&self) -> io::Result<Box<dyn Blob>> {
        let blobs = self.folder.join("blobs/sha256");
        Ok(Box::new(Added { blob: FileBlob::begin(blobs.clone())?, blobs, added: Arc::clone(&self.added) }))
    }
}

/// A blob that is noted once it is there.
struct Added {
    blob: Box<dyn Blob>,
    blobs: PathBuf,
    added: Arc<Mutex<Vec<PathBuf>>>,
}

impl Write for Added {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blob.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.blob.flush()
    }
}

impl Blob for Added {
    fn commit(self: Box<Self>, digest: Digest) -> io::Result<()> {
        let path = self.blobs.join(digest.hex());
        let is_new = fs::symlink_metadata(&path).is_err();
        self.blob.commit(digest)?;
        if is_new {
            self.added.lock().unwrap_or_else(PoisonError::into_inner).push(path);
        }
        Ok(())
    }
}
