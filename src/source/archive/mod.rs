//! An archive (tar, plain or compressed, or zip) as a list of members whose content can be read at any time.
//!
//! What comes out is what extraction into an empty folder would leave: names are judged, hard links resolved, and of
//! members with one path the last counts. The content of a plain tar is read where it stands; all other content is
//! put aside in a temporary file once. Where the archive comes from, whether it is the pinned one, and where its members
//! go in an image is left to others; so is a member below one that is no folder, which [`tree`](crate::tree) refuses.

mod error;
mod kept;
mod members;
mod slice;
mod spool;
mod tar;
mod watch;
mod zip;

pub use error::{ArchiveError, Fault};
pub(in crate::source) use members::{Members, symlink};
pub use slice::Slice;
pub(crate) use spool::Spool;

use crate::file;
use crate::layer::decompress::{Compression, decoder};
use crate::layer::read::is_header;
use crate::record::{Kept, Stamp};
use crate::tree::{Attributes, EntryPath, Kind};
use slice::{Backing, Known, NEVER};
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use watch::Watch;
pub(crate) use zip::mtime as zip_mtime;

/// One member of an archive.
#[derive(Debug, Clone)]
pub struct Member<C = Slice> {
    /// Where it stands, inside the archive.
    pub path: EntryPath,
    /// Mode, owner, mtime, extended attributes, as the archive says. A zip has owner 0 and no extended attributes.
    pub attributes: Attributes,
    /// What it is. Hard links are files with one [`LinkId`](crate::tree::LinkId); the ids mean nothing outside this
    /// archive.
    pub kind: Kind<C>,
}

impl Member {
    /// Its content is wanted, and there.
    #[must_use]
    pub fn wanted(self) -> Member<Option<Slice>> {
        let Ok(kind) = self.kind.try_map(|slice| Ok::<_, Infallible>(Some(slice)));
        Member { path: self.path, attributes: self.attributes, kind }
    }
}

/// An archive, read.
#[derive(Debug, Clone)]
pub struct Archive {
    /// The members in archive order, each path once.
    pub members: Vec<Member>,
}

/// How much of an archive is too much. What is beyond is an error: nobody ships such archives but to do harm.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Members, replaced ones included.
    pub members: usize,
    /// Bytes of names, link targets and extended attributes together.
    pub names: u64,
    /// Bytes of content that are put aside, holes included: the content of compressed archives and of sparse files.
    pub bytes: u64,
}

impl Default for Limits {
    /// Four million members with 1 GiB of names, 1 TiB of content.
    fn default() -> Self {
        Self { members: 4_000_000, names: 1 << 30, bytes: 1 << 40 }
    }
}

/// A fault, and the member at which it was met.
struct Trouble {
    member: Option<Vec<u8>>,
    fault: Fault,
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self { member: None, fault }
    }
}

/// Reads the archive at `path`. Content that has to be put aside goes to a temporary file without a name in `scratch`.
/// Once `interrupt` is true, reading ends with [`Fault::Interrupted`].
///
/// # Errors
/// See [`Fault`].
pub fn open(path: &Path, scratch: &Path, limits: &Limits, interrupt: &AtomicBool) -> Result<Archive, ArchiveError> {
    match file::open_any(path) {
        Ok(file) => from_file(file, path, scratch, limits, interrupt),
        Err(error) => Err(ArchiveError::unopened(path, error)),
    }
}

/// What is kept of archives between runs: with `kept` the list of members is taken from there if it can be, and then content
/// is unpacked when it is read; else the archive is opened by `open`, and what was found is kept.
///
/// # Errors
/// What `open` returns.
pub fn known(
    path: &Path,
    scratch: &Path,
    kept: Option<Kept>,
    open: impl FnOnce() -> Result<Archive, ArchiveError>,
) -> Result<Archive, ArchiveError> {
    let Some(kept) = kept else { return open() };
    if let Some(archive) = kept::recall(path, kept, scratch) {
        return Ok(archive);
    }
    let archive = open()?;
    kept::keep(&archive, kept);
    Ok(archive)
}

