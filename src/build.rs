//! A recipe on disk becomes an image at its destination: the one call behind `rebake build`.

mod expect;
mod planned;
mod stamp;
mod target;

pub use expect::{difference, expectation, record};
pub use planned::{Planned, inputs, measure, plan};
pub use stamp::{digest, keep};

use crate::archive::{self, Contents};
use crate::image::{Batch, Image};
use crate::layout::{self, Held, Staging, Standing};
use crate::lock::Lock;
use crate::oci::ImageName;
use crate::pantry::Pantry;
use crate::plan;
use crate::rebuild::Rebuild;
use crate::recipe::{Diagnostic, Stamp, Syntax, parse};
use crate::source::Inputs;
use crate::supply::{Shortage, Supply};
use planned::plan_with;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use target::{Target, refuse_input, tags, target};

/// A recipe, and everything that decides the bytes of its image.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The recipe's text.
    pub text: &'a str,
    /// Its notation.
    pub syntax: Syntax,
    /// Its lock.
    pub lock: Option<&'a Lock>,
    /// Where its inputs are looked for; says its folder too.
    pub supply: Supply<'a>,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970.
    pub source_date_epoch: Option<i64>,
    /// What it shares with the other images of the command: workers, layers.
    pub batch: &'a Batch,
    /// Where a stamped recipe's commit is known from.
    pub stamping: Stamping<'a>,
}

/// Where it is known from which commit an image is made.
#[derive(Debug, Clone, Copy)]
pub enum Stamping<'a> {
    /// Git is asked.
    Ask {
        /// The recipe's file.
        file: &'a Path,
        /// Whether the recipe's folder may differ from the commit. The image then says so.
        allow_dirty: bool,
    },
    /// It is known already, and git is not asked.
    Known(&'a Stamp),
    /// It does not matter: only what is the same at every commit is looked at.
    Any,
}

/// Where an image is to go.
#[derive(Debug, Clone, Copy)]
pub struct Goal<'a> {
    /// The place; none: a layout in `output`, named after the last part of the image's name.
    pub destination: Option<&'a ImageName>,
    /// The folder for images without a destination.
    pub output: &'a Path,
    /// Whether an image that is not the one that the lock expects is a failure.
    pub locked: bool,
    /// Records of earlier builds; none: everything is made again.
    pub rebuild: Option<&'a Rebuild>,
    /// The recipe's inputs, if they are at hand already.
    pub inputs: Option<&'a Inputs>,
}

/// An image that stands at its destination.
#[derive(Debug, Clone)]
pub struct Built {
    /// The image's name.
    pub name: String,
    /// Its tags, at least one.
    pub tags: Vec<String>,
    /// Where it is: `oci:DIR` and its like.
    pub destination: String,
    /// What it consists of.
    pub image: Image,
}

/// Why nothing was built. The destination is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The recipe, or something it names, is wrong.
    #[error("the recipe is wrong")]
    Recipe(Vec<Diagnostic>),
    /// Inputs are not to be had.
    #[error("inputs are not to be had")]
    Inputs(Vec<Shortage>),
    /// The image is not the one that the lock expects.
    #[error("the image is {found}, and the lock expects {expected}")]
    Differs {
        /// What the lock says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The image cannot be put there.
    #[error("cannot write {destination}: {source}")]
    Destination {
        /// As the user names it.
        destination: String,
        /// The disk's word.
        source: io::Error,
    },
    /// The destination is of a kind that cannot be built to.
    #[error("{0}")]
    Unsupported(String),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// The mistakes to show with the recipe.
    ///
    /// # Errors
    /// A failure that the recipe does not show.
    pub fn mistakes(self) -> Result<Vec<Diagnostic>, Self> {
        match self {
            Self::Recipe(mistakes) => Ok(mistakes),
            Self::Inputs(shortages) => Ok(shortages.into_iter().map(|shortage| shortage.mistake).collect()),
            other => Err(other),
        }
    }
}

