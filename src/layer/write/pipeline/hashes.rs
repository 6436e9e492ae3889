//! The thread that hashes the tar; it begins in the middle where an earlier build left the state of its hashes.

use crate::layer::write::outline::Outline;
use crate::layer::write::past::{MIDWAY, Midway, Reuse};
use crate::oci::{Compression, Sha256};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// Digest, length and (for gzip) CRC-32 of the tar.
pub(super) struct Hashes {
    pub sha256: Sha256,
    pub crc: crc32fast::Hasher,
    /// The first block that is hashed here.
    from: usize,
    /// Before each block that was hashed here.
    pub midways: Vec<Option<Midway>>,
    /// The CRC-32 of each of them.
    pub crcs: Vec<u32>,
}

impl Hashes {
    /// Where the reader begins; none if the state of an earlier build is none.
    pub fn begin(reuse: &Reuse) -> Option<Self> {
        let (sha256, crc) = match &reuse.midway {
            None => Default::default(),
            Some((midway, length)) => {
                (Sha256::resume(&midway.sha256, *length)?, crc32fast::Hasher::new_with_initial_len(midway.crc, *length))
            }
        };
        Some(Self { sha256, crc, from: reuse.from, midways: Vec::new(), crcs: Vec::new() })
    }

    pub fn run(&mut self, queue: &Receiver<Arc<Vec<u8>>>, outline: &Outline, compression: Compression) {
        // Others than gzip need it for the next build alone, and none is kept of a layer without an outline.
        let checked = compression.is_gzip() || (compression != Compression::None && !outline.blocks.is_empty());
        // Where an earlier build kept a state, this one does too.
        let mut since = if self.from > 0 { MIDWAY } else { 0 };
        for block in queue {
            let mark = outline.blocks.get(self.from + self.midways.len());
            let keep = mark.is_some_and(|mark| mark.entry) && since >= MIDWAY;
            self.midways.push(keep.then(|| Midway { sha256: self.sha256.state(), crc: self.crc.clone().finalize() }));
            since = if keep { 0 } else { since } + block.len() as u64;
            self.sha256.update(&block);
            if checked {
                let mut crc = crc32fast::Hasher::new();
                crc.update(&block);
                self.crc.combine(&crc);
                self.crcs.push(crc.finalize());
            }
        }
    }
}
