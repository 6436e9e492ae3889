//! Adds to a pantry: a new layout is put together beside the old one, from links to its blobs and from what is new, and the
//! two change places in one step.

use super::catalog::{EMPTY, Image, Lost};
use super::{Catalog, Distant, Packed, Pantry, PantryError, TAG};
use crate::layout::{self, Held, Staging};
use crate::oci::{Descriptor, Digest, Sha256, Sink, document, media_type};
use crate::store::Found;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A pantry that is being filled. Dropped before it is finished, it leaves the old one as it was.
pub struct Fill<'a> {
    target: PathBuf,
    staging: Option<Staging>,
    old: Option<Pantry>,
    catalog: Catalog,
    /// Manifests of the old pantry that have to come in again.
    lost: Vec<Lost>,
    /// What stands in the new layout, and whether it is new.
    placed: BTreeMap<Digest, (u64, bool)>,
    interrupt: &'a AtomicBool,
    /// One fill at a time. Let go of last: the new layout is put together beside it.
    _held: Held,
}

/// What a fill did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Recipes in the pantry now.
    pub recipes: usize,
    /// Images in the pantry now.
    pub images: usize,
    /// Blobs that were not there before, and their bytes.
    pub added: (usize, u64),
    /// The pantry's index.
    pub index: Digest,
}

