//! What manifests and configs tell: another commit, another base, another time.

use crate::diff::Cause;
use crate::diff::fields::FieldChange;
use crate::diff::layers::{LayerChange, LayerDifference};
use crate::oci::media_type;
use crate::transport::Manifest;
use serde_json::Value;

fn text(value: &Option<Value>) -> Option<String> {
    value.as_ref().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The name of the annotation or label at a pointer.
fn name_at(pointer: &str) -> Option<&str> {
    pointer.strip_prefix("/annotations/").or_else(|| pointer.strip_prefix("/config/Labels/"))
}

/// What manifest and config say.
pub(super) fn documents(
    x: &Manifest,
    y: &Manifest,
    manifest: &[FieldChange],
    config: &[FieldChange],
    layers: &[LayerDifference],
) -> Vec<(Cause, u64)> {
    let mut found = Vec::new();
    // An entry of the history, or a set of annotations, that only one side has is no other time.
    let both = |pointer: &str| x.config.json.pointer(pointer).is_some() && y.config.json.pointer(pointer).is_some();
    let annotated = [x, y].iter().all(|of| of.document.json.get("annotations").is_some());
    let is_created = |change: &&FieldChange| match change.pointer.strip_suffix("/created") {
        Some("") => true,
        Some(above) => above.starts_with("/history/") && both(above),
        None => annotated && change.pointer == "/annotations/org.opencontainers.image.created",
    };
    let all = || manifest.iter().chain(config);
    let is_version = |change: &FieldChange| {
        let named = name_at(&change.pointer)
            .is_some_and(|n| matches!(n, "org.opencontainers.image.revision" | "org.opencontainers.image.version"));
        named && change.a.is_some() && change.b.is_some()
    };
    let same = layers.iter().all(|layer| matches!(layer.change, LayerChange::Same));
    if let Some(created) = config.iter().chain(manifest).find(is_created) {
        let only = same && all().all(|change| is_created(&change));
        found.push((Cause::Created { only, a: text(&created.a), b: text(&created.b) }, 0));
    }
    for change in all().filter(|change| is_version(change)) {
        let name = name_at(&change.pointer).unwrap_or_default().to_owned();
        let cause = (Cause::Revision { name, a: text(&change.a), b: text(&change.b) }, 0);
        if !found.contains(&cause) {
            found.push(cause);
        }
    }
    let others = config.iter().filter(|change| !is_created(change) && !is_version(change));
    let others: Vec<String> = others.take(5).map(|change| change.pointer.clone()).collect();
    if !others.is_empty() {
        found.push((Cause::Config(others), 0));
    }
    // Docker's manifests have none.
    let can = |of: &Manifest| of.document.descriptor.media_type != media_type::DOCKER_MANIFEST;
    if can(x) && can(y) && manifest.iter().any(|change| change.pointer.starts_with("/annotations")) {
        found.push((Cause::Annotations, 0));
    }
    found
}

const BASE: &str = "org.opencontainers.image.base.";

/// What an image says of its base: whether it names one, and its digest.
fn named_base(of: &Manifest) -> (bool, Option<&str>) {
    let annotations = of.document.json.get("annotations").and_then(Value::as_object);
    let labels = of.config.json.pointer("/config/Labels").and_then(Value::as_object);
    let mut all = [annotations, labels].into_iter().flatten().flatten().filter(|(name, _)| name.starts_with(BASE));
    let digest = { all.clone() }.find(|(name, _)| name.strip_prefix(BASE) == Some("digest"));
    (all.next().is_some(), digest.and_then(|(_, digest)| digest.as_str()))
}

/// Another base: both digests say so; or, where one side names a base, the first layers differ, and all above are the same.
pub(super) fn base(x: &Manifest, y: &Manifest, layers: &[LayerDifference]) -> Option<Cause> {
    let ((named, a), (other, b)) = (named_base(x), named_base(y));
    match (a, b) {
        (Some(a), Some(b)) if a == b => return None,
        (Some(a), Some(b)) => return Some(Cause::BaseMoved(Some(a.to_owned()), Some(b.to_owned()))),
        _ if !named && !other => return None,
        _ => {}
    }
    let same = |layer: &LayerDifference| matches!(layer.change, LayerChange::Same | LayerChange::Recompressed(..));
    let first = layers.first().filter(|first| !same(first))?;
    let above: Vec<&LayerDifference> = layers.iter().skip_while(|layer| !same(layer)).collect();
    let substance = layers.iter().any(|layer| match &layer.change {
        LayerChange::Tar(tar) => tar.substance,
        LayerChange::OneSided { .. } => true,
        _ => false,
    });
    if above.is_empty() || !substance || !above.iter().all(|layer| same(layer)) {
        return None;
    }
    let diff_id = |of: &Manifest, n: Option<usize>| Some(of.layers.get(n?)?.diff_id.to_string());
    Some(Cause::BaseMoved(diff_id(x, first.a), diff_id(y, first.b)))
}
