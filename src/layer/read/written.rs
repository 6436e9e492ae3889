//! How an entry is written down, besides what it says: two tars that say the same may still differ in this.

use super::entry::Before;
use super::header::{self, Format, Header};
use super::pax::Records;
use super::reader::TarReader;

/// The headers of the current entry as they stand.
#[derive(Default)]
pub(super) struct Raw {
    header: Option<Header>,
    records: Records,
    long: bool,
}

impl Raw {
    pub(super) fn of(header: &Header, before: &Before) -> Self {
        Self {
            header: Some(header.clone()),
            records: before.records.clone().unwrap_or_default(),
            long: before.long_name.is_some() || before.long_link.is_some(),
        }
    }
}

/// How an entry is written down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written {
    /// The layout of its header.
    pub format: Format,
    /// The name of its owner; empty if there is none.
    pub user: Vec<u8>,
    /// The name of its group; empty if there is none.
    pub group: Vec<u8>,
    /// Whether a GNU long name or link stands before it.
    pub long: bool,
    /// Whether it is stored as a sparse file.
    pub sparse: bool,
    /// The keys of its own PAX records.
    pub keys: Vec<Vec<u8>>,
    /// Its fields that hold numbers, with every digit made a `0`: how they are filled up and ended.
    pub numbers: Vec<u8>,
}

impl<R> TarReader<R> {
    /// How the current entry is written down.
    #[must_use]
    pub fn written(&self) -> Written {
        let Raw { header, records, long } = &self.raw;
        let field = |from: usize, to: usize| {
            header.as_ref().and_then(|header| header.0.get(from..to)).map(header::text).unwrap_or_default()
        };
        let format = header.as_ref().map_or(Format::V7, Header::format);
        let named = |key: &[u8], from, to| records.get(key).unwrap_or(field(from, to)).to_vec();
        let sparse = header.as_ref().is_some_and(|header| header.type_flag() == b'S' && format == Format::Gnu);
        let bare = format == Format::V7;
        Written {
            format,
            user: if bare { Vec::new() } else { named(b"uname", 265, 297) },
            group: if bare { Vec::new() } else { named(b"gname", 297, 329) },
            long: *long,
            sparse: sparse || records.iter().any(|(key, _)| key.starts_with(b"GNU.sparse.")),
            keys: records.iter().map(|(key, _)| key.to_vec()).collect(),
            numbers: header.as_ref().map(numbers).unwrap_or_default(),
        }
    }

    /// The PAX records of the current entry.
    pub fn own_records(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.raw.records.iter()
    }

    /// Whether a PAX header for all entries was met that still says something.
    #[must_use]
    pub fn has_global_records(&self) -> bool {
        self.global.weight() > 0
    }

    /// How many bytes were taken so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.stream.offset
    }
}

/// Mode, owner, size, time and device numbers; of base-256 only that it is used.
fn numbers(header: &Header) -> Vec<u8> {
    let mut shape = Vec::with_capacity(68);
    for (from, to) in [(100, 108), (108, 116), (116, 124), (124, 136), (136, 148), (148, 156), (329, 337), (337, 345)] {
        let field = header.0.get(from..to).unwrap_or_default();
        match field.first() {
            Some(first) if first & 0x80 != 0 => shape.push(0x80),
            _ => shape.extend(field.iter().map(|&b| if b.is_ascii_digit() { b'0' } else { b })),
        }
    }
    shape
}
