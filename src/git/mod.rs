//! Everything that asks git: which commit stands where, what is in it, and whether a folder is as it was committed.
//!
//! The `git` program itself is asked, so sha256 repositories, worktrees, credential helpers and ssh keys work as they do
//! for the user. What is read comes from the object database, never from a checkout. Only a call that is given
//! [`Online`] can reach the network. What an answer means for an image is left to others.

mod address;
mod call;
mod error;
mod export;
mod facts;
mod remote;

pub use address::{Location, Remote};
pub use error::GitError;
pub use export::Exported;
pub use facts::{Asked, Facts};
pub use remote::{Online, fetch, ls_remote};

use call::{Call, NEVER, Output};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// A repository on this disk.
#[derive(Debug)]
pub struct Repository {
    git_dir: PathBuf,
    /// None for a bare one.
    work_tree: Option<PathBuf>,
    /// As the user knows it.
    shown: String,
    /// Holds one that was fetched, and takes it away.
    _scratch: Option<TempDir>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id: 40 or 64 hex digits.
    pub id: String,
    /// The id of its tree.
    pub tree: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
}

impl Repository {
    /// The repository whose work tree a folder is in.
    ///
    /// # Errors
    /// [`GitError::NoRepository`], [`GitError::Ownership`].
    pub fn discover(folder: &Path) -> Result<Self, GitError> {
        let found = Self::around(folder)?;
        match found.work_tree {
            Some(_) => Ok(found),
            None => Err(GitError::NoRepository { folder: folder.to_owned(), above: None }),
        }
    }

    /// The repository that stands at a path: a work tree's topmost folder, a bare repository or a `.git`.
    ///
    /// # Errors
    /// [`GitError::NoRepository`], [`GitError::Ownership`].
    pub fn open(path: &Path) -> Result<Self, GitError> {
        let found = Self::around(path)?;
        let top = found.work_tree.as_ref().unwrap_or(&found.git_dir);
        let same = |path: &Path| path.canonicalize().ok();
        if same(top).is_some_and(|top| Some(top) == same(path)) {
            return Ok(found);
        }
        Err(GitError::NoRepository { folder: path.to_owned(), above: Some(top.clone()) })
    }

    fn around(folder: &Path) -> Result<Self, GitError> {
        let ask = |what: &str| Call::local().within(folder).args(["rev-parse", what]).output(&NEVER);
        let git_dir = ask("--absolute-git-dir")?;
        if !git_dir.success {
            let folder = folder.to_owned();
            return Err(match &git_dir.stderr {
                said if said.contains("dubious ownership") => {
                    GitError::Ownership { folder: folder.canonicalize().unwrap_or(folder) }
                }
                said if said.contains("not a git repository") || said.contains("cannot change to") => {
                    GitError::NoRepository { folder, above: None }
                }
                said => failed("find the repository", said),
            });
        }
        // In a bare repository, and inside of a `.git`, there is none.
        let work_tree = ask("--show-toplevel")?;
        Ok(Self {
            git_dir: path(git_dir.stdout),
            work_tree: work_tree.success.then(|| path(work_tree.stdout)),
            shown: folder.display().to_string(),
            _scratch: None,
        })
    }

