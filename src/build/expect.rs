//! What a lock expects of an image, and where an image is something else.

use super::{Failure, Order, Planned, Stamping, measure};
use crate::image::Image;
use crate::lock::Expected;
use crate::recipe::parse;

/// What is to be expected of a recipe's image, for `[expected]` of its lock. The lock is a part of the commit that a stamped
/// image carries, so what stands there is that image with a fixed stand-in for the commit.
///
/// # Errors
/// See [`Failure`].
pub fn expectation(order: &Order) -> Result<Expected, Failure> {
    let recipe = parse(order.text, order.syntax).map_err(Failure::Recipe)?;
    let image = measure(&Order { stamping: Stamping::Any, ..*order })?;
    Ok(record(&image, !recipe.stamps().is_empty()))
}

impl Planned {
    /// What this image is, as its lock would record it. Baked once more only if it carries its commit.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn recorded(&self, order: &Order) -> Result<Expected, Failure> {
        match self.stamp {
            Some(_) => expectation(order),
            None => Ok(record(&self.hash(order)?, false)),
        }
    }
}

/// An image as a lock records it; a `stamped` one was measured with [`Stamping::Any`].
#[must_use]
pub fn record(image: &Image, stamped: bool) -> Expected {
    let manifests = image.manifests.iter();
    let manifests = manifests.map(|manifest| (manifest.platform.clone(), manifest.descriptor.digest)).collect();
    let digest = Some(image.descriptor.digest);
    match stamped {
        true => Expected { image: None, unstamped: digest, manifests },
        false => Expected { image: digest, unstamped: None, manifests },
    }
}

/// Where two expectations differ: what the one says, and what the other.
#[must_use]
pub fn difference(expected: &Expected, found: &Expected) -> Option<(String, String)> {
    if expected == found {
        return None;
    }
    let shown = |expected: &Expected| match (expected.image, expected.unstamped) {
        (Some(image), _) => image.to_string(),
        (None, Some(image)) => format!("{image} without its commit"),
        (None, None) => "nothing".to_owned(),
    };
    if shown(expected) != shown(found) {
        return Some((shown(expected), shown(found)));
    }
    // A damaged lock: the parts do not fit the whole.
    let parts = |expected: &Expected| {
        let parts = expected.manifests.iter().map(|(platform, digest)| format!("{digest} for {platform}"));
        parts.collect::<Vec<_>>().join(", ")
    };
    Some((parts(expected), parts(found)))
}
