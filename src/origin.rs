//! The origin that an image carries in its annotations, and the recipe found again by it: in a clone, or in a pantry.
//!
//! An image's word on where it comes from is a claim. What is found by it is used to bake the image again, and only that
//! tells whether the claim holds.

use crate::build::digest;
use crate::git::{GitError, Repository};
use crate::oci::annotation::{REVISION, SOURCE};
use crate::oci::{Digest, Platform};
use crate::pantry::{Packed, Pantry};
use crate::preserve::{PreserveError, restore};
use crate::recipe::{
    self, LOCK_DIGEST, Provenance, RECIPE_DIGEST, RECIPE_PATH, Recipe, Stamp, Syntax, Variables, parse,
};
use crate::transport::Image;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// From which commit and recipe an image says that it was made (`origin = true` in a recipe).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The repository's address.
    pub source: Option<String>,
    /// The commit's id.
    pub revision: String,
    /// The recipe's path in the repository.
    pub path: String,
    /// The digest of the recipe's text.
    pub recipe: Option<Digest>,
    /// The same of its lock.
    pub lock: Option<Digest>,
    /// Labels and annotations of its first platform.
    texts: [BTreeMap<String, String>; 2],
    platform: Platform,
}

/// Why an image's recipe cannot be found by its origin.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// It was baked with `--allow-dirty`.
    #[error("it was made from a folder that differed from the commit {revision}, and nobody has those files")]
    Dirty {
        /// The commit.
        revision: String,
    },
    /// The path is none that may be followed.
    #[error("the recipe's path in its annotations, `{path}`, leads out of a repository")]
    Path {
        /// As the image has it.
        path: String,
    },
    /// The revision is no commit's id.
    #[error("`{revision}`, the revision in its annotations, is no commit's id")]
    Revision {
        /// As the image has it.
        revision: String,
    },
    /// The commit is not in the clone.
    #[error("the commit {revision} is not in {place}; `git fetch` may bring it")]
    NoCommit {
        /// The commit.
        revision: String,
        /// The clone.
        place: String,
    },
    /// The commit has no such recipe.
    #[error("the commit {revision} has no file `{path}`")]
    NoRecipe {
        /// The commit.
        revision: String,
        /// The recipe's path.
        path: String,
    },
    /// No pantry has it.
    #[error("no recipe in {pantries} is of the commit {revision} and the path `{path}`")]
    NotInPantry {
        /// The pantries.
        pantries: String,
        /// The commit.
        revision: String,
        /// The recipe's path.
        path: String,
    },
    /// The recipe asks for something that no commit says.
    #[error("the recipe uses {{git.branch}}, and neither the commit nor the image says on which branch it was built")]
    Branch,
    /// Git's word.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The pantry's word.
    #[error(transparent)]
    Pantry(#[from] Box<PreserveError>),
    /// The disk's word.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What went wrong.
        source: std::io::Error,
    },
}

/// A word of an image that nothing at hand confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The branch that it was built on: no commit says so.
    Branch(String),
    /// The address of its repository, and that of the clone's own remote.
    Source(String, Option<String>),
}

/// A recipe that was found: its file in a folder with all that it needs beside it.
#[derive(Debug, Clone)]
pub struct Found {
    /// The recipe's file.
    pub file: PathBuf,
    /// What its commit stamps the image with; none where the folder says that itself.
    pub stamp: Option<Stamp>,
    /// What the repository does not hold, and is left out.
    pub left_out: Vec<String>,
    /// Whether recipe and lock are, to the byte, those that the image names.
    pub is_named: bool,
    /// What the image alone says of its making: what goes into the rebuilt image as it stands there.
    pub claims: Vec<Claim>,
}

