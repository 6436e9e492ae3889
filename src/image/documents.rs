//! The documents of an image, canonical JSON: config, manifest and index, each put together from what lies below it.

use super::{Failure, Layer, Manifest};
use crate::oci::{Descriptor, Digest, Sink, json, media_type, rfc3339};
use crate::plan::Plan;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;

/// The config and the manifest of one platform's layers.
pub(super) fn manifest(sink: &dyn Sink, plan: &Plan, layers: Vec<Layer>) -> Result<Manifest, Failure> {
    let (config, config_bytes) = document(sink, media_type::CONFIG, &config(plan, &layers))?;
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::MANIFEST,
        "config": config.to_json(),
        "layers": layers.iter().map(|layer| layer.descriptor.to_json()).collect::<Vec<_>>(),
    });
    annotate(&mut manifest, &annotations(plan));
    let (descriptor, bytes) = document(sink, media_type::MANIFEST, &manifest)?;
    // A base may be more precise than the recipe: the index says what the config says.
    let mut platform = plan.platform.clone();
    let variant = plan.config.get("variant").and_then(Value::as_str).filter(|variant| !variant.is_empty());
    platform.variant = platform.variant.or_else(|| variant.map(str::to_owned));
    Ok(Manifest { platform, descriptor, bytes, config, config_bytes, layers })
}

/// The index of several platforms.
pub(super) fn index(
    sink: &dyn Sink,
    manifests: &[Manifest],
    annotations: &BTreeMap<String, String>,
) -> Result<(Descriptor, Vec<u8>), Failure> {
    let members = manifests.iter().map(|manifest| {
        let platform = Some(manifest.platform.clone());
        Descriptor { platform, ..manifest.descriptor.clone() }.to_json()
    });
    let mut index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::INDEX,
        "manifests": members.collect::<Vec<_>>(),
    });
    annotate(&mut index, annotations);
    document(sink, media_type::INDEX, &index)
}

/// The plan's config with what only the layers can say: diff_ids, and one history entry a layer. Edition 2026.
fn config(plan: &Plan, layers: &[Layer]) -> Value {
    let mut config = plan.config.clone();
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
    let mut history = config.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    // A base may say nothing of some of its layers. Without entries for those, ours would be taken for theirs.
    let told = history.iter().filter(|entry| entry.get("empty_layer") != Some(&Value::Bool(true))).count();
    let of_base = layers.iter().filter(|layer| layer.name.is_none()).count();
    history.extend((told..of_base).map(|_| json!({ "created_by": "rebake: (base)" })));
    history.extend(
        plan.layers
            .iter()
            .map(|layer| json!({ "created": rfc3339(plan.created), "created_by": format!("rebake: {}", layer.name) })),
    );
    config["history"] = Value::Array(history);
    config
}

/// The recipe's annotations, and those by which an image names its base (image-spec, "annotations.md").
fn annotations(plan: &Plan) -> BTreeMap<String, String> {
    let mut annotations = plan.annotations.clone();
    if let Some(base) = &plan.base {
        let mut add = |name: &str, value: String| {
            annotations.entry(name.to_owned()).or_insert(value);
        };
        add("org.opencontainers.image.base.name", base.name.clone());
        if let Some(digest) = base.digest {
            add("org.opencontainers.image.base.digest", digest.to_string());
        }
    }
    annotations
}

fn annotate(document: &mut Value, annotations: &BTreeMap<String, String>) {
    if !annotations.is_empty() {
        document["annotations"] = json!(annotations);
    }
}

fn document(sink: &dyn Sink, media_type: &str, document: &Value) -> Result<(Descriptor, Vec<u8>), Failure> {
    let bytes = json::canonical(document);
    let digest = Digest::of(&bytes);
    let mut blob = sink.blob().map_err(Failure::Sink)?;
    blob.write_all(&bytes).and_then(|()| blob.commit(digest)).map_err(Failure::Sink)?;
    Ok((Descriptor::new(media_type, digest, bytes.len() as u64), bytes))
}
