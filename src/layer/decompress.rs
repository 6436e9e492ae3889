//! Compressed bytes to plain ones: gzip, zstd, xz and bzip2, each to the very end of its stream.
//!
//! Several members or frames behind each other are one stream, as all four formats say. What follows the last of them
//! is an error, but for the zeros that gzip and xz allow. Memory is bounded. What the plain bytes mean, and how many of
//! them one wants, is left to others.

mod gzip;

use gzip::Gzip;
use std::fmt;
use std::io::{self, BufReader, Cursor, Read};

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The .xz format of XZ Utils.
    Xz,
    /// bzip2.
    Bzip2,
}

/// A layer that has grown to more than this, and to more than that many times what was read of it, is a bomb: deflate
/// cannot do much more than a thousandfold, and real layers of this size stay below twenty.
pub const BOMB: u64 = 2 << 30;
/// See [`BOMB`].
pub const RATIO: u64 = 250;

/// Whether so many bytes cannot honestly come out of so few.
#[must_use]
pub fn is_bomb(plain: u64, packed: u64) -> bool {
    plain > BOMB && plain / RATIO > packed
}

/// Bytes that [`Compression::sniff`] looks at.
const MAGIC: usize = 10;

impl Compression {
    /// Tells the compression from the first bytes of a stream (ten are enough); none if no magic fits.
    #[must_use]
    pub fn sniff(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            // A frame, or a skippable one, which pzstd starts with.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // The magic of a block, or of the end: `BZh9` alone may well be the name of a tar's first entry.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Self::Bzip2,
            _ => Self::None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        })
    }
}

/// What is wrong with a compressed stream. It comes inside an [`io::Error`]; an error of the reader below comes as it is.
#[derive(Debug, thiserror::Error)]
pub enum DecompressError {
    /// It ends too early. The kind is [`io::ErrorKind::UnexpectedEof`].
    #[error("the {compression} stream is truncated")]
    Truncated {
        /// The format.
        compression: Compression,
    },
    /// It is not what the format allows, or a checksum does not fit. The kind is [`io::ErrorKind::InvalidData`].
    #[error("the {compression} stream is corrupt: {detail}")]
    Corrupt {
        /// The format.
        compression: Compression,
        /// What the decoder says.
        detail: String,
    },
}

/// Dictionary sizes up to 64 MiB, the most that `xz -9` uses, and twice that to be generous; in KiB.
const XZ_MEMORY: u32 = 192 << 10;

/// log2 of the largest zstd window: 128 MiB, what `zstd -d` allows by default.
const ZSTD_WINDOW_LOG: u32 = 27;

/// A reader of the plain bytes. Once it failed it fails for ever, so that no error is taken for an end.
pub struct Decoder<R: Read> {
    codec: Codec<R>,
    compression: Compression,
    failed: bool,
}

enum Codec<R: Read> {
    Plain(R),
    Gzip(Gzip<Steady<R>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Steady<R>>>>),
    Xz(Box<lzma_rust2::XzReader<BufReader<Steady<R>>>>),
    Bzip2(Box<bzip2::bufread::MultiBzDecoder<BufReader<Steady<R>>>>),
}

/// Makes interrupted calls again, so that no decoder meets one half-way.
struct Steady<R>(R);

impl<R: Read> Read for Steady<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

/// What a gzip stream may have, and not every reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities {
    /// More than one member: some readers stop after the first.
    pub members: bool,
    /// Zeros behind the last member: some readers take them for a broken one.
    pub zeros: bool,
}

/// Decodes a stream whose compression is known. `reader` need not be buffered.
///
/// # Errors
/// Only if memory is short; what is wrong with the stream comes out of the reading, see [`DecompressError`].
pub fn decoder<R: Read>(reader: R, compression: Compression) -> io::Result<Decoder<R>> {
    let buffered = |reader| BufReader::with_capacity(64 << 10, Steady(reader));
    let codec = match compression {
        Compression::None => Codec::Plain(reader),
        Compression::Gzip => Codec::Gzip(Gzip::new(buffered(reader))),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(buffered(reader))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Codec::Zstd(Box::new(decoder))
        }
        Compression::Xz => Codec::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(buffered(reader), true, XZ_MEMORY))),
        Compression::Bzip2 => Codec::Bzip2(Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(reader)))),
    };
    Ok(Decoder { codec, compression, failed: false })
}

/// A reader whose first bytes were looked at.
pub type Sniffed<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// Decodes a stream whose compression its first bytes tell; one without magic comes out as it is.
///
/// # Errors
/// The first bytes cannot be read; else as [`decoder`].
pub fn sniff_decoder<R: Read>(mut reader: R) -> io::Result<Decoder<Sniffed<R>>> {
    let mut head = Vec::with_capacity(MAGIC);
    reader.by_ref().take(MAGIC as u64).read_to_end(&mut head)?;
    let compression = Compression::sniff(&head);
    decoder(Cursor::new(head).chain(reader), compression)
}

impl<R: Read> Decoder<R> {
    /// The compression that is undone.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What some readers of gzip do not take, as far as it was read. Other formats have nothing of the kind.
    #[must_use]
    pub fn oddities(&self) -> Oddities {
        match &self.codec {
            Codec::Gzip(decoder) => decoder.oddities,
            _ => Oddities::default(),
        }
    }

    fn explain(&self, error: io::Error) -> io::Error {
        let compression = self.compression;
        match error.kind() {
            _ if compression == Compression::None || error.raw_os_error().is_some() => error,
            io::ErrorKind::UnexpectedEof => {
                io::Error::new(io::ErrorKind::UnexpectedEof, DecompressError::Truncated { compression })
            }
            _ => {
                let detail = error.to_string();
                io::Error::new(io::ErrorKind::InvalidData, DecompressError::Corrupt { compression, detail })
            }
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.failed {
            return Err(self.explain(io::Error::other("it failed before")));
        }
        if buf.is_empty() {
            return Ok(0);
        }
        let read = match &mut self.codec {
            Codec::Plain(reader) => reader.read(buf),
            Codec::Gzip(decoder) => decoder.read(buf),
            Codec::Zstd(decoder) => decoder.read(buf),
            Codec::Xz(decoder) => decoder.read(buf),
            Codec::Bzip2(decoder) => decoder.read(buf),
        };
        read.map_err(|e| {
            self.failed = e.kind() != io::ErrorKind::Interrupted;
            self.explain(e)
        })
    }
}

#[cfg(test)]
mod tests;
