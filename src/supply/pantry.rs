//! Pantries in registries: documents are fetched at once, blobs when somebody asks for them, through the store.

use super::{Reach, Supply, SupplyError};
use crate::layout::{OCI_LAYOUT, index_json};
use crate::oci::{Descriptor, Digest, ImageName, Transport, media_type};
use crate::pantry::{DOCUMENTS, Distant, Far, TAG};
use crate::registry::{Reference, Registry, RegistryErrorKind};
use crate::source::image::descriptors;
use crate::store::{Found, Store};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The repository that holds a pantry.
struct Shelf {
    registry: Registry,
    repository: String,
    store: Store,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelf({})", self.repository)
    }
}

impl Far for Shelf {
    fn find(&self, digest: Digest, size: u64, interrupt: &AtomicBool) -> io::Result<Found> {
        // Whoever asks has no network of his own by that.
        let (pantries, reach, folder) = (&[], Reach::Disk, Path::new(""));
        let (store, scratch) = (Some(&self.store), folder);
        let supply = Supply { pantries, store, reach, folder, shared: None, scratch, interrupt, notice: &|_| {} };
        let descriptor = Descriptor::new("", digest, size);
        let found = supply.at_hand(digest).and_then(|path| match path {
            Some(path) => Ok(path),
            None => supply.fetch_from(&self.registry.repository(&self.repository), &descriptor),
        });
        match found {
            Ok(path) => Ok(Found::Sound(path)),
            Err(SupplyError::Gone(_)) => Ok(Found::Missing),
            Err(SupplyError::Interrupted) => Err(io::ErrorKind::Interrupted.into()),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }
}

impl Supply<'_> {
    /// The pantry that a registry has under a name, if it has one.
    ///
    /// # Errors
    /// If the registry does not say; what the disk reports.
    pub fn pantry(&self, name: &ImageName) -> Result<Option<Distant>, SupplyError> {
        let (Some(online), Transport::Registry(repository)) = (self.online(), &name.transport) else {
            return Err(SupplyError::Missing(format!("{name} is in a registry, and --offline asks none")));
        };
        let store = self.store.ok_or_else(|| self.missing())?;
        let registry = Registry::new(online.http()?, &online.credentials, online.insecure);
        let shelf = Shelf { registry, repository: repository.clone(), store: store.clone() };
        let far = shelf.registry.repository(repository);
        let tag = Reference::Tag(name.own_tag().unwrap_or(TAG));
        let (index, bytes) = match far.manifest(name.digest.map_or(tag, Reference::Digest), self.interrupt) {
            Ok(found) => found,
            Err(error) if matches!(error.kind, RegistryErrorKind::Gone { .. }) => return Ok(None),
            Err(error) => return Err(self.registry_error(error)),
        };
        let failed = |source: io::Error| {
            SupplyError::failed(format!("cannot write temporary files to {}: {source}", self.scratch.display()))
        };
        let home = tempfile::Builder::new().prefix("rebake-").tempdir_in(self.scratch).map_err(failed)?;
        let blobs = home.path().join("blobs/sha256");
        let put = |digest: Digest, bytes: &[u8]| fs::write(blobs.join(digest.hex()), bytes).map_err(failed);
        fs::create_dir_all(&blobs).map_err(failed)?;
        put(index.digest, &bytes)?;
        let json = crate::oci::json::parse(&bytes).map_err(SupplyError::failed)?;
        let mut all = 0;
        for descriptor in descriptors(&json, "index").unwrap_or_default() {
            if all > DOCUMENTS {
                let limit = DOCUMENTS >> 20;
                return Err(SupplyError::failed(format!("the pantry {name} has more than {limit} MiB of manifests")));
            }
            // The same from whichever place: it is named by its digest.
            if let Some(path) = self.at_hand(descriptor.digest)? {
                fs::copy(path, blobs.join(descriptor.digest.hex())).map_err(failed)?;
                continue;
            }
            match far.manifest(Reference::Digest(descriptor.digest), self.interrupt) {
                Ok((_, bytes)) => {
                    all += bytes.len() as u64;
                    put(descriptor.digest, &bytes)?;
                    store.add(&bytes, self.interrupt)?;
                }
                // Whoever opens the pantry says so.
                Err(error) if matches!(error.kind, RegistryErrorKind::Gone { .. }) => {}
                Err(error) => return Err(self.registry_error(error)),
            }
        }
        let index = Descriptor::new(media_type::INDEX, index.digest, index.size);
        let tags = [TAG.to_owned()];
        fs::write(home.path().join("oci-layout"), OCI_LAYOUT).map_err(failed)?;
        fs::write(home.path().join("index.json"), index_json(TAG, &tags, &index)).map_err(failed)?;
        Ok(Some(Distant::new(home, index.digest, name.to_string(), Arc::new(shelf))))
    }
}
