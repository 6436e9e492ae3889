//! What follows a header: where the content of a file is, and where its pieces belong.

use super::entry::{Before, Body, Context, describe};
use super::error::{Part, TarError};
use super::header::{BLOCK, Header};
use super::reader::{Current, MAX_META, TarReader};
use super::sparse::{self, Extent, MAX_PIECES, MapParser, PaxSparse, SparseFault};
use super::stream::Block;
use super::written::Raw;
use super::{RawEntry, RawKind};
use std::io::Read;

impl<R: Read> TarReader<R> {
    pub(super) fn entry(&mut self, header: &Header, offset: u64, before: Before) -> Result<RawEntry, TarError> {
        self.raw = Raw::of(header, &before);
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
    pub(super) fn begin(&mut self, header: u64, name: &[u8], stored: u64) -> Result<(), TarError> {
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
}
