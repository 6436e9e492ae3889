//! The documents of two images: platforms that belong together, and what their manifests and configs say.

use super::cause::{Blame, Evidence};
use super::fields::{FieldChange, changes};
use super::layers::{LayerChange, LayerDifference, Pair};
use super::{Context, DiffError, Differences, Rung, Side};
use crate::oci::{Descriptor, Digest, Platform};
use crate::source::image::same_platform;
use crate::transport::{Image, Manifest};
use serde_json::{Map, Value};

/// What differs for one platform.
#[derive(Debug, Clone)]
pub struct PlatformDifferences {
    /// Which one; none if a config does not say.
    pub platform: Option<Platform>,
    /// The first image's manifest; none if it has none for this platform.
    pub a: Option<Descriptor>,
    /// The second image's manifest.
    pub b: Option<Descriptor>,
    /// What differs in the manifest, but for digests and sizes, which follow from the rest.
    pub manifest: Vec<FieldChange>,
    /// What differs in the config, but for diff_ids.
    pub config: Vec<FieldChange>,
    /// The layers, lowest first.
    pub layers: Vec<LayerDifference>,
    /// Why, most telling first.
    pub causes: Vec<Blame>,
    rung: Rung,
}

impl PlatformDifferences {
    /// How alike the two are.
    #[must_use]
    pub fn rung(&self) -> Rung {
        self.rung
    }
}

pub(super) fn compare(a: &Side, b: &Side, context: &Context) -> Result<Differences, DiffError> {
    let (pairs, only) = pairs(a, b, context)?;
    let mut platforms = Vec::new();
    for (x, y) in &pairs {
        context.check()?;
        platforms.push(match (x, y) {
            (Some(x), Some(y)) => both((a, *x), (b, *y), context)?,
            (x, y) => one((a, *x), (b, *y)),
        });
    }
    let index = if only.is_none() { index(a.image, b.image, &pairs, context.limits.fields) } else { Vec::new() };
    let same_others = only.is_some() || offered(a.image) == offered(b.image);
    let (a, b) = (a.image.top.descriptor.clone(), b.image.top.descriptor.clone());
    Ok(Differences { a, b, index, platforms, only, same_others })
}

/// What is no image by its config, and still is listed for a platform: somebody who asks for that one gets it.
fn offered(image: &Image) -> Vec<(Digest, &Platform)> {
    let others = image.others.iter().filter_map(|other| Some((other.digest, other.platform.as_ref()?)));
    others.filter(|(_, platform)| platform.os != "unknown").collect()
}

/// Numbers of manifests, of each image or of one.
type Pairs = Vec<(Option<usize>, Option<usize>)>;

/// The manifests that belong together; and the platform, if only one is to be compared.
fn pairs(a: &Side, b: &Side, context: &Context) -> Result<(Pairs, Option<Platform>), DiffError> {
    let (left, right) = (&a.image.manifests, &b.image.manifests);
    let same = |x: &Manifest, y: &Manifest| match (&x.platform, &y.platform) {
        (Some(x), Some(y)) => same_platform(x, y),
        (x, y) => x == y,
    };
    let mut free: Vec<usize> = (0..right.len()).collect();
    let mut pairs: Pairs = Vec::new();
    for (n, manifest) in left.iter().enumerate() {
        // Of several for one platform, the very same one.
        let twin = |&m: &usize| {
            right.get(m).is_some_and(|m| m.document.descriptor.digest == manifest.document.descriptor.digest)
        };
        let fits = |&m: &usize| right.get(m).is_some_and(|other| same(manifest, other));
        let at = free.iter().position(twin).or_else(|| free.iter().position(fits));
        pairs.push((Some(n), at.map(|at| free.remove(at))));
    }
    pairs.extend(free.into_iter().map(|m| (None, Some(m))));
    twice(&mut pairs, left, right, &same);
    let platform = |(x, y): &(Option<usize>, Option<usize>)| {
        let manifest = x.and_then(|x| left.get(x)).or_else(|| y.and_then(|y| right.get(y)));
        manifest.and_then(|manifest| manifest.platform.clone())
    };
    if let Some(wanted) = context.platform {
        pairs.retain(|pair| platform(pair).is_some_and(|platform| same_platform(&platform, wanted)));
        if pairs.is_empty() {
            let all =
                left.iter().chain(right).filter_map(|manifest| manifest.platform.as_ref()).map(Platform::to_string);
            let mut available: Vec<String> = all.collect();
            available.sort();
            available.dedup();
            return Err(DiffError::Platform { wanted: wanted.clone(), available });
        }
        return Ok((pairs, Some(wanted.clone())));
    }
    Ok((pairs, None))
}

