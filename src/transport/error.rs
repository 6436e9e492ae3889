//! Why an image cannot be read.

use crate::oci::Digest;
use crate::registry::{RegistryError, RegistryErrorKind};
use crate::source::image::ImageError;
use crate::supply::SupplyError;
use std::io;

/// Why an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// On this disk.
    #[error("{image}: {source}")]
    Image {
        /// As the user named it.
        image: String,
        /// What is wrong.
        source: Box<ImageError>,
    },
    /// A registry's answer.
    #[error("{0}")]
    Registry(Box<RegistryError>),
    /// It is in a registry, and the network is not to be asked.
    #[error("{image} is in a registry, and --offline asks none")]
    Offline {
        /// As the user named it.
        image: String,
    },
    /// The network cannot be used at all.
    #[error("{0}")]
    Network(SupplyError),
    /// A blob is not there, or cannot be read.
    #[error("{image}: {what} {digest}: {source}")]
    Blob {
        /// As the user named it.
        image: String,
        /// What it is: `layer`, `config`.
        what: &'static str,
        /// Its digest.
        digest: Digest,
        /// What went wrong.
        source: io::Error,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl TransportError {
    /// What can be done about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Image { source, .. } => source.help(),
            _ => None,
        }
    }

    /// Whether it is just not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Blob { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Image { source, .. } => {
                matches!(&**source, ImageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
            }
            Self::Registry(error) => matches!(error.kind, RegistryErrorKind::Gone { .. }),
            _ => false,
        }
    }
}
