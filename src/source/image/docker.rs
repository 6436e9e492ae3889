//! What `docker save` writes: a `manifest.json` that names a config and layers by file name. It has no manifest in the
//! sense of the specification; its layers become descriptors by what their bytes are.

use super::error::broken;
use super::place::{Blob, Place};
use super::{Image, ImageError, Layer, check_platform};
use crate::layer::decompress::Compression;
use crate::oci::{Descriptor, Digest, ImageName, Platform, Sha256, document, json, media_type};
use serde_json::Value;
use std::io::{self, Read};

/// An image of such an archive.
pub struct Saved {
    /// The bytes of its config.
    pub config: Vec<u8>,
    /// Its names, `NAME:TAG`.
    pub names: Vec<String>,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
}

pub(super) fn open(place: &Place, name: &ImageName, platform: &Platform) -> Result<Image, ImageError> {
    let saved = saved(place, name)?;
    let config = json::parse(&saved.config).map_err(|why| broken("config", why))?;
    check_platform(&config, platform)?;
    Ok(Image { digest: None, manifest: None, top: None, layers: saved.layers, config })
}

/// Reads all but the content of layers, each of which is hashed once.
pub(super) fn saved(place: &Place, name: &ImageName) -> Result<Saved, ImageError> {
    let manifest = place.read("manifest.json").map_err(|error| match error {
        ImageError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => ImageError::NotAnImage(format!(
            "`{}` is no archive of `docker save`: it has no file `manifest.json`",
            place.name()
        )),
        error => error,
    })?;
    let manifest = json::parse(&manifest).map_err(|why| broken("manifest.json", why))?;
    let image = choose(&manifest, name)?;
    let file = |value: &Value| value.as_str().map(str::to_owned);
    let config = image.get("Config").and_then(file).ok_or_else(|| broken("manifest.json", "it names no Config"))?;
    let bytes = place.read(&config)?;
    held(&config, Digest::of(&bytes), "config")?;
    let names = image.get("Layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let json = json::parse(&bytes).map_err(|why| broken(config, why))?;
    let diff_ids = document::diff_ids(&json, names.len()).map_err(|error| ImageError::of("config", error))?;
    let layers = names.iter().zip(diff_ids).map(|(name, diff_id)| {
        let name = file(name).ok_or_else(|| broken("manifest.json", "a layer has no name"))?;
        let blob = place.blob(&name)?;
        let descriptor = describe(&blob).map_err(|source| ImageError::Io { path: name.clone(), source })?;
        held(&name, descriptor.digest, "layer")?;
        Ok(Layer { descriptor, diff_id, blob })
    });
    Ok(Saved { config: bytes, names: tags(image), layers: layers.collect::<Result<_, ImageError>>()? })
}

/// Holds bytes against the digest in their file's name, where it has one: `HEX.json`, `blobs/sha256/HEX`. (A layer's folder
/// in older archives is named for something else.)
fn held(name: &str, found: Digest, what: &str) -> Result<(), ImageError> {
    let last = name.rsplit('/').next().unwrap_or_default();
    let hex = last.strip_suffix(".json").unwrap_or(last);
    match format!("sha256:{hex}").parse::<Digest>() {
        Ok(expected) if expected != found => Err(ImageError::Digest { what: format!("{what} {expected}"), found }),
        _ => Ok(()),
    }
}

fn tags(image: &Value) -> Vec<String> {
    let tags = image.get("RepoTags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    tags.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn choose<'a>(manifest: &'a Value, name: &ImageName) -> Result<&'a Value, ImageError> {
    let images = manifest.as_array().map(Vec::as_slice).unwrap_or_default();
    let fits = |image: &&Value| match &name.tag {
        None => true,
        Some(wanted) => tags(image).iter().any(|tag| {
            tag.strip_prefix("docker.io/").is_some_and(|tag| tag.strip_prefix("library/").unwrap_or(tag) == wanted)
                || tag == wanted
                || tag.rsplit(':').next() == Some(wanted)
        }),
    };
    match images.iter().filter(fits).collect::<Vec<_>>()[..] {
        [one] => Ok(one),
        [] if images.is_empty() => Err(ImageError::Choice("it holds no image".to_owned())),
        _ => {
            let all = images.iter().flat_map(tags).collect::<Vec<_>>().join(", ");
            Err(ImageError::Choice(match &name.tag {
                Some(tag) => format!("no image, or more than one, is called `{tag}`; the images are: {all}"),
                None => format!("it holds several images; name one of them: {all}"),
            }))
        }
    }
}

/// Reads a layer once to know what it is, how long, and its digest.
fn describe(blob: &Blob) -> io::Result<Descriptor> {
    let mut reader = blob.open()?;
    let mut start = Vec::new();
    reader.by_ref().take(512).read_to_end(&mut start)?;
    let media_type = match Compression::sniff(&start) {
        Compression::None => media_type::LAYER_TAR,
        Compression::Gzip => media_type::LAYER_GZIP,
        Compression::Zstd => media_type::LAYER_ZSTD,
        Compression::Xz | Compression::Bzip2 => {
            return Err(io::Error::other("an image layer cannot be compressed this way"));
        }
    };
    let mut sha256 = Sha256::default();
    sha256.update(&start);
    io::copy(&mut reader, &mut sha256)?;
    let (digest, size) = sha256.finish();
    Ok(Descriptor::new(media_type, digest, size))
}
