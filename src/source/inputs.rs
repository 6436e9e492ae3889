//! The inputs of a recipe, at hand: files on this disk, held against their pins already. How they got there is left to
//! others. What is opened of them is opened once, for all statements, platforms and recipes of a command.

use super::archive::{self, Archive, ArchiveError, Limits, Slice};
use super::files::InputMember;
use super::image::{self, Image, ImageError};
use super::lower::Lower;
use crate::oci::{Descriptor, Digest, ImageName, Platform};
use crate::record::Kept;
use crate::together::Once;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What each input is on each platform of a recipe. A copy is the same one.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    ready: Arc<BTreeMap<(String, Platform), AtHand>>,
}

/// One input, on one platform.
#[derive(Debug, Clone)]
pub struct AtHand {
    /// What it is.
    pub ready: Ready,
    /// Shared with all who have the same bytes.
    opened: Arc<Opened>,
}

/// What an input is.
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

/// What was opened of some bytes. It goes with the last recipe that has them.
#[derive(Debug, Default)]
pub struct Opened {
    file: Once<(), Slice>,
    archive: Once<(), Arc<Archive>>,
    image: Once<(), Arc<Image>>,
    members: Once<Vec<String>, Arc<Vec<InputMember>>>,
    lower: Once<(), Arc<Lower>>,
}

impl Inputs {
    /// Adds what an input is on a platform.
    pub fn insert(&mut self, name: &str, platform: &Platform, found: AtHand) {
        Arc::make_mut(&mut self.ready).insert((name.to_owned(), platform.clone()), found);
    }

    /// What an input is on a platform.
    #[must_use]
    pub fn get(&self, name: &str, platform: &Platform) -> Option<&AtHand> {
        self.ready.get(&(name.to_owned(), platform.clone()))
    }
}

/// Where something is opened.
#[derive(Debug, Clone, Copy)]
pub struct Bench<'a> {
    /// The recipe's folder.
    pub folder: &'a Path,
    /// The platform that the input is for.
    pub platform: &'a Platform,
    /// Where unpacked archives may lie.
    pub scratch: &'a Path,
    /// Where it is kept what archives and bases hold; none: they are read.
    pub kept: Option<Kept<'a>>,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
}

/// Nobody else has it.
impl From<Ready> for AtHand {
    fn from(ready: Ready) -> Self {
        Self::new(ready, Arc::default())
    }
}

impl AtHand {
    /// An input. Who has the same bytes gives the same `opened`.
    #[must_use]
    pub fn new(ready: Ready, opened: Arc<Opened>) -> Self {
        Self { ready, opened }
    }

    /// Who is the last one to have the bytes keeps nothing for others.
    fn once<K: Ord, V: Clone, E>(
        &self,
        cell: &Once<K, V>,
        key: K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if Arc::strong_count(&self.opened) > 1 { cell.get(key, make) } else { cell.take(key, make) }
    }

    /// A file as it is.
    ///
    /// # Errors
    /// If it is no file, or cannot be opened.
    pub fn file(&self) -> io::Result<Slice> {
        // An open file is worth keeping for the next statement, too.
        self.opened.file.get((), || match &self.ready {
            Ready::File(path) | Ready::Tree(path) => Slice::file(path),
            Ready::Blobs { .. } | Ready::Image(_) => Err(io::Error::other("it is an image")),
        })
    }

    /// A file as the archive that it is.
    ///
    /// # Errors
    /// See [`ArchiveError`].
    pub fn archive(&self, bench: Bench) -> Result<Arc<Archive>, ArchiveError> {
        // The plan holds what was unpacked anyway, and the next statement may want more of it.
        self.opened.archive.get((), || {
            let open = || {
                let name = Path::new("");
                let file = self.file().map_err(|error| ArchiveError::unopened(name, error))?;
                archive::from_slice(&file, name, bench.scratch, &Limits::default(), bench.interrupt)
            };
            match &self.ready {
                Ready::File(path) | Ready::Tree(path) => archive::known(path, bench.scratch, bench.kept, open),
                Ready::Blobs { .. } | Ready::Image(_) => open(),
            }
            .map(Arc::new)
        })
    }

    /// An image: its documents.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn image(&self, bench: Bench) -> Result<Arc<Image>, ImageError> {
        let Bench { folder, platform, scratch, interrupt, .. } = bench;
        self.once(&self.opened.image, (), || match &self.ready {
            Ready::Blobs { name, manifest, blobs } => image::open_blobs(name, manifest, blobs, platform).map(Arc::new),
            Ready::Image(name) => image::open(name, folder, platform, scratch, interrupt).map(Arc::new),
            Ready::File(_) | Ready::Tree(_) => Err(ImageError::NotAnImage("it is no image".to_owned())),
        })
    }

    /// The files of an image. Of those that stand at or below a path of `wanted` the content is there.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn members(&self, wanted: Vec<String>, bench: Bench) -> Result<Arc<Vec<InputMember>>, ImageError> {
        self.once(&self.opened.members, wanted.clone(), || {
            let image = self.image(bench)?;
            image.files(&wanted, bench.scratch, &Limits::default(), bench.interrupt).map(Arc::new)
        })
    }

    /// What the layers of this `image` hold together, all of them read and checked, now or by the run that kept it.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn lower(&self, image: &Image, bench: Bench) -> Result<Arc<Lower>, ImageError> {
        self.once(&self.opened.lower, (), || {
            if let Some(lower) = bench.kept.and_then(|kept| Lower::recall(kept.folder, &image.layers)) {
                return Ok(Arc::new(lower));
            }
            let mut lower = Lower::default();
            for layer in &image.layers {
                lower.put_base(layer, bench.interrupt)?;
            }
            if let Some(kept) = bench.kept {
                lower.keep(kept.folder, &image.layers);
            }
            Ok(Arc::new(lower))
        })
    }
}
