//! Two tars, entry by entry, and how they are written down.
//!
//! *Substance* is what a container would notice or could use: content, kinds, link targets, device numbers, setuid, setgid
//! and sticky bits, capabilities. All else is metadata of the tar.

mod compare;
mod fields;
mod order;
mod sorted;
mod standing;
mod written;

pub(super) use compare::{Wanted, compare};

use super::ContentDifference;
use crate::layer::read::Format;
use crate::oci::Digest;

/// What differs between two tars.
#[derive(Debug, Clone, Default)]
pub struct TarDifference {
    /// The most important differences first of all kept, then in the order of their paths.
    pub entries: Vec<EntryDifference>,
    /// Paths that only the second has.
    pub added: u64,
    /// Paths that only the first has.
    pub removed: u64,
    /// Paths whose entries differ.
    pub changed: u64,
    /// Whether something differs that is more than metadata of the tar.
    pub substance: bool,
    /// The entries that both have stand in another order.
    pub order: Option<Order>,
    /// How the tars are written down.
    pub framing: Vec<FramingDifference>,
}

/// A path whose entries differ.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryDifference {
    /// Without leading or trailing slash, any bytes; empty for the root.
    pub path: Vec<u8>,
    /// In what.
    pub change: EntryChange,
    /// Whether that is more than metadata.
    pub substance: bool,
    /// What differs in the content, if that was compared.
    pub content: Option<ContentDifference>,
}

/// In what the entries of a path differ.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryChange {
    /// Only the second has it.
    Added(Summary),
    /// Only the first has it.
    Removed(Summary),
    /// Both have it.
    Changed(Vec<Field>),
}

/// An entry that only one side has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// `file`, `folder` and so on; `removal` for a whiteout.
    pub kind: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owner: (u64, u64),
    /// Length of a file in bytes.
    pub size: u64,
    /// A folder that the other side has too, as something stands in it.
    pub implied: bool,
}

/// What differs between two entries, first to second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// What it is.
    Kind(&'static str, &'static str),
    /// Length and digest of the content.
    Content((u64, Digest), (u64, Digest)),
    /// Where a symlink points.
    Target(Vec<u8>, Vec<u8>),
    /// Device numbers.
    Device((u32, u32), (u32, u32)),
    /// How often the path stands in the tar; and whether its entries say different things, so that readers may differ.
    Repeated(u64, u64, bool),
    /// Permission bits.
    Mode(u32, u32),
    /// Numeric owner and group.
    Owner((u64, u64), (u64, u64)),
    /// Seconds since 1970.
    Mtime(i64, i64),
    /// Names of owner and group.
    OwnerNames((Vec<u8>, Vec<u8>), (Vec<u8>, Vec<u8>)),
    /// A hard link, by its target, where the other side has an equal file, or a link to another name of it.
    HardLink(Option<Vec<u8>>, Option<Vec<u8>>),
    /// An extended attribute: name and values.
    Xattr(Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>),
}

/// Other order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// How the first is sorted.
    pub a: Sorting,
    /// How the second is sorted.
    pub b: Sorting,
    /// Something stands below a symlink or before what it links to, so that the order decides what comes out.
    pub decides: bool,
}

/// How paths are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sorting {
    /// By the bytes of the whole path.
    Bytes,
    /// Folder by folder, each by the bytes of its names.
    Folders,
    /// As a locale does it: without regard to case and punctuation.
    Locale,
    /// Not at all, as a file system gives the names of a folder.
    Unsorted,
}

/// A way of writing that differs, and for how many entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramingDifference {
    /// What.
    pub framing: Framing,
    /// For how many entries; 0 if it is about the whole tar.
    pub entries: u64,
}

/// How a tar is written down, first to second.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framing {
    /// The layout of headers.
    Format(Format, Format),
    /// PAX records that only one of the two has, by their keys: only in the first, only in the second.
    Records(Vec<String>, Vec<String>),
    /// Values of PAX records with these keys.
    RecordValues(Vec<String>),
    /// A leading `./` or `/`, or a slash behind folders.
    Spelling(String, String),
    /// How numbers are filled up and ended.
    Numbers,
    /// GNU long names.
    LongNames(bool, bool),
    /// Sparse files stored as such.
    Sparse(bool, bool),
    /// PAX records for all entries.
    Global(bool, bool),
    /// Blocks of zeros at the end.
    Ending((u8, bool), (u8, bool)),
    /// Bytes after the last entry.
    Tail(u64, u64),
    /// Bytes that mean nothing: names of extended headers, padding.
    Other,
}
