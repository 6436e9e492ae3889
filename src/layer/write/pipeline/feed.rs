//! The thread that reads: pieces become blocks, and blocks go where they are awaited.

use super::Manner;
use super::store::Next;
use crate::layer::write::past::Reuse;
use crate::layer::write::stream::{self, Data, Filler, Pieces};
use crate::layer::write::workers::Job;
use crate::layer::write::{Content, WriteError, cut, encode};
use crate::oci::Compression;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, SyncSender, sync_channel};

/// What reads a layer.
pub(super) struct Feed<'a, 't> {
    manner: Manner<'a>,
    reuse: &'a Reuse,
    to_hash: SyncSender<Arc<Vec<u8>>>,
    to_writer: Sender<Next<'a>>,
    filler: Filler<'t>,
    /// Of the block that is put together.
    number: usize,
    /// What stands before the block.
    dictionary: Arc<Vec<u8>>,
}

impl<'a> Feed<'a, '_> {
    pub fn new(
        manner: Manner<'a>,
        reuse: &'a Reuse,
        to_hash: SyncSender<Arc<Vec<u8>>>,
        to_writer: Sender<Next<'a>>,
    ) -> Self {
        let filler = Filler::new(cut::step(manner.compression));
        Self { manner, reuse, to_hash, to_writer, filler, number: 0, dictionary: Arc::default() }
    }

    /// Nothing more will be hashed; the writer may still be told something.
    pub fn end(self) -> Sender<Next<'a>> {
        self.to_writer
    }

    /// Whether the block is needed at all.
    fn reads(&self) -> bool {
        self.number >= self.reuse.from
    }

    /// Ends a block.
    pub fn block(&mut self) -> Result<(), WriteError> {
        let Manner { compression, workers, interrupt, .. } = self.manner;
        if interrupt.load(Ordering::Relaxed) {
            return Err(WriteError::Interrupted);
        }
        // A queue whose other end is gone means that the writer failed; its own error says why.
        let gone = || WriteError::Sink(io::ErrorKind::BrokenPipe.into());
        let old = self.reuse.parts.get(self.number).copied().flatten();
        if self.reads() {
            let block = Arc::new(self.filler.cut());
            self.to_hash.send(Arc::clone(&block)).map_err(|_| gone())?;
            let window = block.len().saturating_sub(encode::window(compression));
            let next = Arc::new(block.get(window..).unwrap_or_default().to_vec());
            let dictionary = std::mem::replace(&mut self.dictionary, next);
            if compression == Compression::None {
                self.to_writer.send(Next::Plain(block, workers.blocks.take())).map_err(|_| gone())?;
            } else if old.is_none() {
                let (done, awaited) = sync_channel(1);
                self.to_writer.send(Next::Awaited(awaited, workers.blocks.take())).map_err(|_| gone())?;
                let job = Job { compression, dictionary, block, done };
                workers.compress(job).map_err(WriteError::Sink)?;
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
            let interrupt = self.manner.interrupt;
            data.content.prepare(interrupt).map_err(|error| match interrupt.load(Ordering::Relaxed) {
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
