//! An image for a registry: built on this disk first, then copied.

use crate::cli::copy;
use crate::cli::env::Env;
use crate::cli::report::Report;
use crate::cli::world::{World, temporary_folder};
use rebake::build::Built;
use rebake::oci::{ImageName, Transport};
use tempfile::TempDir;

/// A registry: the image is built into a layout that nobody else sees, and copied from there.
pub struct Remote {
    pub near: ImageName,
    far: ImageName,
    _folder: TempDir,
}

impl Remote {
    /// Makes room for the image, if it is to go to a registry.
    pub fn begin(far: &ImageName, world: &World, env: &Env) -> Result<Option<Self>, String> {
        if !matches!(far.transport, Transport::Registry(_)) {
            return Ok(None);
        }
        if far.digest.is_some() {
            return Err(format!("-o {far}: a digest cannot be chosen, it is what the recipe gives"));
        }
        if world.access().online.is_none() {
            return Err(format!("-o {far} is in a registry, and --offline asks none"));
        }
        let folder = temporary_folder(&env.scratch)?;
        let near = ImageName::layout(folder.path().join("image"));
        Ok(Some(Self { near, far: far.clone(), _folder: folder }))
    }

    /// Brings the image there, which is then known by the name that it has there.
    pub fn push(&self, built: &mut Built, world: &World, report: &Report) -> Result<(), String> {
        let copied = copy::whole(&self.near, &self.far, world, report)?;
        built.tags = copied.images.into_iter().flat_map(|image| image.tags).collect();
        if let Transport::Registry(name) = &self.far.transport {
            built.name.clone_from(name);
        }
        built.destination = self.far.to_string();
        Ok(())
    }
}
