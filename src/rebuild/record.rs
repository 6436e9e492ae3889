//! What a build leaves: its layers block by block, and the blobs as they stood.

use crate::image::Place;
use crate::layer::write::{Layer, Made, MadeBlock, Midway};
use crate::oci::Digest;
use crate::record::{self, In, Out, Stamp};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

const FORM: &str = "rebake rebuild 3";

/// What is known of an image that was built.
#[derive(Debug, Default, PartialEq)]
pub struct Record {
    /// The layers of ours.
    pub layers: BTreeMap<Place, Made>,
    /// The blobs of all layers, as they stood at the destination.
    pub blobs: BTreeMap<Digest, Stamp>,
}

impl Record {
    /// The record in a file; none if it is damaged, or none of this version.
    pub fn read(path: &Path) -> Option<Self> {
        Self::decode(&record::read(path)?)
    }

    /// # Errors
    /// What the disk reports; the file is then as it was.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        self.encode().write(path)
    }

    fn encode(&self) -> Out {
        let mut out = Out::new(FORM);
        out.number(self.layers.len() as u64);
        for ((plan, layer), made) in &self.layers {
            out.number(*plan as u64);
            out.number(*layer as u64);
            out.digest(made.layer.digest);
            out.number(made.layer.size);
            out.digest(made.layer.diff_id);
            out.number(made.layer.tar_size);
            out.number(made.blocks.len() as u64);
            made.blocks.iter().for_each(|block| put_block(&mut out, block));
        }
        out.number(self.blobs.len() as u64);
        for (digest, stamp) in &self.blobs {
            out.digest(*digest);
            out.stamp(*stamp);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = In::new(bytes, FORM)?;
        let mut record = Self::default();
        for _ in 0..from.number()? {
            let place = (usize::try_from(from.number()?).ok()?, usize::try_from(from.number()?).ok()?);
            let (digest, size) = (from.digest()?, from.number()?);
            let layer = Layer { digest, size, diff_id: from.digest()?, tar_size: from.number()? };
            let count = from.number()?;
            let blocks = (0..count).map_while(|_| block(&mut from)).collect::<Vec<_>>();
            if blocks.len() as u64 != count {
                return None;
            }
            record.layers.insert(place, Made { layer, blocks });
        }
        for _ in 0..from.number()? {
            let digest = from.digest()?;
            record.blobs.insert(digest, from.stamp()?);
        }
        from.is_empty().then_some(record)
    }
}

fn put_block(out: &mut Out, block: &MadeBlock) {
    let flags = [block.fingerprint.is_some(), block.before.is_some(), block.blob_before.is_some()];
    out.number(flags.iter().enumerate().map(|(n, flag)| u64::from(*flag) << n).sum());
    block.fingerprint.iter().for_each(|digest| out.digest(*digest));
    out.number(block.length);
    out.number(block.size);
    out.number(u64::from(block.crc) | u64::from(block.tar_crc) << 32);
    if let Some(Midway { sha256, crc }) = &block.before {
        out.number(u64::from(*crc));
        out.text(sha256);
    }
    block.blob_before.iter().for_each(|sha256| out.text(sha256));
}

fn block(from: &mut In) -> Option<MadeBlock> {
    let flags = from.number()?;
    let fingerprint = if flags & 1 != 0 { Some(from.digest()?) } else { None };
    let (length, size, crcs) = (from.number()?, from.number()?, from.number()?);
    let before = if flags & 2 != 0 {
        let crc = u32::try_from(from.number()?).ok()?;
        Some(Midway { sha256: from.text()?.to_vec(), crc })
    } else {
        None
    };
    let blob_before = if flags & 4 != 0 { Some(from.text()?.to_vec()) } else { None };
    let (crc, tar_crc) = halves(crcs);
    Some(MadeBlock { fingerprint, length, size, crc, tar_crc, before, blob_before })
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
        let block = |fingerprint, before: Option<Midway>| {
            let blob_before = before.as_ref().map(|_| vec![5, 6]);
            MadeBlock { fingerprint, length: 5, size: 6, crc: u32::MAX, tar_crc: 1, before, blob_before }
        };
        let midway = Midway { sha256: vec![1, 2, 3], crc: 4 };
        let blocks = vec![block(None, None), block(Some(digest("a")), Some(midway.clone())), block(None, Some(midway))];
        let record = Record {
            layers: [((1, 2), Made { layer, blocks })].into(),
            blobs: [(digest("blob"), Stamp::of(&std::fs::metadata("Cargo.toml").unwrap()))].into(),
        };
        let bytes = record.encode().finish();
        assert_eq!(Record::decode(&bytes), Some(record));
        for n in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[n] ^= 1;
            assert_eq!(Record::decode(&damaged), None, "byte {n}");
            assert_eq!(Record::decode(&bytes[..n]), None, "cut at {n}");
        }
    }
}