impl Origin {
    /// What the annotations of an image say, of its index or of its first manifest.
    #[must_use]
    pub fn of(image: &Image) -> Option<Self> {
        let strings = |value: Option<&Value>| -> BTreeMap<String, String> {
            let map = value.and_then(Value::as_object).into_iter().flatten();
            map.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        let first = image.manifests.first();
        let labels = strings(first.and_then(|first| first.config.json.pointer("/config/Labels")));
        let annotations = strings(first.and_then(|first| first.document.json.get("annotations")));
        let platform = first.and_then(|first| first.platform.clone()).unwrap_or_else(Platform::linux_amd64);
        let documents = std::iter::once(&image.top).chain(image.manifests.iter().map(|manifest| &manifest.document));
        documents.into_iter().find_map(|document| {
            let text = |name: &str| document.annotation(name).map(str::to_owned);
            let digest = |name: &str| document.annotation(name)?.parse().ok();
            Some(Self {
                source: text(SOURCE),
                revision: text(REVISION)?,
                path: text(RECIPE_PATH)?,
                recipe: digest(RECIPE_DIGEST),
                lock: digest(LOCK_DIGEST),
                texts: [labels.clone(), annotations.clone()],
                platform: platform.clone(),
            })
        })
    }

    /// The recipe's path, if it stays in its repository, and the commit, if it is one.
    fn checked(&self) -> Result<&Path, OriginError> {
        let revision = self.revision.clone();
        if let Some(revision) = self.revision.strip_suffix("-dirty") {
            return Err(OriginError::Dirty { revision: revision.to_owned() });
        }
        if !(matches!(revision.len(), 40 | 64) && revision.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))) {
            return Err(OriginError::Revision { revision });
        }
        let path = Path::new(&self.path);
        match path.components().all(|part| matches!(part, Component::Normal(_))) && path.file_name().is_some() {
            true => Ok(path),
            false => Err(OriginError::Path { path: self.path.clone() }),
        }
    }

    /// Finds the recipe in a clone of its repository, and writes its folder, as it was committed, into an empty folder. The
    /// clone's work tree is neither read nor touched.
    ///
    /// # Errors
    /// See [`OriginError`].
    pub fn in_clone(
        &self,
        repository: &Repository,
        folder: &Path,
        interrupt: &AtomicBool,
    ) -> Result<Found, OriginError> {
        let path = self.checked()?;
        let revision = self.revision.clone();
        match repository.resolve(&revision) {
            Ok(_) => {}
            Err(GitError::UnknownRevision { .. }) => {
                return Err(OriginError::NoCommit { revision, place: repository.to_string() });
            }
            Err(error) => return Err(error.into()),
        }
        at(repository, &revision, path, Some(self), folder, interrupt).map(|found| self.held(found))
    }

    /// Finds the recipe in a pantry, and restores it into an empty folder.
    ///
    /// # Errors
    /// See [`OriginError`].
    pub fn in_pantries(
        &self,
        pantries: &[Pantry],
        folder: &Path,
        scratch: &Path,
        interrupt: &AtomicBool,
    ) -> Result<Found, OriginError> {
        self.checked()?;
        let packed = pantries.iter().find_map(|pantry| {
            let recipes = pantry.catalog.recipes.values();
            recipes.into_iter().find(|packed| self.is_of(packed)).map(|packed| (pantry, packed))
        });
        let (pantry, packed) = packed.ok_or_else(|| {
            let names = pantries.iter().map(Pantry::name);
            OriginError::NotInPantry {
                pantries: names.collect::<Vec<_>>().join(", "),
                revision: self.revision.clone(),
                path: self.path.clone(),
            }
        })?;
        restore(pantry, packed, folder, scratch, interrupt).map_err(Box::new)?;
        Ok(self.held(Found {
            file: folder.join(&packed.file),
            stamp: None,
            left_out: Vec::new(),
            is_named: false,
            claims: Vec::new(),
        }))
    }

    /// The branch, by what the recipe makes of it in labels and annotations: each text around it must be the image's. A commit
    /// does not know its branch, so nobody can say more.
    fn branch(&self, recipe: &Recipe<recipe::Source>, stamp: &Stamp) -> Option<String> {
        const HERE: &str = "\0";
        let version = recipe.image.version.as_ref().map(|version| version.value.as_str());
        let stamp = Stamp { branch: Some(HERE.to_owned()), ..stamp.clone() };
        let variables = Variables::new(&recipe.image.name, version, &self.platform).with_stamp(&stamp);
        let mut of_recipe = [&recipe.config.labels, &recipe.annotations].into_iter().zip(&self.texts);
        of_recipe.find_map(|(recipe, image)| {
            let asked = recipe.iter().filter(|(_, text)| text.value.has("git.branch"));
            asked.into_iter().find_map(|(name, text)| {
                let text = text.value.expand(&variables);
                let (before, after) = (text.split(HERE).next()?, text.rsplit(HERE).next()?);
                let branch = image.get(name)?.strip_prefix(before)?.strip_suffix(after)?;
                (text.matches(HERE).count() == 1 && !branch.is_empty()).then(|| branch.to_owned())
            })
        })
    }

    fn is_of(&self, packed: &Packed) -> bool {
        let fact = |name: &str| packed.stamp.get(&format!("dev.rebake.stamp.{name}")).map(String::as_str);
        fact("commit") == Some(&*self.revision) && fact("path") == Some(&*self.path)
    }

    fn held(&self, found: Found) -> Found {
        let of = |path: &Path| fs::read(path).ok().map(|bytes| digest(&bytes));
        let lock = of(&found.file.with_extension("lock"));
        let is_named = self.recipe.is_none_or(|named| of(&found.file) == Some(named)) && self.lock == lock;
        Found { is_named, ..found }
    }
}

