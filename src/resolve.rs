//! Finds out what the inputs of a recipe are now: recipe, and perhaps the lock it has → lock. This is the one place that follows
//! a moving reference.

use crate::lock::{Expected, Files, Lock, Locked, Pin, fits, locked_url, own_digest, urls};
use crate::oci::{Digest, ImageName, Platform, Transport};
use crate::recipe::{Diagnostic, Input, Recipe, Source, Spanned, Template};
use crate::source::image;
use crate::store::hash;
use crate::supply::{Reach, Remote, Supply, SupplyError, place};
use std::collections::BTreeMap;

/// Which pins may move.
#[derive(Debug, Clone, Copy)]
pub enum Update<'a> {
    /// None: what is pinned stays, what is not gets pinned.
    Nothing,
    /// Those of these inputs.
    Inputs(&'a [String]),
    /// All.
    Everything,
}

/// What became of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is pinned as it was.
    Kept,
    /// It had no pin, or the recipe asks for something else now.
    Pinned,
    /// It moved: from what, to what.
    Moved(String, String),
    /// The recipe has it no more.
    Dropped,
}

/// A lock, and what is new in it.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The lock. What the old one expects of the image is in it only if no input moved.
    pub lock: Lock,
    /// Every input, by its name.
    pub changes: BTreeMap<String, Change>,
}

/// Resolves the inputs of a recipe.
///
/// # Errors
/// Every input that cannot be pinned.
pub fn resolve(
    recipe: &Recipe<Source>,
    old: Option<&Lock>,
    update: Update,
    supply: &Supply,
) -> Result<Resolved, Vec<Diagnostic>> {
    let mut lock = Lock::default();
    let mut changes = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (name, input) in &recipe.inputs {
        let locked = old.and_then(|old| old.inputs.get(name));
        // What the recipe asks for now is not what is pinned: that pin says nothing.
        let fitting = locked.filter(|locked| fits(recipe, name, input, locked));
        let moves = match update {
            Update::Nothing => false,
            Update::Inputs(names) => names.contains(name),
            Update::Everything => true,
        };
        match one(recipe, input, fitting.filter(|_| !moves), supply) {
            Ok(now) => {
                let change = match fitting {
                    Some(before) if *before == now => Change::Kept,
                    Some(before) if before.pins() != now.pins() && moves => Change::Moved(shown(before), shown(&now)),
                    _ => Change::Pinned,
                };
                changes.insert(name.clone(), change);
                lock.inputs.insert(name.clone(), now);
            }
            Err(SupplyError::Interrupted) => return Err(vec![Diagnostic::new("interrupted")]),
            Err(error) => {
                let (span, called) = place(name, input);
                let mistake = Diagnostic::at(span, format!("the input {called} cannot be pinned: {error}"));
                let help = match (&error, supply.reach) {
                    (SupplyError::Failed { help: Some(help), .. }, _) => Some(help.clone()),
                    (SupplyError::Missing(_), Reach::Disk) => {
                        Some("leave `--offline` out, and it is looked up".to_owned())
                    }
                    (SupplyError::Changed(_), _) => Some(
                        "the recipe itself says what it has to be: correct it there if the new one is to be trusted"
                            .to_owned(),
                    ),
                    _ => None,
                };
                mistakes.push(Diagnostic { help, ..mistake });
            }
        }
    }
    for name in old.iter().flat_map(|old| old.inputs.keys()).filter(|name| !recipe.inputs.contains_key(*name)) {
        changes.insert(name.clone(), Change::Dropped);
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    // What the image was when its inputs were others, it is not any more.
    let same = old.is_some_and(|old| old.inputs == lock.inputs);
    lock.expected = old.filter(|_| same).map_or_else(Expected::default, |old| old.expected.clone());
    Ok(Resolved { lock, changes })
}

/// What an input is pinned to, for people.
#[must_use]
pub fn shown(locked: &Locked) -> String {
    match locked {
        Locked::Image { top: pin, .. }
        | Locked::Archive { file: pin, .. }
        | Locked::Url { files: Files::One(pin), .. } => pin.digest.to_string(),
        Locked::Url { files: Files::Each(files), .. } => {
            let all = files.iter().map(|(platform, pin)| format!("{platform} {}", pin.digest));
            all.collect::<Vec<_>>().join(", ")
        }
        Locked::Git { commit, .. } => commit.clone(),
    }
}

/// Pins one input. What `old` pins stays; it may lack a platform.
fn one(recipe: &Recipe<Source>, input: &Input, old: Option<&Locked>, supply: &Supply) -> Result<Locked, SupplyError> {
    match input {
        Input::Url { url, .. } => file(recipe, input, url, old, supply),
        Input::Git { git, rev, subdir } => {
            if let Some(old) = old {
                return Ok(old.clone());
            }
            let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.value.clone());
            let (rev, subdir) = (text(rev), text(subdir));
            let (repository, commit) = supply.repository(git, rev.as_deref()).map_err(|error| match error {
                SupplyError::Missing(_) => unknown("server"),
                error => error,
            })?;
            let (tree, tar) = supply.export(&repository, &commit, subdir.as_deref())?;
            Ok(Locked::Git { git: git.value.clone(), rev, subdir, commit: commit.id, tree, tar })
        }
        Input::Image { image } => match (&image.transport, old.filter(|old| covers(recipe, old))) {
            // One on this disk moves as little by itself as one in a registry.
            (_, Some(old)) => Ok(old.clone()),
            (transport, None) => match transport {
                Transport::Registry(_) => in_registry(recipe, image, old, supply),
                Transport::DockerArchive(path) => {
                    let found = hash(&supply.folder.join(path), supply.interrupt);
                    let (digest, size) = found
                        .map_err(|error| SupplyError::Missing(format!("{} cannot be read: {error}", path.display())))?;
                    Ok(Locked::Archive { image: image.value.to_string(), file: Pin { digest, size } })
                }
                Transport::Layout(_) | Transport::OciArchive(_) => on_disk(recipe, image, supply),
            },
        },
    }
}

