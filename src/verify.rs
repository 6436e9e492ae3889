//! Is a published image what its recipe says? The recipe is baked again, into nothing, and the two are compared.

mod made;
mod rebuilt;

pub use made::Made;

use crate::build::{Failure, Order, Planned, plan};
use crate::diff::{Context, DiffError, Differences, Limits, Side, Stored, compare};
use crate::source::disk::OUTPUT;
use crate::supply::Supply;
use crate::transport::{Image, Source};
use rebuilt::Rebuilt;

/// What came of it.
pub struct Verdict {
    /// The image as it was rebuilt.
    pub rebuilt: Image,
    /// Where the published image is another one: A is what was rebuilt, B what was found.
    pub differences: Differences,
    /// Behind the rebuilt image: says which statement made a path.
    planned: Rebuilt,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The recipe cannot be baked.
    #[error(transparent)]
    Build(#[from] Failure),
    /// The images cannot be compared.
    #[error(transparent)]
    Diff(#[from] DiffError),
}

/// Bakes a recipe again, writes nothing, and compares with the image that `found` gives, whose documents are `image`.
///
/// # Errors
/// See [`VerifyError`].
pub fn verify(order: &Order, found: &Source, image: &Image) -> Result<Verdict, VerifyError> {
    let nowhere = order.supply.folder.join(OUTPUT);
    let planned: Planned = plan(order, (found.name.path(), &nowhere))?;
    let written = planned.hash(order)?;
    let planned = Rebuilt::new(planned);
    let rebuilt = rebuilt::image(&written);
    let Supply { scratch, interrupt, .. } = order.supply;
    // What was published may be one platform of several: a copy of that alone.
    let one = image.manifests.first().filter(|_| !image.is_index() && rebuilt.is_index());
    let platform = one.and_then(|manifest| manifest.platform.as_ref());
    let context = Context { scratch, interrupt, platform, prove: true, limits: Limits::default() };
    let a = Side { image: &rebuilt, layers: &planned };
    let b = Side { image, layers: &Stored { source: found, image } };
    let differences = compare(&a, &b, &context)?;
    Ok(Verdict { rebuilt, differences, planned })
}
