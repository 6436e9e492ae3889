//! The workers that compress, shared by all layers of a command: however many layers are written at once, so many blocks
//! are in memory, and no worker is idle while one layer has work.

use super::encode::Encoder;
use crate::oci::Compression;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

/// So many layers are written at a time: while one waits for its disk or for the end of its hash, another one has blocks.
/// More would fill memory with blocks that nobody compresses.
const LAYERS: usize = 2;

/// A block on its way to a worker, and where its compressed bytes are awaited.
pub(super) struct Job {
    pub compression: Compression,
    pub dictionary: Arc<Vec<u8>>,
    pub block: Arc<Vec<u8>>,
    pub done: SyncSender<io::Result<Vec<u8>>>,
}

/// Threads that compress. They begin with the first block, and end with this.
pub struct Workers {
    jobs: usize,
    running: OnceLock<Running>,
    /// Whatever is in memory needs one of these.
    pub(super) blocks: Tickets,
    /// A layer that is being written needs one of these.
    pub(super) layers: Tickets,
}

struct Running {
    queue: SyncSender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workers({})", self.jobs)
    }
}

impl Workers {
    /// So many, one at least.
    #[must_use]
    pub fn new(jobs: usize) -> Self {
        let jobs = jobs.max(1);
        let layers = Tickets::new(jobs.min(LAYERS));
        Self { jobs, running: OnceLock::new(), blocks: Tickets::new(jobs + 2), layers }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.jobs
    }

    /// How many layers it makes sense to write at a time.
    #[must_use]
    pub fn layers_at_once(&self) -> usize {
        self.jobs.min(LAYERS)
    }

    /// Gives a block to the next worker that has time for it.
    pub(super) fn compress(&self, job: Job) -> io::Result<()> {
        let running = self.running.get_or_init(|| {
            let (queue, jobs) = sync_channel(self.jobs);
            let jobs = Arc::new(Mutex::new(jobs));
            let thread = |_| {
                let jobs = Arc::clone(&jobs);
                // If the system gives no more threads, those that it gave do the work.
                thread::Builder::new().spawn(move || work(&jobs)).ok()
            };
            Running { queue, threads: (0..self.jobs).map_while(thread).collect() }
        });
        running.queue.send(job).map_err(|_| io::Error::other("the system gives no thread to compress with"))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(Running { queue, threads }) = self.running.take() {
            drop(queue);
            // One that panicked has said so, and its block was missed already.
            threads.into_iter().for_each(|thread| drop(thread.join()));
        }
    }
}

/// Compresses blocks until there are no more.
fn work(jobs: &Mutex<Receiver<Job>>) {
    let mut encoders = BTreeMap::new();
    loop {
        let job = jobs.lock().map(|jobs| jobs.recv());
        let Ok(Ok(Job { compression, dictionary, block, done })) = job else { return };
        let compressed = match encoders.entry(compression).or_insert_with(|| Encoder::new(compression)) {
            Ok(Some(encoder)) => encoder.block(&dictionary, &block),
            Ok(None) => Ok(block.to_vec()),
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        // Who is awaited holds the block no longer than who awaits it.
        drop((dictionary, block));
        // The writer may have failed and gone; then nobody waits.
        let _ = done.send(compressed);
    }
}

/// A number of tickets; who wants one waits until there is one.
#[derive(Debug)]
pub(super) struct Tickets {
    left: Mutex<usize>,
    returned: Condvar,
}

/// Comes back when it is dropped.
pub(super) struct Ticket<'a>(&'a Tickets);

impl Tickets {
    fn new(count: usize) -> Self {
        Self { left: Mutex::new(count), returned: Condvar::new() }
    }

    pub fn take(&self) -> Ticket<'_> {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.returned.wait_while(left, |left| *left == 0);
        *left.unwrap_or_else(PoisonError::into_inner) -= 1;
        Ticket(self)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        *self.0.left.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}
