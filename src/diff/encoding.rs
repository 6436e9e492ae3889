//! How a blob is compressed, and by whom, as far as its bytes tell.
//!
//! A gzip header and the way its blocks are joined and ended differ from encoder to encoder; what fits none of the known
//! ones is not guessed at.

use crate::layer::decompress::Compression;
use std::fmt;
use std::io::{self, Read};

/// How much of a blob is looked at, in bytes.
const SAMPLE: u64 = 4 << 20;
/// What is inflated to find the length of the first block, at most.
const BLOCK: u64 = 16 << 20;
/// The time of nothing in Go, in the year 1, cut to 32 bits: pgzip writes it, Go itself does not.
const PGZIP: u32 = 0x886e_0900;
/// An empty stored block: where a flush joined two pieces, and how Go ends a stream (RFC 1951 section 3.2.4).
const SYNC: [u8; 4] = [0, 0, 0xff, 0xff];

/// How a blob is compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The format.
    pub compression: Compression,
    /// Length of the blob in bytes.
    pub size: u64,
    /// What the header of a gzip or zstd stream says.
    pub header: Option<Header>,
    /// Who wrote it, if that can be told.
    pub encoder: Option<Encoder>,
}

/// The start of a compressed stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// RFC 1952 section 2.3.
    Gzip {
        /// MTIME, seconds since 1970; 0: none.
        mtime: u32,
        /// XFL: 2 is the best compression, 4 the fastest.
        level: u8,
        /// OS: 3 is Unix, 255 unknown.
        os: u8,
        /// Whether a name stands there.
        named: bool,
    },
    /// RFC 8878 section 3.1.1.1.
    Zstd {
        /// Whether the frame says how long its content is.
        sized: bool,
        /// Whether it ends with a checksum.
        checksum: bool,
    },
}

/// A program or library that compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoder {
    /// This program.
    Rebake,
    /// Go's compress/gzip, which docker, crane and ko use.
    Go,
    /// klauspost/pgzip, which podman, buildah and skopeo use.
    Pgzip,
    /// gzip, or a program that uses zlib.
    Zlib,
    /// pigz.
    Pigz,
    /// Members of their own for parts of the tar, as eStargz has them.
    Members,
}

impl fmt::Display for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rebake => "rebake",
            Self::Go => "Go's compress/gzip",
            Self::Pgzip => "pgzip (podman, buildah, skopeo)",
            Self::Zlib => "gzip or zlib",
            Self::Pigz => "pigz",
            Self::Members => "an encoder of several members (eStargz)",
        })
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes", self.how(), self.size)
    }
}

impl Encoding {
    /// The same for all layers that one encoder made.
    pub(super) fn how(&self) -> String {
        let mut how = match self.compression {
            Compression::None => "no compression".to_owned(),
            compression => compression.to_string(),
        };
        if let Some(encoder) = self.encoder {
            how.push_str(&format!(" by {encoder}"));
        }
        match &self.header {
            Some(Header::Gzip { mtime, level, os, named }) => {
                let level = match level {
                    2 => "2: the best level".to_owned(),
                    4 => "4: the fastest level".to_owned(),
                    level => level.to_string(),
                };
                let named = if *named { ", with a name" } else { "" };
                how.push_str(&format!(" (mtime {mtime}, XFL {level}, OS {os}{named})"));
            }
            Some(Header::Zstd { sized, checksum }) => {
                let with = |is: bool| if is { "with" } else { "without" };
                how.push_str(&format!(" ({} content size, {} checksum)", with(*sized), with(*checksum)));
            }
            None => {}
        }
        how
    }

    /// Whether another program, or another setting, compressed it, for blobs of two tars. Who wrote them is not always seen.
    pub(super) fn differs(&self, other: &Self) -> bool {
        let encoders = self.encoder.zip(other.encoder).is_some_and(|(a, b)| a != b);
        self.compression != other.compression || self.header != other.header || encoders
    }

    /// Looks at the start of a blob of `size` bytes.
    pub(super) fn of(blob: &mut dyn Read, size: u64) -> io::Result<Self> {
        let mut sample = Vec::new();
        blob.take(SAMPLE).read_to_end(&mut sample)?;
        let compression = Compression::sniff(&sample);
        let (header, encoder) = match compression {
            Compression::Gzip => gzip(&sample, sample.len() as u64 == size),
            Compression::Zstd => (zstd(&sample), None),
            _ => (None, None),
        };
        Ok(Self { compression, size, header, encoder })
    }
}

