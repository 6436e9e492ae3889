//! Writes a layer: a tree becomes a tar stream, the stream becomes blocks, the blocks a compressed blob and two digests.

mod cut;
pub mod deflate;
mod encode;
mod header;
mod outline;
mod past;
mod pipeline;
mod stream;
mod workers;

pub use header::{Header, Type};
pub use outline::Outline;
pub use past::{Made, MadeBlock, Midway, Past};
pub use pipeline::{Layer, Manner, write, write_again};
pub use stream::tar;
pub use workers::Workers;

use crate::record::Stamp;
use crate::tree::{EntryPath, Origin};
use std::io::{self, Read};
use std::sync::atomic::AtomicBool;

/// The time of every entry that nothing gives another one, in seconds since 1970: 1980-01-01T00:00:00Z, the first instant
/// that zip archives can say too. It does not depend on an image's `created`, so that a new commit does not change a
/// layer. Edition 2026.
pub const MTIME: i64 = 315_532_800;

/// Bytes that can be read once more whenever a layer is written.
pub trait Content {
    /// Opens them. The reader fails if they are not what they were when the layer was planned.
    ///
    /// # Errors
    /// What the place they come from reports.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;

    /// Does what has to be done before they are opened and may take long, unless somebody interrupts.
    ///
    /// # Errors
    /// What the place they come from reports.
    fn prepare(&self, _interrupt: &AtomicBool) -> io::Result<()> {
        Ok(())
    }

    /// What tells them from others without reading them.
    fn identity(&self) -> Identity<'_> {
        Identity::Unknown
    }
}

/// What is known of bytes that are not read.
#[derive(Debug, Clone, Copy)]
pub enum Identity<'a> {
    /// Nothing.
    Unknown,
    /// They are these.
    Bytes(&'a [u8]),
    /// They are a part of a file, and the same as long as these numbers are.
    Stamp {
        /// Of the file.
        stamp: Stamp,
        /// Where the part begins.
        offset: u64,
        /// How long it is, in bytes.
        length: u64,
    },
}

/// Bytes in memory.
impl Content for &[u8] {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(*self))
    }

    fn identity(&self) -> Identity<'_> {
        Identity::Bytes(self)
    }
}

/// Why a layer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file's content could not be read, or had another length than planned.
    #[error("{path}: {source}")]
    Content {
        /// Its path in the image.
        path: EntryPath,
        /// Who asked for it.
        origin: Origin,
        /// What went wrong.
        source: io::Error,
    },
    /// The blob could not be stored.
    #[error(transparent)]
    Sink(io::Error),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}
