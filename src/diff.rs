//! What differs between two images: index, manifests, configs, layers, entries, bytes; and why, as far as a pattern shows it.
//!
//! The answer is data, bounded in size whatever the images hold; words and colours are left to `cli`. Layers whose diff_id
//! or digest are equal are not read, unless diff_ids are to be proven. Whether an image is sound is not judged here: see ARCHITECTURE.md.

mod cause;
mod content;
mod encoding;
mod entries;
mod fields;
mod layers;
mod platforms;
mod rung;
mod scan;

pub use cause::{Blame, Cause};
pub use content::{
    Bytes, ContentDifference, Detail, Lines, MemberChange, MemberDifference, MemberField, Members, Section, Skipped,
    Trace,
};
pub use encoding::{Encoder, Encoding, Header};
pub use entries::{
    EntryChange, EntryDifference, Field, Framing, FramingDifference, Order, Sorting, Summary, TarDifference,
};
pub use fields::FieldChange;
pub use layers::{LayerChange, LayerDifference};
pub use platforms::PlatformDifferences;
pub use rung::{Rung, UnknownRung};

use crate::oci::{Descriptor, Platform};
use crate::transport::{Image, Source};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Gives the layers of an image; numbers count from 0 in [`Image::manifests`] and in a manifest's layers.
pub trait Layers: Sync {
    /// The tar of a layer; whoever reads it to its end knows that it is the one that its diff_id names.
    ///
    /// # Errors
    /// If it is not there; what is wrong with it comes out of the reading.
    fn tar(&self, manifest: usize, layer: usize) -> io::Result<Box<dyn Read + Send + '_>>;

    /// The blob as it is stored, of which the start is read to tell its encoder; none if that does not matter.
    ///
    /// # Errors
    /// If it is not there.
    fn blob(&self, manifest: usize, layer: usize) -> io::Result<Option<Box<dyn Read + Send + '_>>>;
}

/// An image where it is stored.
pub struct Stored<'a> {
    /// The place.
    pub source: &'a Source<'a>,
    /// What was read of it.
    pub image: &'a Image,
}

impl Stored<'_> {
    fn layer(&self, manifest: usize, layer: usize) -> io::Result<&crate::transport::Layer> {
        let layer = self.image.manifests.get(manifest).and_then(|manifest| manifest.layers.get(layer));
        layer.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Layers for Stored<'_> {
    fn tar(&self, manifest: usize, layer: usize) -> io::Result<Box<dyn Read + Send + '_>> {
        self.source.tar(self.layer(manifest, layer)?).map_err(|error| io::Error::other(error.to_string()))
    }

    fn blob(&self, manifest: usize, layer: usize) -> io::Result<Option<Box<dyn Read + Send + '_>>> {
        let blob = self.source.blob(&self.layer(manifest, layer)?.descriptor, "layer");
        blob.map(Some).map_err(|error| io::Error::other(error.to_string()))
    }
}

/// One of the two images.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its documents.
    pub image: &'a Image,
    /// Its layers.
    pub layers: &'a dyn Layers,
}

/// What a comparison needs of the world, and how far it goes.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where temporary files may lie.
    pub scratch: &'a Path,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
    /// Only this platform of both.
    pub platform: Option<&'a Platform>,
    /// What B's config says of a layer is not believed: one with an equal diff_id in another blob is read to its end.
    pub prove: bool,
    /// How much is too much.
    pub limits: Limits,
}

/// How much is read, put aside and listed. What is beyond is counted or said to be left out, never silently so.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries of a layer; one that has more cannot be compared.
    pub entries: usize,
    /// Bytes of names, targets and extended attributes of a layer; one that has more cannot be compared.
    pub names: usize,
    /// Differences listed for a layer.
    pub listed: usize,
    /// Files of a layer whose content is compared; 0: of none.
    pub files: usize,
    /// Length of such a file, in bytes.
    pub file: u64,
    /// Length of all of them on one side, in bytes.
    pub files_bytes: u64,
    /// Changed fields listed of a document.
    pub fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 4_000_000,
            names: 512 << 20,
            listed: 10_000,
            files: 200,
            file: 64 << 20,
            files_bytes: 1 << 30,
            fields: 1000,
        }
    }
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// The first: what is expected.
    A,
    /// The second: what was found.
    B,
}

/// Why two images could not be compared. What is wrong with a single layer is no such error: see
/// [`LayerChange::Unreadable`].
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// Content cannot be put aside.
    #[error("cannot write to {folder}: {source}")]
    Scratch {
        /// The folder for temporary files.
        folder: PathBuf,
        /// The disk's word.
        source: io::Error,
    },
    /// The platform that was asked for is in neither.
    #[error("neither image is there for {wanted}; they are there for {}", available.join(", "))]
    Platform {
        /// Asked for.
        wanted: Platform,
        /// There.
        available: Vec<String>,
    },
}

/// All that differs between two images.
#[derive(Debug, Clone)]
pub struct Differences {
    /// What the first one's name stands for.
    pub a: Descriptor,
    /// What the second one's name stands for.
    pub b: Descriptor,
    /// What differs in the index besides its images.
    pub index: Vec<FieldChange>,
    /// One for each platform of either, in the order of the first.
    pub platforms: Vec<PlatformDifferences>,
    /// Only this platform was compared, as the user wanted.
    pub only: Option<Platform>,
    /// Whether they offer the same to those who ask for a platform, besides images.
    same_others: bool,
}

impl Differences {
    /// How alike the two are; of one platform alone, how alike it is in both.
    #[must_use]
    pub fn rung(&self) -> Rung {
        let lowest = self.platforms.iter().map(PlatformDifferences::rung).min().unwrap_or(Rung::Different);
        match self.a.digest == self.b.digest {
            true => Rung::Identical,
            false if !self.same_others => Rung::Different,
            false if self.only.is_some() => lowest,
            false => lowest.min(Rung::SameConfigAndLayers),
        }
    }

    /// Why, for all platforms together, most telling first.
    #[must_use]
    pub fn causes(&self) -> Vec<Blame> {
        cause::together(self.platforms.iter().flat_map(|platform| &platform.causes))
    }
}

/// Compares two images. `a` is what is expected, `b` what was found.
///
/// # Errors
/// See [`DiffError`].
pub fn compare(a: &Side, b: &Side, context: &Context) -> Result<Differences, DiffError> {
    platforms::compare(a, b, context)
}

impl Context<'_> {
    /// # Errors
    /// [`DiffError::Interrupted`].
    fn check(&self) -> Result<(), DiffError> {
        match self.interrupt.load(Ordering::Relaxed) {
            true => Err(DiffError::Interrupted),
            false => Ok(()),
        }
    }
}
