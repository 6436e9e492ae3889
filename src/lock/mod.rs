//! `rebake.lock`: which facts the moving references of a recipe resolved to, and how a recipe gets pinned by them. How
//! facts are found out is left to `resolve`.

mod pin;
mod read;
mod write;

pub use pin::{File, Pinned, PinnedInput, changes, fits, locked_url, own_digest, urls};

use crate::oci::{Digest, Platform};
use std::collections::BTreeMap;

/// The version of the lock's own shape.
const VERSION: i64 = 1;

/// A lock: facts, sorted. Its text is [`std::fmt::Display`], byte for byte the same for the same facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// `[inputs.NAME]`.
    pub inputs: BTreeMap<String, Locked>,
    /// `[expected]`.
    pub expected: Expected,
}

/// What one input resolved to: what the recipe said, and what that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locked {
    /// An image: what its tag pointed at, and the manifest for each platform.
    Image {
        /// As the recipe names it.
        image: String,
        /// Index or manifest that the name resolved to.
        top: Pin,
        /// The manifest for each platform of the recipe.
        platforms: BTreeMap<Platform, Pin>,
    },
    /// An image in a `docker-archive:`, which has no manifest: the file itself.
    Archive {
        /// As the recipe names it.
        image: String,
        /// The file.
        file: Pin,
    },
    /// A URL.
    Url {
        /// As the recipe has it, placeholders and all.
        url: String,
        /// Its file.
        files: Files,
    },
    /// A git tree.
    Git {
        /// As the recipe has it.
        git: String,
        /// As the recipe has it.
        rev: Option<String>,
        /// As the recipe has it.
        subdir: Option<String>,
        /// The commit's id, in hex.
        commit: String,
        /// The id of the tree that is used: the commit's, or that of `subdir`.
        tree: String,
        /// The tree as a tar, as rebake writes it.
        tar: Pin,
    },
}

/// Some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Their digest.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
}

/// The file of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    /// The same on all platforms.
    One(Pin),
    /// The URL, or its digest, differs by platform.
    Each(BTreeMap<Platform, Pin>),
}

impl Files {
    /// The file for a platform.
    #[must_use]
    pub fn get(&self, platform: &Platform) -> Option<Pin> {
        match self {
            Self::One(pin) => Some(*pin),
            Self::Each(pins) => pins.get(platform).copied(),
        }
    }
}

/// `[expected]`: what the recipe gave when somebody ran `rebake lock --record`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The image: its manifest, or its index.
    pub image: Option<Digest>,
    /// The same of an image that carries its commit, with a fixed stand-in for all that the commit adds: this file is part of
    /// that commit, so the image itself cannot be known here.
    pub unstamped: Option<Digest>,
    /// The manifest of each platform, of the one or of the other.
    pub manifests: BTreeMap<Platform, Digest>,
}

impl Expected {
    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Lock {
    /// Every digest that an input is pinned to.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        self.inputs.values().flat_map(Locked::pins).map(|pin| pin.digest)
    }
}

impl Locked {
    /// Everything that the input is pinned to.
    #[must_use]
    pub fn pins(&self) -> Vec<Pin> {
        match self {
            Self::Image { top, platforms, .. } => std::iter::once(top).chain(platforms.values()).copied().collect(),
            Self::Archive { file, .. } | Self::Url { files: Files::One(file), .. } => vec![*file],
            Self::Url { files: Files::Each(files), .. } => files.values().copied().collect(),
            Self::Git { tar, .. } => vec![*tar],
        }
    }
}

#[cfg(test)]
mod tests;
