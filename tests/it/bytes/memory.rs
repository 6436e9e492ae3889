//! Content that is read in small pieces, and blobs that stay in memory.

use rebake::layer::write::{self, Content, Layer};
use rebake::oci::{Blob, Compression, Digest, Sink};
use rebake::tree::Tree;
use std::io::{self, Read, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// Bytes whose reader gives at most `step` of them at a time, and is interrupted before each.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub bytes: Arc<[u8]>,
    pub step: usize,
}

impl Content for Piece {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(Slow { rest: &self.bytes, step: self.step, interrupted: false }))
    }
}

struct Slow<'a> {
    rest: &'a [u8],
    step: usize,
    interrupted: bool,
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted && self.step < usize::MAX;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = self.step.min(buffer.len());
        self.rest.read(&mut buffer[..length])
    }
}

/// Keeps what is committed.
#[derive(Default)]
struct Memory(Blobs);

type Blobs = Arc<Mutex<Vec<(Digest, Vec<u8>)>>>;

impl Sink for Memory {
    fn blob(&self) -> io::Result<Box<dyn Blob>> {
        Ok(Box::new(MemoryBlob { bytes: Vec::new(), blobs: Arc::clone(&self.0) }))
    }
}

struct MemoryBlob {
    bytes: Vec<u8>,
    blobs: Blobs,
}

impl Write for MemoryBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Blob for MemoryBlob {
    fn commit(self: Box<Self>, digest: Digest) -> io::Result<()> {
        self.blobs.lock().unwrap().push((digest, self.bytes));
        Ok(())
    }
}

/// The layer and its only blob, which stands under the digest that the layer names.
pub fn layer(tree: &Tree<Piece>, compression: Compression, jobs: usize) -> (Layer, Vec<u8>) {
    let memory = Memory::default();
    let layer = write::write(tree, write::MTIME, compression, &memory, jobs, &AtomicBool::new(false)).unwrap();
    let mut blobs = std::mem::take(&mut *memory.0.lock().unwrap());
    assert_eq!(blobs.len(), 1);
    let (digest, bytes) = blobs.remove(0);
    assert_eq!(digest, layer.digest);
    (layer, bytes)
}

/// The tar in one piece.
pub fn tar(tree: &Tree<Piece>) -> Vec<u8> {
    let mut tar = Vec::new();
    write::tar(tree, write::MTIME, &mut |block| {
        tar.extend(block);
        Ok(())
    })
    .unwrap();
    tar
}
