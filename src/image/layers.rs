//! The layers of an image, written side by side: those of its base as they are, and those of the recipe.

use super::{Batch, Failure, Layer, Memory, Place};
use crate::layer::write::{self, Made, Manner, Outline, WriteError};
use crate::oci::{Descriptor, Digest, Sink};
use crate::plan::{Plan, PlannedLayer};
use crate::source::image;
use crate::together::side_by_side;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// What all layers of an image are written with.
pub(super) struct Work<'a> {
    pub sink: &'a dyn Sink,
    pub memory: &'a Memory,
    pub batch: &'a Batch,
    pub interrupt: &'a AtomicBool,
}

/// A layer that is to be written.
enum Planned<'a> {
    Base(&'a image::Layer),
    Own(Place, &'a PlannedLayer),
}

impl Work<'_> {
    /// The layers of all plans, in their order. They are written side by side; of several that fail the first one is told.
    pub fn layers(&self, plans: &[Plan]) -> Result<Vec<Layer>, Failure> {
        let planned = plans.iter().enumerate().flat_map(|(n, plan)| {
            let base = plan.base.iter().flat_map(|base| &base.layers).map(Planned::Base);
            base.chain(plan.layers.iter().enumerate().map(move |(m, layer)| Planned::Own((n, m), layer)))
        });
        let planned: Vec<Planned> = planned.collect();
        let layers = side_by_side(&planned, self.batch.workers().layers_at_once(), |_, layer| match layer {
            _ if self.interrupt.load(Ordering::Relaxed) => Err(Failure::Interrupted),
            Planned::Base(layer) => self.base_layer(layer),
            Planned::Own(place, layer) => self.own_layer(*place, layer),
        });
        // None: it was not begun any more, so another one before it has failed.
        layers.into_iter().flatten().collect()
    }

    fn base_layer(&self, layer: &image::Layer) -> Result<Layer, Failure> {
        let digest = layer.descriptor.digest;
        let size = |file: &Path| fs::metadata(file).is_ok_and(|metadata| metadata.len() == layer.descriptor.size);
        if !(self.memory.blob(digest).is_some_and(size) && self.adopts(digest)?) {
            let base = |error: &dyn std::fmt::Display| Failure::Base(format!("{digest}: {error}"));
            let mut blob = self.sink.blob().map_err(Failure::Sink)?;
            let mut reader = layer.open().map_err(|error| base(&error))?;
            copy(&mut reader, &mut blob, |error| base(&error), self.interrupt)?;
            blob.commit(digest).map_err(Failure::Sink)?;
        }
        Ok(Layer { name: None, descriptor: bare(&layer.descriptor), diff_id: layer.diff_id, tar_size: None })
    }

    /// A layer of ours: the one that stood there already, one that another platform or image has too, or a new one.
    fn own_layer(&self, place: Place, layer: &PlannedLayer) -> Result<Layer, Failure> {
        let memory = self.memory;
        let made = match memory.unchanged(place) {
            Some(old) if self.adopts(old.layer.digest)? => old.clone(),
            _ => {
                let to = (self.sink, self.interrupt);
                self.batch.layer(memory.outline(place), to, || self.written(place, layer))?
            }
        };
        let written = made.layer.clone();
        memory.keep(place, made);
        Ok(Layer {
            name: Some(layer.name.clone()),
            descriptor: Descriptor::new(layer.compression.layer_media_type(), written.digest, written.size),
            diff_id: written.diff_id,
            tar_size: Some(written.tar_size),
        })
    }

    /// Takes over a blob of an earlier build, if it is there.
    fn adopts(&self, digest: Digest) -> Result<bool, Failure> {
        let file = self.memory.blob(digest);
        Ok(file.map(|file| self.sink.adopt(digest, file)).transpose().map_err(Failure::Sink)?.unwrap_or(false))
    }

    fn written(&self, place: Place, layer: &PlannedLayer) -> Result<Made, Failure> {
        let Self { sink, memory, batch, interrupt } = *self;
        let workers = batch.workers();
        let manner = Manner { mtime: layer.mtime, compression: layer.compression, workers, interrupt };
        let nothing = Outline::default();
        let outline = memory.outline(place).unwrap_or(&nothing);
        write::write_again(&layer.tree, &manner, sink, outline, memory.past(place)).map_err(|error| match error {
            WriteError::Content { path, origin, source } => {
                Failure::Content { path: path.to_string(), place: layer.place(origin), source }
            }
            WriteError::Sink(error) => Failure::Sink(error),
            WriteError::Interrupted => Failure::Interrupted,
        })
    }
}

/// What a base's manifest added to the descriptor was about that manifest.
fn bare(descriptor: &Descriptor) -> Descriptor {
    Descriptor::new(&descriptor.media_type, descriptor.digest, descriptor.size)
}

/// Copies, telling a reader's failure from a writer's.
fn copy(
    reader: &mut dyn io::Read,
    writer: &mut dyn io::Write,
    failed: impl Fn(io::Error) -> Failure,
    interrupt: &AtomicBool,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        if interrupt.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        writer.write_all(buffer.get(..n).unwrap_or_default()).map_err(Failure::Sink)?;
    }
}
