//! What the images of one command share: their workers, and the layers that several of them have.

use super::Failure;
use crate::layer::write::{Made, Outline, Workers};
use crate::oci::{Digest, Sink};
use crate::together::Once;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// The images of one command.
#[derive(Debug)]
pub struct Batch {
    workers: Workers,
    images: usize,
    baked: Once<Digest, Baked>,
}

/// A layer that was made for one image, and where others find it as long as nobody takes it away.
#[derive(Debug, Clone)]
struct Baked {
    made: Made,
    places: Vec<PathBuf>,
}

impl Batch {
    /// So many images, and so many workers that compress.
    #[must_use]
    pub fn new(jobs: usize, images: usize) -> Self {
        Self { workers: Workers::new(jobs), images, baked: Once::default() }
    }

    /// How many threads each image may have for itself.
    #[must_use]
    pub fn share(&self) -> usize {
        (self.jobs() / self.images.max(1)).max(1)
    }

    /// Who compresses.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// How many workers compress.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.workers.count()
    }

    /// Whether a layer may be another image's too, so that an outline is worth its while.
    #[must_use]
    pub fn is_several(&self) -> bool {
        self.images > 1
    }

    /// A layer with an outline, which whoever needs it first makes; all others copy its blob, and make it themselves only if
    /// it is not there any more, or not what it was. One whose contents are not known by their outline is made by everybody.
    pub(super) fn layer(
        &self,
        outline: Option<&Outline>,
        (sink, interrupt): (&dyn Sink, &AtomicBool),
        make: impl Fn() -> Result<Made, Failure>,
    ) -> Result<Made, Failure> {
        let Some(identity) = outline.and_then(Outline::identity) else { return make() };
        let mut own = false;
        let Baked { made, places } = self.baked.get(identity, || {
            own = true;
            let made = make()?;
            let places = sink.places(made.layer.digest);
            Ok::<_, Failure>(Baked { made, places })
        })?;
        let copied = || match sink.copy((made.layer.digest, made.layer.size), &places, interrupt) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Failure::Interrupted),
            copied => copied.map_err(Failure::Sink),
        };
        if own || copied()? { Ok(made) } else { make() }
    }
}
