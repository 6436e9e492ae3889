//! Blocks to blob: one thread reads, one hashes the tar, the workers compress, one writes and hashes the result.
//!
//! All queues are bounded, so memory depends on the number of workers and not on the size of the layer. Blocks are put
//! together in their order, so the bytes depend on neither the number of workers nor their speed.

use super::{Content, WriteError, cut, encode, encode::Encoder, stream};
use crate::oci::{Blob, Compression, Digest, Sha256, Sink};
use crate::tree::Tree;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

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

/// A block on its way to a worker, and where its compressed bytes are awaited.
struct Job {
    dictionary: Arc<Vec<u8>>,
    block: Arc<Vec<u8>>,
    done: SyncSender<io::Result<Vec<u8>>>,
}

/// What the writer takes next, in order.
enum Next {
    /// Bytes as they are.
    Plain(Arc<Vec<u8>>),
    /// Bytes that a worker will deliver.
    Awaited(Receiver<io::Result<Vec<u8>>>),
}

/// Writes `tree` into `sink`. `jobs` workers compress; the bytes do not depend on how many. Stops soon after `interrupt`
/// is set.
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
    let jobs = jobs.max(1);
    let blob = sink.blob().map_err(WriteError::Sink)?;
    let (to_hash, hash_queue) = sync_channel::<Arc<Vec<u8>>>(jobs + 2);
    let (to_workers, work_queue) = sync_channel::<Job>(jobs);
    let (to_writer, write_queue) = sync_channel::<Next>(jobs + 2);
    let work_queue = Mutex::new(work_queue);

    thread::scope(|scope| {
        let hasher = scope.spawn(move || hash(&hash_queue, compression));
        // The queues end with the scope's borrow of them, so that a failed writer stops the reader.
        let work_queue = &work_queue;
        if compression != Compression::None {
            for _ in 0..jobs {
                scope.spawn(move || work(work_queue, compression));
            }
        }
        let writer = scope.spawn(move || store(blob, &write_queue, compression));

        let mut dictionary = Arc::new(Vec::new());
        let read = stream::blocks(tree, mtime, cut::step(compression), &mut |block| {
            if interrupt.load(Ordering::Relaxed) {
                return Err(WriteError::Interrupted);
            }
            let block = Arc::new(block);
            // A queue whose other end is gone means that the writer failed; its own error says why.
            let gone = |_| WriteError::Sink(io::ErrorKind::BrokenPipe.into());
            to_hash.send(Arc::clone(&block)).map_err(|_| gone(()))?;
            if compression == Compression::None {
                return to_writer.send(Next::Plain(block)).map_err(|_| gone(()));
            }
            let (done, awaited) = sync_channel(1);
            let window = block.len().saturating_sub(encode::window(compression));
            let next = Arc::new(block.get(window..).unwrap_or_default().to_vec());
            let dictionary = std::mem::replace(&mut dictionary, next);
            to_writer.send(Next::Awaited(awaited)).map_err(|_| gone(()))?;
            to_workers.send(Job { dictionary, block, done }).map_err(|_| gone(()))
        });
        drop((to_hash, to_workers));

        let (diff_id, tar_size, crc) = join(hasher);
        if read.is_ok() {
            // The writer ends when its queue does; the tail is its last piece.
            let _ = to_writer.send(Next::Plain(Arc::new(encode::tail(compression, crc, tar_size))));
        }
        drop(to_writer);
        let stored = join(writer);
        match (read, stored) {
            (Err(WriteError::Sink(_)), Err(error)) | (Ok(()), Err(error)) => Err(WriteError::Sink(error)),
            (Err(error), _) => Err(error),
            (Ok(()), Ok((blob, digest))) => {
                let (digest, size) = digest.unwrap_or((diff_id, tar_size));
                blob.commit(digest).map_err(WriteError::Sink)?;
                Ok(Layer { digest, size, diff_id, tar_size })
            }
        }
    })
}

/// Digest, length and (for gzip) CRC-32 of the tar.
fn hash(queue: &Receiver<Arc<Vec<u8>>>, compression: Compression) -> (Digest, u64, u32) {
    let (mut sha256, mut crc) = (Sha256::default(), crc32fast::Hasher::new());
    for block in queue {
        sha256.update(&block);
        if compression == Compression::Gzip {
            crc.update(&block);
        }
    }
    let (digest, size) = sha256.finish();
    (digest, size, crc.finalize())
}

/// Compresses blocks until there are no more.
fn work(queue: &Mutex<Receiver<Job>>, compression: Compression) {
    let mut encoder = Encoder::new(compression);
    loop {
        let job = queue.lock().map(|queue| queue.recv());
        let Ok(Ok(job)) = job else { return };
        let compressed = match &mut encoder {
            Ok(Some(encoder)) => encoder.block(&job.dictionary, &job.block),
            Ok(None) => Ok(job.block.to_vec()),
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        // The writer may have failed and gone; then nobody waits.
        let _ = job.done.send(compressed);
    }
}

type Stored = (Box<dyn Blob>, Option<(Digest, u64)>);

/// Writes the blob; hashes it too, unless it is the tar itself, which is hashed already.
fn store(mut blob: Box<dyn Blob>, queue: &Receiver<Next>, compression: Compression) -> io::Result<Stored> {
    let mut sha256 = Sha256::default();
    let mut put = |bytes: &[u8]| {
        if compression != Compression::None {
            sha256.update(bytes);
        }
        blob.write_all(bytes)
    };
    put(encode::head(compression))?;
    for next in queue {
        match next {
            Next::Plain(bytes) => put(&bytes)?,
            Next::Awaited(worker) => {
                let lost = |_| io::Error::other("a worker stopped");
                put(&worker.recv().map_err(lost)??)?;
            }
        }
    }
    let digest = (compression != Compression::None).then(|| sha256.finish());
    Ok((blob, digest))
}

/// The result of a thread; a panic goes on in this one.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
