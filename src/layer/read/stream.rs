//! The bytes below: read in large pieces, counted, never more than what is there.

use super::error::TarError;
use super::header::{BLOCK, Header};
use std::io::{self, BufRead, BufReader, Read};

/// A reader that knows how far it came.
pub(super) struct Stream<R> {
    inner: BufReader<R>,
    /// Bytes taken so far.
    pub(super) offset: u64,
}

/// What stands where a block should.
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
pub(super) enum Block {
    Full(Header),
    /// The stream ends within it.
    Partial {
        got: usize,
        zero: bool,
    },
    /// The stream ends before it.
    End,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner: BufReader::with_capacity(64 << 10, inner), offset: 0 }
    }

    fn failed(&self, source: io::Error) -> TarError {
        TarError::Io { offset: self.offset, source }
    }

    /// Like [`Read::read`], but an interrupted call is made again.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<usize, TarError> {
        loop {
            match self.inner.read(buf) {
                Ok(n) => {
                    self.offset = self.offset.saturating_add(n as u64);
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.failed(e)),
            }
        }
    }

    pub(super) fn block(&mut self) -> Result<Block, TarError> {
        let mut block = [0; 512];
        let mut free = &mut block[..];
        while !free.is_empty() {
            match self.read(free)? {
                0 => break,
                n => free = free.get_mut(n..).unwrap_or_default(),
            }
        }
        Ok(match 512 - free.len() {
            512 => Block::Full(Header(block)),
            0 => Block::End,
            got => Block::Partial { got, zero: block.iter().all(|&b| b == 0) },
        })
    }

    /// Passes over `len` bytes; returns how many of them were there.
    pub(super) fn skip(&mut self, len: u64) -> Result<u64, TarError> {
        let mut left = len;
        while left > 0 {
            let n = match self.inner.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len())),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.failed(e)),
            };
            self.inner.consume(n);
            self.offset = self.offset.saturating_add(n as u64);
            left = left.saturating_sub(n as u64);
        }
        Ok(len.saturating_sub(left))
    }

    /// The next `len` bytes, or as many as there are. Memory grows with what comes, not with `len`.
    pub(super) fn bytes(&mut self, len: u64) -> Result<Vec<u8>, TarError> {
        let mut bytes = Vec::new();
        let read = (&mut self.inner).take(len).read_to_end(&mut bytes);
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        read.map(|_| bytes).map_err(|e| self.failed(e))
    }

    /// Reads to the end; whether a byte that is not zero was there.
    pub(super) fn drain(&mut self) -> Result<bool, TarError> {
        let (mut buf, mut trailing) = ([0; 16 << 10], false);
        loop {
            match self.read(&mut buf)? {
                0 => return Ok(trailing),
                n => trailing |= buf.iter().take(n).any(|&b| b != 0),
            }
        }
    }
}

/// Zeros between `size` bytes and the next block.
pub(super) fn padding(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}
