//! A pantry that is elsewhere: its documents lie in a folder that nobody else sees, its blobs come when they are asked for.

use super::{Pantry, PantryError, blob};
use crate::oci::Digest;
use crate::store::Found;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// Where blobs are fetched from.
pub trait Far: fmt::Debug + Send + Sync {
    /// Looks for a blob, and fetches it to this disk.
    ///
    /// # Errors
    /// If it cannot be known whether it is there.
    fn find(&self, digest: Digest, size: u64, interrupt: &AtomicBool) -> io::Result<Found>;
}

/// A pantry that is elsewhere.
#[derive(Debug, Clone)]
pub struct Distant {
    home: Arc<TempDir>,
    index: Digest,
    name: String,
    far: Option<Arc<dyn Far>>,
}

impl Distant {
    /// A pantry whose documents are the layout in `home`, with this index, and which people call `name`.
    #[must_use]
    pub fn new(home: TempDir, index: Digest, name: String, far: Arc<dyn Far>) -> Self {
        Self { home: Arc::new(home), index, name, far: Some(far) }
    }

    /// The digest of its index.
    #[must_use]
    pub fn index(&self) -> Digest {
        self.index
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder with its documents, and whatever was fetched.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Opens it.
    ///
    /// # Errors
    /// See [`PantryError`].
    pub fn open(&self) -> Result<Pantry, PantryError> {
        let pantry = Pantry::open(self.folder()).map_err(|error| self.told(error))?;
        Ok(Pantry { distant: Some(self.clone()), ..pantry })
    }

    /// Fetches everything that is to be had, and lets go of where it came from: from now on it is a pantry on disk.
    ///
    /// # Errors
    /// If its index is lost; what the other end or the disk reports.
    pub fn fetch(&mut self, interrupt: &AtomicBool) -> Result<(), PantryError> {
        let (pantry, _) = Pantry::open_damaged(self.folder()).map_err(|error| self.told(error))?;
        let failed = |source| PantryError::Io { path: (&self.name).into(), source };
        for (digest, size) in &pantry.sizes {
            let here = blob(self.folder(), *digest);
            if here.exists() {
                continue;
            }
            if let Found::Sound(path) = self.find(*digest, *size, interrupt).map_err(failed)? {
                fs::hard_link(&path, &here).or_else(|_| fs::copy(&path, &here).map(drop)).map_err(failed)?;
            }
        }
        self.far = None;
        Ok(())
    }

    pub(super) fn find(&self, digest: Digest, size: u64, interrupt: &AtomicBool) -> io::Result<Found> {
        self.far.as_ref().map_or(Ok(Found::Missing), |far| far.find(digest, size, interrupt))
    }

    /// By its own name: nobody knows the folder.
    fn told(&self, error: PantryError) -> PantryError {
        match error {
            PantryError::NoPantry { why, .. } => PantryError::NoPantry { folder: (&self.name).into(), why },
            PantryError::Damaged { what, why, .. } => PantryError::Damaged { folder: (&self.name).into(), what, why },
            error => error,
        }
    }
}
