//! A recipe on disk becomes an image at its destination: the one call behind `rebake build`.

mod expect;
mod stamp;

pub use expect::{difference, expectation, record};
pub use stamp::{digest, keep};

use crate::archive::{self, Contents, Format};
use crate::image::{self, Batch, Image, ImageWriteError, Memory};
use crate::layout::{self, Held, Staging, Standing};
use crate::lock::{Lock, Pinned};
use crate::oci::{ImageName, Nowhere, Platform, Sink, Transport};
use crate::pantry::Pantry;
use crate::plan::{self, Context, Plan};
use crate::rebuild::Rebuild;
use crate::recipe::{Diagnostic, Input, Recipe, Source, Stamp, Syntax, Variables, parse};
use crate::record::Kept;
use crate::source::Inputs;
use crate::source::disk::{OUTPUT, Root};
use crate::supply::{Shortage, Supply};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

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

fn plan_with(
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
    let root = root.with_threads(order.batch.jobs());
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

    fn write_again(
        &self,
        order: &Order,
        sink: &dyn Sink,
        memory: &Memory,
        cannot_write: impl FnOnce(io::Error) -> Failure,
    ) -> Result<Image, Failure> {
        // Those of an index are the same on all platforms.
        let annotations = self.plans.first().map(|plan| plan.annotations.clone()).unwrap_or_default();
        let manner = (order.batch, order.supply.interrupt);
        image::write_again(&self.plans, &annotations, sink, memory, manner).map_err(|error| match error {
            ImageWriteError::Content { path, place, source } => {
                let message = format!("the content of {path} cannot be had: {source}");
                let mistake = place.map_or_else(|| Diagnostic::new(&message), |place| Diagnostic::at(place, &message));
                Failure::Recipe(vec![mistake])
            }
            ImageWriteError::Base(why) => Failure::Recipe(vec![match &self.recipe.image.base {
                Some(base) => Diagnostic::at(base.span, format!("the base cannot be copied: {why}")),
                None => Diagnostic::new(why),
            }]),
            ImageWriteError::Sink(source) => cannot_write(source),
            ImageWriteError::Interrupted => Failure::Interrupted,
        })
    }

    /// Finds out which image it is, and writes nothing.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn hash(&self, order: &Order) -> Result<Image, Failure> {
        self.write(order, &Nowhere, |error| Failure::Unsupported(error.to_string()))
    }

    fn tags(&self) -> Vec<String> {
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
    let planned = self::plan(order, (None, &nowhere))?;
    planned.hash(order)
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
        // A copy that is adding to the layout there would lose its image.
        Target::Layout(path) => Held::soon(path, interrupt).and_then(|_held| staging.publish(&index_json(&image))),
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

/// An image that is written where an input stands would replace it.
fn refuse_input(recipe: &Recipe<Source>, folder: &Path, destination: &ImageName, target: &Path) -> Result<(), Failure> {
    for image in recipe.inputs.values().filter_map(|input| match &input.value {
        Input::Image { image } => Some(image),
        _ => None,
    }) {
        if let Transport::Layout(path) | Transport::OciArchive(path) | Transport::DockerArchive(path) = &image.transport
            && let (Ok(input), Ok(target)) = (folder.join(path).canonicalize(), target.canonicalize())
            && input == target
        {
            let message = format!("{destination} is also an input of the recipe, and building would replace it");
            return Err(Failure::Recipe(vec![
                Diagnostic::at(image.span, message).help("write the image elsewhere with -o"),
            ]));
        }
    }
    Ok(())
}

/// `tempfile` names the hidden file that it failed on, which is gone by the time a user looks for it.
fn without_hidden_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path \"") {
        Some((why, _)) => io::Error::new(error.kind(), why),
        None => error,
    }
}

/// Where the image goes on disk.
#[derive(Clone, Copy)]
enum Target<'a> {
    Layout(&'a PathBuf),
    Archive(Format, &'a PathBuf),
}

impl Target<'_> {
    fn path(&self) -> &Path {
        match self {
            Self::Layout(path) | Self::Archive(_, path) => path,
        }
    }
}

fn target(destination: &ImageName, platforms: usize) -> Result<Target<'_>, Failure> {
    if destination.digest.is_some() {
        return Err(Failure::Unsupported(format!(
            "{destination}: a digest cannot be chosen, it is what the recipe gives"
        )));
    }
    match &destination.transport {
        Transport::Layout(path) => Ok(Target::Layout(path)),
        Transport::OciArchive(path) => Ok(Target::Archive(Format::Oci, path)),
        Transport::DockerArchive(path) if platforms == 1 => Ok(Target::Archive(Format::Docker, path)),
        Transport::DockerArchive(_) => Err(Failure::Unsupported(format!(
            "{destination}: a docker-archive holds one platform, and the recipe has {platforms}; use oci-archive:FILE"
        ))),
        Transport::Registry(_) => Err(Failure::Unsupported(format!(
            "{destination}: an image is built onto this disk; copy it to the registry from there"
        ))),
    }
}

/// Name and tags of the image: the recipe's, unless the destination says its own; `latest` if nobody does.
fn tags(destination: &ImageName, name: String, own: Vec<String>) -> (String, Vec<String>) {
    if let Some((name, tag)) = destination.saved_as() {
        return (name, vec![tag]);
    }
    match &destination.tag {
        Some(tag) => (name, vec![tag.clone()]),
        None if own.is_empty() => (name, vec!["latest".to_owned()]),
        None => (name, own),
    }
}
