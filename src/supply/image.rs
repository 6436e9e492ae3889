//! Images: documents first, then every blob that they name, several at a time.

use super::shortage::cannot_write;
use super::{Online, Reach, Supply, SupplyError};
use crate::lock::Pin;
use crate::net::{HttpError, HttpErrorKind};
use crate::oci::{Descriptor, Digest, ImageName, Platform, Transport, document, json, media_type};
use crate::registry::{Action, Reference, Registry, RegistryError, RegistryErrorKind, Repository};
use crate::source::{Ready, image};
use crate::store::{Part, hash};
use crate::together::side_by_side;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

/// How many blobs are fetched at a time.
const AT_ONCE: usize = 4;

/// A registry's repository, if it may be asked.
pub struct Remote<'a> {
    online: Option<&'a Online>,
    name: Option<String>,
    /// Once something is to be fetched.
    registry: OnceLock<Registry>,
}

impl<'a> Remote<'a> {
    /// The repository of an image's name.
    #[must_use]
    pub fn new(online: Option<&'a Online>, name: &ImageName) -> Self {
        let name = match &name.transport {
            Transport::Registry(repository) if online.is_some() => Some(repository.clone()),
            _ => None,
        };
        Self { online, name, registry: OnceLock::new() }
    }

    fn repository(&self) -> Result<Option<Repository<'_>>, SupplyError> {
        let (Some(online), Some(name)) = (self.online, &self.name) else { return Ok(None) };
        let http = online.http()?;
        let registry = self.registry.get_or_init(|| Registry::new(http, &online.credentials, online.insecure));
        Ok(Some(registry.repository(name)))
    }
}