/// Whether a lock has an image for every platform of the recipe, and for no other.
fn covers(recipe: &Recipe<Source>, locked: &Locked) -> bool {
    match locked {
        Locked::Image { platforms: pins, .. } => {
            pins.len() == recipe.image.platforms.len() && platforms(recipe).all(|platform| pins.contains_key(platform))
        }
        _ => true,
    }
}

fn platforms(recipe: &Recipe<Source>) -> impl Iterator<Item = &Platform> {
    recipe.image.platforms.iter().map(|platform| &platform.value)
}

fn file(
    recipe: &Recipe<Source>,
    input: &Input,
    url: &Spanned<Template>,
    old: Option<&Locked>,
    supply: &Supply,
) -> Result<Locked, SupplyError> {
    let mut files: BTreeMap<Platform, Pin> = BTreeMap::new();
    let mut differs = url.differs_by_platform();
    let mut asked: BTreeMap<(Vec<String>, Option<Digest>), Pin> = BTreeMap::new();
    for platform in platforms(recipe) {
        let own = own_digest(input, platform);
        let known = match old {
            Some(Locked::Url { files, .. }) => files.get(platform),
            _ => None,
        };
        let urls = urls(recipe, input, platform);
        let pin = match (known, asked.get(&(urls.clone(), own))) {
            (Some(pin), _) | (None, Some(&pin)) => pin,
            (None, None) => fetched(&urls, own, supply)?,
        };
        asked.insert((urls, own), pin);
        files.insert(platform.clone(), pin);
    }
    let mut pins = files.values();
    let first = pins.next().copied();
    differs |= pins.any(|pin| Some(*pin) != first);
    let files = match first {
        Some(one) if !differs => Files::One(one),
        _ => Files::Each(files),
    };
    Ok(Locked::Url { url: locked_url(recipe, url), files })
}

/// Fetches a file to see what it is.
fn fetched(urls: &[String], own: Option<Digest>, supply: &Supply) -> Result<Pin, SupplyError> {
    if let Some(digest) = own
        && let Some(path) = supply.at_hand(digest)?
    {
        let size = std::fs::metadata(&path).map_err(|error| failed(error.to_string()))?.len();
        return Ok(Pin { digest, size });
    }
    let (Some(online), Some(store)) = (supply.online(), supply.store) else {
        return Err(unknown("server"));
    };
    let mut part = store.part(own, supply.interrupt)?;
    supply.receive((online, store), urls, own.map(|digest| (digest, None)), &mut part)?;
    let size = part.len();
    let (digest, _) = store.keep(part, own)?;
    Ok(Pin { digest, size })
}

/// Without the network nobody can say what a moving reference is now.
fn unknown(who: &str) -> SupplyError {
    SupplyError::Missing(format!("only its {who} knows what that is now"))
}

fn failed(why: impl Into<String>) -> SupplyError {
    SupplyError::Failed { why: why.into(), help: None }
}

fn in_registry(
    recipe: &Recipe<Source>,
    name: &ImageName,
    old: Option<&Locked>,
    supply: &Supply,
) -> Result<Locked, SupplyError> {
    let (known, mut pins) = match old {
        Some(Locked::Image { top, platforms, .. }) => (Some(*top), platforms.clone()),
        _ => (None, BTreeMap::new()),
    };
    pins.retain(|platform, _| platforms(recipe).any(|wanted| wanted == platform));
    let remote = Remote::new(supply.online(), name);
    let top = match (known, name.digest) {
        (Some(top), _) => top,
        (None, digest) => supply.top(name, digest, &remote)?,
    };
    for platform in platforms(recipe) {
        if !pins.contains_key(platform) {
            let manifest = supply.manifest_for(top.digest, platform, &remote, &mut BTreeMap::new())?;
            pins.insert(platform.clone(), Pin { digest: manifest.digest, size: manifest.size });
        }
    }
    Ok(Locked::Image { image: name.to_string(), top, platforms: pins })
}

fn on_disk(recipe: &Recipe<Source>, name: &ImageName, supply: &Supply) -> Result<Locked, SupplyError> {
    let mut pins = BTreeMap::new();
    let mut top = None;
    for platform in platforms(recipe) {
        let found = image::open(name, supply.folder, platform, supply.scratch, supply.interrupt);
        let found = found.map_err(|error| SupplyError::Missing(error.to_string()))?;
        let pin = found.manifest.map(|manifest| Pin { digest: manifest.digest, size: manifest.size });
        let pin = pin.ok_or_else(|| failed("it has no manifest"))?;
        pins.insert(platform.clone(), pin);
        top = found.top.map(|top| Pin { digest: top.digest, size: top.size });
    }
    let top = top.ok_or_else(|| failed("it has no manifest"))?;
    Ok(Locked::Image { image: name.to_string(), top, platforms: pins })
}
