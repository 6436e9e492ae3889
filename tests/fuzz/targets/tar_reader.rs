//! Any bytes as a tar: every entry, all of its data, the end. The length of a file is what was announced.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rebake::layer::read::{RawKind, TarError, TarReader};

/// Holes are free to announce, so of each file only the first bytes are read.
const ENOUGH: u64 = 1 << 20;

fn read(bytes: &[u8]) -> Result<(), TarError> {
    let mut tar = TarReader::new(bytes);
    let mut buf = vec![0; 8 << 10];
    while let Some(entry) = tar.next()? {
        let size = if let RawKind::File { size } = entry.kind { size } else { 0 };
        let mut got = 0;
        while got < ENOUGH {
            let n = tar.read_data(&mut buf)?;
            if n == 0 {
                assert_eq!(got, size);
                break;
            }
            got += n as u64;
            assert!(got <= size);
        }
    }
    tar.finish().map(drop)
}

/// Puts the right checksum into every block that says `ustar`: else hardly a changed header would be looked at.
fn repair(mut bytes: Vec<u8>) -> Vec<u8> {
    for block in bytes.chunks_exact_mut(512).filter(|block| block[257..].starts_with(b"ustar")) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let _ = read(bytes);
    let _ = read(&repair(bytes.to_vec()));
});
