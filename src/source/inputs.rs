//! The inputs of a recipe, at hand: files on this disk, held against their pins already. How they got there is left to
//! others.

use crate::oci::{Descriptor, Digest, ImageName, Platform};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What each input is on each platform of a recipe.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    ready: BTreeMap<(String, Platform), Ready>,
}

/// One input, on one platform.
#[derive(Debug, Clone)]
pub enum Ready {
    /// What a URL gave: a file with these bytes.
    File(PathBuf),
    /// A git tree: a plain tar of it, with regular files (0644 or 0755), symlinks and folders, as `git` writes it.
    Tree(PathBuf),
    /// An image whose blobs are files.
    Blobs {
        /// What the user calls it, without a digest.
        name: String,
        /// The manifest for the platform.
        manifest: Descriptor,
        /// Manifest, config and layers.
        blobs: BTreeMap<Digest, PathBuf>,
    },
    /// An image in a layout or archive, as it is; relative to the recipe's folder.
    Image(ImageName),
}

impl Inputs {
    /// Adds what an input is on a platform.
    pub fn insert(&mut self, name: &str, platform: &Platform, ready: Ready) {
        self.ready.insert((name.to_owned(), platform.clone()), ready);
    }

    /// What an input is on a platform.
    #[must_use]
    pub fn get(&self, name: &str, platform: &Platform) -> Option<&Ready> {
        self.ready.get(&(name.to_owned(), platform.clone()))
    }
}
