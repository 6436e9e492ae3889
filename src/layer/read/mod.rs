//! Reads tar: ustar, old V7, GNU (long names, sparse, base-256) and PAX, from any stream, trusting nothing.
//!
//! Every number is checked, memory is bounded by constants and never by a size that the archive states, and what is
//! malformed is an error, never a guess. Left to others: decompression, and whether a path or a link may stand in an
//! image. Ignored: names of owners, atime, ctime, ACLs, comments and `hdrcharset` (names stay the bytes that they are);
//! [`Written`] tells of them.

mod body;
mod entry;
mod error;
mod header;
mod pax;
mod reader;
mod sparse;
mod stream;
#[cfg(test)]
mod tests;
mod written;

pub use error::{Part, PaxFault, TarError};
pub use header::Format;
pub use reader::{EntryData, TarReader};
pub use sparse::Extent;
pub use written::Written;

use crate::tree::Attributes;
use header::Header;

/// One entry as the archive says it; its path is not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// The bytes of its name, as they stand.
    pub path: Vec<u8>,
    /// Mode (`0..=0o7777`), owner, mtime (floored to the second) and extended attributes.
    pub attributes: Attributes,
    /// What it is.
    pub kind: RawKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawKind {
    /// A folder.
    Directory,
    /// A regular file of `size` bytes; holes of a sparse file are counted and read as zeros.
    File {
        /// Length in bytes.
        size: u64,
    },
    /// A hard link to an entry before it, named by its bytes as they stand.
    HardLink(Vec<u8>),
    /// A symbolic link.
    Symlink(Vec<u8>),
    /// A character device, major and minor.
    CharDevice(u32, u32),
    /// A block device, major and minor.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
}

/// How a stream ends after its last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How many of the two blocks of zeros are there: 0, 1 or 2. POSIX wants 2; GNU tar takes less.
    pub blocks: u8,
    /// Whether a byte that is not zero comes after the first of them.
    pub trailing: bool,
    /// Whether the zeros that fill the last block of the last entry are there. umoci 0.4 leaves them out, and with
    /// them the end.
    pub padded: bool,
}

/// Whether a stream with this first block may be a tar: the block is a header with the right checksum.
#[must_use]
pub fn is_header(block: &[u8]) -> bool {
    block.first_chunk().is_some_and(|&block| !Header(block).is_zero() && Header(block).checksum_holds())
}
