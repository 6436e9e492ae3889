//! What is known of an image's layers before they are written: from an earlier build, and from those just written.

use crate::layer::write::{Made, Outline, Past, WriteError};
use crate::oci::Digest;
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where a layer of ours stands: the number of its plan, and its own number there.
pub type Place = (usize, usize);

/// Remembers layers.
#[derive(Debug, Default)]
pub struct Memory {
    outlines: BTreeMap<Place, Outline>,
    pasts: BTreeMap<Place, Past>,
    blobs: BTreeMap<Digest, PathBuf>,
    made: Mutex<BTreeMap<Place, Made>>,
}

impl Memory {
    /// Outlines all layers of an image. `now` is a time, in seconds since 1970, before the plans were made.
    ///
    /// # Errors
    /// [`WriteError::Content`]: a layer cannot be written.
    pub fn of(plans: &[Plan], now: i64) -> Result<Self, WriteError> {
        let mut memory = Self::default();
        for (n, plan) in plans.iter().enumerate() {
            for (m, layer) in plan.layers.iter().enumerate() {
                let outline = Outline::of(&layer.tree, layer.mtime, layer.compression, now)?;
                memory.outlines.insert((n, m), outline);
            }
        }
        Ok(memory)
    }

    /// Adds a layer of an earlier build.
    pub fn add(&mut self, place: Place, past: Past) {
        self.pasts.insert(place, past);
    }

    /// Adds a blob of an earlier build that still is what it was.
    pub fn add_blob(&mut self, digest: Digest, file: PathBuf) {
        self.blobs.insert(digest, file);
    }

    /// Whether every layer of ours is that of the earlier build, whose blob is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.outlines.keys().all(|place| self.unchanged(*place).is_some())
    }

    /// The layers that were written or taken over.
    #[must_use]
    pub fn into_made(self) -> BTreeMap<Place, Made> {
        self.made.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was written: it was not meant to last.
    pub fn forget_made(&self) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn outline(&self, place: Place) -> Option<&Outline> {
        self.outlines.get(&place)
    }

    pub(super) fn past(&self, place: Place) -> Option<&Past> {
        self.pasts.get(&place)
    }

    /// A blob of the earlier build.
    pub(super) fn blob(&self, digest: Digest) -> Option<&Path> {
        self.blobs.get(&digest).map(PathBuf::as_path)
    }

    /// The layer of the earlier build, if it is the same.
    pub(super) fn unchanged(&self, place: Place) -> Option<&Made> {
        let made = &self.past(place)?.made;
        (made.is(self.outline(place)?) && self.blobs.contains_key(&made.layer.digest)).then_some(made)
    }

    pub(super) fn keep(&self, place: Place, made: Made) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(place, made);
    }
}
