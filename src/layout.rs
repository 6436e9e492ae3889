//! Image layouts on disk (image-spec, "image-layout.md"): written beside their place, then put there in one step; or added
//! to, blobs first.
//!
//! Until [`Staging::publish`] has exchanged the folders, or [`Adding::publish`] the index, whatever was there is whole;
//! afterwards the new one is.

mod adding;
mod blob;
mod copied;
mod exchange;
mod held;
mod hidden;
mod place;
mod staging;
mod standing;

pub use adding::Adding;
pub use held::Held;
pub use place::is_layout;
pub use staging::Staging;
pub use standing::Standing;

use crate::oci::{Descriptor, json, media_type};
use serde_json::{Value, json};

/// The content of `oci-layout`. Edition 2026.
pub const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The annotation that names a tag inside a layout (image-spec, "annotations.md").
pub use crate::oci::annotation::REF_NAME;
/// The annotation from which containerd and docker take the whole name.
pub const IMAGE_NAME: &str = "io.containerd.image.name";

/// `index.json` of one image: one descriptor a tag, in the order of `tags`. Edition 2026.
#[must_use]
pub fn index_json(name: &str, tags: &[String], image: &Descriptor) -> Vec<u8> {
    let tagged = |tag: &String| tagged(image, tag, Some(name)).to_json();
    index_of(tags.iter().map(tagged).collect())
}

/// A descriptor of an image as `index.json` has it, with its tag and, where it is known, its name. Edition 2026.
#[must_use]
pub fn tagged(image: &Descriptor, tag: &str, name: Option<&str>) -> Descriptor {
    let mut tagged = untagged(image);
    tagged.annotations.insert(REF_NAME.to_owned(), tag.to_owned());
    if let Some(name) = name {
        tagged.annotations.insert(IMAGE_NAME.to_owned(), format!("{name}:{tag}"));
    }
    tagged
}

/// The same descriptor, without what a layout calls it.
#[must_use]
pub fn untagged(image: &Descriptor) -> Descriptor {
    let mut bare = image.clone();
    bare.annotations.retain(|name, _| name != REF_NAME && name != IMAGE_NAME);
    bare
}

/// `index.json` with these descriptors. Edition 2026.
#[must_use]
pub fn index_of(manifests: Vec<Value>) -> Vec<u8> {
    json::canonical(&json!({ "schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": manifests }))
}
