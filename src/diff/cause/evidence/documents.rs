//! What manifests and configs tell: another commit, another base, another time.

use crate::diff::Cause;
use crate::diff::fields::FieldChange;
use crate::diff::layers::{LayerChange, LayerDifference};
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
    manifest: &[FieldChange],
    config: &[FieldChange],
    layers: &[LayerDifference],
) -> Vec<(Cause, u64)> {
    let mut found = Vec::new();
    let is_created = |change: &&FieldChange| {
        change.pointer == "/created"
            || change.pointer.starts_with("/history/") && change.pointer.ends_with("/created")
            || change.pointer == "/annotations/org.opencontainers.image.created"
    };
    let all = || manifest.iter().chain(config);
    let is_version =
        |name: &&str| matches!(*name, "org.opencontainers.image.revision" | "org.opencontainers.image.version");
    let same = layers.iter().all(|layer| matches!(layer.change, LayerChange::Same));
    if let Some(created) = config.iter().chain(manifest).find(is_created) {
        let only = same && all().all(|change| is_created(&change));
        found.push((Cause::Created { only, a: text(&created.a), b: text(&created.b) }, 0));
    }
    for change in all() {
        let name = name_at(&change.pointer);
        if let Some(name) = name.filter(is_version) {
            let (name, a, b) = (name.to_owned(), text(&change.a), text(&change.b));
            let cause = (Cause::Revision { name, a, b }, 0);
            if !found.contains(&cause) {
                found.push(cause);
            }
        }
    }
    let others =
        config.iter().filter(|change| !is_created(change) && name_at(&change.pointer).is_none_or(|n| !is_version(&n)));
    let others: Vec<String> = others.take(5).map(|change| change.pointer.clone()).collect();
    if !others.is_empty() {
        found.push((Cause::Config(others), 0));
    }
    if manifest.iter().any(|change| change.pointer.starts_with("/annotations")) {
        found.push((Cause::Annotations, 0));
    }
    found
}

const BASE: &str = "org.opencontainers.image.base.digest";

/// Another base: its digest says so; or the first layers differ, and all above them are the same.
pub(super) fn base(
    x: &Manifest,
    y: &Manifest,
    manifest: &[FieldChange],
    config: &[FieldChange],
    layers: &[LayerDifference],
) -> Option<Cause> {
    if let Some(change) = manifest.iter().chain(config).find(|change| name_at(&change.pointer) == Some(BASE)) {
        return Some(Cause::BaseMoved(text(&change.a), text(&change.b)));
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
