//! What git knows of a folder: its commit, what the commit is called, where it comes from, and what differs from it.

use super::{GitError, NEVER, Repository, address, failed, text};
use crate::tree::Printable;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What is asked of a folder.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The folder. What stands outside of it is not looked at.
    pub folder: &'a Path,
    /// Whether `describe` is wanted, which needs the history.
    pub describe: bool,
    /// Names in the folder that must be committed, also where git is told to ignore them.
    pub committed: &'a [&'a OsStr],
    /// What never counts as dirty: rebake's own output. Absolute paths.
    pub excluded: &'a dyn Fn(&Path) -> bool,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
}

/// What git knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The commit's id.
    pub commit: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// `git describe --tags --always --abbrev=12`, if it was asked for.
    pub describe: Option<String>,
    /// The branch; none if HEAD is detached.
    pub branch: Option<String>,
    /// The address of the remote `origin`, or of the only one, without credentials and the same in every clone; none if it is
    /// a path of this host.
    pub source: Option<String>,
    /// What is not as in the commit: `modified: x`, `untracked: y`; paths relative to the folder.
    pub dirty: Vec<String>,
    /// The folder's path in the repository, with a slash at its end; empty for the topmost one.
    pub prefix: String,
}

impl Repository {
    /// The facts of a folder of the work tree, at HEAD.
    ///
    /// # Errors
    /// [`GitError::NoCommit`], [`GitError::Shallow`], and what git reports.
    pub fn facts(&self, asked: &Asked) -> Result<Facts, GitError> {
        let facts = self.named("HEAD", asked.describe)?;
        // The whole name: the short one grows where a tag has it too.
        let head = self.ask(["symbolic-ref", "-q", "HEAD"], [""; 0], &NEVER)?;
        let branch = text(&head.stdout).strip_prefix("refs/heads/").map(str::to_owned);
        let show = self.call().within(asked.folder).args(["rev-parse", "--show-prefix"]).output(&NEVER)?;
        if !show.success {
            return Err(failed("find the folder in its repository", &show.stderr));
        }
        let prefix = show.stdout.strip_suffix(b"\n").unwrap_or(&show.stdout);
        let dirty = self.dirty(asked, prefix)?;
        Ok(Facts { branch, dirty, prefix: String::from_utf8_lossy(prefix).into_owned(), ..facts })
    }

    /// The facts of a revision, which is never dirty; it is its own branch if it is the name of one. No folder is asked
    /// about, so the prefix is empty.
    ///
    /// # Errors
    /// As [`Repository::resolve`]; [`GitError::Shallow`].
    pub fn facts_at(&self, revision: &str, describe: bool) -> Result<Facts, GitError> {
        let facts = self.named(revision, describe)?;
        let name = revision.strip_prefix("refs/heads/").unwrap_or(revision);
        let is_branch = self.ask(["show-ref", "--verify", "--quiet"], [format!("refs/heads/{name}")], &NEVER)?.success;
        Ok(Facts { branch: is_branch.then(|| name.to_owned()), ..facts })
    }

    fn named(&self, revision: &str, describe: bool) -> Result<Facts, GitError> {
        let commit = self.resolve(revision)?;
        let describe = match describe {
            true if self.is_shallow()? => return Err(GitError::Shallow),
            true => {
                let options = ["describe", "--tags", "--always", "--abbrev=12"];
                Some(text(&self.told("describe the commit", options, [&commit.id])?))
            }
            false => None,
        };
        Ok(Facts { commit: commit.id, time: commit.time, describe, source: self.source()?, ..Facts::default() })
    }

