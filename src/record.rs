//! Small files that a run leaves for the next one on the same machine: numbers in little-endian order, digests as their 32
//! bytes, texts and lists with their length before them, and behind it all the digest of the whole.
//!
//! They are kept to save time, never because they are needed: one that is damaged, or of another form, is none.

use crate::file;
use crate::oci::Digest;
use crate::tree::Attributes;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use std::fs::Metadata;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A longer record is none, in bytes.
const LONGEST: u64 = 1 << 30;

/// A file that changed less than this before it was looked at is not known by its times, in seconds: a later change might
/// leave the same ones on it. File systems count in two seconds at worst.
const RACY: i64 = 2;

/// The system's clock says when a record is used: nobody has to be asked for the time.
const USED_NOW: Timestamps = Timestamps {
    last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT as _ },
    last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW as _ },
};

/// Whether a file that changed last at `newest` will have another time if it changes after `now`, both in seconds since 1970.
#[must_use]
pub fn is_old(newest: i64, now: i64) -> bool {
    newest < now.saturating_sub(RACY)
}

/// Tells a file that was changed from one that was not: device, inode, size, mtime, ctime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp([u64; 7]);

impl Stamp {
    /// The stamp of a file.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        let [a, b, c, d] = times.map(i64::cast_unsigned);
        Self([metadata.dev(), metadata.ino(), metadata.size(), a, b, c, d])
    }

    /// The length of the file in bytes.
    #[must_use]
    pub fn size(self) -> u64 {
        let [_, _, size, ..] = self.0;
        size
    }

    /// Whether nobody wrote into an open file between two stamps of it. Another name that the file was given, or other
    /// rights, count for nothing here.
    #[must_use]
    pub fn is_unwritten(self, since: Self) -> bool {
        let content = |[_, _, size, mtime, nanoseconds, ..]: [u64; 7]| (size, mtime, nanoseconds);
        content(self.0) == content(since.0)
    }

    /// As numbers.
    #[must_use]
    pub fn numbers(self) -> [u64; 7] {
        self.0
    }

    /// When the file changed last, in seconds since 1970.
    #[must_use]
    pub fn newest(self) -> i64 {
        let [.., mtime, _, ctime, _] = self.0;
        mtime.cast_signed().max(ctime.cast_signed())
    }
}

/// Where records are kept, by who trusts them.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// When rebake began, in seconds since 1970.
    pub now: i64,
}

/// A record that is being put together.
#[derive(Debug)]
pub struct Out(Vec<u8>);

impl Out {
    /// Begins one. `form` says what follows; another form has another name.
    #[must_use]
    pub fn new(form: &str) -> Self {
        let mut out = Self(Vec::new());
        out.text(form.as_bytes());
        out
    }

    /// Adds a number.
    pub fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// Adds a digest.
    pub fn digest(&mut self, digest: Digest) {
        self.0.extend_from_slice(&digest.bytes());
    }

    /// Adds bytes, of any length.
    pub fn text(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Adds a stamp.
    pub fn stamp(&mut self, stamp: Stamp) {
        stamp.0.into_iter().for_each(|number| self.number(number));
    }

    /// Adds attributes.
    pub fn attributes(&mut self, attributes: &Attributes) {
        let Attributes { mode, uid, gid, mtime, xattrs } = attributes;
        for number in [u64::from(*mode), *uid, *gid, mtime.cast_unsigned(), xattrs.len() as u64] {
            self.number(number);
        }
        for (name, value) in xattrs {
            self.text(name);
            self.text(value);
        }
    }

    /// The whole.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let digest = Digest::of(&self.0);
        self.digest(digest);
        self.0
    }

    /// Writes it, in one step.
    ///
    /// # Errors
    /// What the disk reports; the file is then as it was.
    pub fn write(self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&self.finish())?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }
}

/// What is left of a record that is being read. Everything is none if there is not enough left.
#[derive(Debug)]
pub struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    /// Begins to read a whole record of a form.
    #[must_use]
    pub fn new(bytes: &'a [u8], form: &str) -> Option<Self> {
        let (bytes, digest) = bytes.split_last_chunk::<32>()?;
        let mut from = Self(bytes);
        (Digest::of(bytes).bytes() == *digest && from.text()? == form.as_bytes()).then_some(from)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next number.
    pub fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    /// The next digest.
    pub fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.take(32)?.try_into().ok()?))
    }

    /// The next bytes.
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// The next stamp.
    pub fn stamp(&mut self) -> Option<Stamp> {
        let mut numbers = [0; 7];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Some(Stamp(numbers))
    }

    /// The next attributes.
    pub fn attributes(&mut self) -> Option<Attributes> {
        let mode = u32::try_from(self.number()?).ok()?;
        let (uid, gid, mtime) = (self.number()?, self.number()?, self.number()?.cast_signed());
        let mut attributes = Attributes { mode, uid, gid, mtime, ..Attributes::default() };
        for _ in 0..self.number()? {
            attributes.xattrs.insert(self.text()?.to_vec(), self.text()?.to_vec());
        }
        Some(attributes)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The bytes of a record that may be there. Its mtime tells from then on when it was last used.
#[must_use]
pub fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = file::open(path).ok()?;
    // Who may not write there reads it all the same.
    let _ = futimens(&file, &USED_NOW);
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
