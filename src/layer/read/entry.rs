//! From a header, and what extended headers say over it, to an entry; no reading.

use super::error::{PaxFault, TarError};
use super::header::{BadNumber, Format, Header};
use super::pax::{Overrides, Records};
use super::sparse::{self, PaxSparse, SparseFault};
use super::{RawEntry, RawKind};
use crate::tree::Attributes;

/// What came before a header and is meant for it.
#[derive(Default)]
pub(super) struct Before {
    pub(super) records: Option<Records>,
    pub(super) long_name: Option<Vec<u8>>,
    pub(super) long_link: Option<Vec<u8>>,
}

impl Before {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_none() && self.long_name.is_none() && self.long_link.is_none()
    }
}

/// How the stream goes on after a header. Sizes are those of the stored bytes.
pub(super) enum Body {
    /// Nothing follows, unless the header states a size and no header follows: then the data of a link.
    Nothing { stated: u64 },
    /// Data that means nothing to us.
    Skipped { size: u64 },
    /// The content.
    Content { size: u64 },
    /// Blocks with the rest of an old GNU sparse map, then the pieces.
    OldGnuSparse { size: u64 },
    /// The pieces, with the map in the records or before them.
    PaxSparse { size: u64, map: PaxSparse },
}

/// Names what a fault is about.
pub(super) struct Context<'a> {
    pub(super) offset: u64,
    pub(super) name: &'a [u8],
}

impl Context<'_> {
    pub(super) fn number(&self, field: &'static str) -> TarError {
        TarError::Number { offset: self.offset, name: self.name.to_vec(), field }
    }

    pub(super) fn pax(&self, fault: PaxFault) -> TarError {
        TarError::Pax { offset: self.offset, fault }
    }

    pub(super) fn sparse(&self, fault: SparseFault) -> TarError {
        let (offset, name) = (self.offset, self.name.to_vec());
        match fault {
            SparseFault::Map => TarError::Sparse { offset, name },
            SparseFault::Unknown => TarError::SparseFormat { offset, name },
        }
    }

    fn unsigned(&self, field: &'static str, value: Result<i64, BadNumber>) -> Result<u64, TarError> {
        value.ok().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| self.number(field))
    }
}

/// Puts an entry together.
pub(super) fn describe(
    header: &Header,
    offset: u64,
    before: Before,
    global: &Records,
) -> Result<(RawEntry, Body), TarError> {
    let own = before.records.unwrap_or_default();
    let says = Overrides { own: &own, global };
    let real_name = own.get(b"GNU.sparse.name").filter(|name| !name.is_empty());
    let path = real_name.or(says.get(b"path")).map(<[u8]>::to_vec).or(before.long_name);
    let path = path.unwrap_or_else(|| header.path());
    let link = says.get(b"linkpath").map(<[u8]>::to_vec).or(before.long_link);
    let link = || link.unwrap_or_else(|| header.link_name().to_vec());

    let at = Context { offset, name: &path };
    let number = |key, field| match says.number(key).map_err(|fault| at.pax(fault))? {
        Some(number) => Ok(number),
        None => at.unsigned(key, field),
    };
    let size = number("size", header.size())?;
    let attributes = Attributes {
        mode: u32::try_from(at.unsigned("mode", header.mode())? & 0o7777).unwrap_or_default(),
        uid: number("uid", header.uid())?,
        gid: number("gid", header.gid())?,
        mtime: match says.seconds("mtime").map_err(|fault| at.pax(fault))? {
            Some(seconds) => seconds,
            None => header.mtime().map_err(|BadNumber| at.number("mtime"))?,
        },
        xattrs: says.xattrs().map_err(|fault| at.pax(fault))?,
    };
    let device = || {
        let part = |n| u32::try_from(n).map_err(|_| at.number("device number"));
        let (major, minor) = header.device().map_err(|BadNumber| at.number("device number"))?;
        Ok((part(major)?, part(minor)?))
    };

    let nothing = Body::Nothing { stated: size };
    let (kind, body) = match (header.type_flag(), header.format()) {
        // Before POSIX a folder was a file whose name ends in a slash.
        (0, _) | (b'0', Format::V7) if path.ends_with(b"/") => (RawKind::Directory, nothing),
        (0 | b'0' | b'7', _) => match sparse::in_records(says).map_err(|fault| at.sparse(fault))? {
            None => (RawKind::File { size }, Body::Content { size }),
            Some(map) => {
                let real = |key| says.number(key).map_err(|fault| at.pax(fault));
                let real = real("GNU.sparse.realsize")?.or(real("GNU.sparse.size")?);
                let real = real.ok_or_else(|| at.sparse(SparseFault::Map))?;
                (RawKind::File { size: real }, Body::PaxSparse { size, map })
            }
        },
        (b'S', Format::Gnu) => {
            let real = at.unsigned("size", header.sparse_size())?;
            (RawKind::File { size: real }, Body::OldGnuSparse { size })
        }
        (b'1', _) => (RawKind::HardLink(link()), nothing),
        (b'2', _) => (RawKind::Symlink(link()), nothing),
        (b'3', _) => device().map(|(major, minor)| (RawKind::CharDevice(major, minor), nothing))?,
        (b'4', _) => device().map(|(major, minor)| (RawKind::BlockDevice(major, minor), nothing))?,
        (b'5', _) => (RawKind::Directory, nothing),
        (b'6', _) => (RawKind::Fifo, nothing),
        // A GNU dump directory: its data is the list of what was in it.
        (b'D', _) => (RawKind::Directory, Body::Skipped { size }),
        (b'M', _) => return Err(TarError::MultiVolume { offset, name: path }),
        (flag, _) => return Err(TarError::TypeFlag { offset, name: path, flag }),
    };
    Ok((RawEntry { path, attributes, kind }, body))
}
