//! Images wherever they are: in layouts, archives and registries, read in one way.
//!
//! Documents and blobs come as they are stored there. [`Source::image`] reads the documents that make up an image and
//! holds each against its digest; which of two images is the right one, and whether one is sound, is left to others.

mod error;
mod image;
mod top;

pub use error::TransportError;
pub use image::{Document, Image, Layer, Manifest};

use crate::net::HttpErrorKind;
use crate::oci::{Descriptor, Digest, ImageName, Transport, document, media_type};
use crate::registry::{Reference, Registry, RegistryError, RegistryErrorKind};
use crate::source::image::{Blobs, ImageError, Saved};
use crate::supply::Online;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use top::manifest_of;

/// What reading an image needs of the world.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// Where relative paths start.
    pub folder: &'a Path,
    /// Where temporary files may lie.
    pub scratch: &'a Path,
    /// The network, if it may be asked.
    pub online: Option<&'a Online>,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
}

/// A place that holds images, and which of them is meant.
pub struct Source<'a> {
    /// As the user named it.
    pub name: ImageName,
    kind: Kind,
    interrupt: &'a AtomicBool,
}

enum Kind {
    Layout(Blobs),
    /// It has no manifest: the one that it would have.
    Docker(Box<(Document, Saved)>),
    Registry(Box<Registry>, String),
}

impl<'a> Source<'a> {
    /// Opens the place that a name says. Of a registry nothing is asked yet.
    ///
    /// # Errors
    /// If it is not there, or is no such place.
    pub fn open(name: &ImageName, access: &Access<'a>) -> Result<Self, TransportError> {
        let failed = |source| TransportError::Image { image: name.to_string(), source: Box::new(source) };
        let interrupt = access.interrupt;
        let blobs = || match Blobs::open(name, access.folder, access.scratch, interrupt) {
            Err(_) if interrupt.load(Ordering::Relaxed) => Err(TransportError::Interrupted),
            blobs => blobs.map_err(failed),
        };
        let kind = match &name.transport {
            Transport::Layout(_) | Transport::OciArchive(_) => Kind::Layout(blobs()?),
            Transport::DockerArchive(_) => {
                let saved = blobs()?.saved(name).map_err(failed)?;
                Kind::Docker(Box::new((manifest_of(&saved), saved)))
            }
            Transport::Registry(repository) => {
                let offline = || TransportError::Offline { image: name.to_string() };
                let online = access.online.ok_or_else(offline)?;
                let http = online.http().map_err(TransportError::Network)?;
                Kind::Registry(Box::new(Registry::new(http, &online.credentials, online.insecure)), repository.clone())
            }
        };
        Ok(Self { name: name.clone(), kind, interrupt })
    }

    /// What a tag or digest names in a registry's repository.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn named(&self, reference: Reference<'_>) -> Result<Document, TransportError> {
        let Kind::Registry(registry, repository) = &self.kind else {
            let what = reference.to_string();
            return Err(self.image_error(ImageError::Broken { what, why: "it is in no registry".to_owned() }));
        };
        let found = registry.repository(repository).manifest(reference, self.interrupt);
        let (descriptor, bytes) = found.map_err(|error| self.registry(error))?;
        Document::new(descriptor, bytes).map_err(|source| self.image_error(source))
    }

    /// What a registry lists as referring to a manifest; nothing in other places.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn referrers(&self, subject: Digest) -> Result<Vec<Descriptor>, TransportError> {
        let Kind::Registry(registry, repository) = &self.kind else { return Ok(Vec::new()) };
        registry.repository(repository).referrers(subject, self.interrupt).map_err(|error| self.registry(error))
    }

    /// The layout or oci-archive itself, where it is one.
    #[must_use]
    pub fn layout(&self) -> Option<&Blobs> {
        match &self.kind {
            Kind::Layout(blobs) => Some(blobs),
            _ => None,
        }
    }

    /// The repository, where it is one, with its name in the registry.
    #[must_use]
    pub fn repository(&self) -> Option<(&Registry, &str)> {
        match &self.kind {
            Kind::Registry(registry, repository) => Some((registry, repository)),
            _ => None,
        }
    }

    /// The names that a docker-archive gives its image.
    #[must_use]
    pub fn names(&self) -> &[String] {
        match &self.kind {
            Kind::Docker(image) => &image.1.names,
            _ => &[],
        }
    }

    /// A manifest, index or config, held against its descriptor.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn document(&self, descriptor: &Descriptor, what: &'static str) -> Result<Document, TransportError> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(TransportError::Interrupted);
        }
        let is_manifest =
            media_type::is_manifest(&descriptor.media_type) || media_type::is_index(&descriptor.media_type);
        let bytes = match &self.kind {
            Kind::Docker(image) if image.0.descriptor.digest == descriptor.digest => image.0.bytes.clone(),
            Kind::Registry(registry, repository) if is_manifest => {
                let reference = Reference::Digest(descriptor.digest);
                let found = registry.repository(repository).manifest(reference, self.interrupt);
                found.map_err(|error| self.registry(error))?.1
            }
            Kind::Layout(blobs) => blobs.document(descriptor.digest).map_err(|source| self.image_error(source))?,
            _ => document::read(self.blob(descriptor, what)?).map_err(|source| match source.kind() {
                io::ErrorKind::FileTooLarge => {
                    let what = format!("{what} {}", descriptor.digest);
                    self.image_error(ImageError::Broken { what, why: source.to_string() })
                }
                _ => self.blob_error(what, descriptor.digest, source),
            })?,
        };
        Document::new(descriptor.clone(), bytes).map_err(|source| self.image_error(source))
    }

    /// A blob as it is, not checked. `what` it is called in a message.
    ///
    /// # Errors
    /// If it is not there.
    pub fn blob(
        &self,
        descriptor: &Descriptor,
        what: &'static str,
    ) -> Result<Box<dyn Read + Send + '_>, TransportError> {
        let digest = descriptor.digest;
        let failed = |source| self.blob_error(what, digest, source);
        match &self.kind {
            Kind::Layout(blobs) => Ok(blobs.blob(digest).map_err(failed)?),
            Kind::Docker(image) if Digest::of(&image.1.config) == digest => Ok(Box::new(image.1.config.as_slice())),
            Kind::Docker(image) => {
                let layer = image.1.layers.iter().find(|layer| layer.descriptor.digest == digest);
                let layer = layer.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
                Ok(layer.blob().map_err(failed)?)
            }
            Kind::Registry(registry, repository) => {
                let reader = registry.repository(repository).reader(descriptor, self.interrupt);
                Ok(Box::new(reader.map_err(|error| self.registry(error))?))
            }
        }
    }

    fn image_error(&self, source: ImageError) -> TransportError {
        TransportError::Image { image: self.name.to_string(), source: Box::new(source) }
    }

    fn blob_error(&self, what: &'static str, digest: Digest, source: io::Error) -> TransportError {
        if self.interrupt.load(Ordering::Relaxed) {
            return TransportError::Interrupted;
        }
        TransportError::Blob { image: self.name.to_string(), what, digest, source }
    }

    fn registry(&self, error: RegistryError) -> TransportError {
        match &error.kind {
            RegistryErrorKind::Http(http) if matches!(http.kind, HttpErrorKind::Interrupted) => {
                TransportError::Interrupted
            }
            _ => TransportError::Registry(Box::new(error)),
        }
    }
}
