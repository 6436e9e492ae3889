//! The thread that writes: blocks go into the blob in their order, wherever each of them comes from.

use super::{Failure, Manner};
use crate::layer::write::past::{MIDWAY, Part, Prefix};
use crate::layer::write::workers::Ticket;
use crate::layer::write::{WriteError, encode};
use crate::oci::{Blob, Compression, Digest, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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
    /// Of each block.
    pub parts: Vec<StoredPart>,
}

/// A block in the blob.
pub(super) struct StoredPart {
    /// Its length in bytes.
    pub size: u64,
    pub crc: u32,
    /// The state of the blob's SHA-256 before it, now and then.
    pub before: Option<Vec<u8>>,
}

/// So many bytes are taken over between two looks at whether the user wants to stop.
const STRETCH: u64 = 16 << 20;

/// Writes the blob; hashes it too, unless it is the tar itself, which is hashed already.
pub(super) fn store(
    blob: Box<dyn Blob>,
    queue: &Receiver<Next>,
    manner: &Manner,
    old: Option<&File>,
    prefix: &Prefix,
) -> Result<Stored, Failure> {
    let mut store = Store::begin(blob, manner, old, prefix)?;
    for next in queue {
        match next {
            Next::Plain(bytes, _ticket) => store.block(&bytes)?,
            Next::Awaited(worker, _ticket) => {
                let bytes = worker.recv().map_err(|_| io::Error::other("a worker stopped"));
                store.block(&bytes.and_then(|bytes| bytes).map_err(WriteError::Sink)?)?;
            }
            Next::Old(part) => {
                let bytes = part.read(old).ok_or(Failure::Past)?;
                // The others are there already; that they are what they were is seen here.
                match store.parts.len() < prefix.blocks {
                    true => store.parts.push(StoredPart { size: part.size, crc: part.crc, before: None }),
                    false => store.block(&bytes)?,
                }
            }
            Next::Tail(bytes) => store.put(&bytes)?,
        }
    }
    let Store { blob, sha256, parts, .. } = store;
    Ok(Stored { blob, digest: sha256.map(Sha256::finish), parts })
}

struct Store {
    blob: Box<dyn Blob>,
    /// None if the blob is the tar.
    sha256: Option<Sha256>,
    parts: Vec<StoredPart>,
    /// Bytes since the state of the hash was kept.
    since: u64,
}

impl Store {
    /// Begins with the head, or with what is taken over.
    fn begin(mut blob: Box<dyn Blob>, manner: &Manner, old: Option<&File>, prefix: &Prefix) -> Result<Self, Failure> {
        let hashed = manner.compression != Compression::None;
        let head = encode::head(manner.compression);
        if prefix.length == 0 {
            let mut store = Self { blob, sha256: hashed.then(Sha256::default), parts: Vec::new(), since: 0 };
            store.put(head)?;
            return Ok(store);
        }
        let old = old.ok_or(Failure::Past)?;
        let mut there = vec![0; head.len()];
        old.read_exact_at(&mut there, 0).ok().filter(|()| there == head).ok_or(Failure::Past)?;
        let mut taken = 0;
        while taken < prefix.length {
            if manner.interrupt.load(Ordering::Relaxed) {
                return Err(WriteError::Interrupted.into());
            }
            let length = STRETCH.min(prefix.length - taken);
            // Whether reading or writing failed, the next attempt tells.
            blob.take_over(old, taken, length).map_err(|_| Failure::Past)?;
            taken += length;
        }
        let resume = || Sha256::resume(&prefix.sha256, prefix.length).ok_or(Failure::Past);
        let sha256 = hashed.then(resume).transpose()?;
        // Where an earlier build kept a state, this one does too.
        Ok(Self { blob, sha256, parts: Vec::new(), since: MIDWAY })
    }

    fn block(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let before = self.sha256.as_ref().filter(|_| self.since >= MIDWAY).map(Sha256::state);
        if before.is_some() {
            self.since = 0;
        }
        self.parts.push(StoredPart { size: bytes.len() as u64, crc: crc32fast::hash(bytes), before });
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.since += bytes.len() as u64;
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        self.blob.write_all(bytes).map_err(WriteError::Sink)
    }
}
