//! Image layouts on disk (image-spec, "image-layout.md"): written beside their place, then put there in one step.
//!
//! Until [`Staging::publish`] has exchanged the folders, whatever was there is whole; afterwards the new one is.

mod staging;

pub use staging::{Staging, is_layout};

use crate::oci::{Descriptor, json, media_type};
use serde_json::json;

/// The content of `oci-layout`. Edition 2026.
pub const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The annotation that names a tag inside a layout (image-spec, "annotations.md").
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation from which containerd and docker take the whole name.
pub const IMAGE_NAME: &str = "io.containerd.image.name";

/// `index.json`: one descriptor a tag, in the order of `tags`. Edition 2026.
#[must_use]
pub fn index_json(name: &str, tags: &[String], image: &Descriptor) -> Vec<u8> {
    let manifests: Vec<_> = tags
        .iter()
        .map(|tag| {
            let mut tagged = image.clone();
            tagged.annotations.insert(REF_NAME.to_owned(), tag.clone());
            tagged.annotations.insert(IMAGE_NAME.to_owned(), format!("{name}:{tag}"));
            tagged.to_json()
        })
        .collect();
    json::canonical(&json!({ "schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": manifests }))
}
