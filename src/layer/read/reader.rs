//! The reader: from one header to the next, and the data between them.

use super::entry::{Before, Context};
use super::error::{Part, TarError};
use super::header::{self, BLOCK, Header};
use super::pax::Records;
use super::sparse::Extent;
use super::stream::{Block, Stream, padding};
use super::written::Raw;
use super::{Ending, RawEntry};
use std::collections::VecDeque;
use std::io::{self, Read};

/// Bytes that an extended header or a long name may have, that all global headers may have together, and that the
/// extended attributes of an entry may have together.
pub(super) const MAX_META: u64 = 1 << 20;

/// Reads the entries of a tar stream in their order.
///
/// A stream that ends after the data of an entry, without padding or blocks of zeros, is read like any other ([`Ending`]
/// tells). One that ends anywhere else is an error. After an error the reader is at no defined place and should be dropped.
///
/// **Entries that are no files but state a size**: POSIX lets only a hard link have data, and few programs write it;
/// others state a size that means nothing (folders of Solaris, hard links of old tars). If a header or the end follows,
/// there is no data, as GNU tar, Go and Python take it always; if something else follows, which those refuse, it is
/// passed over as data. So no reader that accepts an archive sees other entries in it than this one.
pub struct TarReader<R> {
    pub(super) stream: Stream<R>,
    pub(super) global: Records,
    pub(super) current: Current,
    pub(super) raw: Raw,
    /// A header that was read to see whether data stands in its place.
    pub(super) ahead: Option<Header>,
    /// A block of zeros, or the end of the stream, was met: how many blocks were seen.
    pub(super) ended: Option<u8>,
    /// Whether the last data had its padding.
    padded: bool,
}

/// The data of the current entry, as far as it is not read yet.
#[derive(Default)]
pub(super) struct Current {
    pub(super) header: u64,
    pub(super) name: Vec<u8>,
    /// Bytes stored after the header, a sparse map included, without padding; and those not read yet.
    pub(super) stored: u64,
    pub(super) left: u64,
    /// Size and position in the file.
    pub(super) size: u64,
    pub(super) position: u64,
    /// Where in the file the bytes not yet read belong.
    pub(super) pieces: VecDeque<Extent>,
    pub(super) contiguous: Option<Extent>,
}

impl<R: Read> TarReader<R> {
    /// Reads from `inner`, in pieces of its own choice; the caller need not buffer.
    pub fn new(inner: R) -> Self {
        let (global, current) = (Records::default(), Current::default());
        let raw = Raw::default();
        Self { stream: Stream::new(inner), global, current, raw, ahead: None, ended: None, padded: true }
    }

    /// The next entry; none at the end. What was not read of the current entry's data is passed over.
    ///
    /// # Errors
    /// See [`TarError`].
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend the data of its item")]
    pub fn next(&mut self) -> Result<Option<RawEntry>, TarError> {
        self.skip_data()?;
        let mut before = Before::default();
        loop {
            let Some(header) = self.header()? else {
                if before.is_empty() {
                    return Ok(None);
                }
                return Err(TarError::Stray { offset: self.stream.offset, what: Part::ExtendedHeader });
            };
            let offset = self.stream.offset.saturating_sub(BLOCK);
            let stray = |what| TarError::Stray { offset, what };
            match header.type_flag() {
                b'x' if before.records.is_some() => return Err(stray(Part::ExtendedHeader)),
                b'L' if before.long_name.is_some() => return Err(stray(Part::LongName)),
                b'K' if before.long_link.is_some() => return Err(stray(Part::LongLink)),
                b'x' => before.records = Some(self.records(&header, Part::ExtendedHeader)?),
                b'g' => {
                    let newer = self.records(&header, Part::GlobalHeader)?;
                    self.global.merge(newer);
                    if self.global.weight() as u64 > MAX_META {
                        return Err(TarError::TooLarge { offset, what: Part::GlobalHeader, limit: MAX_META });
                    }
                }
                b'L' => before.long_name = Some(self.long_text(&header, Part::LongName)?),
                b'K' => before.long_link = Some(self.long_text(&header, Part::LongLink)?),
                // A GNU volume header: a label, no entry.
                b'V' => {
                    let size = self.meta_size(&header)?;
                    self.begin(offset, &header.path(), size)?;
                    self.skip_data()?;
                }
                _ => return self.entry(&header, offset, before).map(Some),
            }
        }
    }

    /// Reads on in the data of the current entry; 0 at its end, and for an entry that is no file. Holes read as zeros.
    ///
    /// # Errors
    /// [`TarError::TruncatedData`], [`TarError::Io`].
    pub fn read_data(&mut self, buf: &mut [u8]) -> Result<usize, TarError> {
        let current = &mut self.current;
        let next = current.pieces.front().map_or(current.size, |piece| piece.offset);
        let hole = next.saturating_sub(current.position);
        if hole > 0 {
            let n = usize::try_from(hole).map_or(buf.len(), |hole| hole.min(buf.len()));
            buf.iter_mut().take(n).for_each(|byte| *byte = 0);
            current.position = current.position.saturating_add(n as u64);
            return Ok(n);
        }
        Ok(self.read_piece(buf)?.map_or(0, |(_, n)| n))
    }

