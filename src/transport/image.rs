//! An image as its documents say it: the index, perhaps, and for each platform manifest, config and layers.

use super::{Source, TransportError};
use crate::layer::decompress;
use crate::layer::read::TarReader;
use crate::oci::{Descriptor, Digest, Platform, document, media_type};
use crate::source::archive::Member;
use crate::source::image::{ImageError, Spot, Verified, Visit, descriptors, merged, platform_of};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::atomic::Ordering;

/// Indexes inside each other, documents of one image, and their bytes: more of them are an attack.
const DEPTH: usize = 4;
const DOCUMENTS: usize = 4096;
const BYTES: usize = 32 << 20;

/// A manifest, index or config whose bytes are those that its descriptor names.
#[derive(Debug, Clone)]
pub struct Document {
    /// How others point at it.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they say.
    pub json: Value,
}

impl Document {
    /// Holds bytes against their descriptor.
    ///
    /// # Errors
    /// [`ImageError::Digest`], [`ImageError::Broken`].
    pub fn new(descriptor: Descriptor, bytes: Vec<u8>) -> Result<Self, ImageError> {
        let json = document::held(&bytes, &descriptor).map_err(|error| {
            let kind = if media_type::is_index(&descriptor.media_type) {
                "index"
            } else if media_type::is_manifest(&descriptor.media_type) {
                "manifest"
            } else {
                "config"
            };
            ImageError::of(format!("{kind} {}", descriptor.digest), error)
        })?;
        Ok(Self { descriptor, bytes, json })
    }

    /// Its annotations, if it may have some.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.json.get("annotations")?.get(name)?.as_str()
    }
}

/// An image, its documents read, its layers not.
#[derive(Debug, Clone)]
pub struct Image {
    /// What its name stands for: an index, or the manifest itself.
    pub top: Document,
    /// One a platform, in the order of the index.
    pub manifests: Vec<Manifest>,
    /// What the index lists beside images: attestations and other artifacts.
    pub others: Vec<Descriptor>,
}

/// One platform's image.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// For what it is, as its config says.
    pub platform: Option<Platform>,
    /// The manifest; its descriptor is the one of the index, if there is one.
    pub document: Document,
    /// Its config.
    pub config: Document,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
}

/// A layer of an image that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The blob.
    pub descriptor: Descriptor,
    /// The digest of its tar, as the config says it.
    pub diff_id: Digest,
}

impl Image {
    /// Whether its name stands for an index.
    #[must_use]
    pub fn is_index(&self) -> bool {
        media_type::is_index(&self.top.descriptor.media_type)
    }
}

