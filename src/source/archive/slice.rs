//! A run of bytes in a file that can be read at any time, from any thread.

use super::kept::Packed;
use crate::file;
use crate::layer::write::Identity;
use crate::record::Stamp;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Nobody interrupts.
pub(super) static NEVER: AtomicBool = AtomicBool::new(false);

/// An open file that slices refer to.
pub(super) struct Backing {
    bytes: Bytes,
    /// What its bytes depend on, if that is known.
    pub(super) known: Option<Known>,
}

/// Where the bytes of a backing are.
enum Bytes {
    There(File),
    /// Somebody has to want them first.
    Packed(Box<Packed>),
}

/// A file on disk whose bytes these are, or out of which they were unpacked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    stamp: Stamp,
    /// Into a temporary file, which is ours alone.
    unpacked: bool,
}

impl Known {
    pub(super) fn new(stamp: Stamp) -> Self {
        Self { stamp, unpacked: false }
    }

    pub(super) fn unpacked(self) -> Self {
        Self { unpacked: true, ..self }
    }
}

impl Backing {
    pub(super) fn new(file: File, known: Option<Known>) -> Self {
        Self { bytes: Bytes::There(file), known }
    }

    pub(super) fn packed(packed: Packed, known: Known) -> Self {
        Self { bytes: Bytes::Packed(Box::new(packed)), known: Some(known) }
    }

    /// The file, unpacked if it was not yet.
    ///
    /// # Errors
    /// If it cannot be unpacked.
    pub(super) fn file(&self, interrupt: &AtomicBool) -> io::Result<&File> {
        match &self.bytes {
            Bytes::There(file) => Ok(file),
            Bytes::Packed(packed) => packed.file(interrupt),
        }
    }

    /// The file, unless it is packed.
    pub(super) fn into_file(self) -> Option<File> {
        match self.bytes {
            Bytes::There(file) => Some(file),
            Bytes::Packed(_) => None,
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let small = match &self.bytes {
            Bytes::There(_) => None,
            Bytes::Packed(packed) => packed.small(offset),
        };
        match small {
            Some(mut small) => small.read(buffer),
            None => self.file(&NEVER)?.read_at(buffer, offset),
        }
    }

    /// What the file was when it was opened, unless it is a temporary one.
    fn opened(&self) -> Option<Stamp> {
        self.known.filter(|known| !known.unpacked).map(|known| known.stamp)
    }

    /// # Errors
    /// The file is not what it was.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.opened() {
            Some(stamp) if !Stamp::of(&self.file(&NEVER)?.metadata()?).is_unwritten(stamp) => Err(changed()),
            _ => Ok(()),
        }
    }
}

fn changed() -> io::Error {
    io::Error::other("the archive changed while it was read")
}

/// The content of a member. Cheap to clone; the file stays open as long as a slice of it lives.
#[derive(Clone)]
pub struct Slice {
    backing: Arc<Backing>,
    offset: u64,
    len: u64,
}

impl Slice {
    pub(super) fn new(backing: &Arc<Backing>, offset: u64, len: u64) -> Self {
        Self { backing: Arc::clone(backing), offset, len }
    }

    /// The whole of the regular file at `path`.
    ///
    /// # Errors
    /// If it is none, or cannot be opened.
    pub fn file(path: &Path) -> io::Result<Self> {
        let file = file::open(path)?;
        let metadata = file.metadata()?;
        let backing = Backing::new(file, Some(Known::new(Stamp::of(&metadata))));
        Ok(Self { backing: Arc::new(backing), offset: 0, len: metadata.len() })
    }

    /// The file that it is the whole of, unless that is a temporary one of ours.
    pub(super) fn whole(&self) -> Option<&File> {
        let size = self.backing.opened()?.size();
        if self.offset == 0 && self.len == size { self.backing.file(&NEVER).ok() } else { None }
    }

    /// Length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where it begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The stamp of the archive out of which it was unpacked into a temporary file.
    pub(super) fn unpacked_from(&self) -> Option<Stamp> {
        self.backing.known.filter(|known| known.unpacked).map(|known| known.stamp)
    }

    /// Unpacks it, if it was not yet, as long as nobody interrupts. Reading it does too, but cannot be interrupted then.
    ///
    /// # Errors
    /// If it cannot be unpacked.
    pub fn unpack(&self, interrupt: &AtomicBool) -> io::Result<()> {
        self.backing.file(interrupt).map(drop)
    }

    /// What tells its bytes from others.
    #[must_use]
    pub fn identity(&self) -> Identity<'static> {
        let Some(Known { stamp, unpacked }) = self.backing.known else { return Identity::Unknown };
        // What was unpacked has places of its own. No file is so long that this bit is taken.
        let offset = self.offset | u64::from(unpacked) << 63;
        Identity::Stamp { stamp, offset, length: self.len }
    }

    /// Reads the content from its start. Readers of one slice do not disturb each other.
    ///
    /// The reader fails if the archive changed since it was opened: at once where bytes are missing, else at the end.
    pub fn reader(&self) -> impl Read + Seek + Send + use<> {
        SliceReader { slice: self.clone(), position: 0 }
    }
}

/// The same place of the same opened file.
impl PartialEq for Slice {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.backing, &other.backing) && (self.offset, self.len) == (other.offset, other.len)
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice").field("offset", &self.offset).field("len", &self.len).finish_non_exhaustive()
    }
}

struct SliceReader {
    slice: Slice,
    position: u64,
}

impl Read for SliceReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.slice.len.saturating_sub(self.position);
        let wanted = usize::try_from(left).map_or(buf.len(), |left| left.min(buf.len()));
        if wanted == 0 {
            return Ok(0);
        }
        let offset = self.slice.offset.checked_add(self.position).ok_or_else(changed)?;
        let n = self.slice.backing.read_at(buf.get_mut(..wanted).unwrap_or_default(), offset)?;
        if n == 0 {
            return Err(changed());
        }
        self.position = self.position.saturating_add(n as u64);
        if self.position == self.slice.len {
            self.slice.backing.check()?;
        }
        Ok(n)
    }
}

impl Seek for SliceReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.slice.len.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
