//! What the name of an image stands for, in each kind of place.

use super::{Document, Kind, Source, TransportError};
use crate::oci::{Descriptor, Digest, json, media_type};
use crate::registry::Reference;
use crate::source::image::{Blobs, ImageError, Saved, choose, descriptors};
use serde_json::{Value, json};

impl Source<'_> {
    /// What its name stands for: an index, or a manifest.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn top(&self) -> Result<Document, TransportError> {
        match &self.kind {
            Kind::Docker(image) => Ok(image.0.clone()),
            Kind::Registry(..) => {
                let latest = self.name.tag.as_deref().unwrap_or("latest");
                self.named(self.name.digest.map_or(Reference::Tag(latest), Reference::Digest))
            }
            Kind::Layout(blobs) => self.top_of_layout(blobs).map_err(|source| self.image_error(source)),
        }
    }

    fn top_of_layout(&self, blobs: &Blobs) -> Result<Document, ImageError> {
        let (bytes, index) = index_json(blobs)?;
        let all = descriptors(&index, "index.json")?;
        let top = match choose(&index, &self.name, None) {
            Ok(top) => top,
            // Some tools write the platforms of one image there, without an index of their own.
            Err(_) if self.is_one_image(&all) => {
                let descriptor = Descriptor::new(media_type::INDEX, Digest::of(&bytes), bytes.len() as u64);
                return Ok(Document { descriptor, bytes, json: index });
            }
            Err(error) => return Err(error),
        };
        let read = |descriptor: &Descriptor| Document::new(descriptor.clone(), blobs.document(descriptor.digest)?);
        let document = read(&top)?;
        match self.name.digest.filter(|pinned| *pinned != top.digest) {
            None => Ok(document),
            Some(pinned) if media_type::is_index(&top.media_type) => {
                let below = descriptors(&document.json, "index")?.into_iter().find(|below| below.digest == pinned);
                read(&below.ok_or(ImageError::Pinned { found: top.digest })?)
            }
            Some(_) => Err(ImageError::Pinned { found: top.digest }),
        }
    }

    fn is_one_image(&self, all: &[Descriptor]) -> bool {
        let unnamed = self.name.tag.is_none() && self.name.digest.is_none();
        unnamed
            && all.len() > 1
            && all.iter().all(|descriptor| descriptor.platform.is_some() && descriptor.annotations.is_empty())
    }

    /// Every image of a layout or oci-archive, as its `index.json` lists them; none of other places.
    ///
    /// # Errors
    /// See [`TransportError`].
    pub fn listed(&self) -> Result<Vec<Descriptor>, TransportError> {
        let Kind::Layout(blobs) = &self.kind else { return Ok(Vec::new()) };
        let read = || {
            let (_, index) = index_json(blobs)?;
            descriptors(&index, "index.json")
        };
        read().map_err(|source| self.image_error(source))
    }
}

/// `index.json` as it stands there, and what it says.
fn index_json(blobs: &Blobs) -> Result<(Vec<u8>, Value), ImageError> {
    let bytes = blobs.index()?;
    let json = json::parse(&bytes).map_err(|why| ImageError::Broken { what: "index.json".to_owned(), why })?;
    Ok((bytes, json))
}

/// The manifest of an image that has none.
pub(super) fn manifest_of(saved: &Saved) -> Document {
    let config = Descriptor::new(media_type::CONFIG, Digest::of(&saved.config), saved.config.len() as u64);
    let layers: Vec<Value> = saved.layers.iter().map(|layer| layer.descriptor.to_json()).collect();
    let json = json!({
        "schemaVersion": 2,
        "mediaType": media_type::MANIFEST,
        "config": config.to_json(),
        "layers": layers,
    });
    let bytes = json::canonical(&json);
    Document { descriptor: Descriptor::new(media_type::MANIFEST, Digest::of(&bytes), bytes.len() as u64), bytes, json }
}
