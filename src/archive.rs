//! Archives of an image: a finished layout as one tar. The tar is written as a layer's is, so the same image gives the
//! same file.

use crate::image::{Image, Layer, Manifest};
use crate::layer::decompress;
use crate::layer::write::{self, Content, MTIME, WriteError};
use crate::layout::{self, OCI_LAYOUT};
use crate::oci::{Descriptor, json};
use crate::tree::{Attributes, Entry, EntryPath, Firmness, Kind, Origin, Tree};
use serde_json::json;
use std::collections::BTreeSet;
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

/// Writes the archive of the image whose blobs stand in `folder` (below `blobs/sha256`) into a file of that folder, and
/// gives its path. The image is known as `name` with each of the tags.
///
/// # Errors
/// What the disk reports; [`io::ErrorKind::Interrupted`] once `interrupt` is set.
pub fn write(
    format: Format,
    folder: &Path,
    name: &str,
    tags: &[String],
    image: &Image,
    interrupt: &AtomicBool,
) -> io::Result<PathBuf> {
    let blobs = folder.join("blobs/sha256");
    let mut tree = Tree::default();
    let mut add = |path: &str, kind: Kind<Piece>, mode| -> io::Result<()> {
        let path = EntryPath::parse(path).map_err(io::Error::other)?;
        let attributes = Attributes { mode, mtime: MTIME, ..Attributes::default() };
        let entry = Entry { attributes, kind, firmness: Firmness::Stated, origin: Origin(0) };
        tree.insert(path, entry).map_err(|conflict| io::Error::other(conflict.difference.to_string()))
    };
    let text = |bytes: Vec<u8>| Kind::File { size: bytes.len() as u64, content: Piece::Text(bytes), link: None };
    let repo_tags: Vec<String> = tags.iter().map(|tag| format!("{name}:{tag}")).collect();
    let Some(manifest) = image.manifests.first() else { return Err(io::Error::other("an image without a manifest")) };
    match format {
        Format::Oci => {
            add("blobs", Kind::Directory, 0o755)?;
            add("blobs/sha256", Kind::Directory, 0o755)?;
            for descriptor in all_blobs(image) {
                let hex = descriptor.digest.hex();
                let content = Piece::Blob(blobs.join(&hex));
                add(&format!("blobs/sha256/{hex}"), Kind::File { content, size: descriptor.size, link: None }, 0o644)?;
            }
            add("oci-layout", text(OCI_LAYOUT.to_vec()), 0o644)?;
            add("index.json", text(layout::index_json(name, tags, &image.descriptor)), 0o644)?;
            let layer = |layer: &Layer| format!("blobs/sha256/{}", layer.descriptor.digest.hex());
            let config = format!("blobs/sha256/{}", manifest.config.digest.hex());
            add("manifest.json", text(docker_manifest(manifest, &config, &repo_tags, layer)), 0o644)?;
        }
        Format::Docker => {
            let config = format!("{}.json", manifest.config.digest.hex());
            let content = Piece::Blob(blobs.join(manifest.config.digest.hex()));
            add(&config, Kind::File { content, size: manifest.config.size, link: None }, 0o644)?;
            let mut seen = BTreeSet::new();
            for layer in manifest.layers.iter().filter(|layer| seen.insert(layer.diff_id)) {
                let path = blobs.join(layer.descriptor.digest.hex());
                let size = match layer.tar_size {
                    Some(size) => size,
                    None => io::copy(&mut decompress::sniff_decoder(File::open(&path)?)?, &mut io::sink())?,
                };
                let file = Kind::File { content: Piece::Compressed(path), size, link: None };
                add(&layer_tar(layer), file, 0o644)?;
            }
            add("manifest.json", text(docker_manifest(manifest, &config, &repo_tags, layer_tar)), 0o644)?;
        }
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

/// The document by which `docker load` finds its way: the first platform of the recipe, as it knows only one.
fn docker_manifest(
    manifest: &Manifest,
    config: &str,
    repo_tags: &[String],
    layer: impl Fn(&Layer) -> String,
) -> Vec<u8> {
    let layers: Vec<String> = manifest.layers.iter().map(layer).collect();
    json::canonical(&json!([{ "Config": config, "RepoTags": repo_tags, "Layers": layers }]))
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
