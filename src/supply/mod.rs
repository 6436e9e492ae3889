//! Gets the inputs of a pinned recipe to this disk: from pantries, from the store, or from where they come from. Whatever
//! comes is held against its pin; nothing here finds out what a moving reference points at.

mod git;
mod image;
mod url;

pub use image::Remote;
pub use url::receive;

use crate::git as repository;
use crate::lock::{Pinned, PinnedInput};
use crate::net::Http;
use crate::oci::{Digest, Platform};
use crate::pantry::Pantry;
use crate::recipe::{Diagnostic, Recipe, Span, Spanned};
use crate::registry::Credentials;
use crate::source::{Inputs, Ready};
use crate::store::{Found, Part, Store, StoreError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// The network. Who does not hold one cannot reach it: there is no other way to make a connection.
#[derive(Debug)]
pub struct Online {
    /// For URLs and registries.
    pub http: Http,
    /// For registries.
    pub credentials: Credentials,
    /// Whether registries may be asked without TLS.
    pub insecure: bool,
    /// For git remotes.
    pub git: repository::Online,
}

/// How far inputs may be looked for when neither a pantry nor the store has them.
#[derive(Debug, Clone, Copy)]
pub enum Reach<'a> {
    /// Nowhere else but in the recipe's own folder: what a drill allows.
    Folder,
    /// On this disk too: git repositories and images that the recipe names by a path.
    Disk,
    /// Anywhere.
    Network(&'a Online),
}

/// Where inputs are looked for.
#[derive(Clone, Copy)]
pub struct Supply<'a> {
    /// Asked first, in this order.
    pub pantries: &'a [Pantry],
    /// Asked next; what is fetched goes there.
    pub store: Option<&'a Store>,
    /// Asked last.
    pub reach: Reach<'a>,
    /// The recipe's folder: where its paths start.
    pub folder: &'a Path,
    /// Where temporary files may lie.
    pub scratch: &'a Path,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
    /// Is told what a user may want to know though it is no failure.
    pub notice: &'a (dyn Fn(&str) + Sync),
}

/// Why an input is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SupplyError {
    /// It is nowhere that may be looked at.
    #[error("{0}")]
    Missing(String),
    /// It is there, and it is not what it should be; or it could not be fetched.
    #[error("{0}")]
    Failed(String),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// An input that is not to be had.
#[derive(Debug, Clone)]
pub struct Shortage {
    /// Its name.
    pub input: String,
    /// Why.
    pub why: SupplyError,
    /// What to tell the user.
    pub mistake: Diagnostic,
}

