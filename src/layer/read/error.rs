//! What can be wrong with a tar stream.

use crate::tree::Printable;
use std::io;

/// Why a tar stream could not be read. `offset` is where the entry's header starts, in bytes of the uncompressed stream.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The stream ends inside a block that should hold a header.
    #[error("the archive is truncated: {got} of 512 bytes of the header at byte {offset}")]
    TruncatedHeader {
        /// Where the header starts.
        offset: u64,
        /// Bytes of it that are there.
        got: usize,
    },
    /// The stream ends inside what follows a header.
    #[error("the archive is truncated: {got} of {expected} bytes of {what} of `{}`", Printable(name))]
    TruncatedData {
        /// Where the header starts.
        offset: u64,
        /// The entry.
        name: Vec<u8>,
        /// Which part ends early.
        what: Part,
        /// Bytes that the header announces.
        expected: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// A block that should be a header has not the sum that it states: no tar, or a corrupt one.
    #[error("the archive is corrupt: wrong checksum in the header at byte {offset}")]
    Checksum {
        /// Where the header starts.
        offset: u64,
    },
    /// A number cannot be read, or has a value that the field cannot mean.
    #[error("the archive is corrupt: `{}` has a malformed {field}", Printable(name))]
    Number {
        /// Where the header starts.
        offset: u64,
        /// The entry.
        name: Vec<u8>,
        /// The field.
        field: &'static str,
    },
    /// An extended header (PAX) is no sequence of `length key=value` records, or a value is not what its key wants.
    #[error("the archive is corrupt: malformed extended header at byte {offset}: {fault}")]
    Pax {
        /// Where the header starts.
        offset: u64,
        /// What is wrong.
        fault: PaxFault,
    },
    /// The map of a sparse file is no ascending list of pieces inside the file.
    #[error("the archive is corrupt: malformed sparse map of `{}`", Printable(name))]
    Sparse {
        /// Where the header starts.
        offset: u64,
        /// The entry.
        name: Vec<u8>,
    },
    /// A sparse format that is none of old GNU, 0.0, 0.1 and 1.0.
    #[error("`{}` is stored in an unknown sparse format", Printable(name))]
    SparseFormat {
        /// Where the header starts.
        offset: u64,
        /// The entry.
        name: Vec<u8>,
    },
    /// Something that has to be held in memory is larger than any honest archive has it.
    #[error("{what} at byte {offset} has more than {limit} bytes")]
    TooLarge {
        /// Where the header starts.
        offset: u64,
        /// Which part.
        what: Part,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A type flag that we do not know.
    #[error("`{}` has the unknown type `{}`", Printable(name), flag.escape_ascii())]
    TypeFlag {
        /// Where the header starts.
        offset: u64,
        /// The entry.
        name: Vec<u8>,
        /// The flag as it stands.
        flag: u8,
    },
    /// An entry that is continued from another volume (type flag `M`).
    #[error("`{}` is continued from another volume: multi-volume archives cannot be read", Printable(name))]
    MultiVolume {
        /// Where the header starts.
        offset: u64,
        /// The entry.
        name: Vec<u8>,
    },
    /// A header that describes the next entry comes twice for one entry, or for none.
    #[error("the archive is corrupt: {what} at byte {offset} comes twice, or describes no entry")]
    Stray {
        /// Where the header starts.
        offset: u64,
        /// Which part.
        what: Part,
    },
    /// The stream itself could not be read.
    #[error("{source}")]
    Io {
        /// How far the reading came.
        offset: u64,
        /// What it said.
        source: io::Error,
    },
}

/// A part of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The content.
    Data,
    /// A PAX header for one entry.
    ExtendedHeader,
    /// A PAX header for all entries after it.
    GlobalHeader,
    /// A GNU long name.
    LongName,
    /// A GNU long link target.
    LongLink,
    /// The map of a sparse file.
    SparseMap,
    /// The extended attributes.
    Xattrs,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Data => "the data",
            Self::ExtendedHeader => "the extended header",
            Self::GlobalHeader => "the global extended header",
            Self::LongName => "the long name",
            Self::LongLink => "the long link target",
            Self::SparseMap => "the sparse map",
            Self::Xattrs => "the extended attributes",
        })
    }
}

/// What is wrong with a PAX header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PaxFault {
    /// No decimal length before the first space.
    #[error("a record has no length")]
    Length,
    /// The length leads past the end of the header, or leaves no room for a key.
    #[error("a record's length is wrong")]
    Bounds,
    /// No newline where the length says that the record ends.
    #[error("a record does not end in a newline")]
    Newline,
    /// No `=`, or nothing before it.
    #[error("a record has no key")]
    Key,
    /// The value is no number of the kind that the key wants.
    #[error("the value of `{0}` is malformed")]
    Value(&'static str),
}

/// So that the data of an entry can be read through [`io::Read`]; an end too early is [`io::ErrorKind::UnexpectedEof`].
impl From<TarError> for io::Error {
    fn from(error: TarError) -> Self {
        match error {
            TarError::Io { source, .. } => source,
            TarError::TruncatedHeader { .. } | TarError::TruncatedData { .. } => {
                Self::new(io::ErrorKind::UnexpectedEof, error)
            }
            _ => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
