//! Plans become an image: layers, configs, manifests and perhaps an index go into a sink, and a descriptor comes out.
//!
//! Nothing here knows a disk or a network; `build` and `verify` differ in their sink alone.

mod batch;
mod memory;

pub use batch::Batch;
pub use memory::{Memory, Place};

use crate::layer::write::{self, Made, Manner, Outline, WriteError};
use crate::oci::{Descriptor, Digest, Platform, Sink, json, media_type, rfc3339};
use crate::plan::{Plan, PlannedLayer};
use crate::source::image;
use crate::together::side_by_side;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// An image that was written.
#[derive(Debug, Clone)]
pub struct Image {
    /// Its manifest, or its index if it has several platforms.
    pub descriptor: Descriptor,
    /// The bytes of that.
    pub bytes: Vec<u8>,
    /// One for each plan, in their order.
    pub manifests: Vec<Manifest>,
}

/// One platform's part of an image.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// For what it is.
    pub platform: Platform,
    /// The manifest.
    pub descriptor: Descriptor,
    /// The bytes of that.
    pub bytes: Vec<u8>,
    /// The image config.
    pub config: Descriptor,
    /// The bytes of that.
    pub config_bytes: Vec<u8>,
    /// All layers, those of the base first.
    pub layers: Vec<Layer>,
}

/// A layer of an image that was written.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its name in the recipe; none for one of the base.
    pub name: Option<String>,
    /// The blob.
    pub descriptor: Descriptor,
    /// The digest of its tar.
    pub diff_id: Digest,
    /// The length of its tar in bytes, where it is known.
    pub tar_size: Option<u64>,
}

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ImageWriteError<S> {
    /// The content of a file could not be had.
    #[error("{path}: {source}")]
    Content {
        /// The file's path in the image.
        path: String,
        /// Where its statement stands, if it has one.
        place: Option<S>,
        /// What went wrong.
        source: io::Error,
    },
    /// A layer of the base could not be copied.
    #[error("a layer of the base: {0}")]
    Base(String),
    /// The sink failed.
    #[error(transparent)]
    Sink(io::Error),
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

type Failure = ImageWriteError<crate::plan::Place>;

/// Writes the image of all plans, which share one recipe. The index, if there is one, gets `annotations`.
///
/// # Errors
/// See [`ImageWriteError`]. What the sink already has then is of no use.
pub fn write(
    plans: &[Plan],
    annotations: &BTreeMap<String, String>,
    sink: &dyn Sink,
    batch: &Batch,
    interrupt: &AtomicBool,
) -> Result<Image, Failure> {
    write_again(plans, annotations, sink, &Memory::default(), (batch, interrupt))
}

/// As [`write()`], and takes over what `memory` has. What is written is kept there.
///
/// # Errors
/// As [`write()`].
pub fn write_again(
    plans: &[Plan],
    annotations: &BTreeMap<String, String>,
    sink: &dyn Sink,
    memory: &Memory,
    (batch, interrupt): (&Batch, &AtomicBool),
) -> Result<Image, Failure> {
    let work = Work { sink, memory, batch, interrupt };
    let mut layers = work.layers(plans)?.into_iter();
    let mut manifests = Vec::new();
    for plan in plans {
        let count = plan.base.as_ref().map_or(0, |base| base.layers.len()) + plan.layers.len();
        manifests.push(work.manifest(plan, layers.by_ref().take(count).collect())?);
    }
    let (descriptor, bytes) = match &manifests[..] {
        [one] => (one.descriptor.clone(), one.bytes.clone()),
        several => {
            let members = several.iter().map(|manifest| {
                let platform = Some(manifest.platform.clone());
                Descriptor { platform, ..manifest.descriptor.clone() }.to_json()
            });
            let mut index = json!({
                "schemaVersion": 2,
                "mediaType": media_type::INDEX,
                "manifests": members.collect::<Vec<_>>(),
            });
            annotate(&mut index, annotations);
            document(sink, media_type::INDEX, &index)?
        }
    };
    Ok(Image { descriptor, bytes, manifests })
}

/// What all layers of an image are written with.
struct Work<'a> {
    sink: &'a dyn Sink,
    memory: &'a Memory,
    batch: &'a Batch,
    interrupt: &'a AtomicBool,
}

