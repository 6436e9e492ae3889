//! Plans become an image: layers, configs, manifests and perhaps an index go into a sink, and a descriptor comes out.
//!
//! Nothing here knows a disk or a network; `build` and `verify` differ in their sink alone.

mod batch;
mod documents;
mod layers;
mod memory;

pub use batch::Batch;
pub use memory::{Memory, Place};

use crate::oci::{Descriptor, Digest, Platform, Sink};
use crate::plan::Plan;
use layers::Work;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicBool;

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

/// Writes the image of all plans, which share one recipe; takes over what `memory` has, and keeps there what is written. The
/// index, if there is one, gets `annotations`.
///
/// # Errors
/// See [`ImageWriteError`]. What the sink already has then is of no use.
pub fn write(
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
        manifests.push(documents::manifest(sink, plan, layers.by_ref().take(count).collect())?);
    }
    let (descriptor, bytes) = match &manifests[..] {
        [one] => (one.descriptor.clone(), one.bytes.clone()),
        several => documents::index(sink, several, annotations)?,
    };
    Ok(Image { descriptor, bytes, manifests })
}
