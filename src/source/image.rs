//! Reads an image from a layout, an archive or a set of blobs on disk: the manifest for one platform, its config and its layers. Every
//! byte is held against the digest that names it.

mod change;
mod docker;
mod files;
mod find;
mod merge;
mod verified;

pub use change::{Change, relative};
pub use docker::Saved;
pub use files::Lying;
pub use merge::{Spot, Visit, merged};
pub use verified::Verified;

use super::archive::{self, Limits, Slice};
use crate::file;
use crate::layer::decompress;
use crate::layer::read::{RawEntry, TarReader};
use crate::oci::{Descriptor, Digest, ImageName, Platform, Transport, document, json, media_type};
use crate::tree::{Kind, through};
use find::find;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub use find::{choose, descriptors, manifest_for, normal, platform_of, same_platform};

/// One platform's image, its documents read and checked, its layers not yet read.
#[derive(Debug, Clone)]
pub struct Image {
    /// Digest of its manifest; none in a docker-archive.
    pub digest: Option<Digest>,
    /// Its manifest; none in a docker-archive.
    pub manifest: Option<Descriptor>,
    /// What its name stands for: an index or the manifest itself; none in a docker-archive.
    pub top: Option<Descriptor>,
    /// Its config, with every field.
    pub config: Value,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
}

/// A layer of an image that exists.
#[derive(Debug, Clone)]
pub struct Layer {
    /// As it will stand in an OCI manifest.
    pub descriptor: Descriptor,
    /// The digest of its tar, as the config says it.
    pub diff_id: Digest,
    blob: Blob,
}

/// Where the bytes of a blob are.
#[derive(Debug, Clone)]
enum Blob {
    File(PathBuf),
    Slice(Slice),
}

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
    Archive(#[from] archive::ArchiveError),
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
    /// What can be done about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Archive(error) => error.help(),
            _ => None,
        }
    }
}

fn broken(what: impl Into<String>, why: impl Into<String>) -> ImageError {
    ImageError::Broken { what: what.into(), why: why.into() }
}

/// A layout, in a folder or in a tar, or blobs alone; `shown` is what the user calls it.
enum Place {
    Folder { path: PathBuf, shown: String },
    Tar { shown: String, files: BTreeMap<Vec<u8>, Slice> },
    Blobs { shown: String, files: BTreeMap<String, PathBuf> },
}

/// Where a blob stands in a layout.
fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl Place {
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

    fn name(&self) -> &str {
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

    fn blob(&self, name: &str) -> Result<Blob, ImageError> {
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

    fn read(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        self.blob(name)?.open().and_then(document::read).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => broken(name, source.to_string()),
            _ => ImageError::Io { path: name.to_owned(), source },
        })
    }

    /// A manifest, index or config, held against its descriptor.
    fn document(&self, descriptor: &Descriptor, what: &str) -> Result<Value, ImageError> {
        checked(&self.read(&blob_name(descriptor.digest))?, descriptor, what)
    }
}

/// A document, held against its descriptor.
fn checked(bytes: &[u8], descriptor: &Descriptor, what: &str) -> Result<Value, ImageError> {
    let found = Digest::of(bytes);
    let what = format!("{what} {}", descriptor.digest);
    if found != descriptor.digest {
        return Err(ImageError::Digest { what, found });
    }
    if bytes.len() as u64 != descriptor.size {
        let why = format!("it has {} bytes, where its descriptor says {}", bytes.len(), descriptor.size);
        return Err(broken(what, why));
    }
    json::parse(bytes).map_err(|why| broken(what, why))
}

