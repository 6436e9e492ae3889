//! Why an image cannot be used.

use crate::oci::document::DocumentError;
use crate::oci::{Digest, Platform};
use crate::source::archive::ArchiveError;
use std::io;

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is in a registry.
    #[error("it is in a registry, and only one on this disk can be opened")]
    Registry,
    /// The place cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The disk's word.
        source: io::Error,
    },
    /// The archive cannot be read.
    #[error("{}", .0.why())]
    Archive(#[from] ArchiveError),
    /// The place is no image.
    #[error("{0}")]
    NotAnImage(String),
    /// No image, or more than one, has the tag.
    #[error("{0}")]
    Choice(String),
    /// Bytes are not those that a digest names.
    #[error("{what} is corrupt: its bytes have the digest {found}")]
    Digest {
        /// Which document or layer, by the digest it should have.
        what: String,
        /// What it is.
        found: Digest,
    },
    /// It is another one than the name says.
    #[error("its digest is {found}, not the one in its name")]
    Pinned {
        /// What it is.
        found: Digest,
    },
    /// A document or layer that breaks the specification.
    #[error("{what}: {why}")]
    Broken {
        /// Which document or layer.
        what: String,
        /// In which way.
        why: String,
    },
    /// It is for other platforms.
    #[error("it is not there for {wanted}; it is there for {}", available.join(", "))]
    Platform {
        /// Asked for.
        wanted: Platform,
        /// There.
        available: Vec<String>,
    },
}

impl ImageError {
    /// What is wrong with a document that is called `what`.
    #[must_use]
    pub fn of(what: impl Into<String>, error: DocumentError) -> Self {
        match error {
            DocumentError::Digest { found } => Self::Digest { what: what.into(), found },
            error => broken(what, error.to_string()),
        }
    }

    /// What can be done about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Archive(error) => error.help(),
            _ => None,
        }
    }
}

pub(super) fn broken(what: impl Into<String>, why: impl Into<String>) -> ImageError {
    ImageError::Broken { what: what.into(), why: why.into() }
}
