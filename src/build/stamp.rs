//! Asks git for what a stamped recipe wants to know of its commit, and holds the recipe's folder against it.

use super::{Failure, Order, Stamping};
use crate::file;
use crate::git::{Asked, GitError, Repository};
use crate::oci::{Digest, Sha256, json};
use crate::pantry::pack;
use crate::recipe::{Diagnostic, LOCK_DIGEST, Provenance, RECIPE_DIGEST, Recipe, Span, Stamp};
use crate::source::disk::{KEPT, OUTPUT, Root};
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Nobody's lock is longer.
const LONGEST: u64 = 64 << 20;
/// How many paths an error names.
const SHOWN: usize = 10;
/// 9999-12-31T23:59:59Z
const LAST: i64 = 253_402_300_799;

/// What the answer depends on.
pub(super) struct Asking<'a> {
    /// The recipe's text and folder.
    pub order: &'a Order<'a>,
    /// The recipe's file.
    pub file: &'a Path,
    /// Whether the folder may differ from the commit.
    pub allow_dirty: bool,
    /// The places that rebake itself writes to, which count for nothing.
    pub written: &'a [&'a Path],
}

/// What is to be known of a stamped recipe's commit; and, of one that came out of a pantry, the digest of the files that came
/// with it.
///
/// # Errors
/// A folder outside of any repository, or not as it was committed.
pub(super) fn ask<P>(recipe: &Recipe<P>, asking: &Asking) -> Result<(Stamp, Option<Digest>), Failure> {
    let Asking { order, file, allow_dirty, written } = *asking;
    let (folder, interrupt) = (order.supply.folder, order.supply.interrupt);
    let first = recipe.stamps().first().copied().unwrap_or_default();
    let describe = recipe.stamp_of("git.describe");
    let wrong = |error| failure(error, first, describe);
    let name = file.file_name().unwrap_or_default();
    let lock_file = file.with_extension("lock");
    let lock_name = lock_file.file_name().unwrap_or_default();
    let lock = lock(&folder.join(lock_name)).map_err(|error| {
        mistake(Diagnostic::at(
            first,
            format!("cannot read {}, whose digest the image is to carry: {error}", lock_name.display()),
        ))
    })?;
    let committed: &[&OsStr] = &[name, lock_name];
    let folder = real(folder);
    let ours: Vec<PathBuf> = written.iter().map(|path| real(path)).chain([folder.join(OUTPUT)]).collect();
    let asked = Asked {
        folder: &folder,
        describe: describe.is_some(),
        committed: if lock.is_some() { committed } else { &[name] },
        excluded: &|path| ours.iter().any(|ours| path.starts_with(ours) || is_leftover(path, ours)),
        interrupt,
    };
    // What came out of a pantry brings what git knew of it, and may lie in anybody's repository now.
    if let Some((stamp, files)) = kept(&folder.join(KEPT), order.text, lock.as_deref()) {
        return Ok((stamp, Some(files)));
    }
    let repository = match Repository::discover(&folder) {
        Err(GitError::NoRepository { .. }) if folder.join(KEPT).is_file() => {
            let message = format!("{KEPT} is of another recipe or lock than these");
            let help = "restore them from the pantry again: what they are now is no commit's";
            return Err(mistake(Diagnostic::at(first, message).label("this stands for the commit").help(help)));
        }
        found => found.map_err(wrong)?,
    };
    let facts = repository.facts(&asked).map_err(wrong)?;
    if let (Some(span), None) = (recipe.stamp_of("git.branch"), &facts.branch) {
        let mistake = Diagnostic::at(span, "HEAD is detached, so the commit is on no branch");
        return Err(self::mistake(mistake.help("check out a branch, or use {git.describe}")));
    }
    if !(0..=LAST).contains(&facts.time) {
        return Err(mistake(Diagnostic::at(first, "the commit's time is not in the years 1970 to 9999")));
    }
    if !facts.dirty.is_empty() && !allow_dirty {
        return Err(mistake(unlike(first, &facts.dirty)));
    }
    let stamp = Stamp {
        dirty: !facts.dirty.is_empty(),
        commit: facts.commit,
        time: facts.time,
        describe: facts.describe,
        // Only what the recipe asks for: two clones agree on the rest of it too.
        branch: facts.branch.filter(|_| recipe.stamp_of("git.branch").is_some()),
        source: facts.source.filter(|_| recipe.image.origin.is_some()),
        provenance: Provenance {
            path: facts.prefix + &name.to_string_lossy(),
            recipe: digest(order.text.as_bytes()),
            lock: lock.map(|lock| digest(&lock)),
        },
    };
    Ok((stamp, None))
}

