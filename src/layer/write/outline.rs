//! What decides the bytes of each block of a layer, without reading them: the next build compares it, and makes again only
//! the blocks for which it differs.

use super::stream::{self, Data, Pieces};
use super::{Content, Identity, WriteError, cut, encode};
use crate::oci::{Compression, Digest, Sha256};
use crate::record;
use crate::tree::Tree;

/// A layer as the blocks that it will have.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    /// In their order.
    pub(super) blocks: Vec<Mark>,
}

/// A block that was not read yet.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// Of the headers, and of what tells the contents from others. None: a content that nothing is known of.
    pub fingerprint: Option<Digest>,
    /// Whether the next build may rely on it.
    pub lasting: bool,
    /// The length of its part of the tar.
    pub length: u64,
    /// Whether it begins with an entry, and not inside of one.
    pub entry: bool,
}

impl Outline {
    /// Outlines a layer. `now` is a time, in seconds since 1970, before anything was asked about the contents of the tree.
    ///
    /// # Errors
    /// [`WriteError::Content`]: the layer cannot be written.
    pub fn of<C: Content>(tree: &Tree<C>, mtime: i64, compression: Compression, now: i64) -> Result<Self, WriteError> {
        let mut drawing = Drawing { outline: Self::default(), block: Block::new(compression), compression, now };
        stream::pieces(tree, mtime, cut::step(compression), &mut drawing)?;
        drawing.end();
        Ok(drawing.outline)
    }

    /// What certainly tells the layer from all others; none if there is a content that nothing is known of.
    #[must_use]
    pub fn identity(&self) -> Option<Digest> {
        let mut sha256 = Sha256::default();
        for mark in &self.blocks {
            sha256.update(&mark.fingerprint?.bytes());
        }
        Some(sha256.finish().0)
    }
}

struct Drawing {
    outline: Outline,
    block: Block,
    compression: Compression,
    now: i64,
}

/// A block so far.
struct Block {
    sha256: Sha256,
    known: bool,
    lasting: bool,
    length: u64,
    entry: Option<bool>,
}

impl Block {
    fn new(compression: Compression) -> Self {
        let mut sha256 = Sha256::default();
        // Another rebake may read contents and encode blocks in another way.
        for text in [env!("CARGO_PKG_VERSION"), encode::id(compression)] {
            sha256.update(text.as_bytes());
            sha256.update(&[0]);
        }
        Self { sha256, known: true, lasting: true, length: 0, entry: None }
    }

    fn numbers(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.sha256.update(&number.to_le_bytes());
        }
    }
}

impl Drawing {
    fn end(&mut self) {
        // Also of the zeros, which say no more than how many they are.
        self.block.numbers(&[self.block.length]);
        let block = std::mem::replace(&mut self.block, Block::new(self.compression));
        self.outline.blocks.push(Mark {
            fingerprint: block.known.then(|| block.sha256.finish().0),
            lasting: block.lasting,
            length: block.length,
            entry: block.entry.unwrap_or(true),
        });
    }
}

impl<'t, C: Content> Pieces<'t, C> for Drawing {
    fn cut(&mut self) -> Result<(), WriteError> {
        self.end();
        Ok(())
    }

    fn head(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.block.entry.get_or_insert(true);
        self.block.length += bytes.len() as u64;
        self.block.numbers(&[0, bytes.len() as u64]);
        self.block.sha256.update(bytes);
        Ok(())
    }

    fn data(&mut self, data: Data<'t, C>) -> Result<(), WriteError> {
        self.block.entry.get_or_insert(false);
        self.block.length += data.length;
        match data.content.identity() {
            Identity::Bytes(bytes) => {
                self.block.numbers(&[1, data.at, data.length, bytes.len() as u64]);
                self.block.sha256.update(bytes);
            }
            Identity::Stamp { stamp, offset, length } => {
                self.block.numbers(&[2, data.at, data.length, data.size]);
                self.block.numbers(&stamp.numbers());
                self.block.numbers(&[offset, length]);
                self.block.lasting &= record::is_old(stamp.newest(), self.now);
            }
            Identity::Unknown => self.block.known = false,
        }
        Ok(())
    }

    fn zeros(&mut self, count: usize) -> Result<(), WriteError> {
        self.block.entry.get_or_insert(true);
        self.block.length += count as u64;
        Ok(())
    }
}
