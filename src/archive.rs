//! Archives of an image: a finished layout as one tar. The tar is written as a layer's is, so the same image gives the
//! same file.

use crate::file;
use crate::image::{Image, Layer};
use crate::layer::decompress;
use crate::layer::read::TarReader;
use crate::layer::write::{self, Content, MTIME, WriteError};
use crate::layout::{self, OCI_LAYOUT, Staging};
use crate::oci::{Descriptor, Digest, Sha256, json};
use crate::tree::{Attributes, Entry, EntryPath, Firmness, Kind, Origin, Tree};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Which archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An image layout, with the `manifest.json` of `docker save` beside it, so that every client loads it.
    Oci,
    /// What `docker save` writes. It has no manifest, so the image's digest is not in it.
    Docker,
}

/// What an archive is to hold.
#[derive(Debug, Clone)]
pub struct Contents {
    /// `index.json` of an image layout.
    pub index: Vec<u8>,
    /// Every blob of that layout with its size.
    pub blobs: BTreeMap<Digest, u64>,
    /// The images that docker is to find.
    pub loadable: Vec<Loadable>,
}

/// One platform's image, as `docker load` finds its way to it.
#[derive(Debug, Clone)]
pub struct Loadable {
    /// `NAME:TAG`, each.
    pub names: Vec<String>,
    /// Its config.
    pub config: Descriptor,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
}

impl Contents {
    /// An image that was built, known as `name` with each of the tags. Docker gets the first platform of the recipe, as it
    /// knows only one.
    #[must_use]
    pub fn built(name: &str, tags: &[String], image: &Image) -> Self {
        let names = tags.iter().map(|tag| format!("{name}:{tag}")).collect();
        let first = image.manifests.first();
        let loadable =
            first.map(|first| Loadable { names, config: first.config.clone(), layers: first.layers.clone() });
        let index = layout::index_json(name, tags, &image.descriptor);
        let blobs = all_blobs(image).map(|descriptor| (descriptor.digest, descriptor.size)).collect();
        Self { index, blobs, loadable: loadable.into_iter().collect() }
    }
}

