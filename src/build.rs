//! A recipe on disk becomes an image at its destination: the one call behind `rebake build`.

mod stamp;

use crate::archive::{self, Format};
use crate::image::{self, Image, ImageWriteError};
use crate::layout::{self, Staging};
use crate::oci::{ImageName, Transport};
use crate::plan::{self, Context, Plan};
use crate::recipe::{Diagnostic, Input, Syntax, Variables, parse};
use crate::source::disk::Root;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What is to be built, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The recipe's text.
    pub text: &'a str,
    /// Its notation.
    pub syntax: Syntax,
    /// The folder it stands in.
    pub folder: &'a Path,
    /// Its file.
    pub file: &'a Path,
    /// Whether a stamped recipe may differ from its commit. The image then says so.
    pub allow_dirty: bool,
    /// Where the image is to go; none: a layout in `output`, named after the last part of the image's name.
    pub destination: Option<&'a ImageName>,
    /// The folder for images without a destination.
    pub output: &'a Path,
    /// Where unpacked archives may lie while the image is built.
    pub scratch: &'a Path,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970.
    pub source_date_epoch: Option<i64>,
    /// How many workers compress.
    pub jobs: usize,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
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

/// Builds the image of a recipe.
///
/// # Errors
/// See [`Failure`].
pub fn build(request: &Request) -> Result<Built, Failure> {
    let recipe = parse(request.text, request.syntax).and_then(|recipe| recipe.pin()).map_err(Failure::Recipe)?;
    let name = recipe.image.name.value.clone();
    let default = ImageName::layout(request.output.join(name.rsplit('/').next().unwrap_or(&name)));
    let destination = request.destination.unwrap_or(&default);
    let target = target(destination, recipe.image.platforms.len())?;
    let cannot_read = |error: io::Error| {
        Failure::Recipe(vec![Diagnostic::new(format!("the recipe's folder cannot be read: {error}"))])
    };
    let absolute = |path: &Path| -> io::Result<PathBuf> { Ok(std::path::absolute(path)?.components().collect()) };
    let named = request.destination.map(|_| absolute(target.path())).transpose().map_err(cannot_read)?;
    let root = absolute(request.output)
        .and_then(|output| Root::new(request.folder, named.as_deref(), &output))
        .map_err(cannot_read)?;

    for image in recipe.inputs.values().filter_map(|input| match &input.value {
        Input::Image { image } => Some(image),
        _ => None,
    }) {
        if let Transport::Layout(path) | Transport::OciArchive(path) | Transport::DockerArchive(path) = &image.transport
            && let (Ok(input), Ok(target)) = (root.path().join(path).canonicalize(), target.path().canonicalize())
            && input == target
        {
            let message = format!("{destination} is also an input of the recipe, and building would replace it");
            return Err(Failure::Recipe(vec![
                Diagnostic::at(image.span, message).help("write the image elsewhere with -o"),
            ]));
        }
    }

    let stamp = stamp::ask(&recipe, request, &[request.output, target.path()])?;
    let context = Context {
        root: &root,
        stamp: stamp.as_ref(),
        scratch: request.scratch,
        interrupt: request.interrupt,
        source_date_epoch: request.source_date_epoch,
    };
    let mut plans = Vec::new();
    let mut mistakes = Vec::new();
    for platform in &recipe.image.platforms {
        match Plan::new(&recipe, platform, context) {
            Ok(plan) => plans.push(plan),
            // Most mistakes are the same on every platform.
            Err(found) => mistakes.extend(found.into_iter().filter(|new| !mistakes.contains(new)).collect::<Vec<_>>()),
        }
    }
    if request.interrupt.load(Ordering::Relaxed) {
        return Err(Failure::Interrupted);
    }
    let (Some(platform), true) = (recipe.image.platforms.first(), mistakes.is_empty()) else {
        return Err(Failure::Recipe(mistakes));
    };
    let version = recipe.image.version.as_ref().map(|version| version.value.as_str());
    let variables = Variables::new(&name, version, platform);
    let (name, mut tags) = tags(destination, name, plan::tags(&recipe, &variables, stamp.as_ref()));
    if stamp.is_some_and(|stamp| stamp.dirty) {
        tags = tags.into_iter().map(plan::dirty_tag).collect();
    }
    // Those of an index are the same on all platforms.
    let annotations = plans.first().map(|plan| plan.annotations.clone()).unwrap_or_default();

    let cannot_write =
        |source| Failure::Destination { destination: destination.to_string(), source: without_hidden_path(source) };
    let staging = match target {
        Target::Layout(path) => Staging::begin(path),
        Target::Archive(_, path) => Staging::begin_file(path),
    };
    let staging = staging.map_err(cannot_write)?;
    let image =
        image::write(&plans, &annotations, &staging, request.jobs, request.interrupt).map_err(|error| match error {
            ImageWriteError::Content { path, place, source } => {
                let message = format!("the content of {path} cannot be had: {source}");
                let mistake = place.map_or_else(|| Diagnostic::new(&message), |place| Diagnostic::at(place, &message));
                Failure::Recipe(vec![mistake])
            }
            ImageWriteError::Base(why) => Failure::Recipe(vec![match &recipe.image.base {
                Some(base) => Diagnostic::at(base.span, format!("the base cannot be copied: {why}")),
                None => Diagnostic::new(why),
            }]),
            ImageWriteError::Sink(source) => cannot_write(source),
            ImageWriteError::Interrupted => Failure::Interrupted,
        })?;
    match target {
        Target::Layout(_) => staging.publish(&layout::index_json(&name, &tags, &image.descriptor)),
        Target::Archive(format, _) => {
            let file = archive::write(format, staging.path(), &name, &tags, &image, request.interrupt);
            file.and_then(|file| staging.publish_file(&file))
        }
    }
    .map_err(|error| {
        match request.interrupt.load(Ordering::Relaxed) && error.kind() == io::ErrorKind::Interrupted {
            true => Failure::Interrupted,
            false => cannot_write(error),
        }
    })?;
    Ok(Built { name, tags, destination: destination.to_string(), image })
}

/// `tempfile` names the hidden file that it failed on, which is gone by the time a user looks for it.
fn without_hidden_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path \"") {
        Some((why, _)) => io::Error::new(error.kind(), why),
        None => error,
    }
}

/// Where the image goes on disk.
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
            "{destination}: this version of rebake does not push; build to oci:DIR and copy that with skopeo"
        ))),
    }
}

/// Name and tags of the image: the recipe's, unless the destination says its own; `latest` if nobody does.
fn tags(destination: &ImageName, name: String, own: Vec<String>) -> (String, Vec<String>) {
    match (&destination.tag, &destination.transport) {
        // `docker-archive:FILE:NAME:TAG`, or NAME alone.
        (Some(reference), Transport::DockerArchive(_)) => match reference.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name.to_owned(), vec![tag.to_owned()]),
            _ => (reference.clone(), vec!["latest".to_owned()]),
        },
        (Some(tag), _) => (name, vec![tag.clone()]),
        (None, _) if own.is_empty() => (name, vec!["latest".to_owned()]),
        (None, _) => (name, own),
    }
}
