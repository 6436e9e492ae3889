//! The pantry: an image layout that holds every input of one or more recipes, and the recipes themselves, so that their
//! images can be made again when nothing else is left.
//!
//! ```text
//! index.json ──tag "pantry"──▶ index ──▶ a manifest for each recipe: the recipe, its lock, its files (a tar), its inputs
//!                                    └─▶ the manifests of base images, with their configs and layers
//! ```
//!
//! Everything hangs on that one tag, so a registry can hold a pantry too. How a recipe's inputs are found and what they
//! are good for is left to others.

mod catalog;
mod check;
mod fill;
mod pack;

pub use catalog::{Catalog, Packed, Role};
pub use check::Fault;
pub use fill::{Fill, Filled};
pub use pack::{pack, unpack};

use crate::oci::{Descriptor, Digest, json, media_type};
use crate::store::{Found, hash};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The tag of a pantry's index, which is also its name.
pub const TAG: &str = "pantry";
/// Documents larger than this are refused (registries refuse them too).
const DOCUMENT: u64 = 4 << 20;

/// Why a pantry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PantryError {
    /// Nothing is there, or something else.
    #[error("{} is no pantry: {why}", folder.display())]
    NoPantry {
        /// Where it should be.
        folder: PathBuf,
        /// What is there instead.
        why: String,
    },
    /// A document of it is not what it should be.
    #[error("the pantry {} is damaged: {what} {why}", folder.display())]
    Damaged {
        /// Where it is.
        folder: PathBuf,
        /// Which document.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The disk says no.
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The disk's word.
        source: io::Error,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// A pantry on disk; its documents are read and checked, its inputs are not.
#[derive(Debug, Clone)]
pub struct Pantry {
    folder: PathBuf,
    /// What it holds.
    pub catalog: Catalog,
    /// Its index.
    pub index: Descriptor,
}

impl Pantry {
    /// Opens the pantry in a folder.
    ///
    /// # Errors
    /// See [`PantryError`].
    pub fn open(folder: &Path) -> Result<Self, PantryError> {
        let no_pantry = |why: &str| PantryError::NoPantry { folder: folder.to_owned(), why: why.to_owned() };
        if !folder.join("oci-layout").is_file() {
            return Err(no_pantry(if folder.exists() { "it is no image layout" } else { "there is no such folder" }));
        }
        let damaged =
            |what: &str, why: String| PantryError::Damaged { folder: folder.to_owned(), what: what.to_owned(), why };
        let bytes = read(&folder.join("index.json"))?;
        let index = json::parse(&bytes).map_err(|why| damaged("index.json", why))?;
        let manifests = index.get("manifests").and_then(|manifests| manifests.as_array()).map(Vec::as_slice);
        let mut tagged = manifests
            .unwrap_or_default()
            .iter()
            .filter_map(|json| Descriptor::from_json(json).ok())
            .filter(|found| found.annotations.get(crate::layout::REF_NAME).is_some_and(|tag| tag == TAG));
        let index = tagged.next().filter(|index| index.media_type == media_type::INDEX);
        let index = index.ok_or_else(|| no_pantry("the image layout has no index with the tag `pantry`"))?;
        let mut documents = |descriptor: &Descriptor| document(folder, descriptor);
        let catalog = Catalog::read(&index, &mut documents)?;
        Ok(Self { folder: folder.to_owned(), catalog, index })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks for a blob and hashes it.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn find(&self, digest: Digest, interrupt: &AtomicBool) -> io::Result<Found> {
        let path = blob(&self.folder, digest);
        match hash(&path, interrupt) {
            Ok((found, _)) if found == digest => Ok(Found::Sound(path)),
            Ok(_) => Ok(Found::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Missing),
            Err(error) => Err(error),
        }
    }

    /// Reads a small blob, held against its descriptor.
    ///
    /// # Errors
    /// See [`PantryError`].
    pub fn read(&self, descriptor: &Descriptor) -> Result<Vec<u8>, PantryError> {
        document(&self.folder, descriptor)
    }
}

fn blob(folder: &Path, digest: Digest) -> PathBuf {
    folder.join("blobs/sha256").join(digest.hex())
}

fn read(path: &Path) -> Result<Vec<u8>, PantryError> {
    let failed = |source| PantryError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(DOCUMENT + 1).read_to_end(&mut bytes)).map_err(failed)?;
    match bytes.len() as u64 > DOCUMENT {
        true => Err(failed(io::Error::other("it is larger than 4 MiB"))),
        false => Ok(bytes),
    }
}

fn document(folder: &Path, descriptor: &Descriptor) -> Result<Vec<u8>, PantryError> {
    let bytes = read(&blob(folder, descriptor.digest))?;
    let found = Digest::of(&bytes);
    if found != descriptor.digest || bytes.len() as u64 != descriptor.size {
        return Err(PantryError::Damaged {
            folder: folder.to_owned(),
            what: descriptor.digest.to_string(),
            why: format!("has the digest {found} and {} bytes", bytes.len()),
        });
    }
    Ok(bytes)
}
