//! A recipe whose inputs are at hand, planned for all its platforms; and its image, written into any sink.

use super::{Failure, Order, Stamping, stamp};
use crate::image::{self, Image, ImageWriteError, Memory};
use crate::lock::Pinned;
use crate::oci::{Nowhere, Platform, Sink};
use crate::plan::{self, Context, Plan};
use crate::recipe::{Diagnostic, Input, Recipe, Stamp, Variables, parse};
use crate::record::Kept;
use crate::source::Inputs;
use crate::source::disk::{OUTPUT, Root};
use crate::supply::Supply;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

/// A recipe whose inputs are at hand, planned for all its platforms.
pub struct Planned {
    /// The recipe.
    pub recipe: Recipe<Pinned>,
    /// What its inputs are.
    pub inputs: Inputs,
    /// One a platform.
    pub plans: Vec<Plan>,
    /// Its folder, which knows which files were used.
    pub root: Root,
    /// What it says of its commit, if it says anything.
    pub stamp: Option<Stamp>,
}

/// Plans the image of a recipe. `written` are the places where rebake writes: the destination, and the folder for images
/// without one; no copy ever sees them.
///
/// # Errors
/// See [`Failure`].
pub fn plan(order: &Order, written: (Option<&Path>, &Path)) -> Result<Planned, Failure> {
    plan_with(order, written, None, None)
}

/// Gets all inputs of a recipe, and bakes nothing.
///
/// # Errors
/// See [`Failure`].
pub fn inputs(order: &Order) -> Result<Inputs, Failure> {
    let recipe = parse(order.text, order.syntax).and_then(|recipe| recipe.pin(order.lock)).map_err(Failure::Recipe)?;
    ready(&recipe, &order.supply)
}

fn ready(recipe: &Recipe<Pinned>, supply: &Supply) -> Result<Inputs, Failure> {
    supply.ready(recipe).map_err(|shortages| match supply.interrupt.load(Ordering::Relaxed) {
        true => Failure::Interrupted,
        false => Failure::Inputs(shortages),
    })
}

pub(super) fn plan_with(
    order: &Order,
    written: (Option<&Path>, &Path),
    at_hand: Option<&Inputs>,
    kept: Option<Kept>,
) -> Result<Planned, Failure> {
    let recipe = parse(order.text, order.syntax).and_then(|recipe| recipe.pin(order.lock)).map_err(Failure::Recipe)?;
    let (destination, output) = written;
    let root = Root::new(order.supply.folder, destination, output).map_err(|error| {
        Failure::Recipe(vec![Diagnostic::new(format!("the recipe's folder cannot be read: {error}"))])
    })?;
    let root = root.with_threads(order.batch.share());
    let supply = Supply { folder: root.path(), ..order.supply };
    let interrupt = supply.interrupt;
    let stopped = |failure: Failure| if interrupt.load(Ordering::Relaxed) { Failure::Interrupted } else { failure };
    let ask = || {
        Ok::<_, Failure>(match order.stamping {
            _ if recipe.stamps().is_empty() => None,
            Stamping::Ask { file, allow_dirty } => {
                let written = [Some(output), destination];
                let written: Vec<&Path> = written.into_iter().flatten().collect();
                Some(stamp::ask(&recipe, &stamp::Asking { order, file, allow_dirty, written: &written })?)
            }
            Stamping::Known(stamp) => Some((stamp.clone(), None)),
            Stamping::Any => Some((Stamp::sample(), None)),
        })
    };
    let mut stamp = ask()?;
    let inputs = at_hand.map_or_else(|| ready(&recipe, &supply), |inputs| Ok(inputs.clone()))?;
    let plan = |stamp: Option<&Stamp>| plans(&recipe, (&root, &inputs, stamp), order, kept).map_err(stopped);
    let mut plans = plan(stamp.as_ref().map(|(stamp, _)| stamp))?;
    match &mut stamp {
        Some((stamp, Some(files))) if stamp::altered(&root, *files, order, &recipe)? => {
            stamp.dirty = true;
            plans = plan(Some(stamp))?;
        }
        // Fetching inputs may have taken hours, and the files are held against what they were only since they were planned.
        Some((stamp, None)) => {
            if let Some((now, _)) = ask()?.filter(|(now, _)| now != stamp) {
                plans = plan(Some(&now))?;
                *stamp = now;
            }
        }
        _ => {}
    }
    Ok(Planned { recipe, inputs, plans, root, stamp: stamp.map(|(stamp, _)| stamp) })
}