/// A layer that is to be written.
enum Planned<'a> {
    Base(&'a image::Layer),
    Own(Place, &'a PlannedLayer),
}

impl Work<'_> {
    /// The layers of all plans, in their order. They are written side by side; of several that fail the first one is told.
    fn layers(&self, plans: &[Plan]) -> Result<Vec<Layer>, Failure> {
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
        if !self.adopts(digest)? {
            let base = |error: &dyn std::fmt::Display| Failure::Base(format!("{digest}: {error}"));
            let mut blob = self.sink.blob().map_err(Failure::Sink)?;
            let mut reader = layer.open().map_err(|error| base(&error))?;
            copy(&mut reader, &mut blob, |error| base(&error))?;
            blob.commit(digest).map_err(Failure::Sink)?;
        }
        Ok(Layer { name: None, descriptor: bare(&layer.descriptor), diff_id: layer.diff_id, tar_size: None })
    }

    fn manifest(&self, plan: &Plan, layers: Vec<Layer>) -> Result<Manifest, Failure> {
        let sink = self.sink;
        let (config, config_bytes) = document(sink, media_type::CONFIG, &config(plan, &layers))?;
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::MANIFEST,
            "config": config.to_json(),
            "layers": layers.iter().map(|layer| layer.descriptor.to_json()).collect::<Vec<_>>(),
        });
        annotate(&mut manifest, &annotations(plan));
        let (descriptor, bytes) = document(sink, media_type::MANIFEST, &manifest)?;
        // A base may be more precise than the recipe: the index says what the config says.
        let mut platform = plan.platform.clone();
        let variant = plan.config.get("variant").and_then(Value::as_str).filter(|variant| !variant.is_empty());
        platform.variant = platform.variant.or_else(|| variant.map(str::to_owned));
        Ok(Manifest { platform, descriptor, bytes, config, config_bytes, layers })
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

/// The plan's config with what only the layers can say: diff_ids, and one history entry a layer. Edition 2026.
fn config(plan: &Plan, layers: &[Layer]) -> Value {
    let mut config = plan.config.clone();
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
    let mut history = config.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    // A base may say nothing of some of its layers. Without entries for those, ours would be taken for theirs.
    let told = history.iter().filter(|entry| entry.get("empty_layer") != Some(&Value::Bool(true))).count();
    let of_base = layers.iter().filter(|layer| layer.name.is_none()).count();
    history.extend((told..of_base).map(|_| json!({ "created_by": "rebake: (base)" })));
    history.extend(
        plan.layers
            .iter()
            .map(|layer| json!({ "created": rfc3339(plan.created), "created_by": format!("rebake: {}", layer.name) })),
    );
    config["history"] = Value::Array(history);
    config
}

/// The recipe's annotations, and those by which an image names its base (image-spec, "annotations.md").
fn annotations(plan: &Plan) -> BTreeMap<String, String> {
    let mut annotations = plan.annotations.clone();
    if let Some(base) = &plan.base {
        let mut add = |name: &str, value: String| {
            annotations.entry(name.to_owned()).or_insert(value);
        };
        add("org.opencontainers.image.base.name", base.name.clone());
        if let Some(digest) = base.digest {
            add("org.opencontainers.image.base.digest", digest.to_string());
        }
    }
    annotations
}

fn annotate(document: &mut Value, annotations: &BTreeMap<String, String>) {
    if !annotations.is_empty() {
        document["annotations"] = json!(annotations);
    }
}

fn document(sink: &dyn Sink, media_type: &str, document: &Value) -> Result<(Descriptor, Vec<u8>), Failure> {
    let bytes = json::canonical(document);
    let digest = Digest::of(&bytes);
    let mut blob = sink.blob().map_err(Failure::Sink)?;
    blob.write_all(&bytes).and_then(|()| blob.commit(digest)).map_err(Failure::Sink)?;
    Ok((Descriptor::new(media_type, digest, bytes.len() as u64), bytes))
}

/// Copies, telling a reader's failure from a writer's.
fn copy(
    reader: &mut dyn io::Read,
    writer: &mut dyn io::Write,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        writer.write_all(buffer.get(..n).unwrap_or_default()).map_err(Failure::Sink)?;
    }
}
