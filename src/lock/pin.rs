//! Recipe and lock → pinned recipe; or what of the two does not fit.

use super::{Files, Lock, Locked, Pin};
use crate::mask::masked;
use crate::oci::{Digest, ImageName, Platform, Transport};
use crate::recipe::{Diagnostic, Input, Recipe, Source, Span, Spanned, Template, Variables};
use std::collections::BTreeMap;

/// The phase of a recipe whose inputs are all pinned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pinned {
    /// What each input is, by its name.
    pub inputs: BTreeMap<String, PinnedInput>,
}

/// An input that is what it is for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinnedInput {
    /// An image with a manifest.
    Image {
        /// Where it is.
        name: ImageName,
        /// The digest of what its name stands for: an index or a manifest.
        top: Digest,
        /// The manifest for each platform, where the lock says it; otherwise `top` leads there.
        platforms: BTreeMap<Platform, Pin>,
    },
    /// An image in a `docker-archive:`; the file is pinned.
    Archive {
        /// Where it is.
        name: ImageName,
        /// The file.
        file: Pin,
    },
    /// An image on this disk that nobody pinned: what is there is taken.
    OnDisk(ImageName),
    /// A file for each platform.
    Files(BTreeMap<Platform, File>),
    /// A git tree.
    Tree {
        /// Remote or path.
        git: String,
        /// What the recipe asks for.
        rev: Option<String>,
        /// Folder of the tree.
        subdir: Option<String>,
        /// The commit's id.
        commit: String,
        /// The tree as a tar.
        tar: Pin,
    },
}

impl PinnedInput {
    /// Everything that it is pinned to.
    #[must_use]
    pub fn digests(&self) -> Vec<Digest> {
        match self {
            Self::Image { top, platforms, .. } => {
                std::iter::once(*top).chain(platforms.values().map(|pin| pin.digest)).collect()
            }
            Self::Archive { file: pin, .. } | Self::Tree { tar: pin, .. } => vec![pin.digest],
            Self::Files(files) => files.values().map(|file| file.digest).collect(),
            Self::OnDisk(_) => Vec::new(),
        }
    }
}

/// A file that is fetched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Where it can be had, best first.
    pub urls: Vec<String>,
    /// What it is.
    pub digest: Digest,
    /// Its length in bytes, if the lock says it.
    pub size: Option<u64>,
}