/// Opens the image that `name` says, for one platform. Relative paths start at `folder`; archives that are compressed are
/// unpacked into `scratch`.
///
/// # Errors
/// See [`ImageError`].
pub fn open(
    name: &ImageName,
    folder: &Path,
    platform: &Platform,
    scratch: &Path,
    interrupt: &AtomicBool,
) -> Result<Image, ImageError> {
    let place = match &name.transport {
        Transport::Layout(path) => Place::Folder { path: folder.join(path), shown: path.display().to_string() },
        Transport::OciArchive(path) => Place::tar(folder, path, scratch, interrupt)?,
        Transport::DockerArchive(path) => {
            let place = Place::tar(folder, path, scratch, interrupt)?;
            return docker::open(&place, name, platform);
        }
        Transport::Registry(_) => return Err(ImageError::Registry),
    };
    if let Err(error) = place.read("oci-layout") {
        return Err(place.no_layout(error));
    }
    let index = json::parse(&place.read("index.json")?).map_err(|why| broken("index.json", why))?;
    let top = choose(&index, name, Some(platform))?;
    let manifest = find(&top, platform, &mut |descriptor, what| place.document(descriptor, what))?;
    if let Some(pinned) = name.digest
        && pinned != top.digest
        && pinned != manifest.digest
    {
        return Err(ImageError::Pinned { found: top.digest });
    }
    Ok(Image { top: Some(top), ..read_manifest(&place, &manifest, platform)? })
}

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
        let place = match &name.transport {
            Transport::Layout(path) => Place::Folder { path: folder.join(path), shown: path.display().to_string() },
            Transport::OciArchive(path) | Transport::DockerArchive(path) => {
                Place::tar(folder, path, scratch, interrupt)?
            }
            Transport::Registry(_) => return Err(ImageError::Registry),
        };
        Ok(Self { place })
    }

    /// Its `index.json`.
    ///
    /// # Errors
    /// If it is no image layout, or the file cannot be read or is too large.
    pub fn index(&self) -> Result<Vec<u8>, ImageError> {
        self.place.read("oci-layout").map_err(|error| self.place.no_layout(error))?;
        self.place.read("index.json")
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

/// Reads a manifest, index or config from a file.
///
/// # Errors
/// What the disk reports; that it is larger than such a document is.
pub fn read_document(path: &Path) -> io::Result<Vec<u8>> {
    document::read(file::open(path)?)
}

/// Opens an image whose manifest for the platform is known, and whose blobs are files. `name` is what the user calls it.
///
/// # Errors
/// See [`ImageError`].
pub fn open_blobs(
    name: &str,
    manifest: &Descriptor,
    blobs: &BTreeMap<Digest, PathBuf>,
    platform: &Platform,
) -> Result<Image, ImageError> {
    let files = blobs.iter().map(|(digest, path)| (blob_name(*digest), path.clone())).collect();
    read_manifest(&Place::Blobs { shown: name.to_owned(), files }, manifest, platform)
}

fn config_of(manifest: &Value) -> Result<Descriptor, ImageError> {
    let config = manifest.get("config").ok_or_else(|| broken("manifest", "it names no config"))?;
    Descriptor::from_json(config).map_err(|why| broken("manifest", why))
}

fn read_manifest(place: &Place, descriptor: &Descriptor, platform: &Platform) -> Result<Image, ImageError> {
    let manifest = place.document(descriptor, "manifest")?;
    let config_descriptor = config_of(&manifest)?;
    if !matches!(config_descriptor.media_type.as_str(), media_type::CONFIG | media_type::DOCKER_CONFIG) {
        let why = format!("its config is `{}`: an artifact, not an image", config_descriptor.media_type);
        return Err(broken("manifest", why));
    }
    let config = place.document(&config_descriptor, "config")?;
    check_platform(&config, platform)?;
    let diff_ids = diff_ids(&config)?;
    let layers = manifest.get("layers").and_then(Value::as_array);
    let layers = layers.ok_or_else(|| broken("manifest", "it has no list `layers`"))?;
    if layers.len() != diff_ids.len() {
        let why = format!("the manifest has {} layers, the config {} diff_ids", layers.len(), diff_ids.len());
        return Err(broken("config", why));
    }
    let layers = layers.iter().zip(diff_ids).map(|(json, diff_id)| {
        let mut descriptor = Descriptor::from_json(json).map_err(|why| broken("manifest", why))?;
        descriptor.media_type = media_type::oci_layer(&descriptor.media_type)
            .ok_or_else(|| {
                let why = format!("its media type `{}` cannot be copied into an image", descriptor.media_type);
                broken(format!("layer {}", descriptor.digest), why)
            })?
            .to_owned();
        let blob = place.blob(&blob_name(descriptor.digest))?;
        Ok(Layer { descriptor, diff_id, blob })
    });
    let layers = layers.collect::<Result<_, ImageError>>()?;
    Ok(Image { digest: Some(descriptor.digest), manifest: Some(descriptor.clone()), top: None, layers, config })
}

fn diff_ids(config: &Value) -> Result<Vec<Digest>, ImageError> {
    let list = config.pointer("/rootfs/diff_ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let parse = |id: &Value| id.as_str().unwrap_or_default().parse().map_err(|why: String| broken("config", why));
    list.iter().map(parse).collect()
}

fn check_platform(config: &Value, wanted: &Platform) -> Result<(), ImageError> {
    match platform_of(config) {
        Some(found) if same_platform(&found, wanted) => Ok(()),
        Some(found) => Err(ImageError::Platform { wanted: wanted.clone(), available: vec![found.to_string()] }),
        None => Err(broken("config", "it names no os and architecture")),
    }
}

impl Blob {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::File(path) => Box::new(file::open(path)?),
            Self::Slice(slice) => Box::new(slice.reader()),
        })
    }
}

impl Layer {
    fn what(&self) -> String {
        format!("layer {}", self.descriptor.digest)
    }

    /// The blob as it is, not checked.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn blob(&self) -> io::Result<Box<dyn Read + Send>> {
        self.blob.open()
    }

    /// The blob as it is; its digest and size are checked by the time its end is read.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(&self) -> Result<impl Read + '_, ImageError> {
        let reader = self.blob.open().map_err(|source| ImageError::Io { path: self.what(), source })?;
        Ok(Verified::new(reader, self.descriptor.digest, self.descriptor.size))
    }

    /// Whether the blob is what its digest and size say.
    fn check(&self) -> io::Result<()> {
        let blob = Verified::new(self.blob.open()?, self.descriptor.digest, self.descriptor.size);
        io::copy(&mut { blob }, &mut io::sink()).map(drop)
    }

    /// Every entry in order, with a reader of its content. Digest, size and diff_id are checked at the end.
    ///
    /// # Errors
    /// See [`ImageError`]; what `visit` returns.
    pub fn read<E: From<ImageError>>(
        &self,
        mut visit: impl FnMut(RawEntry, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        // A blob that is not what its digest says has many ways to be wrong, and only one of them is worth saying.
        let failed = |why: String| match self.check() {
            Ok(()) => broken(self.what(), why),
            Err(error) => broken(self.what(), error.to_string()),
        };
        let blob = self.open()?;
        let tar = decompress::sniff_decoder(blob).map_err(|error| failed(error.to_string()))?;
        let mut tar = Verified::tar(tar, self.diff_id);
        let mut reader = TarReader::new(&mut tar);
        while let Some(entry) = reader.next().map_err(|error| failed(error.to_string()))? {
            visit(entry, &mut reader.data())?;
        }
        reader.finish().map_err(|error| failed(error.to_string()))?;
        // What stands behind the end of the tar counts for the diff_id too.
        io::copy(&mut tar, &mut io::sink()).map_err(|error| failed(error.to_string()))?;
        Ok(())
    }
}