impl<'a> Fill<'a> {
    /// Begins to fill the pantry at `target`, which may not be there yet. Waits for another fill to end.
    ///
    /// # Errors
    /// If something else stands there, or what is there is damaged; what the disk reports.
    pub fn begin(target: &Path, interrupt: &'a AtomicBool) -> Result<Self, PantryError> {
        let failed = |source| PantryError::Io { path: target.to_owned(), source };
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                PantryError::NoPantry { folder: target.to_owned(), why: source.to_string() }
            }
            _ => failed(source),
        };
        if target.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
            let why = "a pantry is a folder, and something else stands there".to_owned();
            return Err(PantryError::NoPantry { folder: target.to_owned(), why });
        }
        let there = target.ancestors().find(|folder| folder.metadata().is_ok());
        if let Some(file) = there.filter(|there| !there.is_dir()) {
            let why = format!("{} is no folder", file.display());
            return Err(PantryError::NoPantry { folder: target.to_owned(), why });
        }
        let held = Held::wait(target, interrupt).map_err(|error| match interrupt.load(Ordering::Relaxed) {
            true => PantryError::Interrupted,
            false => failed(error),
        })?;
        let mut fill = Self {
            target: target.to_owned(),
            staging: None,
            old: None,
            catalog: Catalog::default(),
            lost: Vec::new(),
            placed: BTreeMap::new(),
            interrupt,
            _held: held,
        };
        if layout::is_layout(target) {
            let (old, lost) = Pantry::open_damaged(target)?;
            (fill.catalog, fill.lost, fill.old) = (old.catalog.clone(), lost, Some(old));
        }
        fill.staging = Some(Staging::begin(target).map_err(refused)?);
        Ok(fill)
    }

    /// Begins to fill a pantry that is elsewhere. What it has is taken for whole and not fetched: beside the documents, only
    /// what is new is then in its folder.
    ///
    /// # Errors
    /// As [`Fill::begin`].
    pub fn begin_distant(distant: &Distant, interrupt: &'a AtomicBool) -> Result<Self, PantryError> {
        let mut fill = Self::begin(distant.folder(), interrupt)?;
        if let Some(old) = &mut fill.old {
            old.distant = Some(distant.clone());
        }
        Ok(fill)
    }

    /// Where the pantry is to stand.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    fn failed(&self, source: io::Error) -> PantryError {
        match self.interrupt.load(Ordering::Relaxed) {
            true => PantryError::Interrupted,
            false => PantryError::Io { path: self.target.clone(), source },
        }
    }

    fn place_of(&self, digest: Digest) -> PathBuf {
        let folder = self.staging.as_ref().map(|staging| staging.path().to_owned()).unwrap_or_default();
        super::blob(&folder, digest)
    }

    /// Takes over a blob of the old pantry. `check`: only if its bytes are right.
    fn link(&mut self, digest: Digest, size: u64, check: bool) -> Result<bool, PantryError> {
        let Some(old) = &self.old else { return Ok(false) };
        let path = super::blob(old.folder(), digest);
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            let is_elsewhere = old.distant.is_some() && old.sizes.contains_key(&digest);
            if is_elsewhere {
                self.placed.insert(digest, (size, false));
            }
            return Ok(is_elsewhere);
        };
        if check && !matches!(old.find(digest, self.interrupt), Ok(Found::Sound(_))) {
            return Ok(false);
        }
        let new = self.place_of(digest);
        // Not every file system has hard links, and no pantry should have symlinks.
        let linked =
            if metadata.is_file() { fs::hard_link(&path, &new) } else { Err(io::ErrorKind::Unsupported.into()) };
        match linked.or_else(|_| fs::copy(&path, &new).and_then(|_| File::open(&new)?.sync_all())) {
            Ok(()) => drop(self.placed.insert(digest, (size, false))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed(error)),
        }
        Ok(true)
    }

    /// Adds a blob, read from `open` unless the pantry has it already. Its bytes are held against its digest.
    ///
    /// # Errors
    /// What `open` or the disk reports; other bytes than the digest's.
    pub fn blob<'b>(
        &mut self,
        digest: Digest,
        size: u64,
        open: impl FnOnce() -> io::Result<Box<dyn Read + 'b>>,
    ) -> Result<(), PantryError> {
        if self.placed.contains_key(&digest) || self.link(digest, size, true)? {
            return Ok(());
        }
        let copied = (|| {
            let Some(staging) = &self.staging else { return Ok(()) };
            let mut blob = staging.blob()?;
            let mut sha256 = Sha256::default();
            let mut reader = open()?;
            let mut buffer = vec![0; 256 << 10];
            loop {
                if self.interrupt.load(Ordering::Relaxed) {
                    return Err(io::Error::other("interrupted"));
                }
                let bytes = match reader.read(&mut buffer)? {
                    0 => break,
                    n => buffer.get(..n).unwrap_or_default(),
                };
                sha256.update(bytes);
                blob.write_all(bytes)?;
            }
            match sha256.finish() {
                (found, length) if found == digest && length == size => blob.commit(digest),
                (found, length) => {
                    let what = format!("{digest} with {size} bytes");
                    Err(io::Error::other(format!("what should be {what} is {found} with {length} bytes")))
                }
            }
        })();
        copied.map_err(|error| self.failed(error))?;
        self.placed.insert(digest, (size, true));
        Ok(())
    }

    /// Adds some bytes, and tells their digest and number.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn bytes(&mut self, bytes: Vec<u8>) -> Result<(Digest, u64), PantryError> {
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        self.blob(digest, size, || Ok(Box::new(io::Cursor::new(bytes))))?;
        Ok((digest, size))
    }

    /// Adds an image: its manifest, and every blob that it names, each from where `open` says. Tells their digests.
    ///
    /// # Errors
    /// If the manifest is none; what `open` or the disk reports.
    pub fn image<'b>(
        &mut self,
        manifest: Digest,
        open: impl Fn(Digest) -> io::Result<Box<dyn Read + 'b>>,
    ) -> Result<BTreeSet<Digest>, PantryError> {
        let wrong = |why| PantryError::Image { digest: manifest, why };
        let bytes = open(manifest).and_then(document::read).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => wrong(format!("cannot be read: {error}")),
            _ => self.failed(error),
        })?;
        let image = Image::read(&bytes).map_err(wrong)?;
        self.blob(manifest, image.manifest.size, || Ok(Box::new(io::Cursor::new(bytes))))?;
        for (digest, size) in &image.blobs {
            self.blob(*digest, *size, || open(*digest))?;
        }
        let named = image.blobs.iter().map(|(digest, _)| *digest).chain([manifest]).collect();
        self.catalog.images.insert(manifest, image);
        Ok(named)
    }

    /// Adds a recipe whose blobs were added before.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn recipe(&mut self, packed: Packed) -> Result<Digest, PantryError> {
        self.bytes(EMPTY.to_vec())?;
        let (digest, _) = self.bytes(packed.manifest())?;
        self.catalog.recipes.insert(digest, packed);
        Ok(digest)
    }

    /// Puts the new pantry in the place of the old one.
    ///
    /// # Errors
    /// If a blob that another recipe needs is not there any more; what the disk reports. The old pantry is then as it was.
    pub fn finish(mut self) -> Result<Filled, PantryError> {
        let back = |lost: &Lost| {
            self.catalog.recipes.contains_key(&lost.digest) || self.catalog.images.contains_key(&lost.digest)
        };
        if let Some(lost) = self.lost.iter().find(|lost| !back(lost)) {
            return Err(PantryError::Damaged {
                folder: self.target.clone(),
                what: lost.digest.to_string(),
                why: format!("{}; fill it again with the recipe that needs it", lost.why),
            });
        }
        let (index, size) = self.bytes(self.catalog.index())?;
        for (digest, size) in self.catalog.blobs() {
            if !self.placed.contains_key(&digest) && !self.link(digest, size, false)? {
                return Err(PantryError::Damaged {
                    folder: self.target.clone(),
                    what: digest.to_string(),
                    why: "is missing; fill it again with the recipe that needs it".to_owned(),
                });
            }
        }
        let new = self.placed.values().filter(|(_, new)| *new);
        let added = new.fold((0, 0), |(count, bytes), (size, _)| (count + 1, bytes + size));
        let descriptor = Descriptor::new(media_type::INDEX, index, size);
        let tags = [TAG.to_owned()];
        if let Some(staging) = self.staging.take() {
            staging.publish(&layout::index_json(TAG, &tags, &descriptor)).map_err(|error| self.failed(error))?;
        }
        let (recipes, images) = (self.catalog.recipes.len(), self.catalog.images.len());
        Ok(Filled { recipes, images, added, index })
    }
}
