//! Where the bytes of a check come from: a layout's own files, or what an archive or a registry gives for a digest.

use super::fault::Fault;
use super::name::Name;
use crate::oci::{Descriptor, document};
use crate::registry::RegistryErrorKind;
use crate::source::image::{ImageError, Lying};
use crate::transport::{Source, TransportError};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

/// A place that holds images.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) interrupt: &'a AtomicBool,
}

/// A blob that was asked for.
pub(super) enum Opened<'a> {
    Here {
        reader: Box<dyn Read + Send + 'a>,
        /// The number of its bytes, where that is known before they are read.
        length: Option<u64>,
    },
    /// It is not there.
    Missing,
    /// Something is there, and no blob.
    Wrong(Fault),
}

/// A document that was asked for.
pub(super) enum Got {
    Bytes(Vec<u8>),
    Missing,
    Wrong(Fault),
}

impl<'a> Origin<'a> {
    /// Whether the user asked to stop.
    pub(super) fn stop(&self) -> Result<(), TransportError> {
        match self.interrupt.load(Ordering::Relaxed) {
            true => Err(TransportError::Interrupted),
            false => Ok(()),
        }
    }

    /// Opens a blob. Errors are those that leave the image unjudged: a disk or network that fails.
    pub(super) fn open(&self, name: &Name, size: u64, what: &'static str) -> Result<Opened<'a>, TransportError> {
        self.stop()?;
        if self.source.layout().is_some() {
            return self.file(&name.file());
        }
        let Some(digest) = name.sha256() else {
            return Ok(Opened::Wrong(Fault::Unverified { algorithm: name.algorithm().to_owned() }));
        };
        match self.source.blob(&Descriptor::new("", digest, size), what) {
            Ok(reader) => Ok(Opened::Here { reader, length: None }),
            Err(error) => fault(error).map(|fault| fault.map_or(Opened::Missing, Opened::Wrong)),
        }
    }

    /// Opens a file of a layout.
    pub(super) fn file(&self, path: &str) -> Result<Opened<'a>, TransportError> {
        let Some(layout) = self.source.layout() else { return Ok(Opened::Missing) };
        Ok(match layout.look(path).map_err(|error| self.failed(path, error))? {
            None => Opened::Missing,
            Some(Lying::Symlink) => Opened::Wrong(Fault::Dangling),
            Some(Lying::Other) => Opened::Wrong(Fault::NotAFile),
            Some(Lying::File { reader, length }) => Opened::Here { reader, length: Some(length) },
        })
    }

    /// The whole of a small file of a layout.
    pub(super) fn small(&self, path: &str) -> Result<Got, TransportError> {
        let opened = self.file(path)?;
        self.read(opened, path)
    }

    /// A manifest, index or config. Its bytes are not checked yet, unless they come from a registry.
    pub(super) fn document(
        &self,
        name: &Name,
        media_type: &str,
        size: u64,
        what: &'static str,
    ) -> Result<Got, TransportError> {
        let (false, Some(digest)) = (self.source.layout().is_some(), name.sha256()) else {
            let opened = self.open(name, size, what)?;
            return self.read(opened, name.text());
        };
        match self.source.document(&Descriptor::new(media_type, digest, size), what) {
            Ok(document) => Ok(Got::Bytes(document.bytes)),
            Err(error) => fault(error).map(|fault| fault.map_or(Got::Missing, Got::Wrong)),
        }
    }

    fn read(&self, opened: Opened<'a>, what: &str) -> Result<Got, TransportError> {
        let (reader, length) = match opened {
            Opened::Here { reader, length } => (reader, length),
            Opened::Missing => return Ok(Got::Missing),
            Opened::Wrong(fault) => return Ok(Got::Wrong(fault)),
        };
        if length.is_some_and(|length| length > document::LIMIT) {
            return Ok(Got::Wrong(Fault::TooLarge));
        }
        match document::read(reader) {
            Ok(bytes) => Ok(Got::Bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Got::Wrong(Fault::TooLarge)),
            Err(error) => Err(self.failed(what, error)),
        }
    }

    /// The disk's word, or the registry's.
    pub(super) fn failed(&self, what: &str, source: io::Error) -> TransportError {
        if self.interrupt.load(Ordering::Relaxed) {
            return TransportError::Interrupted;
        }
        let source = ImageError::Io { path: what.to_owned(), source };
        TransportError::Image { image: self.source.name.to_string(), source: Box::new(source) }
    }
}

/// What is wrong with the image itself; none: it is not there. Everything else says nothing about the image.
pub(super) fn fault(error: TransportError) -> Result<Option<Fault>, TransportError> {
    match &error {
        TransportError::Image { source, .. } => match &**source {
            ImageError::Digest { found, .. } => Ok(Some(Fault::Digest { found: found.to_string() })),
            ImageError::Broken { why, .. } => Ok(Some(Fault::Unreadable(why.clone()))),
            ImageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Err(error),
        },
        TransportError::Blob { source, .. } if source.kind() == io::ErrorKind::NotFound => Ok(None),
        TransportError::Registry(registry) => match &registry.kind {
            RegistryErrorKind::Gone { .. } => Ok(None),
            RegistryErrorKind::Digest { found, .. } => Ok(Some(Fault::Digest { found: found.to_string() })),
            RegistryErrorKind::Size { expected, found } => Ok(Some(Fault::Size { stated: *expected, found: *found })),
            RegistryErrorKind::TooLarge { .. } => Ok(Some(Fault::TooLarge)),
            RegistryErrorKind::NotAManifest { what } => Ok(Some(Fault::Unreadable(format!("it is {what}")))),
            _ => Err(error),
        },
        _ => Err(error),
    }
}
