//! A layer as an earlier build left it, and which of its blocks a new build can take over.
//!
//! A block is taken over if its outline and that of the block before it, whose end is its dictionary, are what they were.
//! Its bytes come out of the old blob and are held against their CRC-32, so that a damaged blob is found. What comes before
//! the first change is not hashed again: the tar from the last state of its hash on that lies before the change is read, for
//! the diff_id, and the blob is hashed from such a state of its own. A blob that is the tar has nothing to take over behind
//! the change.

use super::encode;
use super::outline::Outline;
use super::pipeline::Layer;
use crate::oci::{Compression, Digest};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// A layer that was written, block by block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The whole.
    pub layer: Layer,
    /// In their order.
    pub blocks: Vec<MadeBlock>,
}

/// A block that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeBlock {
    /// As in the outline, if it lasts.
    pub fingerprint: Option<Digest>,
    /// The length of its part of the tar.
    pub length: u64,
    /// The length of its part of the blob.
    pub size: u64,
    /// CRC-32 of its part of the blob.
    pub crc: u32,
    /// CRC-32 of its part of the tar.
    pub tar_crc: u32,
    /// The hashes of the tar before it, for some of the blocks that begin with an entry.
    pub before: Option<Midway>,
    /// The state of the blob's SHA-256 before it, for some of the blocks, unless the blob is the tar.
    pub blob_before: Option<Vec<u8>>,
}

/// The states of hashes are kept for the next build once so many bytes.
pub(super) const MIDWAY: u64 = 1 << 20;

/// The hashes of the tar, half done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Midway {
    /// The state of the SHA-256.
    pub sha256: Vec<u8>,
    /// The CRC-32.
    pub crc: u32,
}

/// A layer of an earlier build.
#[derive(Debug)]
pub struct Past {
    /// What it was.
    pub made: Made,
    /// Its blob.
    pub blob: File,
}

/// A part of the old blob.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub offset: u64,
    pub size: u64,
    pub crc: u32,
    pub tar_crc: u32,
}

/// What of a layer is taken over.
#[derive(Debug, Default)]
pub(super) struct Reuse {
    /// For each block of the new layer.
    pub parts: Vec<Option<Part>>,
    /// The blocks before this one are not read at all.
    pub from: usize,
    /// The hashes before that block, and the length of the tar up to there.
    pub midway: Option<(Midway, u64)>,
    /// The begin of the old blob, which is that of the new one too.
    pub prefix: Prefix,
}

/// The begin of a blob.
#[derive(Debug, Clone, Default)]
pub(super) struct Prefix {
    /// The blocks in it.
    pub blocks: usize,
    /// Its length in bytes; 0: there is none, and the blob begins with its head.
    pub length: u64,
    /// The state of the SHA-256 behind it; empty if the blob is the tar.
    pub sha256: Vec<u8>,
}

impl Part {
    /// Puts its bytes into the buffer, if they are there and what they were.
    pub fn read<'b>(&self, blob: Option<&File>, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        let blob = blob?;
        // A size that is larger than the blob is never reserved.
        let end = self.offset.checked_add(self.size)?;
        if blob.metadata().ok()?.len() < end {
            return None;
        }
        buffer.resize(usize::try_from(self.size).ok()?, 0);
        blob.read_exact_at(buffer, self.offset).ok()?;
        (crc32fast::hash(buffer) == self.crc).then_some(buffer)
    }
}

impl Reuse {
    /// Whether the blocks that were read (their CRC-32, from the first of them on) are those that were taken over.
    pub fn fits(&self, crcs: &[u32]) -> bool {
        let read = self.parts.iter().skip(self.from).zip(crcs);
        read.filter_map(|(part, crc)| Some((part.as_ref()?.tar_crc, *crc))).all(|(old, new)| old == new)
    }
}

impl Made {
    /// Whether an outline is certainly that of this layer.
    #[must_use]
    pub fn is(&self, outline: &Outline) -> bool {
        self.blocks.len() == outline.blocks.len()
            && self.blocks.iter().zip(&outline.blocks).all(|(old, new)| same(old.fingerprint, new.fingerprint))
    }

    /// What a layer with this outline can take over.
    pub(super) fn reuse(&self, outline: &Outline, compression: Compression) -> Reuse {
        let plain = compression == Compression::None;
        let looks_back = encode::window(compression) > 0;
        // What decides a block's bytes, if it is known.
        let key = |n: usize, of: &dyn Fn(usize) -> Option<Digest>| match n.checked_sub(1).filter(|_| looks_back) {
            Some(before) => Some((Some(of(before)?), of(n)?)),
            None => Some((None, of(n)?)),
        };
        let old = |n: usize| key(n, &|n| self.blocks.get(n)?.fingerprint);
        let new = |n: usize| key(n, &|n| outline.blocks.get(n)?.fingerprint);
        let mut places = BTreeMap::new();
        let mut old_parts = Vec::new();
        let mut offset = encode::head(compression).len() as u64;
        for (n, block) in self.blocks.iter().enumerate() {
            let Some(end) = offset.checked_add(block.size) else { return Reuse::default() };
            old_parts.push(Part { offset, size: block.size, crc: block.crc, tar_crc: block.tar_crc });
            if let Some(key) = old(n) {
                places.entry(key).or_insert(n);
            }
            offset = end;
        }
        // The same files may be there twice: a block stays in its own place if it can.
        let found = |n: usize| {
            let key = new(n)?;
            let place = if old(n) == Some(key) { n } else { *places.get(&key)? };
            Some((place, *old_parts.get(place)?))
        };
        let found: Vec<Option<(usize, Part)>> = (0..outline.blocks.len()).map(found).collect();
        let unchanged = found.iter().enumerate().take_while(|(n, found)| found.is_some_and(|(at, _)| at == *n)).count();
        // The block at which reading begins is the dictionary of the next one, so it must not be needed itself.
        let start = (1..unchanged).rev().find_map(|n| Some((n, self.blocks.get(n)?.before.clone()?)));
        let start = start.filter(|(n, _)| outline.blocks.get(*n).is_some_and(|mark| mark.entry));
        let from = start.as_ref().map_or(0, |(from, _)| *from);
        let midway = start.map(|(_, midway)| (midway, outline.blocks.iter().take(from).map(|mark| mark.length).sum()));
        let has_state = |n: &usize| self.blocks.get(*n).is_some_and(|block| block.blob_before.is_some());
        let end = if plain { Some(from) } else { (1..=unchanged).rev().find(has_state) };
        let prefix = end.map(|end| self.prefix(end, compression)).unwrap_or_default();
        // What is read is written as it is: the tar itself is taken over only where it is not read.
        let part =
            |(n, found): (usize, Option<(usize, Part)>)| found.filter(|_| !plain || n < from).map(|(_, part)| part);
        Reuse { parts: found.into_iter().enumerate().map(part).collect(), from, midway, prefix }
    }

    /// The begin of the blob, up to a block.
    fn prefix(&self, blocks: usize, compression: Compression) -> Prefix {
        let parts = self.blocks.iter().take(blocks).map(|block| block.size);
        let sha256 = self.blocks.get(blocks).and_then(|block| block.blob_before.clone());
        let length = if blocks == 0 { 0 } else { encode::head(compression).len() as u64 + parts.sum::<u64>() };
        Prefix { blocks, length, sha256: sha256.unwrap_or_default() }
    }
}

/// Whether both are known and equal.
fn same(a: Option<Digest>, b: Option<Digest>) -> bool {
    a.is_some() && a == b
}
