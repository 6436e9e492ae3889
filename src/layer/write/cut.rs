//! Where the tar stream is cut into blocks that are compressed on their own. Edition 2026.
//!
//! The places depend on the entries alone, each judged by itself, so that adding, growing or removing a file moves only
//! the cuts beside it. An *entry* is its headers, its data and its padding; it is `length` bytes long.
//!
//! - `step` is the usual size of a block: 2 MiB for zstd, whose frames know nothing of each other, else 512 KiB.
//! - Inside an entry: a cut at every multiple of `step` bytes from its start.
//! - Before an entry: a cut if the block so far has `step / 4` bytes, and has `2 * step` bytes or the entry is *drawn*.
//! - An entry is drawn if `h * step < length * 2^32`, where `h` is the first four bytes, big-endian, of the SHA-256 of its
//!   path: by chance as large as its share of a block, and certainly if it fills one.

use crate::oci::{Compression, Digest};
use crate::tree::EntryPath;

/// The usual size of a block, in bytes.
#[must_use]
pub fn step(compression: Compression) -> u64 {
    match compression {
        Compression::Gzip | Compression::GzipFast | Compression::None => 512 * 1024,
        Compression::Zstd => 2 * 1024 * 1024,
    }
}

/// Whether the entry at `path` asks for a cut before it.
fn drawn(step: u64, path: &EntryPath, length: u64) -> bool {
    let [a, b, c, d, ..] = Digest::of(path.as_bytes()).bytes();
    let h = u32::from_be_bytes([a, b, c, d]);
    u128::from(h) * u128::from(step) < u128::from(length) << 32
}

/// Whether the block is ended before an entry.
#[must_use]
pub fn before(step: u64, block: u64, path: &EntryPath, length: u64) -> bool {
    block >= 2 * step || (block >= step / 4 && drawn(step, path, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes of blocks for a list of small entries.
    fn cuts(entries: &[(EntryPath, u64)]) -> Vec<EntryPath> {
        let mut block = 0;
        let mut cuts = Vec::new();
        for (path, length) in entries {
            if before(step(Compression::Gzip), block, path, *length) {
                cuts.push(path.clone());
                block = 0;
            }
            block += length;
        }
        cuts
    }

    #[test]
    fn a_change_moves_only_the_cuts_beside_it() {
        let entry =
            |n: u32| (EntryPath::parse(format!("usr/lib/file-{n:05}")).unwrap(), 1024 + u64::from(n % 97) * 512);
        let entries: Vec<_> = (0..5000).map(entry).collect();
        let before = cuts(&entries);
        assert!(before.len() > 100, "{} cuts in about 120 MB", before.len());
        for at in [0, 77, 2500, 4999] {
            let mut grown = entries.clone();
            grown[at].1 += 200_000;
            let mut less = entries.clone();
            less.remove(at);
            for after in [cuts(&grown), cuts(&less)] {
                let moved = before.iter().filter(|cut| !after.contains(cut)).count()
                    + after.iter().filter(|cut| !before.contains(cut)).count();
                assert!(moved <= 6, "{moved} cuts moved when entry {at} changed");
            }
        }
    }
}
