//! Images that were built, as text or JSON.

use crate::cli::report::Report;
use rebake::build::Built;
use serde_json::{Value, json};

/// A line an image.
pub fn references(built: &[Built]) -> String {
    built.iter().map(|image| format!("{}\n", reference(image))).collect()
}

/// `NAME:TAG@DIGEST`, with the first tag.
fn reference(built: &Built) -> String {
    let tag = built.tags.first().map_or("latest", String::as_str);
    format!("{}:{tag}@{}", built.name, built.image.descriptor.digest)
}

/// What the image consists of, for those who want to know it.
pub fn detail(report: &Report, built: &Built) {
    report.detail(&format!("{} in {}", reference(built), built.destination));
    for manifest in &built.image.manifests {
        report.detail(&format!("  {} {}", manifest.platform, manifest.descriptor.digest));
        for layer in &manifest.layers {
            let name = layer.name.as_deref().unwrap_or("(base)");
            report.detail(&format!("    {} {} bytes  {name}", layer.descriptor.digest, layer.descriptor.size));
        }
    }
}

/// For programs.
pub fn as_json(built: &Built) -> Value {
    let manifests: Vec<Value> = built
        .image
        .manifests
        .iter()
        .map(|manifest| {
            let layers = manifest.layers.iter().map(|layer| {
                json!({
                    "name": layer.name,
                    "digest": layer.descriptor.digest.to_string(),
                    "size": layer.descriptor.size,
                    "mediaType": layer.descriptor.media_type,
                    "diff_id": layer.diff_id.to_string(),
                })
            });
            json!({
                "platform": manifest.platform.to_string(),
                "digest": manifest.descriptor.digest.to_string(),
                "config": manifest.config.digest.to_string(),
                "layers": layers.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "name": built.name,
        "tags": built.tags,
        "reference": reference(built),
        "digest": built.image.descriptor.digest.to_string(),
        "mediaType": built.image.descriptor.media_type,
        "destination": built.destination,
        "platforms": manifests,
    })
}