fn zstd(sample: &[u8]) -> Option<Header> {
    let [0x28, 0xb5, 0x2f, 0xfd, descriptor, ..] = *sample else { return None };
    Some(Header::Zstd { sized: descriptor & 0xe0 != 0, checksum: descriptor & 4 != 0 })
}

/// The header, and who writes such streams; `whole` if the sample is all of it.
fn gzip(sample: &[u8], whole: bool) -> (Option<Header>, Option<Encoder>) {
    let [_, _, _, flags, m0, m1, m2, m3, level, os, deflate @ ..] = sample else { return (None, None) };
    let (mtime, named) = (u32::from_le_bytes([*m0, *m1, *m2, *m3]), flags & 8 != 0);
    let header = Some(Header::Gzip { mtime, level: *level, os: *os, named });
    let plain = *flags == 0 && mtime == 0;
    let sync = deflate.windows(SYNC.len()).position(|bytes| bytes == SYNC).map(|at| at + SYNC.len());
    // The stream without CRC and length.
    let body = if whole { deflate.split_last_chunk::<8>().map(|(body, _)| body) } else { None };
    let ends = |end: &[u8]| body.is_some_and(|body| body.ends_with(end));
    let first = sync.filter(|_| *flags == 0).map(|end| inflated(deflate.get(..end).unwrap_or_default()));
    let encoder = match (*os, first) {
        _ if whole && members(sample) => Some(Encoder::Members),
        (255, _) if plain && ends(&[0, 0, 0xff, 0xff, 3, 0]) => Some(Encoder::Rebake),
        (255, _) if mtime == PGZIP && *flags == 0 => Some(Encoder::Pgzip),
        (255, Some(_)) if plain && body.is_none() && *level == 0 => Some(Encoder::Rebake),
        (255, _) if plain && ends(&SYNC) => Some(Encoder::Go),
        (3, Some(first)) if first > 0 && first % (128 << 10) == 0 => Some(Encoder::Pigz),
        (3, None) => Some(Encoder::Zlib),
        _ => None,
    };
    (header, encoder)
}

/// How many bytes come out of the start of a deflate stream.
fn inflated(deflate: &[u8]) -> u64 {
    let mut plain = flate2::read::DeflateDecoder::new(deflate).take(BLOCK);
    // The stream is cut, so that it cannot end well.
    let (mut buffer, mut length) = (vec![0; 64 << 10], 0_u64);
    while let Ok(n @ 1..) = plain.read(&mut buffer) {
        length = length.saturating_add(n as u64);
    }
    length
}

/// Whether a second member follows the first.
fn members(sample: &[u8]) -> bool {
    let mut member = flate2::bufread::GzDecoder::new(sample);
    let mut buffer = vec![0; 64 << 10];
    let mut left = 1024;
    loop {
        left -= 1;
        match member.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if left > 0 => {}
            _ => return false,
        }
    }
    member.into_inner().starts_with(&[0x1f, 0x8b])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn of(bytes: &[u8]) -> Encoding {
        Encoding::of(&mut &*bytes, bytes.len() as u64).unwrap()
    }

    #[test]
    fn zlib_and_what_nobody_writes() {
        let mut zlib = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        zlib.write_all(&b"some text ".repeat(1000)).unwrap();
        let mut bytes = zlib.finish().unwrap();
        // flate2 says that it does not know the system; it is none of the known ones.
        bytes[9] = 255;
        assert_eq!(of(&bytes).encoder, None);
        bytes[9] = 3;
        assert_eq!(of(&bytes).encoder, Some(Encoder::Zlib));
        let level = |bytes: &mut Vec<u8>, level: u8| {
            bytes[8] = level;
            of(bytes).to_string()
        };
        assert!(level(&mut bytes, 2).starts_with("gzip by gzip or zlib (mtime 0, XFL 2: the best level, OS 3), "));
        assert!(level(&mut bytes, 4).contains("XFL 4: the fastest level,"));
        assert!(level(&mut bytes, 0).contains("XFL 0, OS 3"));
        bytes.extend(bytes.clone());
        assert_eq!(of(&bytes).encoder, Some(Encoder::Members));
    }

    #[test]
    fn plain_and_short_streams() {
        assert_eq!(of(b"usr/").compression, Compression::None);
        assert_eq!(of(&[0x1f, 0x8b, 8, 0]).header, None);
        assert_eq!(of(&[0x28, 0xb5, 0x2f, 0xfd, 0x24, 0]).header, Some(Header::Zstd { sized: true, checksum: true }));
    }
}
