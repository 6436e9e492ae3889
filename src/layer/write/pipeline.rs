//! Blocks to blob: one thread reads, one hashes the tar, the command's workers compress, one writes and hashes the result.
//!
//! All queues are bounded, so memory depends on the number of workers and not on the size of the layer. Blocks are put
//! together in their order, so the bytes depend on neither the number of workers nor their speed.

mod feed;
mod hashes;
mod store;

use super::outline::{Mark, Outline};
use super::past::{Made, MadeBlock, Midway, Past, Reuse};
use super::workers::Workers;
use super::{Content, WriteError, cut, encode, stream};
use crate::oci::{Compression, Digest, Sink};
use crate::tree::Tree;
use feed::Feed;
use hashes::Hashes;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use store::{Next, StoredPart, store};

/// A layer that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the blob, as it is stored.
    pub digest: Digest,
    /// Length of the blob in bytes.
    pub size: u64,
    /// Digest of the tar (image-spec, "config.md", `diff_ids`).
    pub diff_id: Digest,
    /// Length of the tar in bytes.
    pub tar_size: u64,
}

/// How a layer is written.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// The time of whiteouts, in seconds since 1970.
    pub mtime: i64,
    /// How the blob is compressed.
    pub compression: Compression,
    /// Who compresses; the bytes do not depend on how many they are.
    pub workers: &'a Workers,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
}

/// Writes `tree` into `sink`. Stops soon after `interrupt` is set.
///
/// # Errors
/// See [`WriteError`]; nothing is committed then.
pub fn write<C: Content>(
    tree: &Tree<C>,
    mtime: i64,
    compression: Compression,
    sink: &dyn Sink,
    jobs: usize,
    interrupt: &AtomicBool,
) -> Result<Layer, WriteError> {
    let manner = Manner { mtime, compression, workers: &Workers::new(jobs), interrupt };
    write_again(tree, &manner, sink, &Outline::default(), None).map(|made| made.layer)
}

/// Writes `tree`, whose outline is given, into `sink`; takes over what did not change since an earlier build. Tells what a
/// later one can take over.
///
/// # Errors
/// See [`WriteError`]; nothing is committed then.
pub fn write_again<C: Content>(
    tree: &Tree<C>,
    manner: &Manner,
    sink: &dyn Sink,
    outline: &Outline,
    past: Option<&Past>,
) -> Result<Made, WriteError> {
    match attempt(tree, manner, sink, outline, past) {
        Err(Failure::Past) => attempt(tree, manner, sink, outline, None),
        written => written,
    }
    .map_err(|failure| match failure {
        Failure::Write(error) => error,
        Failure::Past => WriteError::Sink(io::Error::other("a layer was to be taken over that is not there")),
    })
}

/// Why a layer could not be written.
enum Failure {
    Write(WriteError),
    /// What an earlier build left is not what it was.
    Past,
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

fn attempt<C: Content>(
    tree: &Tree<C>,
    manner: &Manner,
    sink: &dyn Sink,
    outline: &Outline,
    past: Option<&Past>,
) -> Result<Made, Failure> {
    let Manner { mtime, compression, workers, .. } = *manner;
    let open = workers.layers.take();
    let reuse = past.map(|past| past.made.reuse(outline, compression)).unwrap_or_default();
    let mut hashes = Hashes::begin(&reuse).ok_or(Failure::Past)?;
    let blob = sink.blob().map_err(WriteError::Sink)?;
    // Short: a block that waits for its hash is in memory although its ticket may be used.
    let (to_hash, hash_queue) = sync_channel::<Arc<Vec<u8>>>(2);
    // A part of the old blob is nothing in memory; whatever is something comes with a ticket.
    let (to_writer, write_queue) = channel::<Next>();

    thread::scope(|scope| {
        let (hash_thread, write_thread) = (thread::Builder::new(), thread::Builder::new());
        let hasher = hash_thread.spawn_scoped(scope, move || {
            hashes.run(&hash_queue, outline, compression);
            hashes
        });
        let begin = (past.map(|past| &past.blob), &reuse.prefix);
        let keeps = !outline.blocks.is_empty();
        let writer = write_thread.spawn_scoped(scope, move || store(blob, &write_queue, manner, begin, keeps));
        // What was spawned ends with the queues, which are dropped here if the other one was not.
        let (hasher, writer) = (hasher.map_err(WriteError::Sink)?, writer.map_err(WriteError::Sink)?);

        let mut feed = Feed::new(*manner, &reuse, to_hash, to_writer);
        let read = stream::pieces(tree, mtime, cut::step(compression), &mut feed).and_then(|()| feed.block());
        let to_writer = feed.end();

        let hashes = join(hasher);
        let Hashes { sha256, crc, midways, crcs, .. } = hashes;
        let (diff_id, tar_size) = sha256.finish();
        if read.is_ok() {
            // The writer ends when its queue does.
            let _ = to_writer.send(Next::Tail(encode::tail(compression, crc.finalize(), tar_size)));
        }
        drop(to_writer);
        let stored = join(writer);
        match (read, stored) {
            (Err(WriteError::Sink(_)), Err(error)) | (Ok(()), Err(error)) => Err(error),
            (Err(error), _) => Err(error.into()),
            // A block that was read, and is not the one whose compressed bytes were taken over.
            (Ok(()), Ok(_)) if !reuse.fits(&crcs) => Err(Failure::Past),
            (Ok(()), Ok(stored)) => {
                // The disk may take its time, and another layer need not wait for it.
                drop(open);
                let (digest, size) = stored.digest.unwrap_or((diff_id, tar_size));
                stored.blob.commit(digest).map_err(WriteError::Sink)?;
                let layer = Layer { digest, size, diff_id, tar_size };
                let kept = past.map(|past| &*past.made.blocks).unwrap_or_default();
                Ok(Made { layer, blocks: blocks(outline, stored.parts, midways, &crcs, kept, &reuse) })
            }
        }
    })
}

/// What the next build is to know of the blocks.
fn blocks(
    outline: &Outline,
    parts: Vec<StoredPart>,
    mut midways: Vec<Option<Midway>>,
    crcs: &[u32],
    kept: &[MadeBlock],
    reuse: &Reuse,
) -> Vec<MadeBlock> {
    let from = reuse.from;
    let numbered = outline.blocks.iter().zip(parts).enumerate();
    let block = |(n, (mark, part)): (usize, (&Mark, StoredPart))| MadeBlock {
        fingerprint: mark.fingerprint.filter(|_| mark.lasting || kept_before(kept, n, from)),
        length: mark.length,
        size: part.size,
        crc: part.crc,
        tar_crc: match n.checked_sub(from) {
            Some(n) => crcs.get(n).copied().unwrap_or_default(),
            None => kept.get(n).map(|block| block.tar_crc).unwrap_or_default(),
        },
        before: match n.checked_sub(from) {
            Some(n) => midways.get_mut(n).and_then(Option::take),
            None => kept.get(n).and_then(|block| block.before.clone()),
        },
        blob_before: match n < reuse.prefix.blocks {
            true => kept.get(n).and_then(|block| block.blob_before.clone()),
            false => part.before,
        },
    };
    numbered.map(block).collect()
}

/// Whether a block was not read, because the build before could rely on it.
fn kept_before(kept: &[MadeBlock], n: usize, from: usize) -> bool {
    n < from && kept.get(n).is_some_and(|block| block.fingerprint.is_some())
}

/// The result of a thread; a panic goes on in this one.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
