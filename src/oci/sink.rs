//! Where finished blobs go: a layout on disk, or nowhere at all when only digests are wanted.

use super::Digest;
use std::io;

/// A place for blobs.
pub trait Sink: Sync {
    /// Begins a blob; nothing is there until it is committed.
    ///
    /// # Errors
    /// What the place reports.
    fn blob(&self) -> io::Result<Box<dyn Blob>>;
}

/// A blob that is being written.
pub trait Blob: io::Write + Send {
    /// Puts the blob in its place, under the digest of what was written.
    ///
    /// # Errors
    /// What the place reports.
    fn commit(self: Box<Self>, digest: Digest) -> io::Result<()>;
}