/// A platform that one image lists twice is not missing from the other: the second is held against the same one, or left
/// out if it is the first once more.
fn twice(pairs: &mut Pairs, left: &[Manifest], right: &[Manifest], same: &dyn Fn(&Manifest, &Manifest) -> bool) {
    let known: Pairs = pairs.iter().copied().filter(|(x, y)| x.is_some() && y.is_some()).collect();
    let of = |(x, y): (Option<usize>, Option<usize>)| (x.and_then(|x| left.get(x)), y.and_then(|y| right.get(y)));
    pairs.retain_mut(|pair| {
        let (alone, is_left) = match of(*pair) {
            (Some(alone), None) => (alone, true),
            (None, Some(alone)) => (alone, false),
            _ => return true,
        };
        let twin = known.iter().find(|known| match of(**known) {
            (Some(x), Some(y)) => same(alone, if is_left { y } else { x }),
            _ => false,
        });
        let Some(&(x, y)) = twin else { return true };
        let first = if is_left { of((x, None)).0 } else { of((None, y)).1 };
        *pair = if is_left { (pair.0, y) } else { (x, pair.1) };
        first.is_none_or(|first| first.document.descriptor.digest != alone.document.descriptor.digest)
    });
}

/// A platform that only one image has.
fn one((a, x): (&Side, Option<usize>), (b, y): (&Side, Option<usize>)) -> PlatformDifferences {
    let of = |side: &Side, n: Option<usize>| n.and_then(|n| side.image.manifests.get(n)).cloned();
    let (x, y) = (of(a, x), of(b, y));
    let platform = x.as_ref().or(y.as_ref()).and_then(|manifest| manifest.platform.clone());
    PlatformDifferences {
        causes: vec![Blame::platform(platform.clone(), x.is_some())],
        platform,
        a: x.map(|manifest| manifest.document.descriptor),
        b: y.map(|manifest| manifest.document.descriptor),
        manifest: Vec::new(),
        config: Vec::new(),
        layers: Vec::new(),
        rung: Rung::Different,
    }
}

fn both(a: (&Side, usize), b: (&Side, usize), context: &Context) -> Result<PlatformDifferences, DiffError> {
    let of = |(side, n): (&Side, usize)| side.image.manifests.get(n).cloned();
    let (Some(x), Some(y)) = (of(a), of(b)) else { return Ok(one((a.0, None), (b.0, None))) };
    let mut evidence = Evidence::default();
    let limit = context.limits.fields;
    let manifest = changes(&x.document.json, &y.document.json, limit, &|pointer| told(pointer, &x, &y));
    let config = changes(&x.config.json, &y.config.json, limit, &|pointer| pointer.starts_with("/rootfs/diff_ids"));
    let layers = match x.document.descriptor.digest == y.document.descriptor.digest {
        true => Vec::new(),
        false => Pair { a: (*a.0, a.1), b: (*b.0, b.1) }.layers(context, &mut evidence)?,
    };
    let rung = rung(&x, &y, &layers);
    let causes = evidence.causes(&x, &y, &manifest, &config, &layers, rung);
    Ok(PlatformDifferences {
        platform: x.platform.or(y.platform),
        a: Some(x.document.descriptor),
        b: Some(y.document.descriptor),
        manifest,
        config,
        layers,
        causes,
        rung,
    })
}

/// Fields of a manifest that follow from config and layers.
fn told(pointer: &str, x: &Manifest, y: &Manifest) -> bool {
    let mut parts = pointer.split('/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("config"), Some("digest" | "size"), None) => true,
        (Some("layers"), Some(_), Some("digest" | "size")) => true,
        // Of a layer that only one has, the layers themselves tell.
        (Some("layers"), Some(n), _) => n.parse().is_ok_and(|n: usize| n >= x.layers.len().min(y.layers.len())),
        _ => false,
    }
}

/// Whether an index offers a manifest to another platform than its config is for: who asks for a platform goes by the index.
fn misled(manifest: &Manifest) -> Option<&Platform> {
    let offered = manifest.document.descriptor.platform.as_ref()?;
    let is_for = manifest.platform.as_ref()?;
    (!same_platform(offered, is_for)).then_some(offered)
}

