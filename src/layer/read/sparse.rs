//! Sparse files: where the pieces that a tar stores belong in the file (GNU tar manual, "Sparse Formats").

use super::header::number;
use super::pax::{Overrides, unsigned};

/// A run of bytes: `len` of them from `offset` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl Extent {
    /// Where it ends; none past 2^64.
    pub(super) fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.len)
    }
}

/// Pieces that one map may have; 16 MiB of memory.
pub(super) const MAX_PIECES: usize = 1 << 20;

/// How the PAX records of an entry say that it is sparse.
pub(super) enum PaxSparse {
    /// Formats 0.0 and 0.1: the map stands in the records.
    Records(Vec<Extent>),
    /// Format 1.0: the map stands before the data.
    BeforeData,
}

/// Looks for a sparse map in an entry's own records; `Err` for a malformed map or an unknown format.
pub(super) fn in_records(overrides: Overrides<'_>) -> Result<Option<PaxSparse>, SparseFault> {
    let own = overrides.own;
    match (own.get(b"GNU.sparse.major"), own.get(b"GNU.sparse.minor")) {
        (Some(b"1"), Some(b"0")) => return Ok(Some(PaxSparse::BeforeData)),
        (None, None) | (Some(b"0"), Some(b"0" | b"1")) => {}
        _ => return Err(SparseFault::Unknown),
    }
    if let Some(map) = own.get(b"GNU.sparse.map") {
        let numbers: Option<Vec<u64>> = map.split(|&b| b == b',').map(unsigned).collect();
        let numbers = if map.is_empty() { Vec::new() } else { numbers.ok_or(SparseFault::Map)? };
        return pairs(&numbers).map(|map| Some(PaxSparse::Records(map)));
    }
    if own.get(b"GNU.sparse.size").is_some() || !own.sparse_pieces.is_empty() {
        return Ok(Some(PaxSparse::Records(own.sparse_pieces.clone())));
    }
    Ok(None)
}

/// What is wrong with a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SparseFault {
    /// It is malformed.
    Map,
    /// Its format is unknown.
    Unknown,
}

/// Reads pieces of 24 bytes each from a header or a block of an old GNU map; false if the map ends here.
pub(super) fn old_gnu(pieces: &[u8], map: &mut Vec<Extent>) -> Result<bool, SparseFault> {
    let field = |bytes: &[u8]| number(bytes).ok().and_then(|n| u64::try_from(n).ok()).ok_or(SparseFault::Map);
    for piece in pieces.chunks_exact(24) {
        let (offset, len) = piece.split_at_checked(12).ok_or(SparseFault::Map)?;
        if len.first() == Some(&0) {
            return Ok(false);
        }
        map.push(Extent { offset: field(offset)?, len: field(len)? });
    }
    Ok(true)
}

/// The map of format 1.0, as its bytes come: decimal numbers, a newline after each, first how many pieces follow.
#[derive(Default)]
pub(super) struct MapParser {
    digits: Vec<u8>,
    count: Option<usize>,
    numbers: Vec<u64>,
}

impl MapParser {
    /// Takes a block; the map once it is complete. What follows it in the block is padding.
    pub(super) fn block(&mut self, block: &[u8]) -> Result<Option<Vec<Extent>>, SparseFault> {
        for &byte in block {
            if byte != b'\n' {
                if self.digits.len() >= 20 {
                    return Err(SparseFault::Map);
                }
                self.digits.push(byte);
                continue;
            }
            let number = unsigned(&self.digits).ok_or(SparseFault::Map)?;
            self.digits.clear();
            match self.count {
                None => {
                    let count = usize::try_from(number).ok().filter(|&n| n <= MAX_PIECES).ok_or(SparseFault::Map)?;
                    self.count = Some(count);
                }
                Some(_) => self.numbers.push(number),
            }
            if self.count.is_some_and(|count| self.numbers.len() == count.saturating_mul(2)) {
                return pairs(&self.numbers).map(Some);
            }
        }
        Ok(None)
    }
}

fn pairs(numbers: &[u64]) -> Result<Vec<Extent>, SparseFault> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(SparseFault::Map);
    }
    Ok(pairs.iter().map(|&[offset, len]| Extent { offset, len }).collect())
}

/// Checks that the pieces ascend, stay inside the file, and together have the `stored` bytes that the archive has of
/// it. Empty pieces, which only mark the end, are dropped.
pub(super) fn validate(mut map: Vec<Extent>, size: u64, stored: u64) -> Result<Vec<Extent>, SparseFault> {
    let (mut end, mut sum) = (0, 0_u64);
    for piece in &map {
        if piece.offset < end {
            return Err(SparseFault::Map);
        }
        end = piece.end().filter(|&end| end <= size).ok_or(SparseFault::Map)?;
        sum = sum.checked_add(piece.len).ok_or(SparseFault::Map)?;
    }
    if sum != stored {
        return Err(SparseFault::Map);
    }
    map.retain(|piece| piece.len > 0);
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(offset: u64, len: u64) -> Extent {
        Extent { offset, len }
    }

    #[test]
    fn maps_are_checked() {
        let good = vec![extent(0, 2), extent(5, 1), extent(9, 0)];
        assert_eq!(validate(good.clone(), 9, 3), Ok(vec![extent(0, 2), extent(5, 1)]));
        assert_eq!(validate(good.clone(), 9, 4), Err(SparseFault::Map));
        assert_eq!(validate(good, 8, 3), Err(SparseFault::Map));
        assert_eq!(validate(vec![extent(0, 2), extent(1, 1)], 9, 3), Err(SparseFault::Map));
        assert_eq!(validate(vec![extent(u64::MAX, 2)], u64::MAX, 2), Err(SparseFault::Map));
    }

    #[test]
    fn map_before_data() {
        let mut parser = MapParser::default();
        assert_eq!(parser.block(b"2\n0\n"), Ok(None));
        assert_eq!(parser.block(b"1\n7"), Ok(None));
        assert_eq!(parser.block(b"0\n3\n\0\0"), Ok(Some(vec![extent(0, 1), extent(70, 3)])));
        assert_eq!(MapParser::default().block(b"0\n"), Ok(Some(vec![])));
        assert_eq!(MapParser::default().block(b"\0\n"), Err(SparseFault::Map));
        assert_eq!(MapParser::default().block(b"99999999999\n"), Err(SparseFault::Map));
    }
}
