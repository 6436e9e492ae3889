//! What a lock expects of an image, and where an image is something else.

use super::{Failure, Order, Stamping, measure};
use crate::image::{self, Image};
use crate::lock::Expected;
use crate::oci::Digest;
use crate::recipe::{Diagnostic, parse};
use std::collections::BTreeMap;

/// What is to be expected of a recipe's image, for `[expected]` of its lock: its digests; of an image that carries its commit,
/// of which the lock is a part, the layers alone.
///
/// # Errors
/// See [`Failure`]; that the layers carry the commit too.
pub fn expectation(order: &Order) -> Result<Expected, Failure> {
    let recipe = parse(order.text, order.syntax).map_err(Failure::Recipe)?;
    let stamps = recipe.stamps();
    if let (Some(span), true) = (stamps.first(), recipe.has_stamped_layers()) {
        let message = "the layers carry the time of the commit, so what they are cannot stand in a file of that commit";
        let help = "give `mtime` an instant, or leave it out; or do not record this recipe";
        return Err(Failure::Recipe(vec![Diagnostic::at(*span, message).help(help)]));
    }
    let image = measure(&Order { stamping: Stamping::Any, ..*order })?;
    Ok(record(&image, !stamps.is_empty()))
}

/// An image as a lock records it; of a `stamped` one, whose digest differs from commit to commit, the layers.
#[must_use]
pub fn record(image: &Image, stamped: bool) -> Expected {
    let manifests = image.manifests.iter();
    if stamped {
        let layers = |manifest: &image::Manifest| manifest.layers.iter().map(|layer| layer.descriptor.digest).collect();
        let layers = manifests.map(|manifest| (manifest.platform.clone(), layers(manifest))).collect();
        return Expected { layers, ..Expected::default() };
    }
    Expected {
        image: Some(image.descriptor.digest),
        manifests: manifests.map(|manifest| (manifest.platform.clone(), manifest.descriptor.digest)).collect(),
        layers: BTreeMap::new(),
    }
}

/// Where an image is not what a lock expects: what is expected, and what it is. What the lock does not say is not compared.
#[must_use]
pub fn difference(expected: &Expected, image: &Image) -> Option<(String, String)> {
    if let Some(digest) = expected.image.filter(|digest| *digest != image.descriptor.digest) {
        return Some((digest.to_string(), image.descriptor.digest.to_string()));
    }
    image.manifests.iter().find_map(|manifest| {
        let platform = &manifest.platform;
        let wanted = expected.manifests.get(platform).filter(|digest| **digest != manifest.descriptor.digest);
        if let Some(digest) = wanted {
            return Some((format!("{digest} for {platform}"), manifest.descriptor.digest.to_string()));
        }
        let layers: Vec<Digest> = manifest.layers.iter().map(|layer| layer.descriptor.digest).collect();
        let shown = |layers: &[Digest]| layers.iter().map(Digest::to_string).collect::<Vec<_>>().join(" ");
        let wanted = expected.layers.get(platform).filter(|wanted| **wanted != layers)?;
        Some((format!("the layers {} for {platform}", shown(wanted)), shown(&layers)))
    })
}