/// The recipe at a path of a commit, written with its folder into an empty folder. The repository's address is the one that an
/// image names, as clones have it from wherever they were made; without an image it is the clone's own.
///
/// # Errors
/// See [`OriginError`].
pub fn at(
    repository: &Repository,
    revision: &str,
    path: &Path,
    named: Option<&Origin>,
    folder: &Path,
    interrupt: &AtomicBool,
) -> Result<Found, OriginError> {
    let no_recipe = || OriginError::NoRecipe { revision: revision.to_owned(), path: path.display().to_string() };
    let name = path.file_name().ok_or_else(no_recipe)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.map(|parent| parent.to_str().ok_or_else(no_recipe)).transpose()?;
    let commit = repository.resolve(revision)?;
    if !repository.files(&commit.id)?.iter().any(|file| file == path) {
        return Err(no_recipe());
    }
    let left_out = repository.check_out(&commit.id, parent, folder, interrupt)?;
    let file = folder.join(name);
    let text = fs::read(&file).map_err(|source| OriginError::Io { path: path.display().to_string(), source })?;
    let syntax = if file.extension().is_some_and(|end| end == "json") { Syntax::Json } else { Syntax::Toml };
    let lock = fs::read(file.with_extension("lock")).ok();
    let provenance =
        Provenance { path: path.display().to_string(), recipe: digest(&text), lock: lock.as_deref().map(digest) };
    let mut claims = Vec::new();
    // What is wrong with its text is said by whoever bakes it.
    let stamp = match parse(&String::from_utf8_lossy(&text), syntax) {
        Ok(recipe) if !recipe.stamps().is_empty() => {
            let facts = repository.facts_at(revision, recipe.stamp_of("git.describe").is_some())?;
            // Tags are no part of the image.
            let mut texts = recipe.config.labels.values().chain(recipe.annotations.values());
            let asked = facts.branch.is_none() && texts.any(|text| text.value.has("git.branch"));
            let own = facts.source.clone();
            let source = named.map_or(facts.source, |origin| origin.source.clone());
            let source = source.filter(|_| recipe.image.origin.is_some());
            claims.extend(source.clone().filter(|_| source != own).map(|source| Claim::Source(source, own)));
            let branch = Some(facts.branch.unwrap_or_default()).filter(|_| recipe.stamp_of("git.branch").is_some());
            let (commit, time, describe) = (facts.commit, facts.time, facts.describe);
            let mut stamp = Stamp { commit, time, describe, branch, source, dirty: false, provenance };
            if asked {
                let branch = named.and_then(|origin| origin.branch(&recipe, &stamp)).ok_or(OriginError::Branch)?;
                claims.push(Claim::Branch(branch.clone()));
                stamp.branch = Some(branch);
            }
            Some(stamp)
        }
        _ => None,
    };
    Ok(Found { file, stamp, left_out, is_named: true, claims })
}