impl Source<'_> {
    /// Reads the documents of the image that its name stands for.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn image(&self) -> Result<Image, TransportError> {
        self.image_of(self.top()?)
    }

    /// Reads the documents of the image that begins with this index or manifest.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn image_of(&self, top: Document) -> Result<Image, TransportError> {
        let mut image = Image { top: top.clone(), manifests: Vec::new(), others: Vec::new() };
        self.collect(top, DEPTH, &mut BTreeSet::new(), &mut image)?;
        let descriptor = &image.top.descriptor;
        match image.manifests.is_empty() {
            false => Ok(image),
            true => {
                let what = if image.is_index() { "index" } else { "manifest" };
                let why = match image.is_index() {
                    true => "it lists no image".to_owned(),
                    false => "it is an artifact, not an image".to_owned(),
                };
                Err(self.image_error(ImageError::Broken { what: format!("{what} {}", descriptor.digest), why }))
            }
        }
    }

    fn collect(
        &self,
        document: Document,
        depth: usize,
        seen: &mut BTreeSet<Digest>,
        image: &mut Image,
    ) -> Result<(), TransportError> {
        let broken = |why: &str| {
            let what = document.descriptor.digest.to_string();
            self.image_error(ImageError::Broken { what, why: why.to_owned() })
        };
        if seen.len() > DOCUMENTS {
            return Err(broken("more than 4096 documents belong to it"));
        }
        if media_type::is_manifest(&document.descriptor.media_type) {
            match self.manifest(document.clone())? {
                Some(manifest) => image.manifests.push(manifest),
                None => image.others.push(document.descriptor),
            }
            return Ok(());
        }
        if !media_type::is_index(&document.descriptor.media_type) {
            return Err(broken(&format!("its media type `{}` is no image", document.descriptor.media_type)));
        }
        let below = descriptors(&document.json, "index").map_err(|source| self.image_error(source))?;
        for descriptor in below {
            let kind = &descriptor.media_type;
            let unknown = descriptor.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
            if unknown || !(media_type::is_manifest(kind) || media_type::is_index(kind)) {
                image.others.push(descriptor);
            } else if depth == 0 {
                return Err(broken("more than 4 indexes inside each other"));
            } else if seen.insert(descriptor.digest) {
                self.collect(self.document(&descriptor, "manifest")?, depth - 1, seen, image)?;
                let bytes = image.manifests.iter().map(|one| one.document.bytes.len() + one.config.bytes.len());
                if bytes.sum::<usize>() > BYTES {
                    return Err(broken("its documents are larger than 32 MiB together"));
                }
            }
        }
        Ok(())
    }

    /// A manifest with what it names; none if it is no image's.
    fn manifest(&self, document: Document) -> Result<Option<Manifest>, TransportError> {
        let wrong =
            |what: &str, digest: Digest, error| self.image_error(ImageError::of(format!("{what} {digest}"), error));
        let no_manifest = |error| wrong("manifest", document.descriptor.digest, error);
        let config = document::config(&document.json).map_err(no_manifest)?;
        if !media_type::is_config(&config.media_type) {
            return Ok(None);
        }
        let blobs = document::layers(&document.json).map_err(no_manifest)?;
        let config = self.document(&config, "config")?;
        let diff_ids = document::diff_ids(&config.json, blobs.len());
        let diff_ids = diff_ids.map_err(|error| wrong("config", config.descriptor.digest, error))?;
        let layers =
            blobs.into_iter().zip(diff_ids).map(|(descriptor, diff_id)| Layer { descriptor, diff_id }).collect();
        Ok(Some(Manifest { platform: platform_of(&config.json), document, config, layers }))
    }

    /// The tar of a layer. By the time its end is read, digest, size and diff_id are checked.
    ///
    /// # Errors
    /// If the blob is not there; what is wrong with it comes out of the reading.
    pub fn tar(&self, layer: &Layer) -> Result<Box<dyn Read + Send + '_>, TransportError> {
        let Descriptor { digest, size, .. } = layer.descriptor;
        let blob = Verified::new(self.blob(&layer.descriptor, "layer")?, digest, size);
        let tar = decompress::sniff_decoder(blob).map_err(|source| self.blob_error("layer", digest, source))?;
        Ok(Box::new(Verified::tar(tar, layer.diff_id)))
    }

    /// The files of one platform's image: its layers on top of each other, by path.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn files(&self, manifest: &Manifest) -> Result<Vec<Member<Spot>>, TransportError> {
        let mut trouble = None;
        let mut read = |number: usize, visit: &mut Visit| {
            let Some(layer) = manifest.layers.get(number) else { return Ok(()) };
            let broken = |why: String| ImageError::Broken { what: format!("layer {}", layer.descriptor.digest), why };
            let mut tar = self.tar(layer).map_err(|error| {
                let why = error.to_string();
                trouble = Some(error);
                broken(why)
            })?;
            let mut reader = TarReader::new(&mut tar);
            while let Some(entry) = reader.next().map_err(|error| broken(error.to_string()))? {
                visit(entry)?;
            }
            reader.finish().map_err(|error| broken(error.to_string()))?;
            io::copy(&mut tar, &mut io::sink()).map_err(|error| broken(error.to_string()))?;
            Ok(())
        };
        let merged = merged(manifest.layers.len(), &mut read, self.interrupt);
        merged.map_err(|source| match (trouble, self.interrupt.load(Ordering::Relaxed)) {
            (_, true) => TransportError::Interrupted,
            (Some(error), _) => error,
            (None, _) => self.image_error(source),
        })
    }
}
