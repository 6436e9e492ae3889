//! A temporary file without a name, in which the content of compressed members stands back to back.

use super::Limits;
use super::error::Fault;
use super::slice::{Backing, Known, NEVER, Slice};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Where content is put aside. The file comes to be with the first content.
pub(crate) struct Spool<'a> {
    folder: &'a Path,
    limits: &'a Limits,
    backing: Option<Arc<Backing>>,
    /// Out of what it is unpacked.
    from: Option<Known>,
    end: u64,
}

impl<'a> Spool<'a> {
    pub(crate) fn new(folder: &'a Path, limits: &'a Limits) -> Self {
        Self { folder, limits, backing: None, from: None, end: 0 }
    }

    /// What is unpacked out of one file, always in the same order.
    pub(super) fn from(self, known: Known) -> Self {
        Self { from: Some(known.unpacked()), ..self }
    }

    /// Begins a content of at most `size` bytes; bytes never written are zeros, and take no room on disk.
    pub(super) fn begin(&mut self, size: u64) -> Result<Part, Fault> {
        let limit = self.limits.bytes;
        let end = self.end.checked_add(size).filter(|&end| end <= limit);
        let end = end.ok_or(Fault::Limit { what: "bytes of content", limit })?;
        let backing = match &self.backing {
            Some(backing) => Arc::clone(backing),
            None => {
                let file = tempfile::tempfile_in(self.folder).map_err(Fault::spool)?;
                Arc::clone(self.backing.insert(Arc::new(Backing::new(file, self.from))))
            }
        };
        let start = std::mem::replace(&mut self.end, end);
        Ok(Part { backing, start, size })
    }

    /// Makes room for the zeros of a hole at the very end.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        self.end().map(drop)
    }

    /// As [`Spool::finish`]; what it holds, if it holds anything.
    pub(super) fn end(self) -> Result<Option<Arc<Backing>>, Fault> {
        if let Some(backing) = &self.backing {
            let file = backing.file(&NEVER).map_err(Fault::spool)?;
            file.set_len(self.end).map_err(Fault::spool)?;
        }
        Ok(self.backing)
    }

    /// Takes over a whole content that should have `size` bytes.
    pub(crate) fn copy(&mut self, size: u64, mut content: impl Read) -> Result<Slice, Fault> {
        let part = self.begin(size)?;
        let mut buf = vec![0; 64 << 10];
        let mut got = 0_u64;
        loop {
            let n = match content.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Fault::Content(e)),
            };
            part.write(got, buf.get(..n).unwrap_or_default())?;
            got = got.saturating_add(n as u64);
        }
        if got != size {
            return Err(Fault::Length { stated: size, got });
        }
        Ok(part.slice())
    }
}

/// The place of one content in the spool.
pub(super) struct Part {
    backing: Arc<Backing>,
    start: u64,
    size: u64,
}

impl Part {
    /// Writes bytes that belong at `offset` of the content.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let end = offset.checked_add(bytes.len() as u64).filter(|&end| end <= self.size);
        let at = end.and_then(|_| self.start.checked_add(offset));
        let at = at.ok_or(Fault::Length { stated: self.size, got: offset.saturating_add(bytes.len() as u64) })?;
        self.backing.file(&NEVER).and_then(|file| file.write_all_at(bytes, at)).map_err(Fault::spool)
    }

    pub(super) fn slice(self) -> Slice {
        Slice::new(&self.backing, self.start, self.size)
    }
}
