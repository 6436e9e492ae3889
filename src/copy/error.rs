//! Why nothing was copied, and at which of the two ends.

use crate::oci::Digest;
use crate::registry::RegistryError;
use crate::transport::TransportError;
use std::io;

/// Why nothing was copied. The destination has no new tag.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source cannot be read.
    #[error("the source: {0}")]
    Source(TransportError),
    /// The destination's registry does not take it.
    #[error("the destination: {0}")]
    Registry(Box<RegistryError>),
    /// The destination's registry cannot be asked at all.
    #[error("the destination: {0}")]
    Unreachable(TransportError),
    /// The disk at the destination says no.
    #[error("the destination: cannot write {destination}: {source}")]
    Disk {
        /// As the user named it.
        destination: String,
        /// What the disk says.
        source: io::Error,
    },
    /// What stands at the destination is not to be written to.
    #[error("the destination: {destination} {why}")]
    Taken {
        /// As the user named it.
        destination: String,
        /// What it is.
        why: &'static str,
    },
    /// The destination's name has another digest.
    #[error("{destination} names a digest, and what {source_name} stands for has another one: {found}")]
    Digest {
        /// As the user named it.
        destination: String,
        /// The source, as the user named it.
        source_name: String,
        /// What it has.
        found: Digest,
    },
    /// A tag for several images.
    #[error(
        "{source_name} holds {count} images, and each keeps its own tags: leave the tag out of {destination}, and --tag"
    )]
    Several {
        /// The source, as the user named it.
        source_name: String,
        /// How many.
        count: usize,
        /// As the user named it.
        destination: String,
    },
    /// There is no such platform, or none was chosen where one has to be.
    #[error("{why}; {source_name} is there for {}", there.join(", "))]
    Platform {
        /// What is the matter.
        why: String,
        /// The source, as the user named it.
        source_name: String,
        /// The platforms that there are.
        there: Vec<String>,
    },
    /// It cannot be what the destination is.
    #[error("{what}: {why}")]
    Unfit {
        /// What.
        what: String,
        /// Why not.
        why: &'static str,
    },
    /// More than any image has.
    #[error("the source: {what}: {why}")]
    TooMuch {
        /// As the user named it.
        what: String,
        /// The bound.
        why: String,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl From<TransportError> for CopyError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Interrupted => Self::Interrupted,
            error => Self::Source(error),
        }
    }
}

impl CopyError {
    /// What can be done about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.help(),
            _ => None,
        }
    }
}