/// Whether the files of a recipe that came out of a pantry are other ones now, and may be.
///
/// # Errors
/// If they are, and may not be.
pub(super) fn altered<P>(root: &Root, files: Digest, order: &Order, recipe: &Recipe<P>) -> Result<bool, Failure> {
    let first = recipe.stamps().first().copied().unwrap_or_default();
    let mut sha256 = Sha256::default();
    let cannot = |error| mistake(Diagnostic::at(first, format!("the recipe's files cannot be read: {error}")));
    let interrupt = order.supply.interrupt;
    pack(root.path(), &root.used().into_keys().collect(), &mut sha256, interrupt).map_err(cannot)?;
    match (sha256.finish().0 == files, order.stamping) {
        (true, _) => Ok(false),
        (false, Stamping::Ask { allow_dirty: true, .. }) => Ok(true),
        _ => Err(mistake(
            Diagnostic::at(first, "the recipe's files are not as they came out of the pantry")
                .label("this stands for the commit")
                .help("restore them; or build with --allow-dirty, which marks version and tags with `-dirty`"),
        )),
    }
}

/// The text of that file. It knows which recipe, lock and files (the digest of their tar) it is for.
#[must_use]
pub fn keep(facts: &BTreeMap<String, String>, recipe: &str, lock: Option<&str>, files: Digest) -> Vec<u8> {
    let mut facts = facts.clone();
    facts.insert(RECIPE_DIGEST.to_owned(), digest(recipe.as_bytes()).to_string());
    facts.extend(lock.map(|lock| (LOCK_DIGEST.to_owned(), digest(lock.as_bytes()).to_string())));
    facts.insert(OF_FILES.to_owned(), files.to_string());
    json::canonical(&json!(facts))
}

const OF_FILES: &str = "dev.rebake.files.digest";

/// What such a file says, if it is there and for this recipe and this lock.
fn kept(path: &Path, recipe: &str, lock: Option<&[u8]>) -> Option<(Stamp, Digest)> {
    let mut bytes = Vec::new();
    file::open(path).ok()?.take(1 << 20).read_to_end(&mut bytes).ok()?;
    let json = json::parse(&bytes).ok()?;
    let facts = json.as_object()?.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let facts = facts.collect::<Option<BTreeMap<String, String>>>()?;
    let (recipe, lock) = (digest(recipe.as_bytes()), lock.map(digest));
    let is_for = |name: &str, digest: Option<Digest>| facts.get(name).cloned() == digest.map(|d| d.to_string());
    let ours = is_for(RECIPE_DIGEST, Some(recipe)) && is_for(LOCK_DIGEST, lock);
    let files = facts.get(OF_FILES)?.parse().ok()?;
    Stamp::from_facts(&facts, recipe, lock).filter(|_| ours).map(|stamp| (stamp, files))
}

fn mistake(mistake: Diagnostic) -> Failure {
    Failure::Recipe(vec![mistake])
}

fn failure(error: GitError, first: Span, describe: Option<Span>) -> Failure {
    let help = error.help();
    let span = match &error {
        GitError::Interrupted => return Failure::Interrupted,
        GitError::Shallow => describe.unwrap_or(first),
        _ => first,
    };
    let help = match &error {
        GitError::NoRepository { .. } => Some("commit the recipe to a git repository, or leave this out".to_owned()),
        _ => help,
    };
    mistake(Diagnostic { help, ..Diagnostic::at(span, error.to_string()).label("this is asked of git") })
}

/// Says what is dirty.
fn unlike(first: Span, dirty: &[String]) -> Diagnostic {
    let shown: Vec<&str> = dirty.iter().take(SHOWN).map(String::as_str).collect();
    let more = match dirty.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Diagnostic::at(first, format!("the recipe's folder is not as it was committed: {}{more}", shown.join(", ")))
        .label("this stands for the commit")
        .help(
            "commit the changes; or build with --allow-dirty, which marks version and tags of the image with `-dirty`",
        )
}

/// A path as the disk has it, where its last part need not be there.
fn real(path: &Path) -> PathBuf {
    let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.canonicalize().unwrap_or_else(|_| {
        let path = absolute();
        match (path.parent().and_then(|parent| parent.canonicalize().ok()), path.file_name()) {
            (Some(parent), Some(name)) => parent.join(name),
            _ => path,
        }
    })
}

/// Whether a path is in the hidden folder that a killed build left beside its destination.
fn is_leftover(path: &Path, destination: &Path) -> bool {
    let Some((parent, name)) = destination.parent().zip(destination.file_name()) else { return false };
    let prefix = format!(".{}.rebake-", name.to_string_lossy());
    let below = path.strip_prefix(parent).ok().and_then(|below| below.iter().next());
    below.is_some_and(|first| first.to_string_lossy().starts_with(&prefix))
}

/// The lock beside the recipe, if there is one.
fn lock(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The digest of a text, the same in a checkout that ends lines with CR LF.
#[must_use]
pub fn digest(text: &[u8]) -> Digest {
    let ends = text.iter().zip(text.iter().skip(1).map(Some).chain([None]));
    let unix = ends.filter(|&(&byte, next)| !(byte == b'\r' && next == Some(&b'\n')));
    Digest::of(&unix.map(|(&byte, _)| byte).collect::<Vec<u8>>())
}