/// A plan for each platform.
fn plans(
    recipe: &Recipe<Pinned>,
    (root, inputs, stamp): (&Root, &Inputs, Option<&Stamp>),
    order: &Order,
    kept: Option<Kept>,
) -> Result<Vec<Plan>, Failure> {
    let Supply { scratch, interrupt, .. } = order.supply;
    let context = Context { root, inputs, stamp, scratch, kept, interrupt, source_date_epoch: order.source_date_epoch };
    let mut plans = Vec::new();
    let mut mistakes = Vec::new();
    for platform in &recipe.image.platforms {
        match Plan::new(recipe, platform, context) {
            Ok(plan) => plans.push(plan),
            // Most mistakes are the same on every platform.
            Err(found) => mistakes.extend(found.into_iter().filter(|new| !mistakes.contains(new)).collect::<Vec<_>>()),
        }
    }
    match mistakes.is_empty() && !interrupt.load(Ordering::Relaxed) {
        true => Ok(plans),
        false => Err(Failure::Recipe(mistakes)),
    }
}

impl Planned {
    /// Writes the image into a sink.
    ///
    /// # Errors
    /// See [`Failure`]; what the sink reports is made one by `cannot_write`.
    pub fn write(
        &self,
        order: &Order,
        sink: &dyn Sink,
        cannot_write: impl FnOnce(io::Error) -> Failure,
    ) -> Result<Image, Failure> {
        // Layers that platforms and images share are written once.
        let memory = if self.plans.len() > 1 || order.batch.is_several() {
            Memory::of(&self.plans, i64::MIN).ok()
        } else {
            None
        };
        self.write_again(order, sink, &memory.unwrap_or_default(), cannot_write)
    }

    /// As [`Planned::write`], and takes over what `memory` has.
    pub(super) fn write_again(
        &self,
        order: &Order,
        sink: &dyn Sink,
        memory: &Memory,
        cannot_write: impl FnOnce(io::Error) -> Failure,
    ) -> Result<Image, Failure> {
        // Those of an index are the same on all platforms.
        let annotations = self.plans.first().map(|plan| plan.annotations.clone()).unwrap_or_default();
        let manner = (order.batch, order.supply.interrupt);
        image::write(&self.plans, &annotations, sink, memory, manner).map_err(|error| match error {
            ImageWriteError::Content { path, place, source } => {
                let message = format!("the content of {path} cannot be had: {source}");
                let mistake = place.map_or_else(|| Diagnostic::new(&message), |place| Diagnostic::at(place, &message));
                Failure::Recipe(vec![mistake])
            }
            ImageWriteError::Base(why) => Failure::Recipe(vec![self.bad_base(&why)]),
            ImageWriteError::Sink(source) => cannot_write(source),
            ImageWriteError::Interrupted => Failure::Interrupted,
        })
    }

    /// A base that was sound when an earlier build looked at it, and is not any more.
    fn bad_base(&self, why: &str) -> Diagnostic {
        let base = self.recipe.image.base.as_ref();
        let input = base.and_then(|base| match &self.recipe.inputs.get(&base.value)?.value {
            Input::Image { image } => Some(image),
            _ => None,
        });
        let (Some(base), Some(image)) = (base, input) else { return Diagnostic::new(why) };
        let message = format!("the image `{}` cannot be used: {why}", image.value);
        Diagnostic::at(image.span, message)
            .also(base.span, "it is the base of this image")
            .help("`rebake build --no-cache` looks at all inputs again, and fetches those anew that it can")
    }

    /// Finds out which image it is, and writes nothing.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn hash(&self, order: &Order) -> Result<Image, Failure> {
        self.write(order, &Nowhere, |error| Failure::Unsupported(error.to_string()))
    }

    pub(super) fn tags(&self) -> Vec<String> {
        let image = &self.recipe.image;
        let version = image.version.as_ref().map(|version| version.value.as_str());
        // A tag is the same on all platforms.
        let platform = image.platforms.first().map(|platform| platform.value.clone());
        let variables = Variables::new(&image.name, version, &platform.unwrap_or_else(Platform::linux_amd64));
        plan::tags(&self.recipe, &variables, self.stamp.as_ref())
    }
}

/// Finds out which image a recipe gives, and writes nothing.
///
/// # Errors
/// See [`Failure`].
pub fn measure(order: &Order) -> Result<Image, Failure> {
    let nowhere = order.supply.folder.join(OUTPUT);
    let planned = plan(order, (None, &nowhere))?;
    planned.hash(order)
}
