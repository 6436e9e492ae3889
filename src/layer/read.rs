//! Reads tar: ustar, old V7, GNU (long names, sparse, base-256) and PAX, from any stream, trusting nothing.

use crate::tree::Attributes;

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