    /// Which commit a revision is: a tag, a branch, an id, or an expression like `v2~1`.
    ///
    /// # Errors
    /// [`GitError::UnknownRevision`], [`GitError::AmbiguousRevision`], [`GitError::Argument`].
    pub fn resolve(&self, revision: &str) -> Result<Commit, GitError> {
        if revision.is_empty() || revision.starts_with('-') || revision.contains(char::is_control) {
            return Err(GitError::Argument { text: revision.to_owned() });
        }
        // The user's configuration may silence the warning by which a name of two things is known.
        let found = self.ask(
            ["-c", "core.warnAmbiguousRefs=true", "rev-parse", "--verify"],
            [&format!("{revision}^{{commit}}")],
            &NEVER,
        )?;
        let id = text(&found.stdout);
        if found.stderr.contains("is ambiguous") && id != revision {
            return Err(GitError::AmbiguousRevision { revision: revision.to_owned(), place: self.to_string() });
        }
        if !found.success {
            return Err(self.unknown(revision)?);
        }
        let commit = self.told(&format!("read the commit {id}"), ["cat-file", "commit"], [&id])?;
        let head = commit.split(|&b| b == b'\n').take_while(|line| !line.is_empty()).map(String::from_utf8_lossy);
        let (mut tree, mut time) = (None, None);
        for line in head {
            match line.split_once(' ') {
                Some(("tree", id)) => tree = tree.or(Some(id.to_owned())),
                // `NAME <ADDRESS> SECONDS ZONE`
                Some(("committer", who)) => time = who.rsplit(' ').nth(1).and_then(|seconds| seconds.parse().ok()),
                _ => {}
            }
        }
        match (tree, time) {
            (Some(tree), Some(time)) => Ok(Commit { id, tree, time }),
            _ => Err(failed(&format!("read the commit {id}"), "it is malformed")),
        }
    }

    /// Why there is no such revision.
    fn unknown(&self, revision: &str) -> Result<GitError, GitError> {
        let format = ["for-each-ref", "--format=%(refname)", "refs/tags", "refs/heads", "refs/remotes"];
        let names = self.told("list tags and branches", format, [""; 0])?;
        if revision == "HEAD" {
            return Ok(GitError::NoCommit);
        }
        let names = String::from_utf8_lossy(&names);
        let short = names.lines().filter_map(|name| name.splitn(3, '/').nth(2));
        Ok(GitError::UnknownRevision {
            revision: revision.to_owned(),
            place: self.to_string(),
            near: near(revision, short),
            shallow: self.is_shallow()?,
        })
    }

    /// Whether the history was cut off when it was cloned.
    fn is_shallow(&self) -> Result<bool, GitError> {
        let told = self.told("look at the history", ["rev-parse", "--is-shallow-repository"], [""; 0])?;
        Ok(text(&told) == "true")
    }

    fn call(&self) -> Call {
        self.place(Call::local())
    }

    /// Has a call work on this repository, wherever it stands.
    fn place(&self, call: Call) -> Call {
        let option = |name: &str, path: &Path| {
            let mut option = OsString::from(name);
            option.push(path);
            option
        };
        let call = call.args([option("--git-dir=", &self.git_dir)]);
        call.args(self.work_tree.iter().map(|folder| option("--work-tree=", folder)))
    }

    fn ask<const N: usize>(
        &self,
        command: [&str; N],
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        interrupt: &AtomicBool,
    ) -> Result<Output, GitError> {
        self.call().args(command).args(arguments).output(interrupt)
    }

    /// The answer to a question that has one.
    fn told<const N: usize>(
        &self,
        task: &str,
        command: [&str; N],
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Vec<u8>, GitError> {
        let output = self.ask(command, arguments, &NEVER)?;
        if output.success { Ok(output.stdout) } else { Err(failed(task, &output.stderr)) }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn failed(task: &str, said: &str) -> GitError {
    GitError::Failed { task: task.to_owned(), said: first_words(said) }
}

/// What git said, in a line.
fn first_words(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
    if lines.is_empty() { "it did not say why".to_owned() } else { lines.join("; ").chars().take(500).collect() }
}

/// An answer of one line.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(bytes)).into_owned()
}

/// A path that may hold anything, with the line end that git adds.
fn path(mut bytes: Vec<u8>) -> PathBuf {
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// The names that were probably meant: a slip of the keyboard, or more or less of the name.
fn near<'n>(meant: &str, names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let limit = (meant.chars().count() / 3).max(1);
    let mut near: Vec<(usize, &str)> = names
        .filter(|name| name.len() <= 64)
        .map(|name| (strsim::damerau_levenshtein(meant, name), name))
        .filter(|(distance, name)| *distance <= limit || name.contains(meant) || meant.contains(name))
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}
