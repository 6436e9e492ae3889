//! One layer, complete: each path once, in order.
//!
//! A [`Tree`] knows nothing of tar, of OCI or of a disk; where the content of a file comes from is its parameter `C`.

mod path;

pub use path::{EntryPath, PathError, Printable};

use std::collections::BTreeMap;

/// What an entry carries besides its kind. Two entries agree if these are equal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Permission bits with setuid, setgid and sticky: `0..=0o7777`.
    pub mode: u32,
    /// Numeric user id.
    pub uid: u64,
    /// Numeric group id.
    pub gid: u64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub mtime: i64,
    /// Extended attributes, name to value, both bytes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The identity of a file that stands at several paths: all paths with one id are hard links of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<C> {
    /// A folder.
    Directory,
    /// A regular file of `size` bytes.
    File {
        /// Where its bytes come from.
        content: C,
        /// Length in bytes.
        size: u64,
        /// Set if the file stands at several paths.
        link: Option<LinkId>,
    },
    /// A symbolic link; the target is kept as it was written.
    Symlink {
        /// The target, any bytes but NUL, not empty.
        target: Box<[u8]>,
    },
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}