/// Like [`open`], for a file that is open already; `name` is what errors call it.
///
/// # Errors
/// See [`Fault`].
pub fn from_file(
    file: File,
    name: &Path,
    scratch: &Path,
    limits: &Limits,
    interrupt: &AtomicBool,
) -> Result<Archive, ArchiveError> {
    read(file, scratch, limits, interrupt).map(|(members, _)| Archive { members }).map_err(
        |Trouble { member, fault }| {
            let fault = match fault {
                _ if interrupt.load(Ordering::Relaxed) => Fault::Interrupted,
                Fault::Spool { source, .. } => Fault::Spool { folder: Some(scratch.to_owned()), source },
                fault => fault,
            };
            ArchiveError { archive: name.to_owned(), member, fault }
        },
    )
}

/// Like [`open`], for an archive that is a member of another one, or a file of an input.
///
/// # Errors
/// See [`Fault`].
pub fn from_slice(
    slice: &Slice,
    name: &Path,
    scratch: &Path,
    limits: &Limits,
    interrupt: &AtomicBool,
) -> Result<Archive, ArchiveError> {
    let failed = |fault| ArchiveError { archive: name.to_owned(), member: None, fault };
    if let Some(file) = slice.whole() {
        let file = file.try_clone().map_err(|error| failed(Fault::Open(error)))?;
        return from_file(file, name, scratch, limits, interrupt);
    }
    let spool = |source| failed(Fault::Spool { folder: Some(scratch.to_owned()), source });
    let mut file = tempfile::tempfile_in(scratch).map_err(spool)?;
    let mut reader = Watch::new(slice.reader(), interrupt);
    io::copy(&mut reader, &mut file).map_err(|source| match interrupt.load(Ordering::Relaxed) {
        true => failed(Fault::Interrupted),
        false => spool(source),
    })?;
    from_file(file, name, scratch, limits, interrupt)
}

/// The members, and where their content was put aside, if any was.
fn read(
    mut file: File,
    scratch: &Path,
    limits: &Limits,
    interrupt: &AtomicBool,
) -> Result<(Vec<Member>, Option<Arc<Backing>>), Trouble> {
    let metadata = file.metadata().map_err(Fault::Open)?;
    if !metadata.is_file() {
        return Err(Fault::NoFile.into());
    }
    let known = Known::new(Stamp::of(&metadata));
    file.rewind().map_err(Fault::Open)?;
    let head = head(&mut file).map_err(Fault::Open)?;
    file.rewind().map_err(Fault::Open)?;
    let backing = Arc::new(Backing::new(file, Some(known)));
    let file = backing.file(&NEVER).map_err(Fault::Open)?;
    let mut spool = Spool::new(scratch, limits).from(known);
    let mut members = Members::new(limits);

    match Compression::sniff(&head) {
        Compression::None if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") => {
            zip::read(file, interrupt, &mut spool, &mut members)?;
        }
        Compression::None => {
            is_tar(&head)?;
            tar::read(Watch::new(file, interrupt), Some(&backing), &mut spool, &mut members)?;
        }
        compression => {
            let plain = decoder(file, compression).map_err(Fault::Content)?;
            let mut plain = Watch::new(plain, interrupt);
            let head = self::head(&mut plain).map_err(Fault::Content)?;
            is_tar(&head)?;
            tar::read(Cursor::new(head).chain(plain), None, &mut spool, &mut members)?;
        }
    }
    let spool = spool.end()?;
    backing.check().map_err(|_| Fault::Changed)?;
    Ok((members.finish(), spool))
}

/// The first block, or what there is of it.
fn head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    reader.by_ref().take(512).read_to_end(&mut head)?;
    Ok(head)
}

/// A tar starts with a header or with a block of zeros; GNU tar takes an empty file for one, too.
fn is_tar(head: &[u8]) -> Result<(), Fault> {
    let zeros = head.len() == 512 && head.iter().all(|&b| b == 0);
    if head.is_empty() || zeros || is_header(head) { Ok(()) } else { Err(Fault::NoArchive) }
}

#[cfg(test)]
mod tests;
