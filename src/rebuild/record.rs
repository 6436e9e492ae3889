//! The file that a build leaves: numbers in little-endian order, digests as their 32 bytes, lists with their length before
//! them, and behind it all the digest of the whole.

use crate::image::Place;
use crate::layer::write::{Layer, Made, MadeBlock, Midway};
use crate::oci::Digest;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How the file begins. Another form of it has another number.
const MAGIC: &[u8; 17] = b"rebake rebuild 1\n";
/// A longer record is none, in bytes: this is enough for a layer of a tebibyte.
const LONGEST: u64 = 1 << 30;

/// What is known of an image that was built.
#[derive(Debug, Default, PartialEq)]
pub struct Record {
    /// The layers of ours.
    pub layers: BTreeMap<Place, Made>,
    /// The blobs of all layers, as they stood at the destination.
    pub blobs: BTreeMap<Digest, Stamp>,
}

/// Tells a file that was changed from one that was not: device, inode, size, mtime, ctime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp([u64; 7]);

impl Stamp {
    pub fn of(metadata: &Metadata) -> Self {
        let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        let [a, b, c, d] = times.map(i64::cast_unsigned);
        Self([metadata.dev(), metadata.ino(), metadata.size(), a, b, c, d])
    }
}

impl Record {
    /// The record in a file; none if it is damaged, or none of this version.
    pub fn read(path: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Self::decode(&bytes)
    }

    /// # Errors
    /// What the disk reports; the file is then as it was.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&self.encode())?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Out(MAGIC.to_vec());
        out.number(self.layers.len() as u64);
        for ((plan, layer), made) in &self.layers {
            out.number(*plan as u64);
            out.number(*layer as u64);
            out.digest(made.layer.digest);
            out.number(made.layer.size);
            out.digest(made.layer.diff_id);
            out.number(made.layer.tar_size);
            out.number(made.blocks.len() as u64);
            made.blocks.iter().for_each(|block| out.block(block));
        }
        out.number(self.blobs.len() as u64);
        for (digest, stamp) in &self.blobs {
            out.digest(*digest);
            stamp.0.iter().for_each(|number| out.number(*number));
        }
        let digest = Digest::of(&out.0);
        out.digest(digest);
        out.0
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, digest) = bytes.split_last_chunk::<32>()?;
        if Digest::of(bytes).bytes() != *digest {
            return None;
        }
        let mut from = In(bytes.strip_prefix(MAGIC)?);
        let mut record = Self::default();
        for _ in 0..from.number()? {
            let place = (usize::try_from(from.number()?).ok()?, usize::try_from(from.number()?).ok()?);
            let (digest, size) = (from.digest()?, from.number()?);
            let layer = Layer { digest, size, diff_id: from.digest()?, tar_size: from.number()? };
            let count = from.number()?;
            let blocks = (0..count).map_while(|_| from.block()).collect::<Vec<_>>();
            if blocks.len() as u64 != count {
                return None;
            }
            record.layers.insert(place, Made { layer, blocks });
        }
        for _ in 0..from.number()? {
            let digest = from.digest()?;
            let mut numbers = [0; 7];
            for number in &mut numbers {
                *number = from.number()?;
            }
            record.blobs.insert(digest, Stamp(numbers));
        }
        from.0.is_empty().then_some(record)
    }
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn digest(&mut self, digest: Digest) {
        self.0.extend_from_slice(&digest.bytes());
    }

    fn block(&mut self, block: &MadeBlock) {
        self.number(u64::from(block.fingerprint.is_some()) | u64::from(block.before.is_some()) << 1);
        block.fingerprint.iter().for_each(|digest| self.digest(*digest));
        self.number(block.length);
        self.number(block.size);
        self.number(u64::from(block.crc) | u64::from(block.tar_crc) << 32);
        if let Some(Midway { sha256, crc }) = &block.before {
            self.number(sha256.len() as u64 | u64::from(*crc) << 32);
            self.0.extend_from_slice(sha256);
        }
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.take(32)?.try_into().ok()?))
    }

    fn block(&mut self) -> Option<MadeBlock> {
        let flags = self.number()?;
        let fingerprint = if flags & 1 != 0 { Some(self.digest()?) } else { None };
        let (length, size, crcs) = (self.number()?, self.number()?, self.number()?);
        let before = if flags & 2 != 0 {
            let (length, crc) = halves(self.number()?);
            Some(Midway { sha256: self.take(usize::try_from(length).ok()?)?.to_vec(), crc })
        } else {
            None
        };
        let (crc, tar_crc) = halves(crcs);
        Some(MadeBlock { fingerprint, length, size, crc, tar_crc, before })
    }
}

/// The lower and the upper half of a number.
fn halves(number: u64) -> (u32, u32) {
    ((number & u64::from(u32::MAX)) as u32, (number >> 32) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_damaged_one_is_none() {
        let digest = |text: &str| Digest::of(text.as_bytes());
        let layer = Layer { digest: digest("blob"), size: 7, diff_id: digest("tar"), tar_size: 1 << 40 };
        let block =
            |fingerprint, before| MadeBlock { fingerprint, length: 5, size: 6, crc: u32::MAX, tar_crc: 1, before };
        let midway = Midway { sha256: vec![1, 2, 3], crc: 4 };
        let blocks = vec![block(None, None), block(Some(digest("a")), Some(midway.clone())), block(None, Some(midway))];
        let record = Record {
            layers: [((1, 2), Made { layer, blocks })].into(),
            blobs: [(digest("blob"), Stamp([1, 2, 3, 4, 5, 6, u64::MAX]))].into(),
        };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Some(record));
        for n in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[n] ^= 1;
            assert_eq!(Record::decode(&damaged), None, "byte {n}");
            assert_eq!(Record::decode(&bytes[..n]), None, "cut at {n}");
        }
    }
}
