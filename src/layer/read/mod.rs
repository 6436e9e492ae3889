//! Reads tar: ustar, old V7, GNU (long names, sparse, base-256) and PAX, from any stream, trusting nothing.
//!
//! Every number is checked, memory is bounded by constants and never by a size that the archive states, and what is
//! malformed is an error, never a guess. Left to others: decompression, and whether a path or a link may stand in an
//! image. Ignored: names of owners, atime, ctime, ACLs, comments and `hdrcharset` (names stay the bytes that they are).

mod entry;
mod error;
mod header;
mod pax;
mod sparse;
mod stream;
#[cfg(test)]
mod tests;

pub use error::{Part, PaxFault, TarError};
pub use sparse::Extent;

use crate::tree::Attributes;
use entry::{Before, Body, Context, describe};
use header::{BLOCK, Header};
use pax::Records;
use sparse::{MAX_PIECES, MapParser, PaxSparse, SparseFault};
use std::collections::VecDeque;
use std::io::{self, Read};
use stream::{Block, Stream, padding};

/// One entry as the archive says it; its path is not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// The bytes of its name, as they stand.
    pub path: Vec<u8>,
    /// Mode (`0..=0o7777`), owner, mtime (floored to the second) and extended attributes.
    pub attributes: Attributes,
    /// What it is.
    pub kind: RawKind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawKind {
    /// A folder.
    Directory,
    /// A regular file of `size` bytes; holes of a sparse file are counted and read as zeros.
    File {
        /// Length in bytes.
        size: u64,
    },
    /// A hard link to an entry before it, named by its bytes as they stand.
    HardLink(Vec<u8>),
    /// A symbolic link.
    Symlink(Vec<u8>),
    /// A character device, major and minor.
    CharDevice(u32, u32),
    /// A block device, major and minor.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
}

/// How a stream ends after its last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// How many of the two blocks of zeros are there: 0, 1 or 2. POSIX wants 2; GNU tar takes less.
    pub blocks: u8,
    /// Whether a byte that is not zero comes after the first of them.
    pub trailing: bool,
}

/// Bytes that an extended header or a long name may have, that all global headers may have together, and that the
/// extended attributes of an entry may have together.
const MAX_META: u64 = 1 << 20;

/// Whether a stream with this first block may be a tar: the block is a header with the right checksum.
#[must_use]
pub fn is_header(block: &[u8]) -> bool {
    block.first_chunk().is_some_and(|&block| !Header(block).is_zero() && Header(block).checksum_holds())
}

/// Reads the entries of a tar stream in their order.
///
/// A stream that ends after a whole entry, without blocks of zeros, is read like any other ([`Ending`] tells). One that
/// ends anywhere else is an error. After an error the reader is at no defined place and should be dropped.
///
/// **Entries that are no files but state a size**: POSIX lets only a hard link have data, and few programs write it;
/// others state a size that means nothing (folders of Solaris, hard links of old tars). If a header or the end follows,
/// there is no data, as GNU tar, Go and Python take it always; if something else follows, which those refuse, it is
/// passed over as data. So no reader that accepts an archive sees other entries in it than this one.
pub struct TarReader<R> {
    stream: Stream<R>,
    global: Records,
    current: Current,
    /// A header that was read to see whether data stands in its place.
    ahead: Option<Header>,
    /// A block of zeros, or the end of the stream, was met: how many blocks were seen.
    ended: Option<u8>,
}

/// The data of the current entry, as far as it is not read yet.
#[derive(Default)]
struct Current {
    header: u64,
    name: Vec<u8>,
    /// Bytes stored after the header, a sparse map included, without padding; and those not read yet.
    stored: u64,
    left: u64,
    /// Size and position in the file.
    size: u64,
    position: u64,
    /// Where in the file the bytes not yet read belong.
    pieces: VecDeque<Extent>,
    contiguous: Option<Extent>,
}

impl<R: Read> TarReader<R> {
    /// Reads from `inner`, in pieces of its own choice; the caller need not buffer.
    pub fn new(inner: R) -> Self {
        let (global, current) = (Records::default(), Current::default());
        Self { stream: Stream::new(inner), global, current, ahead: None, ended: None }
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
            return Ok(Ending { blocks: 0, trailing: false });
        }
        let (blocks, trailing) = match self.stream.block()? {
            Block::Full(block) if block.is_zero() => (2, false),
            Block::Full(_) => (1, true),
            Block::Partial { zero, .. } => (1, !zero),
            Block::End => (1, false),
        };
        Ok(Ending { blocks, trailing: self.stream.drain()? || trailing })
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

