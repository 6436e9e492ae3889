//! Blocks to blob: one thread reads, one hashes the tar, the command's workers compress, one writes and hashes the result.
//!
//! All queues are bounded, so memory depends on the number of workers and not on the size of the layer. Blocks are put
//! together in their order, so the bytes depend on neither the number of workers nor their speed.

use super::outline::Outline;
use super::past::{Made, MadeBlock, Midway, Part, Past, Reuse};
use super::stream::{self, Data, Filler, Pieces};
use super::workers::{Job, Ticket, Workers};
use super::{Content, WriteError, cut, encode};
use crate::oci::{Blob, Compression, Digest, Sha256, Sink};
use crate::tree::Tree;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// The tar's hashes are kept for the next build once so many bytes.
const MIDWAY: u64 = 4 << 20;

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

/// What the writer takes next, in order.
enum Next<'a> {
    /// A block as it is.
    Plain(Arc<Vec<u8>>, Ticket<'a>),
    /// A block that a worker will deliver.
    Awaited(Receiver<io::Result<Vec<u8>>>, Ticket<'a>),
    /// A block out of the old blob.
    Old(Part),
    /// What stands behind the last block.
    Tail(Vec<u8>),
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
    let Manner { mtime, compression, workers, interrupt } = *manner;
    let open = workers.layers.take();
    let reuse = past.map(|past| past.made.reuse(outline, compression)).unwrap_or_default();
    let mut hashes = Hashes::begin(&reuse).ok_or(Failure::Past)?;
    let blob = sink.blob().map_err(WriteError::Sink)?;
    // Short: a block that waits for its hash is in memory although its ticket may be used.
    let (to_hash, hash_queue) = sync_channel::<Arc<Vec<u8>>>(2);
    // A part of the old blob is nothing in memory; whatever is something comes with a ticket.
    let (to_writer, write_queue) = channel::<Next>();

    thread::scope(|scope| {
        let hasher = scope.spawn(move || {
            hashes.run(&hash_queue, outline, compression);
            hashes
        });
        let old = past.map(|past| &past.blob);
        let writer = scope.spawn(move || store(blob, &write_queue, compression, old));

        let mut feed = Feed {
            filler: Filler::new(cut::step(compression)),
            number: 0,
            reuse: &reuse,
            dictionary: Arc::default(),
            compression,
            interrupt,
            to_hash,
            workers,
            to_writer,
        };
        let read = stream::pieces(tree, mtime, cut::step(compression), &mut feed).and_then(|()| feed.block());
        let Feed { to_hash, to_writer, .. } = feed;
        drop(to_hash);

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
                Ok(Made { layer, blocks: blocks(outline, &stored.parts, midways, &crcs, kept, reuse.from) })
            }
        }
    })
}

/// What the next build is to know of the blocks.
fn blocks(
    outline: &Outline,
    parts: &[(u64, u32)],
    mut midways: Vec<Option<Midway>>,
    crcs: &[u32],
    kept: &[MadeBlock],
    from: usize,
) -> Vec<MadeBlock> {
    let numbered = outline.blocks.iter().zip(parts).enumerate();
    let block = |(n, (mark, (size, crc))): (usize, (&super::outline::Mark, &(u64, u32)))| MadeBlock {
        fingerprint: mark.fingerprint.filter(|_| mark.lasting || kept_before(kept, n, from)),
        length: mark.length,
        size: *size,
        crc: *crc,
        tar_crc: match n.checked_sub(from) {
            Some(n) => crcs.get(n).copied().unwrap_or_default(),
            None => kept.get(n).map(|block| block.tar_crc).unwrap_or_default(),
        },
        before: match n.checked_sub(from) {
            Some(n) => midways.get_mut(n).and_then(Option::take),
            None => kept.get(n).and_then(|block| block.before.clone()),
        },
    };
    numbered.map(block).collect()
}

/// Whether a block was not read, because the build before could rely on it.
fn kept_before(kept: &[MadeBlock], n: usize, from: usize) -> bool {
    n < from && kept.get(n).is_some_and(|block| block.fingerprint.is_some())
}

/// The thread that reads: pieces become blocks, and blocks go where they are awaited.
struct Feed<'a, 't> {
    filler: Filler<'t>,
    /// Of the block that is put together.
    number: usize,
    reuse: &'a Reuse,
    /// What stands before the block.
    dictionary: Arc<Vec<u8>>,
    compression: Compression,
    interrupt: &'a AtomicBool,
    to_hash: SyncSender<Arc<Vec<u8>>>,
    workers: &'a Workers,
    to_writer: Sender<Next<'a>>,
}

impl Feed<'_, '_> {
    /// Whether the block is needed at all.
    fn reads(&self) -> bool {
        self.number >= self.reuse.from
    }

