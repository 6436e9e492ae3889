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
mod distant;
mod fill;
mod pack;

pub use catalog::{Catalog, DOCUMENTS, Image, Packed, Role, is_pantry};
pub use check::Fault;
pub use distant::{Distant, Far};
pub use fill::{Fill, Filled};
pub use pack::{has_git, pack, unpack};

use crate::layout::REF_NAME;
use crate::oci::{Descriptor, Digest, json, media_type};
use crate::source::image::read_document;
use crate::store::{Found, hash};
use catalog::Lost;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The tag of a pantry's index, which is also its name.
pub const TAG: &str = "pantry";

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
    /// The manifest of an image is none.
    #[error("the manifest {digest} {why}")]
    Image {
        /// Which one.
        digest: Digest,
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

/// A pantry; its documents are on disk, read and checked, its inputs are not.
#[derive(Debug, Clone)]
pub struct Pantry {
    folder: PathBuf,
    /// Where it is elsewhere.
    distant: Option<Distant>,
    /// What it holds.
    pub catalog: Catalog,
    /// Its index.
    pub index: Descriptor,
    /// What the catalog says of each blob's length.
    sizes: BTreeMap<Digest, u64>,
}

impl Pantry {
    /// Opens the pantry in a folder.
    ///
    /// # Errors
    /// See [`PantryError`].
    pub fn open(folder: &Path) -> Result<Self, PantryError> {
        let (pantry, lost) = Self::open_damaged(folder)?;
        match lost.into_iter().next() {
            None => Ok(pantry),
            Some(Lost { digest, why }) => {
                Err(PantryError::Damaged { folder: folder.to_owned(), what: digest.to_string(), why })
            }
        }
    }

    /// Opens a pantry of which single manifests may be lost.
    fn open_damaged(folder: &Path) -> Result<(Self, Vec<Lost>), PantryError> {
        let no_pantry = |why: &str| PantryError::NoPantry { folder: folder.to_owned(), why: why.to_owned() };
        if !folder.join("oci-layout").is_file() {
            return Err(no_pantry(match folder.metadata() {
                Ok(metadata) if metadata.is_dir() => "it is no image layout",
                Ok(_) => "it is a file, and a pantry is a folder",
                Err(_) => "there is no such folder",
            }));
        }
        let damaged =
            |what: &str, why: String| PantryError::Damaged { folder: folder.to_owned(), what: what.to_owned(), why };
        let path = folder.join("index.json");
        let bytes = read_document(&path).map_err(|source| PantryError::Io { path, source })?;
        let json = json::parse(&bytes).map_err(|why| damaged("index.json", format!("is malformed: {why}")))?;
        let manifests = json.get("manifests").and_then(|manifests| manifests.as_array()).map(Vec::as_slice);
        let mut tagged = manifests
            .unwrap_or_default()
            .iter()
            .filter_map(|json| Descriptor::from_json(json).ok())
            .filter(|found| found.annotations.get(REF_NAME).is_some_and(|tag| tag == TAG));
        let index = tagged.next().filter(|index| index.media_type == media_type::INDEX);
        let index = index.ok_or_else(|| no_pantry("the image layout has no index with the tag `pantry`"))?;
        let index = Descriptor::new(&index.media_type, index.digest, index.size);
        let broken = |why| damaged(&index.digest.to_string(), why);
        let bytes = document(folder, &index).map_err(broken)?;
        let (catalog, lost) = Catalog::read(&bytes, &mut |found| document(folder, found)).map_err(broken)?;
        let mut sizes = catalog.blobs();
        sizes.insert(index.digest, index.size);
        Ok((Self { folder: folder.to_owned(), distant: None, catalog, index, sizes }, lost))
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What people call it: its folder, or its name in a registry.
    #[must_use]
    pub fn name(&self) -> String {
        self.distant.as_ref().map_or_else(|| self.folder.display().to_string(), |distant| distant.name().to_owned())
    }

    /// Looks for a blob and hashes it. What the catalog does not know is not there; what is longer or shorter than it says is
    /// not read.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn find(&self, digest: Digest, interrupt: &AtomicBool) -> io::Result<Found> {
        let Some(size) = self.sizes.get(&digest) else { return Ok(Found::Missing) };
        let path = blob(&self.folder, digest);
        if path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() != *size) {
            return Ok(Found::Damaged);
        }
        match (hash(&path, interrupt), &self.distant) {
            (Ok((found, _)), _) if found == digest => Ok(Found::Sound(path)),
            (Ok(_), _) => Ok(Found::Damaged),
            (Err(error), Some(distant)) if error.kind() == io::ErrorKind::NotFound => {
                distant.find(digest, *size, interrupt)
            }
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Missing),
            (Err(error), _) => Err(error),
        }
    }

    /// Reads a small blob, held against its descriptor.
    ///
    /// # Errors
    /// See [`PantryError`].
    pub fn read(&self, descriptor: &Descriptor) -> Result<Vec<u8>, PantryError> {
        let here = blob(&self.folder, descriptor.digest);
        let never = AtomicBool::new(false);
        let path = match &self.distant {
            Some(distant) if !here.exists() => match distant.find(descriptor.digest, descriptor.size, &never) {
                Ok(Found::Sound(path)) => Ok(path),
                Ok(_) => Ok(here),
                Err(error) => Err(format!("cannot be fetched: {error}")),
            },
            _ => Ok(here),
        };
        path.and_then(|path| document_at(&path, descriptor)).map_err(|why| PantryError::Damaged {
            folder: self.name().into(),
            what: descriptor.digest.to_string(),
            why,
        })
    }
}

fn blob(folder: &Path, digest: Digest) -> PathBuf {
    folder.join("blobs/sha256").join(digest.hex())
}

/// Reads a document, or tells what is wrong with it.
fn document(folder: &Path, descriptor: &Descriptor) -> Result<Vec<u8>, String> {
    document_at(&blob(folder, descriptor.digest), descriptor)
}

fn document_at(path: &Path, descriptor: &Descriptor) -> Result<Vec<u8>, String> {
    let bytes = read_document(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "is missing".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    let found = Digest::of(&bytes);
    match (found == descriptor.digest, bytes.len() as u64) {
        (true, length) if length == descriptor.size => Ok(bytes),
        (true, length) => Err(format!("has {length} bytes, and should have {}", descriptor.size)),
        (false, _) => Err(format!("is damaged: its bytes have the digest {found}")),
    }
}