    fn entry(&mut self, header: &Header, offset: u64, before: Before) -> Result<RawEntry, TarError> {
        let (entry, body) = describe(header, offset, before, &self.global)?;
        let weight = entry.attributes.xattrs.iter().map(|(name, value)| name.len().saturating_add(value.len()));
        if weight.fold(0, usize::saturating_add) as u64 > MAX_META {
            return Err(TarError::TooLarge { offset, what: Part::Xattrs, limit: MAX_META });
        }
        let file_size = if let RawKind::File { size } = entry.kind { size } else { 0 };
        match body {
            Body::Nothing { stated: 0 } => self.begin(offset, &entry.path, 0)?,
            Body::Nothing { stated } => self.look_ahead(offset, &entry.path, stated)?,
            Body::Skipped { size } => self.begin(offset, &entry.path, size)?,
            Body::Content { size } => {
                self.begin(offset, &entry.path, size)?;
                self.content(size, vec![Extent { offset: 0, len: size }])?;
            }
            Body::OldGnuSparse { size } => {
                let map = self.old_gnu_map(header, &Context { offset, name: &entry.path })?;
                self.begin(offset, &entry.path, size)?;
                self.content(file_size, map)?;
            }
            Body::PaxSparse { size, map } => {
                self.begin(offset, &entry.path, size)?;
                let map = match map {
                    PaxSparse::Records(map) => map,
                    PaxSparse::BeforeData => self.map_before_data()?,
                };
                self.content(file_size, map)?;
            }
        }
        Ok(entry)
    }

    /// Makes an entry of `stored` bytes the current one.
    fn begin(&mut self, header: u64, name: &[u8], stored: u64) -> Result<(), TarError> {
        if stored.checked_add(BLOCK).is_none() {
            return Err(Context { offset: header, name }.number("size"));
        }
        self.current = Current { header, name: name.to_vec(), stored, left: stored, ..Current::default() };
        Ok(())
    }

    /// The bytes from here on are the content of the current entry.
    fn content(&mut self, size: u64, map: Vec<Extent>) -> Result<(), TarError> {
        let current = &mut self.current;
        let map = sparse::validate(map, size, current.left).map_err(|fault| current.context().sparse(fault))?;
        let whole = Extent { offset: 0, len: size };
        if size == 0 || map == [whole] {
            current.contiguous = Some(Extent { offset: self.stream.offset, len: size });
        }
        current.size = size;
        current.pieces = map.into();
        Ok(())
    }

    /// An entry that is no file states a size: see [`TarReader`].
    fn look_ahead(&mut self, offset: u64, name: &[u8], stated: u64) -> Result<(), TarError> {
        self.begin(offset, name, stated)?;
        let first = stated.min(BLOCK);
        match self.stream.block()? {
            Block::Full(block) if !block.is_zero() && !block.checksum_holds() => {
                self.current.left = stated.saturating_sub(first);
                // The block held the padding too, if it held all.
                if self.current.left == 0 {
                    self.begin(offset, name, 0)?;
                }
                return Ok(());
            }
            Block::Full(block) if block.is_zero() => self.ended = Some(1),
            Block::Full(block) => self.ahead = Some(block),
            Block::Partial { got, .. } => {
                self.current.left = stated.saturating_sub(first.min(got as u64));
                return Err(self.current.truncated(Part::Data));
            }
            Block::End => self.ended = Some(0),
        }
        self.begin(offset, name, 0)
    }

    fn old_gnu_map(&mut self, header: &Header, at: &Context<'_>) -> Result<Vec<Extent>, TarError> {
        let mut map = Vec::new();
        let mut more = sparse::old_gnu(header.sparse_pieces(), &mut map).map_err(|fault| at.sparse(fault))?;
        let mut continues = header.sparse_continues();
        while continues {
            let Block::Full(block) = self.stream.block()? else {
                self.begin(at.offset, at.name, BLOCK)?;
                return Err(self.current.truncated(Part::SparseMap));
            };
            if !more || map.len() > MAX_PIECES {
                return Err(at.sparse(SparseFault::Map));
            }
            let (pieces, rest) = block.0.split_at(504);
            more = sparse::old_gnu(pieces, &mut map).map_err(|fault| at.sparse(fault))?;
            continues = rest.first() != Some(&0);
        }
        Ok(map)
    }

    fn map_before_data(&mut self) -> Result<Vec<Extent>, TarError> {
        let mut parser = MapParser::default();
        loop {
            let current = &mut self.current;
            if current.left < BLOCK {
                return Err(current.context().sparse(SparseFault::Map));
            }
            let Block::Full(block) = self.stream.block()? else {
                return Err(current.truncated(Part::SparseMap));
            };
            current.left = current.left.saturating_sub(BLOCK);
            if let Some(map) = parser.block(&block.0).map_err(|fault| current.context().sparse(fault))? {
                return Ok(map);
            }
        }
    }

    fn skip_data(&mut self) -> Result<(), TarError> {
        let current = &mut self.current;
        current.left = current.left.saturating_sub(self.stream.skip(current.left)?);
        if current.left > 0 {
            return Err(current.truncated(Part::Data));
        }
        let padding = padding(current.stored);
        let got = self.stream.skip(padding)?;
        if got < padding {
            let (offset, name) = (current.header, current.name.clone());
            return Err(TarError::TruncatedData { offset, name, what: Part::Padding, expected: padding, got });
        }
        *current = Current::default();
        Ok(())
    }
}

impl Current {
    fn context(&self) -> Context<'_> {
        Context { offset: self.header, name: &self.name }
    }

    /// The stream ended where bytes of this entry should be.
    fn truncated(&self, what: Part) -> TarError {
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