impl Supply<'_> {
    /// The network, if it may be asked.
    #[must_use]
    pub fn online(&self) -> Option<&Online> {
        match self.reach {
            Reach::Network(online) => Some(online),
            _ => None,
        }
    }

    pub(super) fn image(
        &self,
        name: &ImageName,
        top: Digest,
        pin: Option<Pin>,
        platform: &Platform,
    ) -> Result<Ready, SupplyError> {
        let on_disk = match name.path().filter(|path| self.may_open(path)) {
            Some(_) => match self.on_disk(name, top, pin, platform) {
                Ok(ready) => return Ok(ready),
                Err(error) => Some(error),
            },
            None => None,
        };
        let remote = Remote::new(self.online(), name);
        self.blobs(name, top, pin, platform, &remote).map_err(|error| match (error, on_disk) {
            // Where the recipe looks comes first.
            (SupplyError::Missing(_), Some(error)) => error,
            (error, _) => error,
        })
    }

    /// The image where the recipe says, if it is the pinned one.
    fn on_disk(
        &self,
        name: &ImageName,
        top: Digest,
        pin: Option<Pin>,
        platform: &Platform,
    ) -> Result<Ready, SupplyError> {
        let found = image::open(name, self.folder, platform, self.scratch, self.interrupt);
        let found = found.map_err(|error| self.gone(error.to_string()))?;
        let wanted = pin.map_or(top, |pin| pin.digest);
        match found.digest {
            // Whoever opens it again gets this one or none.
            Some(digest) if digest == wanted || pin.is_none() => Ok(Ready::Image(name.pinned(digest))),
            Some(digest) => Err(SupplyError::Changed(format!("it is {digest} now, and {wanted} is pinned"))),
            None => Err(SupplyError::failed("it has no manifest")),
        }
    }

    /// The image by its digests alone.
    fn blobs(
        &self,
        name: &ImageName,
        top: Digest,
        pin: Option<Pin>,
        platform: &Platform,
        remote: &Remote<'_>,
    ) -> Result<Ready, SupplyError> {
        let mut blobs = BTreeMap::new();
        let manifest = match pin {
            Some(pin) => Descriptor::new(media_type::MANIFEST, pin.digest, pin.size),
            None => self.manifest_for(top, platform, remote, &mut blobs)?,
        };
        let (document, bytes) = self.document(manifest.digest, remote)?;
        blobs.insert(manifest.digest, document);
        let manifest = described(manifest.digest, &bytes);
        for (descriptor, path) in self.fetch_all(&bytes, remote)? {
            blobs.insert(descriptor.digest, path);
        }
        // The index that its name stands for goes where the image goes, if it is there.
        if top != manifest.digest
            && let Some(path) = self.at_hand(top)?
        {
            blobs.insert(top, path);
        }
        // It may be one for another platform, which a manifest does not say: its config does.
        image::open_blobs(&called(name), &manifest, &blobs, platform)
            .map_err(|error| SupplyError::failed(error.to_string()))?;
        Ok(Ready::Blobs { name: called(name), manifest, blobs })
    }

    /// Finds the manifest for a platform below an index; notes the documents that lead there.
    ///
    /// # Errors
    /// If there is none, or a document is not to be had.
    pub fn manifest_for(
        &self,
        top: Digest,
        platform: &Platform,
        remote: &Remote<'_>,
        documents: &mut BTreeMap<Digest, PathBuf>,
    ) -> Result<Descriptor, SupplyError> {
        let (path, bytes) = self.document(top, remote)?;
        documents.insert(top, path);
        let mut trouble = None;
        let mut read = |descriptor: &Descriptor| match self.document(descriptor.digest, remote) {
            Ok((path, bytes)) => {
                documents.insert(descriptor.digest, path);
                Ok(bytes)
            }
            Err(error) => {
                let why = error.to_string();
                trouble = Some(error);
                Err(why)
            }
        };
        let found = image::manifest_for(&described(top, &bytes), platform, &mut read);
        found.map_err(|error| trouble.unwrap_or_else(|| SupplyError::failed(error.to_string())))
    }

    /// What an image's tag, or its digest, stands for: an index or a manifest.
    ///
    /// # Errors
    /// If the network is not asked, and the digest is not at hand; what the registry says.
    pub fn top(&self, name: &ImageName, digest: Option<Digest>, remote: &Remote<'_>) -> Result<Pin, SupplyError> {
        if let Some(digest) = digest {
            let (_, bytes) = self.document(digest, remote)?;
            return Ok(Pin { digest, size: bytes.len() as u64 });
        }
        let (Some(repository), Some(store)) = (remote.repository()?, self.store) else {
            return Err(SupplyError::Missing("only its registry knows what that is now".to_owned()));
        };
        let tag = Reference::Tag(name.tag.as_deref().unwrap_or("latest"));
        let (descriptor, bytes) =
            repository.manifest(tag, self.interrupt).map_err(|error| self.registry_error(error))?;
        store.add(&bytes, self.interrupt)?;
        Ok(Pin { digest: descriptor.digest, size: descriptor.size })
    }

    /// A manifest, index or config.
    ///
    /// # Errors
    /// If it is nowhere; what the registry says.
    pub fn document(&self, digest: Digest, remote: &Remote<'_>) -> Result<(PathBuf, Vec<u8>), SupplyError> {
        let path = self.once(digest, || {
            if let Some(path) = self.at_hand(digest)? {
                return Ok(path);
            }
            let (Some(repository), Some(store)) = (remote.repository()?, self.store) else {
                return Err(self.missing());
            };
            let got = repository.manifest(Reference::Digest(digest), self.interrupt);
            let (_, bytes) = got.map_err(|error| self.registry_error(error))?;
            Ok(store.add(&bytes, self.interrupt)?.1)
        })?;
        let bytes = image::read_document(&path).map_err(|error| SupplyError::failed(error.to_string()))?;
        Ok((path, bytes))
    }

    /// Everything that a manifest names.
    fn fetch_all(&self, manifest: &[u8], remote: &Remote<'_>) -> Result<Vec<(Descriptor, PathBuf)>, SupplyError> {
        let wanted = json::parse(manifest).map_err(SupplyError::failed)?;
        let wanted = document::blobs(&wanted).map_err(|error| SupplyError::failed(format!("its manifest: {error}")))?;
        let fetched = side_by_side(&wanted, AT_ONCE, |_, descriptor| match self.interrupt.load(Ordering::Relaxed) {
            true => Err(SupplyError::Interrupted),
            false => Ok((descriptor.clone(), self.blob(descriptor, remote)?)),
        });
        // What was not begun comes behind what failed.
        fetched.into_iter().flatten().collect()
    }

    fn blob(&self, descriptor: &Descriptor, remote: &Remote<'_>) -> Result<PathBuf, SupplyError> {
        self.once(descriptor.digest, || {
            if let Some(path) = self.at_hand(descriptor.digest)? {
                return Ok(path);
            }
            let Some(repository) = remote.repository()? else { return Err(self.missing()) };
            self.fetch_from(&repository, descriptor)
        })
    }

    /// Fetches a blob of a repository into the store.
    pub(super) fn fetch_from(
        &self,
        repository: &Repository<'_>,
        descriptor: &Descriptor,
    ) -> Result<PathBuf, SupplyError> {
        let store = self.store.ok_or_else(|| self.missing())?;
        let digest = descriptor.digest;
        let get = |part: &mut Part| {
            let got = repository.blob(digest, descriptor.size, part, self.interrupt);
            got.map_err(|error| self.registry_error(error))
        };
        self.fetch(digest, &mut |part: &mut Part| {
            let resumed = part.len() > 0;
            get(part)?;
            if resumed && part.digest() != digest {
                // What an earlier rebake had received was of no use.
                part.restart().map_err(|error| cannot_write(store, &error))?;
                get(part)?;
            }
            let found = part.digest();
            if found == digest {
                return Ok(());
            }
            part.restart().map_err(|error| cannot_write(store, &error))?;
            let kind = RegistryErrorKind::Digest { expected: digest, found };
            let (repository, reference) = (repository.full_name(), digest.to_string().into());
            Err(self.registry_error(RegistryError { repository, reference, action: Action::Pull, kind }))
        })
    }

    /// A docker-archive, by the digest of its file.
    pub(super) fn archive(&self, name: &ImageName, file: Pin) -> Result<Ready, SupplyError> {
        let mut there = None;
        if let Some(path) = name.path().filter(|path| self.may_open(path)) {
            match hash(&self.folder.join(path), self.interrupt) {
                Ok((digest, _)) if digest == file.digest => return Ok(Ready::Image(name.clone())),
                Ok((digest, _)) => {
                    let why = format!("its file is {digest} now, and {} is pinned", file.digest);
                    there = Some(SupplyError::Changed(why));
                }
                Err(_) if self.interrupt.load(Ordering::Relaxed) => return Err(SupplyError::Interrupted),
                Err(error) => {
                    there = Some(self.gone(format!("cannot read {}: {error}", path.display())));
                }
            }
        }
        match self.at_hand(file.digest)? {
            // Not relative to the recipe's folder, as names are.
            Some(path) => Ok(Ready::Image(name.at(std::path::absolute(&path).unwrap_or(path)))),
            None => Err(there.unwrap_or_else(|| self.missing())),
        }
    }

    /// Whether a path of the recipe may be followed.
    pub(super) fn may_open(&self, path: &Path) -> bool {
        let inside = || match (self.folder.join(path).canonicalize(), self.folder.canonicalize()) {
            (Ok(path), Ok(folder)) => path.starts_with(folder),
            // Nothing is there.
            _ => path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)),
        };
        !matches!(self.reach, Reach::Folder) || inside()
    }

    pub(super) fn registry_error(&self, error: RegistryError) -> SupplyError {
        let pinned = error.reference.contains(':');
        match error.kind {
            RegistryErrorKind::Http(http) => match (http.kind, self.store) {
                (HttpErrorKind::Interrupted, _) => SupplyError::Interrupted,
                (HttpErrorKind::Disk(source), Some(store)) => cannot_write(store, &source),
                // It names the image already.
                (kind, _) => SupplyError::failed(HttpError { kind, ..*http }.to_string()),
            },
            RegistryErrorKind::Gone { said } if pinned => {
                let host = error.repository.split('/').next().unwrap_or_default();
                let said = said.map(|said| format!(" (it says: {said})")).unwrap_or_default();
                SupplyError::Gone(format!(
                    "the image that is pinned is gone from {host}, and {}: no {}@{} is there{said}",
                    self.no_pantry(),
                    error.repository,
                    error.reference
                ))
            }
            kind => SupplyError::failed(RegistryError { kind, ..error }.to_string()),
        }
    }
}

/// What people call an image: a registry's by its whole name.
fn called(name: &ImageName) -> String {
    match (&name.transport, &name.tag) {
        (Transport::Registry(repository), Some(tag)) => format!("{repository}:{tag}"),
        (Transport::Registry(repository), None) => repository.clone(),
        _ => name.without_digest(),
    }
}

/// A document's descriptor: its own word on its media type, else what it looks like.
fn described(digest: Digest, bytes: &[u8]) -> Descriptor {
    let json = json::parse(bytes).unwrap_or_default();
    let own = json.get("mediaType").and_then(Value::as_str);
    let looks = if json.get("manifests").is_some() { media_type::INDEX } else { media_type::MANIFEST };
    Descriptor::new(own.unwrap_or(looks), digest, bytes.len() as u64)
}
