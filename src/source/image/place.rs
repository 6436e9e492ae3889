//! Where the files of a layout are: in a folder, in a tar, or each by itself.

use super::ImageError;
use super::error::broken;
use crate::file;
use crate::oci::{Descriptor, Digest, ImageName, Transport, document};
use crate::source::archive::{self, Limits, Slice};
use crate::tree::{Kind, through};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Where the bytes of a blob are.
#[derive(Debug, Clone)]
pub(super) enum Blob {
    File(PathBuf),
    Slice(Slice),
}

impl Blob {
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(path) => Box::new(file::open(path)?),
            Self::Slice(slice) => Box::new(slice.reader()),
        })
    }
}

/// A layout, in a folder or in a tar, or blobs alone; `shown` is what the user calls it.
pub(super) enum Place {
    Folder { path: PathBuf, shown: String },
    Tar { shown: String, files: BTreeMap<Vec<u8>, Slice> },
    Blobs { shown: String, files: BTreeMap<String, PathBuf> },
}

/// Where a blob stands in a layout.
pub(super) fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl Place {
    /// The place that `name` says. Relative paths start at `folder`; archives that are compressed are unpacked into `scratch`.
    pub(super) fn open(
        name: &ImageName,
        folder: &Path,
        scratch: &Path,
        interrupt: &AtomicBool,
    ) -> Result<Self, ImageError> {
        match &name.transport {
            Transport::Layout(path) => Ok(Self::Folder { path: folder.join(path), shown: path.display().to_string() }),
            Transport::OciArchive(path) | Transport::DockerArchive(path) => Self::tar(folder, path, scratch, interrupt),
            Transport::Registry(_) => Err(ImageError::Registry),
        }
    }

    fn tar(folder: &Path, path: &Path, scratch: &Path, interrupt: &AtomicBool) -> Result<Self, ImageError> {
        let archive = archive::open(&folder.join(path), scratch, &Limits::default(), interrupt)?;
        let (mut files, mut links) = (BTreeMap::new(), BTreeMap::new());
        for member in archive.members {
            match member.kind {
                Kind::File { content, .. } => drop(files.insert(member.path.as_bytes().to_vec(), content)),
                Kind::Symlink { target } => drop(links.insert(member.path, target)),
                _ => {}
            }
        }
        // Docker before 25 writes a symlink where a layer comes twice.
        for link in links.keys() {
            let target = through(link, true, |at| links.get(at).map(|target| &**target));
            let content = target.ok().flatten().and_then(|target| files.get(target.as_bytes()).cloned());
            if let Some(content) = content.filter(|_| !link.as_bytes().starts_with(b"blobs/")) {
                files.insert(link.as_bytes().to_vec(), content);
            }
        }
        Ok(Self::Tar { shown: path.display().to_string(), files })
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Self::Folder { shown, .. } | Self::Tar { shown, .. } | Self::Blobs { shown, .. } => shown,
        }
    }

    /// Why it is no image layout; `error` says that its `oci-layout` cannot be read.
    fn no_layout(&self, error: ImageError) -> ImageError {
        let name = self.name();
        let missing = matches!(&error, ImageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound);
        ImageError::NotAnImage(match self {
            Self::Folder { path, .. } if path.is_file() => {
                format!("`{name}` is a file, and an image layout is a folder; an archive is oci-archive:{name}")
            }
            Self::Folder { path, .. } if !path.exists() => format!("there is no folder `{name}`"),
            Self::Folder { .. } if missing => format!("`{name}` is no image layout: it has no file `oci-layout`"),
            Self::Tar { files, .. } if missing && files.contains_key(b"manifest.json".as_slice()) => {
                format!("`{name}` holds no image layout; what `docker save` writes is docker-archive:{name}")
            }
            Self::Tar { .. } if missing => format!("`{name}` holds no image layout: it has no file `oci-layout`"),
            _ => return error,
        })
    }

    pub(super) fn blob(&self, name: &str) -> Result<Blob, ImageError> {
        match self {
            Self::Folder { path, .. } => Ok(Blob::File(path.join(name))),
            Self::Tar { files, .. } => files.get(name.as_bytes()).cloned().map(Blob::Slice).ok_or_else(|| {
                let source = io::Error::new(io::ErrorKind::NotFound, "the archive has no such file");
                ImageError::Io { path: name.to_owned(), source }
            }),
            Self::Blobs { files, .. } => files.get(name).cloned().map(Blob::File).ok_or_else(|| {
                let source = io::Error::new(io::ErrorKind::NotFound, "it was not fetched");
                ImageError::Io { path: name.to_owned(), source }
            }),
        }
    }

    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        self.blob(name)?.open().and_then(document::read).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => broken(name, source.to_string()),
            _ => ImageError::Io { path: name.to_owned(), source },
        })
    }

    /// `index.json` of an image layout.
    pub(super) fn index(&self) -> Result<Vec<u8>, ImageError> {
        self.read("oci-layout").map_err(|error| self.no_layout(error))?;
        self.read("index.json")
    }

    /// A manifest, index or config, held against its descriptor.
    pub(super) fn document(&self, descriptor: &Descriptor, what: &str) -> Result<Value, ImageError> {
        checked(&self.read(&blob_name(descriptor.digest))?, descriptor, what)
    }
}

/// A document, held against its descriptor.
pub(super) fn checked(bytes: &[u8], descriptor: &Descriptor, what: &str) -> Result<Value, ImageError> {
    let what = || format!("{what} {}", descriptor.digest);
    document::held(bytes, descriptor).map_err(|error| ImageError::of(what(), error))
}
