//! Why a path beside the recipe cannot be used.

use std::io;

/// Why a path beside the recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Nothing is there.
    #[error("`{0}` is not there")]
    Missing(String),
    /// A symlink whose target is not there.
    #[error("`{path}` is a symlink to `{to}`, which is not there")]
    Dangling {
        /// As the recipe names it.
        path: String,
        /// Where it points.
        to: String,
    },
    /// A symlink leads out of the recipe's folder.
    #[error("`{path}` leads to {to}, outside the recipe's folder")]
    Outside {
        /// As the recipe names it.
        path: String,
        /// Where it leads.
        to: String,
    },
    /// A symlink leads back to itself.
    #[error("`{0}` leads into a loop of symlinks")]
    Loop(String),
    /// A socket, pipe or device.
    #[error("`{path}` is {what}, which cannot be copied into an image")]
    Special {
        /// Relative to the recipe's folder.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// A slash at the end, and no folder.
    #[error("`{0}` is a file, not a folder")]
    NotAFolder(String),
    /// Where the image itself goes.
    #[error("{0} is where images are written, and never goes into one")]
    Written(String),
    /// The disk says no.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// Relative to the recipe's folder.
        path: String,
        /// The disk's word.
        source: io::Error,
    },
}