    /// As the repository's configuration has it: `url.*.insteadOf` is this user's own affair.
    fn source(&self) -> Result<Option<String>, GitError> {
        let found = self.ask(["config", "-z", "--get-regexp"], [r"^remote\..*\.url$"], &NEVER)?;
        let found = String::from_utf8_lossy(&found.stdout);
        let mut remotes = BTreeMap::new();
        for (key, address) in found.split('\0').filter_map(|line| line.split_once('\n')) {
            if let Some(name) = key.strip_prefix("remote.").and_then(|key| key.strip_suffix(".url")) {
                remotes.entry(name).or_insert(address);
            }
        }
        let only = (remotes.len() == 1).then(|| remotes.values().next()).flatten();
        Ok(remotes.get("origin").or(only).and_then(|address| address::published(address)))
    }

    fn dirty(&self, asked: &Asked, prefix: &[u8]) -> Result<Vec<String>, GitError> {
        let ask = |args: &[&str]| {
            let output = self.call().within(asked.folder).args(args).output(asked.interrupt)?;
            if output.success {
                Ok(output.stdout)
            } else {
                Err(failed("compare the folder with its commit", &output.stderr))
            }
        };
        let status = ask(&[
            "-c",
            "status.relativePaths=false",
            // What the user's configuration would overlook, the image would not.
            "-c",
            "core.fileMode=true",
            "-c",
            "core.trustctime=true",
            "-c",
            "core.checkStat=default",
            "-c",
            "core.ignoreStat=false",
            "-c",
            "core.excludesFile=/dev/null",
            "status",
            "--porcelain=v2",
            "-z",
            "--untracked-files=all",
            "--ignored=no",
            "--ignore-submodules=none",
            "--no-renames",
            "--",
            ".",
        ])?;
        let mut dirty = BTreeSet::new();
        for line in status.split(|&b| b == 0) {
            if let Some((what, path)) = changed(line) {
                // A submodule may stand above the folder.
                dirty.insert((path.strip_prefix(prefix).unwrap_or(path).to_vec(), what));
            }
        }
        // What git was told not to look at may be anything.
        let mut known = BTreeSet::new();
        let listed = ask(&["ls-files", "-v", "-z", "--", "."])?;
        for line in listed.split(|&b| b == 0) {
            let [tag, b' ', path @ ..] = line else { continue };
            known.insert(path);
            if tag.is_ascii_lowercase() {
                dirty.insert((path.to_vec(), "marked assume-unchanged"));
            } else if *tag == b'S' {
                dirty.insert((path.to_vec(), "marked skip-worktree"));
            }
        }
        for name in asked.committed.iter().map(|name| name.as_bytes()).filter(|name| !known.contains(name)) {
            if !dirty.iter().any(|(path, _)| path == name) {
                dirty.insert((name.to_vec(), "ignored"));
            }
        }
        let folder = std::path::absolute(asked.folder).map_err(GitError::Run)?;
        let counts = |path: &[u8]| !(asked.excluded)(&folder.join(OsStr::from_bytes(path)));
        let dirty = dirty.into_iter().filter(|(path, _)| counts(path));
        Ok(dirty.map(|(path, what)| format!("{what}: {}", Printable(&path))).collect())
    }
}

/// What a line of `git status --porcelain=v2 -z` says, and the path, which is relative to the topmost folder.
fn changed(line: &[u8]) -> Option<(&'static str, &[u8])> {
    let mut fields = line.splitn(9, |&b| b == b' ');
    match line.first()? {
        b'?' => Some(("untracked", line.get(2..)?)),
        // `1 XY SUB MODE MODE MODE ID ID PATH`: X is the index against the commit, Y the disk against the index.
        b'1' => {
            let (state, path) = (fields.nth(1)?, fields.nth(6)?);
            Some((
                match state {
                    [_, b'D'] | [b'D', _] => "deleted",
                    [b'A', _] | [_, b'A'] => "added",
                    _ => "modified",
                },
                path,
            ))
        }
        // `u XY SUB MODE MODE MODE MODE ID ID ID PATH`
        b'u' => Some(("unmerged", line.splitn(11, |&b| b == b' ').nth(10)?)),
        _ => None,
    }
}