fn rung(x: &Manifest, y: &Manifest, layers: &[LayerDifference]) -> Rung {
    if misled(x) != misled(y) {
        return Rung::Different;
    }
    let digest = |manifest: &Manifest| manifest.document.descriptor.digest;
    if digest(x) == digest(y) {
        return Rung::Identical;
    }
    // Also where a config says that all is the same.
    if layers.iter().any(|layer| matches!(layer.change, LayerChange::Unreadable { .. })) {
        return Rung::Different;
    }
    let equal = |same: &dyn Fn(usize) -> bool| x.layers.len() == y.layers.len() && (0..x.layers.len()).all(same);
    let digests = equal(
        &|n| matches!((x.layers.get(n), y.layers.get(n)), (Some(x), Some(y)) if x.descriptor.digest == y.descriptor.digest),
    );
    let diff_ids =
        equal(&|n| matches!((x.layers.get(n), y.layers.get(n)), (Some(x), Some(y)) if x.diff_id == y.diff_id));
    if digests && x.config.descriptor.digest == y.config.descriptor.digest {
        return Rung::SameConfigAndLayers;
    }
    if without_diff_ids(&x.config.json) != without_diff_ids(&y.config.json) {
        return Rung::Different;
    }
    if diff_ids {
        return Rung::Recompressed;
    }
    let tree = layers.iter().all(|layer| {
        layer.a == layer.b
            && match &layer.change {
                LayerChange::Same | LayerChange::Recompressed(..) => true,
                LayerChange::Tar(tar) => !tar.substance,
                LayerChange::OneSided { .. } | LayerChange::Unreadable { .. } => false,
            }
    });
    if tree { Rung::SameTree } else { Rung::Different }
}

fn without_diff_ids(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(rootfs) = config.get_mut("rootfs").and_then(Value::as_object_mut) {
        rootfs.remove("diff_ids");
    }
    config
}

/// What differs in the tops besides the manifests that belong together.
fn index(a: &Image, b: &Image, pairs: &Pairs, limit: usize) -> Vec<FieldChange> {
    if a.top.descriptor.digest == b.top.descriptor.digest || !a.is_index() && !b.is_index() {
        return Vec::new();
    }
    if a.is_index() != b.is_index() {
        let kind = |image: &Image| Some(Value::from(image.top.descriptor.media_type.clone()));
        return vec![FieldChange { pointer: "/mediaType".to_owned(), a: kind(a), b: kind(b) }];
    }
    let empty = Map::new();
    let rest = |image: &Image| -> Value {
        let top = image.top.json.as_object().unwrap_or(&empty);
        top.iter().filter(|(name, _)| *name != "manifests").map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let mut list = changes(&rest(a), &rest(b), limit, &|_| false);
    // Descriptors by what they point at: those of one platform belong together.
    let listed = |image: &Image| -> Vec<Value> {
        image.top.json.get("manifests").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let (left, right) = (listed(a), listed(b));
    let place = |all: &[Value], digest: &str| {
        all.iter().position(|value| value.get("digest").and_then(Value::as_str) == Some(digest))
    };
    let digest = |image: &Image, n: usize| image.manifests.get(n).map(|m| m.document.descriptor.digest.to_string());
    let mut last = None;
    let mut moved = false;
    let (mut known_a, mut known_b) = (Vec::new(), Vec::new());
    for (x, y) in pairs {
        let x = x.and_then(|x| digest(a, x)).and_then(|digest| place(&left, &digest));
        let y = y.and_then(|y| digest(b, y)).and_then(|digest| place(&right, &digest));
        known_a.extend(x);
        known_b.extend(y);
        let (Some(x), Some(y)) = (x, y) else { continue };
        moved |= last.is_some_and(|last| y < last);
        last = Some(y);
        if let (Some(from), Some(to)) = (left.get(x), right.get(y)) {
            let below = changes(from, to, limit, &|pointer| matches!(pointer, "/digest" | "/size"));
            let pointer =
                |change: FieldChange| FieldChange { pointer: format!("/manifests/{y}{}", change.pointer), ..change };
            list.extend(below.into_iter().map(pointer));
        }
    }
    // Attestations and other artifacts.
    let others = |all: &[Value], known: &[usize], other: &[Value]| -> Vec<(usize, Value)> {
        let new = all.iter().enumerate().filter(|(n, value)| !known.contains(n) && !other.contains(value));
        new.map(|(n, value)| (n, value.clone())).collect()
    };
    let field = |n: usize, a: Option<Value>, b: Option<Value>| FieldChange { pointer: format!("/manifests/{n}"), a, b };
    list.extend(others(&left, &known_a, &right).into_iter().map(|(n, value)| field(n, Some(value), None)));
    list.extend(others(&right, &known_b, &left).into_iter().map(|(n, value)| field(n, None, Some(value))));
    if moved {
        let platforms = |image: &Image| -> Value {
            let names = image.manifests.iter().map(|m| m.platform.as_ref().map(Platform::to_string));
            names.map(Value::from).collect()
        };
        list.push(FieldChange { pointer: "/manifests".to_owned(), a: Some(platforms(a)), b: Some(platforms(b)) });
    }
    list.truncate(limit);
    list
}
