//! The files of a layout or archive as they lie there, for whoever reads on or judges them: no pipe is waited for.

use super::ImageError;
use super::docker::{self, Saved};
use super::place::{Blob, Place, blob_name};
use crate::file;
use crate::oci::{Digest, ImageName};
use crate::tree::Printable;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// The blobs and documents of images in a layout or archive on disk, as they are.
pub struct Blobs {
    place: Place,
}

impl Blobs {
    /// Opens the place that `name` says. Relative paths start at `folder`; archives that are compressed are unpacked into
    /// `scratch`.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn open(name: &ImageName, folder: &Path, scratch: &Path, interrupt: &AtomicBool) -> Result<Self, ImageError> {
        Ok(Self { place: Place::open(name, folder, scratch, interrupt)? })
    }

    /// Its `index.json`.
    ///
    /// # Errors
    /// If it is no image layout, or the file cannot be read or is too large.
    pub fn index(&self) -> Result<Vec<u8>, ImageError> {
        self.place.index()
    }

    /// A small file of the layout by its name.
    ///
    /// # Errors
    /// If it cannot be read, or is larger than a document may be.
    pub fn file(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        self.place.read(name)
    }

    /// The image of a docker-archive that `name` says.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn saved(&self, name: &ImageName) -> Result<Saved, ImageError> {
        docker::saved(&self.place, name)
    }

    /// Opens a blob; its bytes are not checked.
    ///
    /// # Errors
    /// If it is not there.
    pub fn blob(&self, digest: Digest) -> io::Result<Box<dyn Read + Send>> {
        let blob = self.place.blob(&blob_name(digest)).map_err(|error| match error {
            ImageError::Io { source, .. } => source,
            error => io::Error::other(error.to_string()),
        })?;
        blob.open()
    }

    /// A manifest, index or config; its bytes are not checked.
    ///
    /// # Errors
    /// If it cannot be read, or is larger than such a document is.
    pub fn document(&self, digest: Digest) -> Result<Vec<u8>, ImageError> {
        self.place.read(&blob_name(digest))
    }
}

/// What lies under a name.
pub enum Lying {
    /// A regular file.
    File {
        /// Its bytes.
        reader: Box<dyn Read + Send>,
        /// Their number.
        length: u64,
    },
    /// A symbolic link.
    Symlink,
    /// A folder, pipe, device or socket.
    Other,
}

impl Blobs {
    /// Looks at a name of the layout; none if nothing is there.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn look(&self, name: &str) -> io::Result<Option<Lying>> {
        let path = match &self.place {
            Place::Folder { path, .. } => path.join(name),
            place => {
                let Ok(blob) = place.blob(name) else { return Ok(None) };
                let length = match &blob {
                    Blob::File(path) => fs::metadata(path)?.len(),
                    Blob::Slice(slice) => slice.len(),
                };
                return Ok(Some(Lying::File { reader: blob.open()?, length }));
            }
        };
        let metadata = match fs::symlink_metadata(&path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            metadata => metadata?,
        };
        // One that leads to a file is read like a file: some tools write layouts so.
        let leads = metadata.is_symlink() && fs::metadata(&path).is_ok_and(|metadata| metadata.is_file());
        if metadata.is_symlink() && !leads {
            return Ok(Some(Lying::Symlink));
        }
        if !(metadata.is_file() || leads) {
            return Ok(Some(Lying::Other));
        }
        let file = file::open(&path)?;
        let length = file.metadata()?.len();
        Ok(Some(Lying::File { reader: Box::new(file), length }))
    }

    /// Whether a name of the layout is a symlink.
    #[must_use]
    pub fn is_symlink(&self, name: &str) -> bool {
        matches!(&self.place, Place::Folder { path, .. } if path.join(name).is_symlink())
    }

    /// The names in `blobs` and in the folders there, sorted: `blobs/sha256/…`. None if there is no such folder.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn names(&self) -> io::Result<Option<BTreeSet<String>>> {
        let Place::Folder { path, .. } = &self.place else {
            let names = match &self.place {
                Place::Tar { files, .. } => files.keys().map(|name| Printable(name).to_string()).collect(),
                Place::Blobs { files, .. } => files.keys().cloned().collect::<Vec<_>>(),
                Place::Folder { .. } => Vec::new(),
            };
            return Ok(Some(names.into_iter().filter(|name| name.starts_with("blobs/")).collect()));
        };
        let mut names = BTreeSet::new();
        let top = path.join("blobs");
        if !top.exists() {
            return Ok(None);
        }
        // A symlink in the place of a folder is one of the names.
        for entry in walkdir::WalkDir::new(&top).min_depth(1).max_depth(2).follow_root_links(true) {
            let entry = entry.map_err(io::Error::from)?;
            if entry.depth() == 1 && entry.file_type().is_dir() {
                continue;
            }
            let below = entry.path().strip_prefix(path).unwrap_or(entry.path());
            names.insert(Printable(below.as_os_str().as_encoded_bytes()).to_string());
        }
        Ok(Some(names))
    }

    /// Whether any part of a layout is there.
    #[must_use]
    pub fn is_any(&self) -> bool {
        ["oci-layout", "index.json", "blobs"].iter().any(|name| self.look(name).is_ok_and(|lying| lying.is_some()))
            || self.names().is_ok_and(|names| names.is_some_and(|names| !names.is_empty()))
    }
}
