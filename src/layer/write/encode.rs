//! One block of a tar stream as compressed bytes: the small interface behind which the encoders stand.
//!
//! gzip is one member (RFC 1952) of blocks joined by sync flushes; zstd is one frame a block (RFC 8878 section 3.1 lets
//! frames follow each other); none is the plain tar.

use super::deflate::{self, Deflate, Level};
use crate::oci::Compression;
use std::io;

/// Edition 2026. A frame says the size of its content, and has neither dictionary id nor checksum.
const ZSTD_LEVEL: i32 = 3;

/// The encoder, told from all others that ever wrote or will write other bytes. Only what is kept from build to build on one
/// machine depends on it.
#[must_use]
pub fn id(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "gzip: edition 2026, second draft, 512 KiB",
        Compression::GzipFast => "gzip: edition 2026, fast, 512 KiB",
        Compression::Zstd => "zstd: 1.5.7, level 3, 2 MiB",
        Compression::None => "none",
    }
}

/// How many bytes before a block its encoder wants to see.
#[must_use]
pub fn window(compression: Compression) -> usize {
    if compression.is_gzip() { deflate::WINDOW } else { 0 }
}

/// What stands before the first block. For gzip: no name, no time, no hint of the level, an unknown system
/// (RFC 1952 section 2.3.1: CM 8, FLG 0, MTIME 0, XFL 0, OS 255). Edition 2026.
#[must_use]
pub fn head(compression: Compression) -> &'static [u8] {
    if compression.is_gzip() { &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255] } else { &[] }
}

/// What stands behind the last block, given the CRC-32 and the length of the whole tar.
#[must_use]
pub fn tail(compression: Compression, crc: u32, length: u64) -> Vec<u8> {
    match compression {
        Compression::Gzip | Compression::GzipFast => {
            let length = (length & u64::from(u32::MAX)) as u32;
            [&deflate::END, &crc.to_le_bytes()[..], &length.to_le_bytes()].concat()
        }
        Compression::Zstd | Compression::None => Vec::new(),
    }
}

/// Compresses blocks; the bytes of a block depend on it and its dictionary alone.
pub enum Encoder {
    /// Deflate with the window before the block.
    Deflate(Deflate),
    /// A zstd frame.
    Zstd(zstd::bulk::Compressor<'static>),
}

impl Encoder {
    /// An encoder for one worker; `None` where bytes stay as they are.
    ///
    /// # Errors
    /// If zstd cannot be set up.
    pub fn new(compression: Compression) -> io::Result<Option<Self>> {
        Ok(match compression {
            Compression::Gzip => Some(Self::Deflate(Deflate::new(Level::Default))),
            Compression::GzipFast => Some(Self::Deflate(Deflate::new(Level::Fast))),
            Compression::Zstd => Some(Self::Zstd(zstd::bulk::Compressor::new(ZSTD_LEVEL)?)),
            Compression::None => None,
        })
    }

    /// Compresses one block.
    ///
    /// # Errors
    /// What zstd reports; deflate has no errors.
    pub fn block(&mut self, dictionary: &[u8], block: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Deflate(deflate) => Ok(deflate.block(dictionary, block)),
            Self::Zstd(zstd) => zstd.compress(block),
        }
    }
}
