//! A place that content is copied from: the recipe's folder on disk, or the files of an input. Both are asked the same,
//! so that a copy is one thing wherever it comes from.

use super::Content;
use super::disk::{DiskError, Root};
use super::files::{Files, FilesError};
use super::filter::Filter;
use crate::tree::{Attributes, Kind};
use globset::GlobMatcher;
use std::path::{Path, PathBuf};

/// What stands at a path of a place.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it is. Hard links are files with one id, which means nothing outside this place.
    pub kind: Kind<Content>,
    /// What else the place says of it.
    pub says: Says,
}

/// Something in a folder, and its path below that folder.
pub type FoundBelow = (Box<[u8]>, Found);

/// What a place says of a path that counts in an image.
#[derive(Debug, Clone)]
pub enum Says {
    /// Of files on a disk, in a git tree or behind a URL: whether the owner may execute it.
    Executable(bool),
    /// Of an image, which is pinned bytes: everything.
    All(Attributes),
}

impl Found {
    /// A folder of which nothing is said.
    pub(super) const FOLDER: Self = Self { kind: Kind::Directory, says: Says::Executable(true) };
}

/// Where a copy takes its content from. Paths are relative to the place, and never lead out of it.
pub trait Place {
    /// Looks at the path that a recipe names; symlinks on the way and at its end are followed. Gives the path that they
    /// lead to, too.
    ///
    /// # Errors
    /// See [`PlaceError`].
    fn find(&self, from: &Path) -> Result<(PathBuf, Found), PlaceError>;

    /// Everything below a folder that [`Place::find`] found, each with its path below that folder, by its bytes. Symlinks
    /// are not followed.
    ///
    /// # Errors
    /// The first thing that cannot be read or copied.
    fn walk(&self, folder: &Path, filter: &Filter) -> Result<Vec<FoundBelow>, PlaceError>;

    /// What a pattern without `**` matches, by the bytes of the paths. Symlinks are followed on the way to the first
    /// wildcard only.
    ///
    /// # Errors
    /// The first folder on the way that cannot be read, the first match that cannot be copied.
    fn glob(&self, pattern: &str, matcher: &GlobMatcher) -> Result<Vec<(PathBuf, Found)>, PlaceError>;

    /// The whole of a small file.
    ///
    /// # Errors
    /// See [`PlaceError`].
    fn read(&self, from: &Path) -> Result<Vec<u8>, PlaceError>;

    /// What the place says of a folder on the way to something that was found.
    fn folder(&self, path: &Path) -> Found;
}

/// Why nothing can be copied from a path of a place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The place is the recipe's folder.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The place is an input.
    #[error(transparent)]
    Files(#[from] FilesError),
}

impl PlaceError {
    /// Whether nothing is there, as opposed to something that cannot be used.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Disk(DiskError::Missing(_)) | Self::Files(FilesError::Missing { .. }))
    }
}

impl Place for Root {
    fn find(&self, from: &Path) -> Result<(PathBuf, Found), PlaceError> {
        Ok(Self::find(self, from)?)
    }

    fn walk(&self, folder: &Path, filter: &Filter) -> Result<Vec<FoundBelow>, PlaceError> {
        Ok(Self::walk(self, folder, filter)?)
    }

    fn glob(&self, pattern: &str, matcher: &GlobMatcher) -> Result<Vec<(PathBuf, Found)>, PlaceError> {
        Ok(Self::glob(self, pattern, matcher)?)
    }

    fn read(&self, from: &Path) -> Result<Vec<u8>, PlaceError> {
        Ok(Self::read(self, from)?)
    }

    fn folder(&self, _: &Path) -> Found {
        Found::FOLDER
    }
}

impl Place for Files {
    fn find(&self, from: &Path) -> Result<(PathBuf, Found), PlaceError> {
        Ok(Self::find(self, from)?)
    }

    fn walk(&self, folder: &Path, filter: &Filter) -> Result<Vec<FoundBelow>, PlaceError> {
        Ok(Self::walk(self, folder, filter)?)
    }

    fn glob(&self, pattern: &str, matcher: &GlobMatcher) -> Result<Vec<(PathBuf, Found)>, PlaceError> {
        Ok(Self::glob(self, pattern, matcher)?)
    }

    fn read(&self, from: &Path) -> Result<Vec<u8>, PlaceError> {
        Ok(Self::read(self, from)?)
    }

    fn folder(&self, path: &Path) -> Found {
        Self::folder(self, path)
    }
}
