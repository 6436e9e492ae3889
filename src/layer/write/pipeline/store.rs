//! The thread that writes: blocks go into the blob in their order, wherever each of them comes from.

use super::Failure;
use crate::layer::write::past::Part;
use crate::layer::write::workers::Ticket;
use crate::layer::write::{WriteError, encode};
use crate::oci::{Blob, Compression, Digest, Sha256};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// What the writer takes next, in order.
pub(super) enum Next<'a> {
    /// A block as it is.
    Plain(Arc<Vec<u8>>, Ticket<'a>),
    /// A block that a worker will deliver.
    Awaited(Receiver<io::Result<Vec<u8>>>, Ticket<'a>),
    /// A block out of the old blob.
    Old(Part),
    /// What stands behind the last block.
    Tail(Vec<u8>),
}

/// A blob that is not committed yet.
pub(super) struct Stored {
    pub blob: Box<dyn Blob>,
    /// None if it is the tar.
    pub digest: Option<(Digest, u64)>,
    /// Length and CRC-32 of each block.
    pub parts: Vec<(u64, u32)>,
}

/// Writes the blob; hashes it too, unless it is the tar itself, which is hashed already.
pub(super) fn store(
    mut blob: Box<dyn Blob>,
    queue: &Receiver<Next>,
    compression: Compression,
    old: Option<&File>,
) -> Result<Stored, Failure> {
    let mut sha256 = Sha256::default();
    let mut parts = Vec::new();
    let mut put = |bytes: &[u8]| {
        if compression != Compression::None {
            sha256.update(bytes);
        }
        blob.write_all(bytes).map_err(WriteError::Sink)
    };
    put(encode::head(compression))?;
    for next in queue {
        match next {
            Next::Plain(bytes, _ticket) => {
                put(&bytes)?;
                parts.push((bytes.len() as u64, 0));
            }
            Next::Awaited(worker, _ticket) => {
                let bytes = worker.recv().map_err(|_| io::Error::other("a worker stopped"));
                let bytes = bytes.and_then(|bytes| bytes).map_err(WriteError::Sink)?;
                put(&bytes)?;
                parts.push((bytes.len() as u64, crc32fast::hash(&bytes)));
            }
            Next::Old(part) => {
                put(&part.read(old).ok_or(Failure::Past)?)?;
                parts.push((part.size, part.crc));
            }
            Next::Tail(bytes) => put(&bytes)?,
        }
    }
    let digest = (compression != Compression::None).then(|| sha256.finish());
    Ok(Stored { blob, digest, parts })
}
