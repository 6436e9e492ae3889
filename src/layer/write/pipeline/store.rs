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
    /// Of each block, if the next build wants to know.
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

/// Writes the blob, whose begin may be that of an old one; hashes it too, unless it is the tar itself, which is hashed
/// already. `keeps`: the next build wants to know the blocks.
pub(super) fn store(
    blob: Box<dyn Blob>,
    queue: &Receiver<Next>,
    manner: &Manner,
    (old, prefix): (Option<&File>, &Prefix),
    keeps: bool,
) -> Result<Stored, Failure> {
    let mut store = Store::begin(blob, manner, (old, prefix), keeps)?;
    let mut buffer = Vec::new();
    for next in queue {
        if manner.interrupt.load(Ordering::Relaxed) {
            return Err(WriteError::Interrupted.into());
        }
        match next {
            Next::Plain(bytes, _ticket) => store.block(&bytes)?,
            Next::Awaited(worker, _ticket) => {
                let bytes = worker.recv().map_err(|_| io::Error::other("a worker stopped"));
                store.block(&bytes.and_then(|bytes| bytes).map_err(WriteError::Sink)?)?;
            }
            Next::Old(part) if store.parts.len() < prefix.blocks => store.again(part, old, &mut buffer)?,
            Next::Old(part) => store.block(part.read(old, &mut buffer).ok_or(Failure::Past)?)?,
            Next::Tail(bytes) => store.put(&bytes)?,
        }
    }
    let Store { blob, sha256, parts, .. } = store;
    Ok(Stored { blob, digest: sha256.map(Sha256::finish), parts })
}

struct Store {
    blob: Box<dyn Blob>,
    /// Reads the begin of the blob, where it is shared with the old one.
    shared: Option<File>,
    /// None if the blob is the tar.
    sha256: Option<Sha256>,
    parts: Vec<StoredPart>,
    keeps: bool,
    /// Bytes since the state of the hash was kept.
    since: u64,
}

impl Store {
    /// Begins with the head, or with what is taken over.
    fn begin(
        mut blob: Box<dyn Blob>,
        manner: &Manner,
        (old, prefix): (Option<&File>, &Prefix),
        keeps: bool,
    ) -> Result<Self, Failure> {
        let hashed = manner.compression != Compression::None;
        let head = encode::head(manner.compression);
        if prefix.length == 0 {
            let sha256 = hashed.then(Sha256::default);
            let mut store = Self { blob, shared: None, sha256, parts: Vec::new(), keeps, since: 0 };
            store.put(head)?;
            return Ok(store);
        }
        let resume = || Sha256::resume(&prefix.sha256, prefix.length).ok_or(Failure::Past);
        let sha256 = hashed.then(resume).transpose()?;
        let shared = blob.share(old.ok_or(Failure::Past)?, prefix.length).map_err(WriteError::Sink)?;
        match &shared {
            Some(shared) => {
                let mut there = vec![0; head.len()];
                shared.read_exact_at(&mut there, 0).ok().filter(|()| there == head).ok_or(Failure::Past)?;
            }
            None => blob.write_all(head).map_err(WriteError::Sink)?,
        }
        // Where an earlier build kept a state, this one does too.
        Ok(Self { blob, shared, sha256, parts: Vec::new(), keeps, since: MIDWAY })
    }

    /// A block of the begin, whose hash is known: it is there already, or is written as it was.
    fn again(&mut self, part: Part, old: Option<&File>, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        let bytes = part.read(self.shared.as_ref().or(old), buffer).ok_or(Failure::Past)?;
        if self.shared.is_none() {
            self.blob.write_all(bytes).map_err(WriteError::Sink)?;
        }
        self.parts.push(StoredPart { size: part.size, crc: part.crc, before: None });
        Ok(())
    }

    fn block(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if self.keeps {
            let before = self.sha256.as_ref().filter(|_| self.since >= MIDWAY).map(Sha256::state);
            if before.is_some() {
                self.since = 0;
            }
            self.parts.push(StoredPart { size: bytes.len() as u64, crc: crc32fast::hash(bytes), before });
        }
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
