//! The tar of a layer as a list of its entries, each content as a digest: memory by the number of entries.

use super::Limits;
use crate::layer::decompress::{BOMB, RATIO, is_bomb};
use crate::layer::read::{Ending, RawEntry, RawKind, TarReader, Written};
use crate::oci::{Digest, Sha256};
use crate::tree::{Attributes, PATH_MAX, Printable};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A layer, read to its end.
pub(super) struct Scan {
    /// In the order of the stream.
    pub(super) entries: Vec<Entry>,
    pub(super) ending: Ending,
    /// Bytes after the last entry.
    pub(super) tail: u64,
    /// Whether records for all entries stand in it.
    pub(super) global: bool,
    /// Of large files, by place, a sum of each MiB.
    pieces: BTreeMap<usize, Vec<u64>>,
}

/// A piece of a large file; and how many of them are kept of a layer: those of 1 TiB.
const PIECE: u64 = 1 << 20;
const PIECES: usize = 1 << 20;

/// What stands at a path.
pub(super) struct Entry {
    /// Without `.` and doubled slashes; empty for the root. Not judged otherwise.
    pub(super) path: Box<[u8]>,
    /// Its number in the stream, from 0.
    pub(super) place: usize,
    pub(super) attributes: Attributes,
    pub(super) kind: Kind,
    pub(super) written: Arc<Written>,
    /// How the path stands there: what is before it, and a slash behind it.
    pub(super) spelling: Spelling,
    /// A digest of the PAX records that nothing else tells of, shortened.
    pub(super) records: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File {
        size: u64,
        sha256: Digest,
    },
    /// To a path in the same form as an entry's.
    HardLink(Box<[u8]>),
    Symlink(Box<[u8]>),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spelling {
    pub(super) dot: bool,
    pub(super) absolute: bool,
    pub(super) slash: bool,
}

/// Reads a layer whose blob has `packed` bytes.
///
/// # Errors
/// In which way it cannot be read.
pub(super) fn scan(tar: impl Read, packed: u64, limits: &Limits, interrupt: &AtomicBool) -> Result<Scan, String> {
    let count = Rc::new(Cell::new(0));
    let mut reader = TarReader::new(Counted { inner: tar, packed, interrupt, count: Rc::clone(&count) });
    // Bytes of files that hold holes, which cost nothing to state.
    let mut sparse = 0_u64;
    let (mut entries, mut forms) = (Vec::new(), BTreeSet::new());
    let (mut pieces, mut kept) = (BTreeMap::new(), 0_usize);
    let mut weight = 0_usize;
    let mut buffer = vec![0; 64 << 10];
    let mut global = false;
    while let Some(raw) = reader.next().map_err(|error| error.to_string())? {
        if entries.len() >= limits.entries {
            return Err(format!("it has more than {} entries", limits.entries));
        }
        let mut written = Arc::new(reader.written());
        match forms.get(&written) {
            Some(known) => written = Arc::clone(known),
            None => {
                weight = weight.saturating_add(heavy(&written));
                forms.insert(Arc::clone(&written));
            }
        }
        if let Some(path) = paths(&raw).find(|path| path.len() >= PATH_MAX && normal(path).len() >= PATH_MAX) {
            let start = path.get(..64).unwrap_or_default();
            return Err(format!("the path `{}...` is longer than 4095 bytes", Printable(start)));
        }
        weight = weight.saturating_add(names(&raw));
        if weight > limits.names {
            return Err(format!("its names and attributes have more than {} bytes", limits.names));
        }
        let records = records(&reader);
        global |= reader.has_global_records();
        let kind = match raw.kind {
            RawKind::Directory => Kind::Folder,
            RawKind::File { size } => {
                sparse = sparse.saturating_add(if written.sparse { size } else { 0 });
                if is_bomb(sparse, packed) {
                    return Err(bomb());
                }
                let mut content = Content::default();
                // Half of it, as the other side may have less.
                if size > limits.file / 2 {
                    content.room = PIECES.saturating_sub(kept);
                }
                hash(reader.data(), &mut content, &mut buffer, interrupt).map_err(|error| error.to_string())?;
                let (sha256, size) = content.sha256.finish();
                if content.room > 0 && content.pieces.len() as u64 == size / PIECE {
                    kept = kept.saturating_add(content.pieces.len());
                    pieces.insert(entries.len(), content.pieces);
                }
                Kind::File { size, sha256 }
            }
            RawKind::HardLink(target) => Kind::HardLink(normal(&target)),
            RawKind::Symlink(target) => Kind::Symlink(target.into()),
            RawKind::CharDevice(major, minor) => Kind::CharDevice(major, minor),
            RawKind::BlockDevice(major, minor) => Kind::BlockDevice(major, minor),
            RawKind::Fifo => Kind::Fifo,
        };
        let spelling = Spelling {
            dot: raw.path.starts_with(b"./") || raw.path == b".",
            absolute: raw.path.starts_with(b"/"),
            slash: raw.path.ends_with(b"/"),
        };
        let path = normal(&raw.path);
        let place = entries.len();
        entries.push(Entry { path, place, attributes: raw.attributes, kind, written, spelling, records });
    }
    let end = reader.offset();
    let ending = reader.finish().map_err(|error| error.to_string())?;
    // The first block of zeros was taken to see that it is one.
    let taken = if ending.blocks > 0 { 512 } else { 0 };
    Ok(Scan { entries, ending, tail: count.get().saturating_sub(end.saturating_sub(taken)), global, pieces })
}

/// Reads a content to its end. Holes are read without the stream, which looks at the interrupt too.
fn hash(mut data: impl Read, content: &mut Content, buffer: &mut [u8], interrupt: &AtomicBool) -> io::Result<()> {
    loop {
        if interrupt.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        match data.read(buffer)? {
            0 => return Ok(()),
            n => content.write_all(buffer.get(..n).unwrap_or_default())?,
        }
    }
}

fn interrupted() -> io::Error {
    io::Error::other("interrupted")
}

fn bomb() -> String {
    format!("it grows to more than {BOMB} bytes, and to more than {RATIO} times what is stored: it is a bomb")
}

/// A path without `.` and needless slashes.
pub(super) fn normal(path: &[u8]) -> Box<[u8]> {
    let mut clean = Vec::with_capacity(path.len());
    for part in path.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if !clean.is_empty() {
            clean.push(b'/');
        }
        clean.extend_from_slice(part);
    }
    clean.into()
}