    /// Like [`read_data`](Self::read_data), but passes over holes: where in the file the bytes belong, and how many of
    /// them are now in `buf`; none at the end. Whatever no piece covers is zero.
    ///
    /// # Errors
    /// As [`read_data`](Self::read_data).
    pub fn read_piece(&mut self, buf: &mut [u8]) -> Result<Option<(u64, usize)>, TarError> {
        let current = &mut self.current;
        let Some(piece) = current.pieces.front_mut() else { return Ok(None) };
        let wanted = usize::try_from(piece.len).map_or(buf.len(), |len| len.min(buf.len()));
        let offset = piece.offset;
        if wanted == 0 {
            return Ok(Some((offset, 0)));
        }
        let n = self.stream.read(buf.get_mut(..wanted).unwrap_or_default())?;
        if n == 0 {
            return Err(current.truncated(Part::Data));
        }
        current.left = current.left.saturating_sub(n as u64);
        piece.offset = piece.offset.saturating_add(n as u64);
        piece.len = piece.len.saturating_sub(n as u64);
        current.position = piece.offset;
        if piece.len == 0 {
            current.pieces.pop_front();
        }
        Ok(Some((offset, n)))
    }

    /// The data of the current entry as a reader.
    pub fn data(&mut self) -> EntryData<'_, R> {
        EntryData(self)
    }

    /// Where in the uncompressed stream the whole content of the current file stands, so that it can be read again
    /// later; none for an entry that is no file, and for a file with holes.
    #[must_use]
    pub fn contiguous(&self) -> Option<Extent> {
        self.current.contiguous
    }

    /// Passes over what is left, to the very end of the stream, and tells how it ended.
    ///
    /// # Errors
    /// See [`TarError`]; an error of the stream after the last entry is one too.
    pub fn finish(mut self) -> Result<Ending, TarError> {
        while self.next()?.is_some() {}
        if self.ended != Some(1) {
            return Ok(Ending { blocks: 0, trailing: false, padded: self.padded });
        }
        let (blocks, trailing) = match self.stream.block()? {
            Block::Full(block) if block.is_zero() => (2, false),
            Block::Full(_) => (1, true),
            Block::Partial { zero, .. } => (1, !zero),
            Block::End => (1, false),
        };
        Ok(Ending { blocks, trailing: self.stream.drain()? || trailing, padded: true })
    }

    /// The next block that is a header; none at the end.
    fn header(&mut self) -> Result<Option<Header>, TarError> {
        if self.ended.is_some() {
            return Ok(None);
        }
        if let Some(header) = self.ahead.take() {
            return Ok(Some(header));
        }
        let offset = self.stream.offset;
        match self.stream.block()? {
            Block::End => self.ended = Some(0),
            Block::Partial { got, .. } => return Err(TarError::TruncatedHeader { offset, got }),
            Block::Full(block) if block.is_zero() => self.ended = Some(1),
            Block::Full(block) if block.checksum_holds() => return Ok(Some(block)),
            Block::Full(_) => return Err(TarError::Checksum { offset }),
        }
        Ok(None)
    }

    /// The size of what describes other entries.
    fn meta_size(&self, header: &Header) -> Result<u64, TarError> {
        let (offset, name) = (self.stream.offset.saturating_sub(BLOCK), header.path());
        let size = header.size().ok().and_then(|n| u64::try_from(n).ok());
        size.ok_or_else(|| Context { offset, name: &name }.number("size"))
    }

    /// The bytes after such a header.
    fn meta(&mut self, header: &Header, what: Part) -> Result<Vec<u8>, TarError> {
        let offset = self.stream.offset.saturating_sub(BLOCK);
        let size = self.meta_size(header)?;
        if size > MAX_META {
            return Err(TarError::TooLarge { offset, what, limit: MAX_META });
        }
        self.begin(offset, &header.path(), size)?;
        let bytes = self.stream.bytes(size)?;
        self.current.left = size.saturating_sub(bytes.len() as u64);
        if self.current.left > 0 {
            return Err(self.current.truncated(what));
        }
        self.skip_data()?;
        Ok(bytes)
    }

    fn records(&mut self, header: &Header, what: Part) -> Result<Records, TarError> {
        let offset = self.stream.offset.saturating_sub(BLOCK);
        Records::parse(&self.meta(header, what)?).map_err(|fault| TarError::Pax { offset, fault })
    }

    /// A GNU long name ends at its first NUL.
    fn long_text(&mut self, header: &Header, what: Part) -> Result<Vec<u8>, TarError> {
        Ok(header::text(&self.meta(header, what)?).to_vec())
    }

    fn skip_data(&mut self) -> Result<(), TarError> {
        let current = &mut self.current;
        current.left = current.left.saturating_sub(self.stream.skip(current.left)?);
        if current.left > 0 {
            return Err(current.truncated(Part::Data));
        }
        let padding = padding(current.stored);
        *current = Current::default();
        // Nothing is lost with the padding of the last entry.
        if self.stream.skip(padding)? < padding {
            (self.ended, self.padded) = (Some(0), false);
        }
        Ok(())
    }
}

impl Current {
    pub(super) fn context(&self) -> Context<'_> {
        Context { offset: self.header, name: &self.name }
    }

    /// The stream ended where bytes of this entry should be.
    pub(super) fn truncated(&self, what: Part) -> TarError {
        let got = self.stored.saturating_sub(self.left);
        TarError::TruncatedData { offset: self.header, name: self.name.clone(), what, expected: self.stored, got }
    }
}

/// The data of the entry that a [`TarReader`] stands at. Errors are [`TarError`]s, made [`io::Error`]s.
pub struct EntryData<'a, R>(&'a mut TarReader<R>);

impl<R: Read> Read for EntryData<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.read_data(buf)?)
    }
}
