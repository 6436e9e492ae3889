//! Asks git for what a stamped recipe wants to know of its commit, and holds the recipe's folder against it.

use super::{Failure, Order};
use crate::git::{Asked, GitError, Repository};
use crate::oci::Digest;
use crate::recipe::{Diagnostic, Provenance, Recipe, Span, Stamp};
use crate::source::disk::OUTPUT;
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

/// What is to be known of a stamped recipe's commit.
///
/// # Errors
/// A folder outside of any repository, or not as it was committed.
pub(super) fn ask<P>(recipe: &Recipe<P>, asking: &Asking) -> Result<Stamp, Failure> {
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
    let repository = Repository::discover(&folder).map_err(wrong)?;
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
    Ok(Stamp {
        dirty: !facts.dirty.is_empty(),
        commit: facts.commit,
        time: facts.time,
        describe: facts.describe,
        branch: facts.branch,
        source: facts.source,
        provenance: Provenance {
            path: facts.prefix + &name.to_string_lossy(),
            recipe: digest(order.text.as_bytes()),
            lock: lock.map(|lock| digest(&lock)),
        },
    })
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
fn digest(text: &[u8]) -> Digest {
    let ends = text.iter().zip(text.iter().skip(1).map(Some).chain([None]));
    let unix = ends.filter(|&(&byte, next)| !(byte == b'\r' && next == Some(&b'\n')));
    Digest::of(&unix.map(|(&byte, _)| byte).collect::<Vec<u8>>())
}
