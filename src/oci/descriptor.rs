//! Descriptors: how one document points at another (image-spec, "descriptor.md").

use super::{Digest, Platform};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Media type, digest and size of a blob, and what the pointing document adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// For which platform it is; in an index.
    pub platform: Option<Platform>,
    /// What kind of artifact the manifest is; of those that refer to another one.
    pub artifact_type: Option<String>,
    /// Sorted by name.
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// A descriptor of a blob, with nothing added.
    #[must_use]
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        let (platform, artifact_type, annotations) = Default::default();
        Self { media_type: media_type.to_owned(), digest, size, platform, artifact_type, annotations }
    }

    /// As it stands in a manifest or index.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = json!({ "mediaType": self.media_type, "digest": self.digest.to_string(), "size": self.size });
        if let Some(platform) = &self.platform {
            json["platform"] = json!({ "os": platform.os, "architecture": platform.architecture });
            if let Some(variant) = &platform.variant {
                json["platform"]["variant"] = json!(variant);
            }
        }
        if let Some(artifact_type) = &self.artifact_type {
            json["artifactType"] = json!(artifact_type);
        }
        if !self.annotations.is_empty() {
            json["annotations"] = json!(self.annotations);
        }
        json
    }

    /// Reads what rebake needs of a descriptor; other fields are ignored.
    ///
    /// # Errors
    /// A sentence that says which field is missing or wrong.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let text = |json: &Value, name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let digest = text(json, "digest").ok_or("a descriptor has no digest")?.parse()?;
        let size = json.get("size").and_then(Value::as_u64).ok_or("a descriptor has no size")?;
        let platform = json.get("platform").and_then(|platform| {
            Some(Platform {
                os: text(platform, "os")?,
                architecture: text(platform, "architecture")?,
                variant: text(platform, "variant").filter(|variant| !variant.is_empty()),
            })
        });
        let annotations = json.get("annotations").and_then(Value::as_object).map_or_else(BTreeMap::new, strings);
        let media_type = text(json, "mediaType").unwrap_or_default();
        let artifact_type = text(json, "artifactType").filter(|kind| !kind.is_empty());
        Ok(Self { media_type, digest, size, platform, artifact_type, annotations })
    }
}

fn strings(map: &Map<String, Value>) -> BTreeMap<String, String> {
    map.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
