//! Gets the inputs of a pinned recipe to this disk: from pantries, from the store, or from where they come from. Whatever
//! comes is held against its pin; nothing here finds out what a moving reference points at.

mod git;
mod image;
mod url;

pub use image::Remote;

use crate::git as repository;
use crate::lock::{Pinned, PinnedInput};
use crate::mask::masked;
use crate::net::Http;
use crate::oci::{Digest, Platform};
use crate::pantry::Pantry;
use crate::recipe::{Diagnostic, Input, Recipe, Span};
use crate::registry::Credentials;
use crate::source::{Inputs, Ready};
use crate::store::{Found, Part, Store, StoreError};
use std::io;
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

/// Why an input is not to be had; each in words that go on behind the input's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SupplyError {
    /// It is nowhere that may be looked at.
    #[error("{0}")]
    Missing(String),
    /// It is not where it was when it was pinned.
    #[error("{0}")]
    Gone(String),
    /// Where it was, there is something else now.
    #[error("{0}")]
    Changed(String),
    /// It could not be fetched or kept.
    #[error("{why}")]
    Failed {
        /// What happened.
        why: String,
        /// What to do about it, if anybody knows.
        help: Option<String>,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl SupplyError {
    fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), help: None }
    }
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
            // A file may be another one on each platform; the rest comes from one place, which is not asked again in vain.
            let several = matches!(pinned, PinnedInput::Files(_));
            let mut lacking: Vec<(SupplyError, Vec<&Platform>)> = Vec::new();
            for platform in recipe.image.platforms.iter().map(|platform| &platform.value) {
                match self.input(pinned, platform) {
                    Ok(ready) => inputs.insert(name, platform, ready),
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

    /// It is nowhere that may be looked at.
    fn missing(&self) -> SupplyError {
        let store = self.store.map(|store| format!("the store ({})", store.folder().display()));
        let looked = match (self.pantries, store) {
            ([], Some(store)) => format!("it is not in {store}"),
            ([], None) => "there is neither a pantry nor a store to take it from".to_owned(),
            ([one], None) => format!("it is not in the pantry {}", one.folder().display()),
            ([one], Some(store)) => format!("it is neither in the pantry {} nor in {store}", one.folder().display()),
            (several, None) => format!("it is in none of the {} pantries", several.len()),
            (several, Some(store)) => format!("it is neither in one of the {} pantries nor in {store}", several.len()),
        };
        let offline = if matches!(self.reach, Reach::Disk) { ", and `--offline` forbids to fetch it" } else { "" };
        SupplyError::Missing(looked + offline)
    }

    /// It is not where the recipe says. Where nothing else than the recipe's folder and pantries may be looked at, that is to
    /// be expected.
    fn gone(&self, why: String) -> SupplyError {
        match self.reach {
            Reach::Folder => SupplyError::Missing(why),
            _ => SupplyError::Gone(why),
        }
    }

    /// That pantries were of no help, for a message that says what happened elsewhere.
    fn no_pantry(&self) -> String {
        match self.pantries {
            [] => "no pantry is given that could have it".to_owned(),
            [one] => format!("the pantry {} does not have it", one.folder().display()),
            several => format!("none of the {} pantries has it", several.len()),
        }
    }

    /// What to tell the user of an input that some platforms lack, each group of them for a reason of its own.
    fn mistake(
        &self,
        recipe: &Recipe<Pinned>,
        name: &str,
        lacking: &[(SupplyError, Vec<&Platform>)],
        why: &SupplyError,
    ) -> Diagnostic {
        let input = recipe.inputs.get(name);
        let (span, called) = input.map_or((Span::default(), format!("`{name}`")), |input| place(name, input));
        let names =
            |platforms: &[&Platform]| platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let all = recipe.image.platforms.len();
        let several = matches!(recipe.phase.inputs.get(name), Some(PinnedInput::Files(_)));
        let why_not = match lacking {
            [(why, platforms)] if several && platforms.len() < all => format!(" for {}: {why}", names(platforms)),
            [(why, _)] => format!(": {why}"),
            each => each.iter().map(|(why, platforms)| format!("\n- for {}: {why}", names(platforms))).collect(),
        };
        let mistake = Diagnostic::at(span, format!("the input {called} cannot be had{why_not}"));
        let help = match (why, self.reach) {
            (SupplyError::Interrupted, _) => None,
            (SupplyError::Failed { help: Some(help), .. }, _) => Some(help.clone()),
            (SupplyError::Missing(_), Reach::Network(_)) => None,
            (SupplyError::Missing(_), Reach::Disk) => Some(
                "leave `--offline` out, and it is fetched; or name a pantry that has it: `--pantry DIR`".to_owned(),
            ),
            (SupplyError::Missing(_), Reach::Folder) => {
                Some("`rebake pantry fill` puts it into a pantry, as long as it is to be had elsewhere".to_owned())
            }
            (SupplyError::Gone(_), _) => Some(format!(
                "a pantry that was filled in time gives it back: `--pantry DIR`; else `rebake lock --update {name}` \
                 pins what is there now"
            )),
            (SupplyError::Changed(_), _) => Some(format!(
                "if you trust what is there now, `rebake lock --update {name}` pins it; a pantry may have what was: \
                 `--pantry DIR`"
            )),
            (SupplyError::Failed { .. }, _) => {
                Some("if it is gone for good, a pantry may have it: `--pantry DIR`".to_owned())
            }
        };
        Diagnostic { help, ..mistake }
    }
}

/// Where an input's reference stands in the recipe, and what to call it: by its name, its kind and that reference.
#[must_use]
pub fn place(name: &str, input: &Input) -> (Span, String) {
    let (span, reference) = match input {
        Input::Image { image } => (image.span, format!("image {}", image.value)),
        Input::Url { url, .. } => (url.span, format!("url {}", url.value)),
        Input::Git { git, .. } => (git.span, format!("git {}", git.value)),
    };
    (span, format!("`{name}` ({})", masked(&reference)))
}

fn cannot_write(store: &Store, error: &io::Error) -> SupplyError {
    SupplyError::Failed {
        why: format!("the store {} cannot be written: {error}", store.folder().display()),
        help: Some("REBAKE_CACHE names another folder; `rebake cache prune` makes room in this one".to_owned()),
    }
}

impl From<StoreError> for SupplyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Interrupted => Self::Interrupted,
            StoreError::Io { folder, source } => Self::Failed {
                why: format!("the store {} cannot be used: {source}", folder.display()),
                help: Some("REBAKE_CACHE names another folder; `rebake cache prune` makes room in this one".to_owned()),
            },
            error @ StoreError::Digest { .. } => Self::failed(error.to_string()),
        }
    }
}