/// Begins a folder in which an archive is put together that is to stand at `target`. Another image's archive is replaced, and
/// an empty file; what else stands there is somebody's, and the name perhaps a slip.
///
/// # Errors
/// If something else stands there; what the disk reports.
pub fn begin(target: &Path) -> io::Result<Staging> {
    if fs::symlink_metadata(target).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
        && !looks_like_an_archive(file::open(target)?)
    {
        let why = "the file that stands there is no image archive; name another, or remove it first";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    Staging::begin_file(target)
}

/// Whether a tar begins with a file that only an image archive has: one of a layout, or, as docker and others write theirs,
/// one that is named by a digest. So one that was cut short can be replaced too.
fn looks_like_an_archive(file: File) -> bool {
    let Ok(tar) = decompress::sniff_decoder(file) else { return false };
    let mut tar = TarReader::new(tar);
    while let Ok(Some(entry)) = tar.next() {
        let name = String::from_utf8_lossy(&entry.path).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let first = name.split('/').next().unwrap_or_default();
        if matches!(first, "" | ".") {
            continue;
        }
        let stem = first.strip_prefix("sha256:").unwrap_or(first).split('.').next().unwrap_or_default();
        return matches!(name, "oci-layout" | "index.json" | "manifest.json" | "repositories")
            || first == "blobs"
            || format!("sha256:{stem}").parse::<Digest>().is_ok();
    }
    false
}

/// Writes the archive of the blobs that stand in `folder` (below `blobs/sha256`) into a file of that folder, and gives its
/// path.
///
/// # Errors
/// What the disk reports; [`io::ErrorKind::Interrupted`] once `interrupt` is set.
pub fn write(format: Format, folder: &Path, contents: &Contents, interrupt: &AtomicBool) -> io::Result<PathBuf> {
    let blobs = folder.join("blobs/sha256");
    let mut tree = Tree::default();
    let mut add = |path: &str, kind: Kind<Piece>, mode| -> io::Result<()> {
        let path = EntryPath::parse(path).map_err(io::Error::other)?;
        let attributes = Attributes { mode, mtime: MTIME, ..Attributes::default() };
        let entry = Entry { attributes, kind, firmness: Firmness::Stated, origin: Origin(0) };
        tree.insert(path, entry).map_err(|conflict| io::Error::other(conflict.difference.to_string()))
    };
    let text = |bytes: Vec<u8>| Kind::File { size: bytes.len() as u64, content: Piece::Text(bytes), link: None };
    let Contents { index, blobs: all, loadable } = contents;
    let mut list = Vec::new();
    match format {
        Format::Oci => {
            add("blobs", Kind::Directory, 0o755)?;
            add("blobs/sha256", Kind::Directory, 0o755)?;
            let path = |digest: Digest| format!("blobs/sha256/{}", digest.hex());
            for (digest, size) in all {
                let content = Piece::Blob(blobs.join(digest.hex()));
                add(&path(*digest), Kind::File { content, size: *size, link: None }, 0o644)?;
            }
            add("oci-layout", text(OCI_LAYOUT.to_vec()), 0o644)?;
            add("index.json", text(index.clone()), 0o644)?;
            for image in loadable {
                list.push(image.entry(&path(image.config.digest), |layer| path(layer.descriptor.digest)));
            }
        }
        Format::Docker => {
            let mut seen = BTreeSet::new();
            for image in loadable {
                let config = format!("{}.json", image.config.digest.hex());
                list.push(image.entry(&config, layer_tar));
                let content = Piece::Blob(blobs.join(image.config.digest.hex()));
                add(&config, Kind::File { content, size: image.config.size, link: None }, 0o644)?;
                for layer in image.layers.iter().filter(|layer| seen.insert(layer.diff_id)) {
                    let path = blobs.join(layer.descriptor.digest.hex());
                    let size = match layer.tar_size {
                        Some(size) => size,
                        None => length(&path, layer.diff_id, interrupt)?,
                    };
                    let file = Kind::File { content: Piece::Compressed(path), size, link: None };
                    add(&layer_tar(layer), file, 0o644)?;
                }
            }
        }
    }
    // What docker cannot load, it is not led to.
    if !list.is_empty() {
        add("manifest.json", text(json::canonical(&Value::Array(list))), 0o644)?;
    }
    let target = folder.join("archive");
    let mut file = File::create_new(&target)?;
    let mut put = |block: Vec<u8>| match interrupt.load(Ordering::Relaxed) {
        true => Err(WriteError::Interrupted),
        false => file.write_all(&block).map_err(WriteError::Sink),
    };
    write::tar(&tree, MTIME, &mut put).map_err(|error| match error {
        WriteError::Sink(error) | WriteError::Content { source: error, .. } => error,
        WriteError::Interrupted => io::ErrorKind::Interrupted.into(),
    })?;
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    file.sync_all()?;
    Ok(target)
}

/// Every blob of the image, once or more often.
fn all_blobs(image: &Image) -> impl Iterator<Item = &Descriptor> {
    image
        .manifests
        .iter()
        .flat_map(|manifest| {
            [&manifest.descriptor, &manifest.config]
                .into_iter()
                .chain(manifest.layers.iter().map(|layer| &layer.descriptor))
        })
        .chain([&image.descriptor])
}

impl Loadable {
    /// What `manifest.json` says of it.
    fn entry(&self, config: &str, layer: impl Fn(&Layer) -> String) -> Value {
        let layers: Vec<String> = self.layers.iter().map(layer).collect();
        json!({ "Config": config, "RepoTags": self.names, "Layers": layers })
    }
}

/// How long the tar of a layer is that nobody here has made, which is held against its diff_id.
fn length(path: &Path, diff_id: Digest, interrupt: &AtomicBool) -> io::Result<u64> {
    let mut tar = decompress::sniff_decoder(File::open(path)?)?;
    let mut sha256 = Sha256::default();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match tar.read(&mut buffer)? {
            _ if interrupt.load(Ordering::Relaxed) => return Err(io::ErrorKind::Interrupted.into()),
            0 => break,
            n => sha256.update(buffer.get(..n).unwrap_or_default()),
        }
    }
    match sha256.finish() {
        (found, size) if found == diff_id => Ok(size),
        (found, _) => {
            Err(io::Error::other(format!("a layer is corrupt: its diff_id is {found}, and should be {diff_id}")))
        }
    }
}

fn layer_tar(layer: &Layer) -> String {
    format!("{}.tar", layer.diff_id.hex())
}

/// The content of a file of the archive.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    /// A blob as it is.
    Blob(PathBuf),
    /// The tar of a layer.
    Compressed(PathBuf),
    /// Made here.
    Text(Vec<u8>),
}

impl Content for Piece {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Blob(path) => Box::new(File::open(path)?),
            Self::Compressed(path) => Box::new(decompress::sniff_decoder(File::open(path)?)?),
            Self::Text(bytes) => Box::new(bytes.as_slice()),
        })
    }
}
