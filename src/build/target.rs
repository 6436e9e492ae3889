//! Where an image goes on this disk, and what it is called there.

use super::Failure;
use crate::archive::Format;
use crate::oci::{ImageName, Transport};
use crate::recipe::{Diagnostic, Input, Recipe, Source};
use std::path::{Path, PathBuf};

/// Where the image goes on disk.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Layout(&'a PathBuf),
    Archive(Format, &'a PathBuf),
}

impl Target<'_> {
    pub fn path(&self) -> &Path {
        match self {
            Self::Layout(path) | Self::Archive(_, path) => path,
        }
    }
}

/// The place that a destination names.
pub(super) fn target(destination: &ImageName, platforms: usize) -> Result<Target<'_>, Failure> {
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
pub(super) fn tags(destination: &ImageName, name: String, own: Vec<String>) -> (String, Vec<String>) {
    if let Some((name, tag)) = destination.saved_as() {
        return (name, vec![tag]);
    }
    match &destination.tag {
        Some(tag) => (name, vec![tag.clone()]),
        None if own.is_empty() => (name, vec!["latest".to_owned()]),
        None => (name, own),
    }
}

/// An image that is written where an input stands would replace it.
pub(super) fn refuse_input(
    recipe: &Recipe<Source>,
    folder: &Path,
    destination: &ImageName,
    target: &Path,
) -> Result<(), Failure> {
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