/// Its path, and that of what it is a hard link to.
fn paths(raw: &RawEntry) -> impl Iterator<Item = &[u8]> {
    let target = if let RawKind::HardLink(target) = &raw.kind { Some(target.as_slice()) } else { None };
    std::iter::once(raw.path.as_slice()).chain(target)
}

fn names(raw: &RawEntry) -> usize {
    let target = match &raw.kind {
        RawKind::HardLink(target) | RawKind::Symlink(target) => target.len(),
        _ => 0,
    };
    let xattrs = raw.attributes.xattrs.iter().map(|(name, value)| name.len().saturating_add(value.len()));
    xattrs.chain([raw.path.len(), target]).fold(0, usize::saturating_add)
}

fn heavy(written: &Written) -> usize {
    let keys = written.keys.iter().map(Vec::len).fold(0, usize::saturating_add);
    keys.saturating_add(1024)
}

/// Whether a PAX record is told of by an entry's own fields.
pub(super) fn is_told(key: &[u8]) -> bool {
    matches!(key, b"path" | b"linkpath" | b"size" | b"uid" | b"gid" | b"uname" | b"gname")
        || key.starts_with(b"SCHILY.xattr.")
        || key.starts_with(b"GNU.sparse.")
}

fn records<R: Read>(reader: &TarReader<R>) -> u64 {
    let mut sha256 = Sha256::default();
    for (key, value) in reader.own_records().filter(|(key, _)| !is_told(key)) {
        // The whole seconds are the entry's mtime.
        let fraction = value.splitn(2, |&b| b == b'.').nth(1).unwrap_or_default();
        let value = if key == b"mtime" { fraction } else { value };
        sha256.update(key);
        sha256.update(b"=");
        sha256.update(value);
        sha256.update(b"\n");
    }
    let (digest, _) = sha256.finish();
    digest.bytes().iter().take(8).fold(0, |sum, &byte| sum << 8 | u64::from(byte))
}

/// Counts what passes, and stops where it is too much and when the user wants to.
pub(super) struct Counted<'a, R> {
    inner: R,
    packed: u64,
    interrupt: &'a AtomicBool,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(interrupted());
        }
        let n = self.inner.read(buf)?;
        let count = self.count.get().saturating_add(n as u64);
        self.count.set(count);
        if is_bomb(count, self.packed) { Err(io::Error::other(bomb())) } else { Ok(n) }
    }
}

/// Sums what is written to it: all of it, and each piece.
#[derive(Default)]
struct Content {
    sha256: Sha256,
    pieces: Vec<u64>,
    /// How many pieces may be kept.
    room: usize,
    sum: DefaultHasher,
    length: u64,
}

impl Write for Content {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pieces.len() >= self.room {
            self.sha256.update(bytes);
            return Ok(bytes.len());
        }
        let left = usize::try_from(PIECE.saturating_sub(self.length)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..left.min(bytes.len())).unwrap_or_default();
        self.sha256.update(bytes);
        self.sum.write(bytes);
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length >= PIECE {
            self.pieces.push(std::mem::take(&mut self.sum).finish());
            self.length = 0;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Scan {
    /// The piece in which two large files, by their places, first differ. The last one, which is not whole, has no sum.
    pub(super) fn first_difference(&self, place: usize, other: &Self, there: usize) -> Option<u64> {
        let (a, b) = (self.pieces.get(&place)?, other.pieces.get(&there)?);
        Some(a.iter().zip(b).take_while(|(a, b)| a == b).count() as u64)
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        let size = |entry: &Entry| if let Kind::File { size, .. } = entry.kind { size } else { 0 };
        self.entries.iter().map(size).fold(0, u64::saturating_add)
    }
}

impl Entry {
    /// Whether it takes away what lower layers have (image-spec, "layer.md", Whiteouts).
    pub(super) fn is_whiteout(&self) -> bool {
        self.path.rsplit(|&b| b == b'/').next().is_some_and(|name| name.starts_with(b".wh."))
    }

    /// For messages and JSON.
    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Folder => "folder",
            Kind::File { .. } => "file",
            Kind::HardLink(_) => "hard link",
            Kind::Symlink(_) => "symlink",
            Kind::CharDevice(..) => "character device",
            Kind::BlockDevice(..) => "block device",
            Kind::Fifo => "fifo",
        }
    }
}