    /// Ends a block.
    fn block(&mut self) -> Result<(), WriteError> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(WriteError::Interrupted);
        }
        // A queue whose other end is gone means that the writer failed; its own error says why.
        let gone = || WriteError::Sink(io::ErrorKind::BrokenPipe.into());
        let old = self.reuse.parts.get(self.number).copied().flatten();
        if self.reads() {
            let block = Arc::new(self.filler.cut());
            self.to_hash.send(Arc::clone(&block)).map_err(|_| gone())?;
            let window = block.len().saturating_sub(encode::window(self.compression));
            let next = Arc::new(block.get(window..).unwrap_or_default().to_vec());
            let dictionary = std::mem::replace(&mut self.dictionary, next);
            if self.compression == Compression::None {
                self.to_writer.send(Next::Plain(block, self.workers.blocks.take())).map_err(|_| gone())?;
            } else if old.is_none() {
                let (done, awaited) = sync_channel(1);
                self.to_writer.send(Next::Awaited(awaited, self.workers.blocks.take())).map_err(|_| gone())?;
                let job = Job { compression: self.compression, dictionary, block, done };
                self.workers.compress(job).map_err(WriteError::Sink)?;
            }
        }
        if let Some(part) = old {
            self.to_writer.send(Next::Old(part)).map_err(|_| gone())?;
        }
        self.number += 1;
        Ok(())
    }
}

impl<'t, C: Content> Pieces<'t, C> for Feed<'_, 't> {
    fn cut(&mut self) -> Result<(), WriteError> {
        self.block()
    }

    fn head(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if self.reads() {
            self.filler.head(bytes);
        }
        Ok(())
    }

    fn data(&mut self, data: Data<'t, C>) -> Result<(), WriteError> {
        if !self.reads() {
            return Ok(());
        }
        if data.at == 0 {
            data.content.prepare(self.interrupt).map_err(|error| match self.interrupt.load(Ordering::Relaxed) {
                true => WriteError::Interrupted,
                false => stream::failed(data.path, data.origin, error),
            })?;
        }
        self.filler.data(&data)
    }

    fn zeros(&mut self, count: usize) -> Result<(), WriteError> {
        if self.reads() {
            self.filler.zeros(count);
        }
        Ok(())
    }
}

/// Digest, length and (for gzip) CRC-32 of the tar.
struct Hashes {
    sha256: Sha256,
    crc: crc32fast::Hasher,
    /// The first block that is hashed here.
    from: usize,
    /// Before each block that was hashed here.
    midways: Vec<Option<Midway>>,
    /// The CRC-32 of each of them.
    crcs: Vec<u32>,
}

impl Hashes {
    /// Where the reader begins; none if the state of an earlier build is none.
    fn begin(reuse: &Reuse) -> Option<Self> {
        let (sha256, crc) = match &reuse.midway {
            None => Default::default(),
            Some((midway, length)) => {
                (Sha256::resume(&midway.sha256, *length)?, crc32fast::Hasher::new_with_initial_len(midway.crc, *length))
            }
        };
        Some(Self { sha256, crc, from: reuse.from, midways: Vec::new(), crcs: Vec::new() })
    }

    fn run(&mut self, queue: &Receiver<Arc<Vec<u8>>>, outline: &Outline, compression: Compression) {
        // Where an earlier build kept a state, this one does too.
        let mut since = if self.from > 0 { MIDWAY } else { 0 };
        for block in queue {
            let mark = outline.blocks.get(self.from + self.midways.len());
            let keep = mark.is_some_and(|mark| mark.entry) && since >= MIDWAY;
            self.midways.push(keep.then(|| Midway { sha256: self.sha256.state(), crc: self.crc.clone().finalize() }));
            since = if keep { 0 } else { since } + block.len() as u64;
            self.sha256.update(&block);
            if compression != Compression::None {
                let mut crc = crc32fast::Hasher::new();
                crc.update(&block);
                self.crc.combine(&crc);
                self.crcs.push(crc.finalize());
            }
        }
    }
}

/// A blob that is not committed yet.
struct Stored {
    blob: Box<dyn Blob>,
    /// None if it is the tar.
    digest: Option<(Digest, u64)>,
    /// Length and CRC-32 of each block.
    parts: Vec<(u64, u32)>,
}

/// Writes the blob; hashes it too, unless it is the tar itself, which is hashed already.
fn store(
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

impl Part {
    /// Its bytes, if they are there and what they were.
    fn read(&self, blob: Option<&File>) -> Option<Vec<u8>> {
        let blob = blob?;
        // A size that is larger than the blob is never reserved.
        let end = self.offset.checked_add(self.size)?;
        if blob.metadata().ok()?.len() < end {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(self.size).ok()?];
        blob.read_exact_at(&mut bytes, self.offset).ok()?;
        (crc32fast::hash(&bytes) == self.crc).then_some(bytes)
    }
}

/// The result of a thread; a panic goes on in this one.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
