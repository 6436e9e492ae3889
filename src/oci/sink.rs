//! Where finished blobs go: a layout on disk, or nowhere at all when only digests are wanted.

use super::Digest;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A place for blobs.
pub trait Sink: Sync {
    /// Begins a blob; nothing is there until it is committed.
    ///
    /// # Errors
    /// What the place reports.
    fn blob(&self) -> io::Result<Box<dyn Blob>>;

    /// Takes over a whole blob that stands in a file on this disk, and tells whether it did. Whoever asks knows that the
    /// file is that blob.
    ///
    /// # Errors
    /// What the place reports.
    fn adopt(&self, digest: Digest, file: &Path) -> io::Result<bool> {
        let _ = (digest, file);
        Ok(false)
    }

    /// The files in which a committed blob stands now or soon, as long as nobody takes it away.
    fn places(&self, digest: Digest) -> Vec<PathBuf> {
        let _ = digest;
        Vec::new()
    }

    /// Copies a blob (its digest and size) that another sink said to stand in one of some files, and tells whether it did;
    /// it is held against its digest. One that is here already is not copied.
    ///
    /// # Errors
    /// What the place reports; [`io::ErrorKind::Interrupted`] once `interrupt` is set.
    fn copy(&self, blob: (Digest, u64), places: &[PathBuf], interrupt: &AtomicBool) -> io::Result<bool> {
        let _ = (blob, places, interrupt);
        Ok(false)
    }
}

/// A blob that is being written.
pub trait Blob: io::Write + Send {
    /// Begins the blob, of which nothing is written yet, with the first `length` bytes of a file, if the disk can share them:
    /// then nothing is copied, and what the blob begins with can be read from the result.
    ///
    /// # Errors
    /// What the disk reports; the blob is then of no use.
    fn share(&mut self, file: &File, length: u64) -> io::Result<Option<File>> {
        let _ = (file, length);
        Ok(None)
    }

    /// Puts the blob in its place, under the digest of what was written.
    ///
    /// # Errors
    /// What the place reports.
    fn commit(self: Box<Self>, digest: Digest) -> io::Result<()>;
}

/// Where blobs go that only have to be hashed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nowhere;

impl Sink for Nowhere {
    fn blob(&self) -> io::Result<Box<dyn Blob>> {
        Ok(Box::new(Self))
    }

    fn copy(&self, _: (Digest, u64), _: &[PathBuf], _: &AtomicBool) -> io::Result<bool> {
        Ok(true)
    }
}

impl io::Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Blob for Nowhere {
    fn commit(self: Box<Self>, _: Digest) -> io::Result<()> {
        Ok(())
    }
}
