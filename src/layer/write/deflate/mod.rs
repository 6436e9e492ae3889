//! The deflate stream of edition 2026 (RFC 1951), one block of the tar at a time. `docs/deflate.md` tells the algorithm whole.
//!
//! Bytes go into a `ring`; a parser (`parse` over `links`, or `fast`) turns them into tokens (`token`); `split` cuts the
//! tokens where their statistics change; `coder` writes each part with the code that `huffman` makes and `header` describes.
//!
//! Every number is an integer, nothing asks the CPU, and all tables start from zero for each block: so its bytes depend
//! on its dictionary, itself and the level alone. In the parsers and the coder arithmetic says `wrapping`, not because it
//! wraps (but for places in the ring, which do) but because a check a byte is felt.

mod bits;
mod coder;
mod fast;
mod header;
mod huffman;
mod links;
mod parse;
mod ring;
mod split;
mod token;

use bits::Bits;
use fast::Table;
use links::Links;
use ring::Ring;
use split::Splitter;
use token::{Span, Tokens};

/// How far back deflate can look: what stands before a block and is its dictionary.
pub const WINDOW: usize = 32 * 1024;

/// The last block of a stream: empty, final, fixed codes. It ends on a byte.
pub const END: [u8; 2] = [0x03, 0x00];

/// Bytes put into the ring at a time. With `AHEAD`, the window and `BEHIND` they fit into it.
const STEP: usize = 24 * 1024;
/// Bytes that a parser may look ahead of where it is asked to stop: a few literals and two matches.
const AHEAD: usize = 1024;
/// Zeros behind the end of a block, for what looks at eight bytes at once, so that it never sees an earlier block.
const BEHIND: usize = 512;
/// Bytes at the end of what is in the ring that cannot be linked yet.
const UNLINKED: usize = 8;
const _: () = assert!(WINDOW + STEP + AHEAD + BEHIND < ring::RING);

/// How much work is put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Small.
    #[default]
    Default,
    /// Some 4 to 8 % larger, and done in about 70 % of the time.
    Fast,
}

/// Encodes blocks; each worker has one, and no block's bytes depend on those before it but for its dictionary.
pub struct Deflate {
    ring: Ring,
    finder: Finder,
    tokens: Tokens,
    splitter: Splitter,
    bits: Bits,
}

/// Where earlier copies of bytes are looked up.
enum Finder {
    /// At the default level.
    Links(Links),
    /// At the fast one.
    Table(Table),
}

impl Deflate {
    /// An encoder.
    #[must_use]
    pub fn new(level: Level) -> Self {
        let finder = match level {
            Level::Default => Finder::Links(Links::new()),
            Level::Fast => Finder::Table(Table::new()),
        };
        Self {
            ring: Ring::new(),
            finder,
            tokens: Tokens::default(),
            splitter: Splitter::default(),
            bits: Bits::default(),
        }
    }

    /// Deflates `block`, which follows `dictionary` in the stream, and ends it with a sync flush, so that it starts and
    /// ends on a byte and can be joined to its neighbours. Of a dictionary longer than the window the end counts.
    pub fn block(&mut self, dictionary: &[u8], block: &[u8]) -> Vec<u8> {
        let dictionary = dictionary.get(dictionary.len().saturating_sub(WINDOW)..).unwrap_or_default();
        self.parse(dictionary, block);
        let (mut tokens, mut bytes) = (&self.tokens.list[..], block);
        for piece in self.splitter.split(tokens, block) {
            let (own_tokens, next_tokens) = tokens.split_at_checked(piece.tokens).unwrap_or_default();
            let (own_bytes, next_bytes) = bytes.split_at_checked(piece.bytes).unwrap_or_default();
            coder::write(&mut self.bits, own_tokens, own_bytes, &piece.counts);
            (tokens, bytes) = (next_tokens, next_bytes);
        }
        coder::store(&mut self.bits, &[]);
        self.bits.take()
    }

    /// Fills `tokens`. Byte 0 is the first of the dictionary.
    fn parse(&mut self, dictionary: &[u8], block: &[u8]) {
        let (start, end) = (dictionary.len(), dictionary.len() + block.len());
        self.ring.put(0, dictionary);
        self.tokens.clear(start);
        match &mut self.finder {
            Finder::Links(links) => links.clear(),
            Finder::Table(table) => {
                table.clear();
                table.note(&self.ring, 0, start.saturating_sub(UNLINKED));
            }
        }
        let (mut filled, mut linked, mut at) = (start, 0, start);
        for chunk in block.chunks(STEP) {
            self.ring.put(filled, chunk);
            filled += chunk.len();
            let (mut link, mut limit) = (filled.saturating_sub(UNLINKED), filled.saturating_sub(AHEAD));
            if filled == end {
                self.ring.put(end, &[0; BEHIND]);
                (link, limit) = (end, end);
            }
            let span = Span { at, limit, end };
            at = match &mut self.finder {
                Finder::Links(links) => {
                    links.link(&self.ring, linked, link);
                    linked = link;
                    parse::parse(links, &self.ring, span, &mut self.tokens)
                }
                Finder::Table(table) => table.parse(&self.ring, span, &mut self.tokens),
            };
        }
        self.tokens.finish(end);
    }
}

#[cfg(test)]
mod tests;