impl Supply<'_> {
    /// Gets all inputs of a recipe, for all its platforms.
    ///
    /// # Errors
    /// Every input that is not to be had.
    pub fn ready(&self, recipe: &Recipe<Pinned>) -> Result<Inputs, Vec<Shortage>> {
        let mut inputs = Inputs::default();
        let mut shortages: Vec<Shortage> = Vec::new();
        for (name, pinned) in &recipe.phase.inputs {
            for platform in &recipe.image.platforms {
                match self.input(pinned, platform) {
                    Ok(ready) => inputs.insert(name, platform, ready),
                    Err(why) => {
                        let mistake = self.mistake(recipe, name, platform, &why);
                        // Most inputs are the same on every platform.
                        if shortages.iter().all(|other| other.mistake != mistake) {
                            shortages.push(Shortage { input: name.clone(), why, mistake });
                        }
                    }
                }
                if self.interrupt.load(Ordering::Relaxed) {
                    return Err(shortages);
                }
            }
        }
        if shortages.is_empty() { Ok(inputs) } else { Err(shortages) }
    }

    fn input(&self, pinned: &PinnedInput, platform: &Platform) -> Result<Ready, SupplyError> {
        match pinned {
            PinnedInput::Files(files) => {
                let file = files.get(platform);
                let file = file.ok_or_else(|| SupplyError::Missing(format!("it is not pinned for {platform}")))?;
                self.file(file).map(Ready::File)
            }
            PinnedInput::Tree { git, subdir, commit, tar, .. } => {
                self.tree(git, subdir.as_deref(), commit, *tar).map(Ready::Tree)
            }
            // Nobody pinned it, so no pantry has it.
            PinnedInput::OnDisk(name) if name.path().is_some_and(|path| !self.may_open(path)) => {
                Err(SupplyError::Missing("it is outside the recipe's folder, and not pinned".to_owned()))
            }
            PinnedInput::OnDisk(name) => Ok(Ready::Image(name.clone())),
            PinnedInput::Archive { name, file } => self.archive(name, *file),
            PinnedInput::Image { name, top, platforms } => {
                self.image(name, *top, platforms.get(platform).copied(), platform)
            }
        }
    }

    /// Looks in the pantries and in the store.
    ///
    /// # Errors
    /// What the disk reports; [`SupplyError::Interrupted`].
    pub fn at_hand(&self, digest: Digest) -> Result<Option<PathBuf>, SupplyError> {
        for pantry in self.pantries {
            match pantry.find(digest, self.interrupt) {
                Ok(Found::Sound(path)) => return Ok(Some(path)),
                Ok(Found::Missing) => {}
                Ok(Found::Damaged) => {
                    self.say(&format!("{digest} in the pantry {} is damaged", pantry.folder().display()));
                }
                Err(_) if self.interrupt.load(Ordering::Relaxed) => return Err(SupplyError::Interrupted),
                Err(error) => self.say(&format!("{digest} in the pantry {}: {error}", pantry.folder().display())),
            }
        }
        let Some(store) = self.store else { return Ok(None) };
        match store.find(digest, self.interrupt)? {
            Found::Sound(path) => Ok(Some(path)),
            Found::Missing => Ok(None),
            Found::Damaged => {
                self.say(&format!("{digest} in the store was damaged; it is removed, and fetched again"));
                Ok(None)
            }
        }
    }

    /// Whether an input is to be had for all platforms of a recipe.
    #[must_use]
    pub fn has(&self, recipe: &Recipe<Pinned>, name: &str) -> bool {
        let platforms = || recipe.image.platforms.iter();
        let pinned = recipe.phase.inputs.get(name);
        pinned.is_some_and(|pinned| platforms().all(|platform| self.input(pinned, platform).is_ok()))
    }

    /// Receives a blob into the store. `receive` fills the part, going on behind what it has.
    ///
    /// # Errors
    /// What `receive` reports; that the bytes are others.
    fn fetch(
        &self,
        digest: Digest,
        receive: &mut dyn FnMut(&mut Part) -> Result<(), SupplyError>,
    ) -> Result<PathBuf, SupplyError> {
        let store = self.store.ok_or_else(|| SupplyError::Missing(format!("{digest} is in no pantry")))?;
        let mut part = store.part(Some(digest), self.interrupt)?;
        // Another rebake may have fetched it while this one waited.
        if let Found::Sound(path) = store.find(digest, self.interrupt)? {
            return Ok(path);
        }
        let resumed = part.len() > 0;
        receive(&mut part)?;
        if resumed && part.digest() != digest {
            // What an earlier rebake had received was of no use.
            part.restart().map_err(|error| SupplyError::Failed(error.to_string()))?;
            receive(&mut part)?;
        }
        Ok(store.keep(part, Some(digest))?.1)
    }

    fn say(&self, text: &str) {
        (self.notice)(text);
    }

    /// Where was looked, for a message.
    fn looked(&self) -> String {
        let pantries = match self.pantries {
            [] => "no pantry is given".to_owned(),
            [one] => format!("the pantry {} does not have it", one.folder().display()),
            several => format!("none of the {} pantries has it", several.len()),
        };
        let store = if self.store.is_some() { ", and neither has the store" } else { "" };
        pantries.replace(
            "no pantry is given",
            if self.store.is_some() { "no pantry is given" } else { "nothing to look in" },
        ) + store
    }

    fn mistake(&self, recipe: &Recipe<Pinned>, name: &str, platform: &Platform, why: &SupplyError) -> Diagnostic {
        let span = recipe.inputs.get(name).map_or(Span::default(), |input: &Spanned<_>| input.span);
        let several =
            recipe.image.platforms.len() > 1 && matches!(recipe.phase.inputs.get(name), Some(PinnedInput::Files(_)));
        let place = if several { format!(" for {platform}") } else { String::new() };
        let mistake = Diagnostic::at(span, format!("the input `{name}`{place} is not to be had: {why}"));
        match (why, self.reach) {
            (SupplyError::Missing(_), Reach::Network(_)) | (SupplyError::Interrupted, _) => mistake,
            (SupplyError::Missing(_), _) => {
                mistake.help("`rebake lock` fetches it while its source is still there; `rebake pantry fill` keeps it")
            }
            (SupplyError::Failed(_), _) => {
                mistake.help("if it is gone for good, take it from a pantry: `--pantry DIR`")
            }
        }
    }
}

impl From<StoreError> for SupplyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Interrupted => Self::Interrupted,
            error => Self::Failed(error.to_string()),
        }
    }
}
