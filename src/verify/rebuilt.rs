//! A planned image as one side of a comparison: its layers are written again, as plain tars, whenever they are asked for.

use crate::build::Planned;
use crate::diff::Layers;
use crate::image;
use crate::layer::decompress;
use crate::layer::write::{WriteError, tar};
use crate::oci::json;
use crate::plan::Plan;
use crate::source::image::Verified;
use crate::transport::{Document, Image, Layer, Manifest};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
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
        let own = layer - base.len();
        plan.layers.get(own).ok_or_else(gone)?;
        let planned = Arc::clone(&self.planned);
        let (blocks, reader) = sync_channel(AHEAD);
        thread::Builder::new().name("tar".to_owned()).spawn(move || {
            let Some(layer) = planned.plans.get(manifest).and_then(|plan| plan.layers.get(own)) else { return };
            let written =
                tar(&layer.tree, layer.mtime, &mut |block| blocks.send(Ok(block)).map_err(|_| WriteError::Interrupted));
            if let Err(error) = written {
                // Nobody may be reading any more.
                let _ = blocks.send(Err(io::Error::other(error.to_string())));
            }
        })?;
        Ok(Box::new(Pipe { reader, block: io::Cursor::new(Vec::new()) }))
    }

    fn blob(&self, _: usize, _: usize) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        Ok(None)
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
