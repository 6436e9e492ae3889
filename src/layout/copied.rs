//! A blob of another layout, copied: both stand by themselves, whoever changes one of them.

use crate::file;
use crate::oci::{Blob, Digest, Sha256};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// How much is read at a time, in bytes.
const PIECE: usize = 1 << 20;

/// Copies the file at `from` into `blob`, and tells whether it is the blob of that digest and size; if not, `blob` is of no use.
///
/// # Errors
/// What the place of `blob` reports; [`io::ErrorKind::Interrupted`] once `interrupt` is set.
pub(super) fn copy(
    from: &Path,
    blob: &mut dyn Blob,
    (digest, size): (Digest, u64),
    interrupt: &AtomicBool,
) -> io::Result<bool> {
    // Another program may have put anything there.
    let Ok(file) = file::open(from) else { return Ok(false) };
    let shared = blob.share(&file, size)?;
    // What is hashed is what is in the blob, whoever writes into the file meanwhile.
    let there = shared.as_ref().unwrap_or(&file);
    let mut sha256 = Sha256::default();
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    loop {
        if interrupt.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let left = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
        let piece = match there.read_at(buffer.get_mut(..left).unwrap_or_default(), at) {
            Ok(0) => return Ok(sha256.finish().0 == digest),
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Ok(false),
        };
        sha256.update(piece);
        if shared.is_none() {
            blob.write_all(piece)?;
        }
        at += piece.len() as u64;
    }
}
