//! A planned image as one side of a comparison: its layers are written again, as plain tars, whenever they are asked for.

use crate::build::Planned;
use crate::diff::Layers;
use crate::image;
use crate::layer::decompress;
use crate::layer::write::{WriteError, tar, write};
use crate::oci::{Blob, Digest, Sink, json};
use crate::plan::{Plan, PlannedLayer};
use crate::source::image::Verified;
use crate::transport::{Document, Image, Layer, Manifest};
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// How many blocks of a tar wait for their reader.
const AHEAD: usize = 4;

/// The plans of an image, shared with the threads that write their layers.
pub struct Rebuilt {
    /// The recipe, and what it needs.
    pub planned: Arc<Planned>,
}

impl Rebuilt {
    pub fn new(planned: Planned) -> Self {
        Self { planned: Arc::new(planned) }
    }

    pub fn plan(&self, manifest: usize) -> Option<&Plan> {
        self.planned.plans.get(manifest)
    }
}

/// What was written, as if it had been read.
pub fn image(written: &image::Image) -> Image {
    let document = |descriptor: &crate::oci::Descriptor, bytes: &[u8]| Document {
        descriptor: descriptor.clone(),
        bytes: bytes.to_vec(),
        json: json::parse(bytes).unwrap_or_default(),
    };
    let manifest = |manifest: &image::Manifest| {
        let layers = manifest.layers.iter();
        Manifest {
            platform: Some(manifest.platform.clone()),
            document: document(&manifest.descriptor, &manifest.bytes),
            config: document(&manifest.config, &manifest.config_bytes),
            layers: layers
                .map(|layer| Layer { descriptor: layer.descriptor.clone(), diff_id: layer.diff_id })
                .collect(),
        }
    };
    Image {
        top: document(&written.descriptor, &written.bytes),
        manifests: written.manifests.iter().map(manifest).collect(),
        others: Vec::new(),
    }
}

impl Layers for Rebuilt {
    fn tar(&self, manifest: usize, layer: usize) -> io::Result<Box<dyn Read + Send + '_>> {
        let gone = || io::Error::other("there is no such layer");
        let plan = self.plan(manifest).ok_or_else(gone)?;
        let base = plan.base.as_ref().map_or(&[][..], |base| &base.layers);
        if let Some(layer) = base.get(layer) {
            let (blob, descriptor) = (layer.blob()?, &layer.descriptor);
            let tar = decompress::sniff_decoder(Verified::new(blob, descriptor.digest, descriptor.size))?;
            return Ok(Box::new(Verified::tar(tar, layer.diff_id)));
        }
        Ok(Box::new(self.written(manifest, layer - base.len(), |layer, pipe| {
            tar(&layer.tree, layer.mtime, &mut |block| pipe.send(block).map_err(WriteError::Sink))
        })?))
    }

    fn blob(&self, manifest: usize, layer: usize) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        let base = self.plan(manifest).and_then(|plan| plan.base.as_ref()).map_or(&[][..], |base| &base.layers);
        if let Some(layer) = base.get(layer) {
            return Ok(Some(layer.blob()?));
        }
        let never = AtomicBool::new(false);
        let pipe = self.written(manifest, layer - base.len(), move |layer, pipe| {
            write(&layer.tree, layer.mtime, layer.compression, pipe, 1, &never).map(drop)
        })?;
        Ok(Some(Box::new(pipe)))
    }
}

impl Rebuilt {
    /// What a thread of its own writes of a layer; it ends when nobody reads any more.
    fn written(
        &self,
        manifest: usize,
        own: usize,
        write: impl FnOnce(&PlannedLayer, &Writer) -> Result<(), WriteError> + Send + 'static,
    ) -> io::Result<Pipe> {
        let there = self.plan(manifest).and_then(|plan| plan.layers.get(own));
        there.ok_or_else(|| io::Error::other("there is no such layer"))?;
        let planned = Arc::clone(&self.planned);
        let (blocks, reader) = sync_channel(AHEAD);
        thread::Builder::new().name("layer".to_owned()).spawn(move || {
            let Some(layer) = planned.plans.get(manifest).and_then(|plan| plan.layers.get(own)) else { return };
            let pipe = Writer(blocks);
            if let Err(error) = write(layer, &pipe) {
                // Nobody may be reading any more.
                let _ = pipe.0.send(Err(io::Error::other(error.to_string())));
            }
        })?;
        Ok(Pipe { reader, block: io::Cursor::new(Vec::new()) })
    }
}

/// Where such a thread writes: a sink for the blob of a layer, or for the blocks of its tar.
#[derive(Clone)]
struct Writer(SyncSender<io::Result<Vec<u8>>>);

impl Writer {
    fn send(&self, block: Vec<u8>) -> io::Result<()> {
        self.0.send(Ok(block)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Sink for Writer {
    fn blob(&self) -> io::Result<Box<dyn Blob>> {
        Ok(Box::new(self.clone()))
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes.to_vec()).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Blob for Writer {
    fn commit(self: Box<Self>, _: Digest) -> io::Result<()> {
        Ok(())
    }
}

/// The end of a thread that writes.
struct Pipe {
    reader: Receiver<io::Result<Vec<u8>>>,
    block: io::Cursor<Vec<u8>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.block.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                return Ok(n);
            }
            match self.reader.recv() {
                Ok(block) => self.block = io::Cursor::new(block?),
                Err(_) => return Ok(0),
            }
        }
    }
}