/// Builds the image of a recipe.
///
/// # Errors
/// See [`Failure`].
pub fn build(order: &Order, goal: &Goal) -> Result<Built, Failure> {
    // What is wrong with the recipe is said first.
    let recipe = parse(order.text, order.syntax).map_err(Failure::Recipe)?;
    let name = recipe.image.name.value.clone();
    let default = ImageName::layout(goal.output.join(name.rsplit('/').next().unwrap_or(&name)));
    let destination = goal.destination.unwrap_or(&default);
    let target = target(destination, recipe.image.platforms.len())?;
    let cannot_write =
        |source| Failure::Destination { destination: destination.to_string(), source: without_hidden_path(source) };
    let absolute = |path: &Path| -> io::Result<PathBuf> { Ok(std::path::absolute(path)?.components().collect()) };
    let named = goal.destination.map(|_| absolute(target.path())).transpose().map_err(cannot_write)?;
    let output = absolute(goal.output).map_err(cannot_write)?;
    refuse_input(&recipe, order.supply.folder, destination, target.path())?;

    let rebuild = goal.rebuild.filter(|_| !goal.locked);
    let planned = plan_with(order, (named.as_deref(), &output), goal.inputs, rebuild.map(Rebuild::kept))?;
    let (name, mut tags) = tags(destination, name, planned.tags());
    if planned.stamp.as_ref().is_some_and(|stamp| stamp.dirty) {
        tags = tags.into_iter().map(plan::dirty_tag).collect();
    }
    if let Target::Layout(path) = target
        && Pantry::open(path).is_ok()
    {
        let message = format!("{destination} is a pantry, and an image in its place would replace all that it holds");
        return Err(Failure::Unsupported(message));
    }
    let index_json = |image: &Image| layout::index_json(&name, &tags, &image.descriptor);
    let memory = match (target, rebuild) {
        (Target::Layout(path), Some(rebuild)) => {
            rebuild.recall(path, &planned.plans).map(|memory| (rebuild, path, memory))
        }
        _ => None,
    };
    if let Some((_, path, memory)) = memory.as_ref().filter(|(_, _, memory)| memory.is_whole()) {
        // Whatever is not as it should be is written below.
        let standing = Standing::new(path);
        let image = planned.write_again(order, &standing, memory, cannot_write).ok();
        if let Some(image) = image.filter(|image| standing.is(&index_json(image))) {
            return Ok(Built { name, tags, destination: destination.to_string(), image });
        }
        memory.forget_made();
    }
    let staging = match target {
        Target::Layout(path) => Staging::begin(path),
        Target::Archive(_, path) => archive::begin(path),
    };
    let staging = staging.map_err(cannot_write)?;
    let image = match &memory {
        Some((_, _, memory)) => planned.write_again(order, &staging, memory, cannot_write)?,
        None => planned.write(order, &staging, cannot_write)?,
    };
    if let Some(lock) = order.lock.filter(|lock| goal.locked && !lock.expected.is_empty()) {
        let found = match planned.stamp {
            Some(_) => expectation(order)?,
            None => record(&image, false),
        };
        if let Some((expected, found)) = difference(&lock.expected, &found) {
            return Err(Failure::Differs { expected, found });
        }
    }
    let interrupt = order.supply.interrupt;
    match target {
        // A copy that is adding to the layout there would lose its image. Where nothing stands nobody adds, and a folder made
        // to be held would stay if this process were killed.
        Target::Layout(path) => {
            let held = path.symlink_metadata().is_ok().then(|| Held::soon(path, interrupt)).transpose();
            held.and_then(|_held| staging.publish(&index_json(&image)))
        }
        Target::Archive(format, _) => {
            let contents = Contents::built(&name, &tags, &image);
            let file = archive::write(format, staging.path(), &contents, interrupt);
            file.and_then(|file| staging.publish_file(&file))
        }
    }
    .map_err(|error| match interrupt.load(Ordering::Relaxed) && error.kind() == io::ErrorKind::Interrupted {
        true => Failure::Interrupted,
        false => cannot_write(error),
    })?;
    if let Some((rebuild, path, memory)) = memory {
        let layers = image.manifests.iter().flat_map(|manifest| &manifest.layers);
        rebuild.keep(path, memory, layers.map(|layer| layer.descriptor.digest));
    }
    Ok(Built { name, tags, destination: destination.to_string(), image })
}

/// `tempfile` names the hidden file that it failed on, which is gone by the time a user looks for it.
fn without_hidden_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path \"") {
        Some((why, _)) => io::Error::new(error.kind(), why),
        None => error,
    }
}
