//! Reads an image from a layout, an archive or a set of blobs on disk: the manifest for one platform, its config and its layers. Every
//! byte is held against the digest that names it.

mod change;
mod docker;
mod error;
mod files;
mod find;
mod layer;
mod merge;
mod place;
mod verified;

pub use change::{Change, relative};
pub use docker::Saved;
pub use error::ImageError;
pub use files::{Blobs, Lying};
pub use find::{choose, descriptors, manifest_for, normal, platform_of, same_platform};
pub use layer::Layer;
pub use merge::{Spot, Visit, merged};
pub use verified::Verified;

use crate::file;
use crate::oci::{Descriptor, Digest, ImageName, Platform, Transport, document, json, media_type};
use error::broken;
use find::find;
use place::{Place, blob_name};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

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
    let place = Place::open(name, folder, scratch, interrupt)?;
    if matches!(name.transport, Transport::DockerArchive(_)) {
        return docker::open(&place, name, platform);
    }
    let index = json::parse(&place.index()?).map_err(|why| broken("index.json", why))?;
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

fn read_manifest(place: &Place, descriptor: &Descriptor, platform: &Platform) -> Result<Image, ImageError> {
    let manifest = place.document(descriptor, "manifest")?;
    let no_manifest = |error| ImageError::of("manifest", error);
    let config = document::config(&manifest).map_err(no_manifest)?;
    if !media_type::is_config(&config.media_type) {
        let why = format!("its config is `{}`: an artifact, not an image", config.media_type);
        return Err(broken("manifest", why));
    }
    let config = place.document(&config, "config")?;
    check_platform(&config, platform)?;
    let layers = document::layers(&manifest).map_err(no_manifest)?;
    let diff_ids = document::diff_ids(&config, layers.len()).map_err(|error| ImageError::of("config", error))?;
    let layers = layers.into_iter().zip(diff_ids).map(|(mut descriptor, diff_id)| {
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

fn check_platform(config: &Value, wanted: &Platform) -> Result<(), ImageError> {
    match platform_of(config) {
        Some(found) if same_platform(&found, wanted) => Ok(()),
        Some(found) => Err(ImageError::Platform { wanted: wanted.clone(), available: vec![found.to_string()] }),
        None => Err(broken("config", "it names no os and architecture")),
    }
}