impl Recipe<Source> {
    /// Pins every input, by the recipe's own words or by the lock's.
    ///
    /// An image on this disk needs no pin as long as there is no lock.
    ///
    /// # Errors
    /// Every input that is not pinned, and everything in which the lock does not fit the recipe.
    pub fn pin(self, lock: Option<&Lock>) -> Result<Recipe<Pinned>, Vec<Diagnostic>> {
        let mut mistakes = lock.map(|lock| changes(&self, lock)).unwrap_or_default();
        let stale = !mistakes.is_empty();
        let mut inputs = BTreeMap::new();
        for (name, input) in &self.inputs {
            let locked = lock.and_then(|lock| lock.inputs.get(name));
            match pinned(&self, input, locked, lock.is_some()) {
                Some(pinned) => drop(inputs.insert(name.clone(), pinned)),
                None if stale => {}
                None => mistakes.push(unpinned(name, input)),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let Self { edition, image, inputs: written, config, annotations, users, layers, phase: Source } = self;
        let phase = Pinned { inputs };
        Ok(Recipe { edition, image, inputs: written, config, annotations, users, layers, phase })
    }
}

/// What an input is; `None` if neither the recipe nor the lock says it.
fn pinned(recipe: &Recipe<Source>, input: &Input, locked: Option<&Locked>, has_lock: bool) -> Option<PinnedInput> {
    match (input, locked) {
        (Input::Image { image }, Some(Locked::Image { top, platforms, .. })) => {
            Some(PinnedInput::Image { name: image.value.clone(), top: top.digest, platforms: platforms.clone() })
        }
        (Input::Image { image }, Some(Locked::Archive { file, .. })) => {
            Some(PinnedInput::Archive { name: image.value.clone(), file: *file })
        }
        (Input::Image { image }, None) => match (image.digest, &image.transport) {
            (Some(top), Transport::Registry(_) | Transport::Layout(_) | Transport::OciArchive(_)) => {
                Some(PinnedInput::Image { name: image.value.clone(), top, platforms: BTreeMap::new() })
            }
            (None, Transport::Registry(_)) => None,
            (None, _) if has_lock => None,
            _ => Some(PinnedInput::OnDisk(image.value.clone())),
        },
        (Input::Url { .. }, locked) => {
            let files = platforms(recipe).map(|platform| {
                let (digest, size) = match locked {
                    Some(Locked::Url { files, .. }) => files.get(platform).map(|pin| (pin.digest, Some(pin.size)))?,
                    _ => (own_digest(input, platform)?, None),
                };
                Some((platform.clone(), File { urls: urls(recipe, input, platform), digest, size }))
            });
            files.collect::<Option<_>>().map(PinnedInput::Files)
        }
        (Input::Git { git, rev, subdir }, Some(Locked::Git { commit, tar, .. })) => Some(PinnedInput::Tree {
            git: git.value.clone(),
            rev: rev.as_ref().map(|rev| rev.value.clone()),
            subdir: subdir.as_ref().map(|subdir| subdir.value.clone()),
            commit: commit.clone(),
            tar: *tar,
        }),
        _ => None,
    }
}

fn platforms(recipe: &Recipe<Source>) -> impl Iterator<Item = &Platform> {
    recipe.image.platforms.iter().map(|platform| &platform.value)
}

/// The addresses of a URL input on a platform, best first.
#[must_use]
pub fn urls<P>(recipe: &Recipe<P>, input: &Input, platform: &Platform) -> Vec<String> {
    let version = recipe.image.version.as_ref().map(|version| version.value.as_str());
    let variables = Variables::new(&recipe.image.name, version, platform);
    match input {
        Input::Url { url, mirrors, .. } => {
            std::iter::once(url).chain(mirrors).map(|url| url.expand(&variables)).collect()
        }
        _ => Vec::new(),
    }
}

/// A URL as a lock has it: another version is another URL, another platform is not.
#[must_use]
pub fn locked_url<P>(recipe: &Recipe<P>, url: &Template) -> String {
    let version = recipe.image.version.as_ref().map(|version| version.value.as_str());
    // Which platform it is does not matter.
    url.expand_but_platform(&Variables::new(&recipe.image.name, version, &Platform::linux_amd64()))
}

/// The digest that the recipe itself gives a URL input on a platform.
#[must_use]
pub fn own_digest(input: &Input, platform: &Platform) -> Option<Digest> {
    let Input::Url { sha256, .. } = input else { return None };
    let hex = sha256.get(&Some(platform.architecture.clone())).or_else(|| sha256.get(&None))?;
    format!("sha256:{}", hex.value).parse().ok()
}

fn unpinned(name: &str, input: &Input) -> Diagnostic {
    let (span, what) = match input {
        Input::Image { image } => match image.transport {
            Transport::Registry(_) => (image.span, "an image in a registry, which may be another tomorrow"),
            _ => (image.span, "an image on this disk, and there is a lock that does not have it"),
        },
        Input::Url { url, .. } => (url.span, "a URL, which may be another file tomorrow"),
        Input::Git { git, .. } => (git.span, "a git tree, which may be another tomorrow"),
    };
    Diagnostic::at(span, format!("the input `{name}` is not pinned"))
        .label(what)
        .help("`rebake lock` pins it; commit the rebake.lock that it writes")
}

/// In which ways a lock does not fit a recipe; none if it does. An input that the recipe pins itself may be missing.
#[must_use]
pub fn changes<P>(recipe: &Recipe<P>, lock: &Lock) -> Vec<Diagnostic> {
    let mut changes = Vec::new();
    for (name, input) in &recipe.inputs {
        match lock.inputs.get(name) {
            Some(locked) => {
                changes.extend(changed(recipe, name, input, locked));
                changes.extend(lacking(recipe, name, locked));
            }
            None => {
                let own = |platform: &Spanned<Platform>| own_digest(input, platform).is_some();
                let pinned = match &input.value {
                    Input::Image { image } => image.digest.is_some(),
                    _ => recipe.image.platforms.iter().all(own),
                };
                if !pinned {
                    changes.push(
                        Diagnostic::at(input.span, format!("the lock does not have the input `{name}`"))
                            .help("it came later, or is not pinned yet: run `rebake lock`"),
                    );
                }
            }
        }
    }
    for name in lock.inputs.keys().filter(|name| !recipe.inputs.contains_key(*name)) {
        changes.push(
            Diagnostic::new(format!("the lock has an input `{name}`, and the recipe has none of that name"))
                .help("run `rebake lock`, which drops it"),
        );
    }
    changes
}

/// Whether an input is still the one that a lock was made for. The lock may lack a platform.
#[must_use]
pub fn fits<P>(recipe: &Recipe<P>, name: &str, input: &Spanned<Input>, locked: &Locked) -> bool {
    changed(recipe, name, input, locked).is_empty()
}

/// In which ways one input is not what the lock was made for.
fn changed<P>(recipe: &Recipe<P>, name: &str, input: &Spanned<Input>, locked: &Locked) -> Vec<Diagnostic> {
    let mut changes = Vec::new();
    let mut key = |key: &str, span: Span, here: Option<&str>, there: Option<&str>| {
        if here != there {
            let shown =
                |value: Option<&str>| value.map_or("not there".to_owned(), |value| format!("\"{}\"", masked(value)));
            let (here, there) = (shown(here), shown(there));
            changes.push(
                Diagnostic::at(span, format!("the lock was made for another `{key}` of the input `{name}`"))
                    .label(format!("it is {here} here, and {there} in the lock"))
                    .help("run `rebake lock`, which pins it anew"),
            );
        }
    };
    let wanted = |value: &Option<Spanned<String>>| value.as_ref().map_or(input.span, |value| value.span);
    match (&input.value, locked) {
        (Input::Image { image }, Locked::Image { image: there, .. } | Locked::Archive { image: there, .. }) => {
            key("image", image.span, Some(&image.value.to_string()), Some(there));
            if let (Some(own), Locked::Image { top, .. }) = (image.digest, locked) {
                key("digest", image.span, Some(&own.to_string()), Some(&top.digest.to_string()));
            }
        }
        (Input::Url { url, .. }, Locked::Url { url: there, files }) => {
            key("url", url.span, Some(&locked_url(recipe, url)), Some(there));
            for platform in &recipe.image.platforms {
                if let (Some(own), Some(there)) = (own_digest(input, platform), files.get(platform)) {
                    key("sha256", input.span, Some(&own.hex()), Some(&there.digest.hex()));
                }
            }
        }
        (Input::Git { git, rev, subdir }, Locked::Git { git: there, rev: old_rev, subdir: old_subdir, .. }) => {
            let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.value.clone());
            key("git", git.span, Some(&git.value), Some(there));
            key("rev", wanted(rev), text(rev).as_deref(), old_rev.as_deref());
            key("subdir", wanted(subdir), text(subdir).as_deref(), old_subdir.as_deref());
        }
        _ => {
            let message = format!("the lock was made for an input `{name}` of another kind");
            changes.push(Diagnostic::at(input.span, message).help("run `rebake lock`, which pins it anew"));
        }
    }
    changes
}

/// The platforms of the recipe for which the lock lacks an input.
fn lacking<P>(recipe: &Recipe<P>, name: &str, locked: &Locked) -> Vec<Diagnostic> {
    let platforms = match locked {
        Locked::Image { platforms, .. } | Locked::Url { files: Files::Each(platforms), .. } => platforms,
        _ => return Vec::new(),
    };
    let lacking = recipe.image.platforms.iter().filter(|platform| !platforms.contains_key(&platform.value));
    lacking
        .map(|platform| {
            Diagnostic::at(platform.span, format!("the lock does not have the input `{name}` for {}", **platform))
                .help("the platform came later: run `rebake lock`")
        })
        .collect()
}
