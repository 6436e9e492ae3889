//! The deflate stream of edition 2026 (RFC 1951), one block of the tar at a time.
//!
//! The encoder is miniz_oxide at one level, called directly: its bytes have not moved in years, depend on no CPU and on
//! no buffer size, and no other crate's features can swap it for another. A later encoder replaces this file alone.

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params};

/// How far back deflate can look: what stands before a block and is its dictionary.
pub const WINDOW: usize = 32 * 1024;
/// Edition 2026.
const LEVEL: i32 = 6;
/// A raw deflate stream, no zlib header.
const RAW: i32 = -15;

/// The last block of a stream: empty, final, fixed codes. It ends on a byte.
pub const END: [u8; 2] = [0x03, 0x00];

/// Encodes blocks; each worker has one, and no block's bytes depend on those before it but for its dictionary.
pub struct Deflate(Box<CompressorOxide>);

impl Default for Deflate {
    fn default() -> Self {
        Self(Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL, RAW, 0))))
    }
}

impl Deflate {
    /// Deflates `block`, which follows `dictionary` in the stream, and ends it with a sync flush, so that it starts and
    /// ends on a byte and can be joined to its neighbours.
    pub fn block(&mut self, dictionary: &[u8], block: &[u8]) -> Vec<u8> {
        self.0.reset();
        // The encoder takes no dictionary. So it encodes the dictionary first, up to a byte, and that output is dropped:
        // what follows may point back into it, as it may in the joined stream.
        if !dictionary.is_empty() {
            self.encode(dictionary, |_| {});
        }
        let mut deflated = Vec::with_capacity(block.len() / 2);
        self.encode(block, |bytes| deflated.extend_from_slice(bytes));
        deflated
    }

    fn encode(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8])) {
        compress_to_output(&mut self.0, bytes, TDEFLFlush::Sync, |bytes| {
            sink(bytes);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn inflate(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::DeflateDecoder::new(bytes).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn joined_blocks_are_one_stream() {
        let text: Vec<u8> = (0..400_000u32).flat_map(|n| (n / 7 % 1000).to_le_bytes()).collect();
        let mut deflate = Deflate::default();
        let mut joined = Vec::new();
        let mut at = 0;
        for size in [1, 70_000, 0, 32_768, 500_000, usize::MAX] {
            let end = text.len().min(at + size.min(text.len()));
            joined.extend(deflate.block(&text[at.saturating_sub(WINDOW)..at], &text[at..end]));
            at = end;
        }
        joined.extend(END);
        assert!(inflate(&joined) == text);
    }

    #[test]
    fn the_dictionary_counts_and_earlier_blocks_do_not() {
        let noise: Vec<u8> = (0..30_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let alone = Deflate::default().block(&noise, &noise);
        assert!(alone.len() < 1000, "the block is one long match into its dictionary: {}", alone.len());
        let mut used = Deflate::default();
        used.block(b"", b"something else");
        assert_eq!(used.block(&noise, &noise), alone);
    }
}
