//! Gets the inputs of a pinned recipe to this disk: from pantries, from the store, or from where they come from. Whatever
//! comes is held against its pin; nothing here finds out what a moving reference points at.

mod git;
mod image;
mod pantry;
mod shared;
mod shortage;
mod url;

pub use image::Remote;
pub use shared::Shared;
pub use shortage::{Shortage, SupplyError, place};

use crate::git as repository;
use crate::lock::{Pinned, PinnedInput};
use crate::net::{self, Http};
use crate::oci::{Digest, Platform};
use crate::pantry::Pantry;
use crate::recipe::Recipe;
use crate::registry::Credentials;
use crate::source::{AtHand, Inputs, Ready};
use crate::store::{Found, Part, Store};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The network. Who does not hold one cannot reach it: there is no other way to make a connection.
#[derive(Debug)]
pub struct Online {
    /// How URLs and registries are reached.
    pub net: net::Settings,
    /// The client for them, once something is to be fetched.
    pub http: OnceLock<Result<Http, String>>,
    /// For registries.
    pub credentials: Credentials,
    /// Whether registries may be asked without TLS.
    pub insecure: bool,
    /// For git remotes.
    pub git: repository::Online,
}

impl Online {
    /// The client for URLs and registries. It reads the certificates, which nobody misses who fetches nothing.
    ///
    /// # Errors
    /// Proxies and certificates that cannot be used.
    pub fn http(&self) -> Result<&Http, SupplyError> {
        let http = self.http.get_or_init(|| Http::new(&self.net).map_err(|error| error.to_string()));
        http.as_ref().map_err(SupplyError::failed)
    }
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
    /// What other recipes got already; none: there are no others.
    pub shared: Option<&'a Shared>,
    /// Where temporary files may lie.
    pub scratch: &'a Path,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
    /// Is told what a user may want to know though it is no failure.
    pub notice: &'a (dyn Fn(&str) + Sync),
}

impl Supply<'_> {
    /// Gets all inputs of a recipe, for all its platforms.
    ///
    /// # Errors
    /// Every input that is not to be had.
    pub fn ready(&self, recipe: &Recipe<Pinned>) -> Result<Inputs, Vec<Shortage>> {
        let mut inputs = Inputs::default();
        let mut shortages: Vec<Shortage> = Vec::new();
        // The platforms of a recipe share too.
        let own = Shared::default();
        let supply = Supply { shared: self.shared.or(Some(&own)), ..*self };
        for (name, pinned) in &recipe.phase.inputs {
            // A file may be another one on each platform; the rest comes from one place, which is not asked again in vain.
            let several = matches!(pinned, PinnedInput::Files(_));
            let mut lacking: Vec<(SupplyError, Vec<&Platform>)> = Vec::new();
            for platform in recipe.image.platforms.iter().map(|platform| &platform.value) {
                match supply.shared_input(pinned, platform) {
                    Ok(ready) => {
                        let opened = supply.opened(&ready, platform);
                        inputs.insert(name, platform, AtHand::new(ready, opened));
                    }
                    Err(why) => match lacking.iter_mut().find(|(other, _)| *other == why) {
                        Some((_, platforms)) => platforms.push(platform),
                        None => lacking.push((why, vec![platform])),
                    },
                }
                if self.interrupt.load(Ordering::Relaxed) {
                    return Err(shortages);
                }
                if !several && !lacking.is_empty() {
                    break;
                }
            }
            if let Some((why, _)) = lacking.first().cloned() {
                let mistake = self.mistake(recipe, name, &lacking, &why);
                shortages.push(Shortage { input: name.clone(), why, mistake });
            }
        }
        for (name, pinned) in &recipe.phase.inputs {
            if let PinnedInput::OnDisk(image) = pinned {
                self.say(&format!(
                    "the input `{name}` ({image}) is not pinned: what is there now is taken; `rebake lock` pins it"
                ));
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
                    self.say(&format!("{digest} in the pantry {} is damaged", pantry.name()));
                }
                Err(_) if self.interrupt.load(Ordering::Relaxed) => return Err(SupplyError::Interrupted),
                Err(error) => self.say(&format!("{digest} in the pantry {}: {error}", pantry.name())),
            }
        }
        let Some(store) = self.store else { return Ok(None) };
        // Who cannot fetch it again takes nothing away.
        let found = match self.reach {
            Reach::Network(_) => store.find(digest, self.interrupt)?,
            Reach::Disk | Reach::Folder => store.look(digest, self.interrupt)?,
        };
        match found {
            Found::Sound(path) => Ok(Some(path)),
            Found::Missing => Ok(None),
            Found::Damaged if !matches!(self.reach, Reach::Network(_)) => {
                self.say(&format!("the copy of {digest} in the store ({}) is damaged", store.folder().display()));
                Ok(None)
            }
            Found::Damaged => {
                let folder = store.folder().display();
                self.say(&format!("the copy of {digest} in the store ({folder}) was damaged, and is removed"));
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

    /// Receives a blob into the store. `receive` fills the part, going on behind what it has, which may be of no use.
    ///
    /// # Errors
    /// What `receive` reports.
    fn fetch(
        &self,
        digest: Digest,
        receive: &mut dyn FnMut(&mut Part) -> Result<(), SupplyError>,
    ) -> Result<PathBuf, SupplyError> {
        let store = self.store.ok_or_else(|| self.missing())?;
        let mut part = store.part(Some(digest), self.interrupt)?;
        // Another rebake may have fetched it while this one waited.
        if let Found::Sound(path) = store.find(digest, self.interrupt)? {
            return Ok(path);
        }
        receive(&mut part)?;
        Ok(store.keep(part, Some(digest))?.1)
    }

    fn say(&self, text: &str) {
        (self.notice)(text);
    }
}
