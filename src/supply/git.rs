//! Git trees, as the tar that is pinned.

use super::shortage::cannot_write;
use super::{Reach, Supply, SupplyError};
use crate::git::{Commit, GitError, Location, Repository, fetch};
use crate::lock::Pin;
use crate::mask::masked;
use std::path::PathBuf;

impl Supply<'_> {
    pub(super) fn tree(&self, git: &str, subdir: Option<&str>, commit: &str, tar: Pin) -> Result<PathBuf, SupplyError> {
        self.once(tar.digest, || self.exported(git, subdir, commit, tar))
    }

    fn exported(&self, git: &str, subdir: Option<&str>, commit: &str, tar: Pin) -> Result<PathBuf, SupplyError> {
        if let Some(path) = self.at_hand(tar.digest)? {
            return Ok(path);
        }
        let (repository, found) = self.open(git, commit)?.map_err(|error| match error {
            GitError::UnknownRevision { place, .. } => {
                let place = masked(&place);
                SupplyError::Gone(format!(
                    "{place} does not have the pinned commit {commit} any more, and {}",
                    self.no_pantry()
                ))
            }
            error => error.into(),
        })?;
        let (_, exported) = self.export(&repository, &found, subdir)?;
        if exported.digest != tar.digest {
            return Err(SupplyError::Changed(format!(
                "the tree of the commit {commit} is {} as a tar, and {} is pinned",
                exported.digest, tar.digest
            )));
        }
        self.at_hand(tar.digest)?.ok_or_else(|| self.missing())
    }

    /// The repository of a git input with the commit that `rev` names; none: the newest one.
    ///
    /// # Errors
    /// If it may not be asked; what git says.
    pub fn repository(&self, git: &str, rev: Option<&str>) -> Result<(Repository, Commit), SupplyError> {
        Ok(self.open(git, rev.unwrap_or("HEAD"))??)
    }

    /// The outer error: it may not be asked.
    fn open(&self, git: &str, rev: &str) -> Result<Result<(Repository, Commit), GitError>, SupplyError> {
        Ok(match (self.reach, Location::parse(git, self.folder)?) {
            (Reach::Folder, _) | (Reach::Disk, Location::Remote(_)) => return Err(self.missing()),
            (_, Location::Local(path)) => Repository::open(&path)
                .and_then(|repository| repository.resolve(rev).map(|commit| (repository, commit))),
            (Reach::Network(online), Location::Remote(remote)) => {
                fetch(&remote, rev, self.scratch, &online.git, self.interrupt)
            }
        })
    }

    /// Puts the tree of a commit into the store, as a tar; tells the tree's id.
    ///
    /// # Errors
    /// What git says; what the disk reports.
    pub fn export(
        &self,
        repository: &Repository,
        commit: &Commit,
        subdir: Option<&str>,
    ) -> Result<(String, Pin), SupplyError> {
        let store = self.store.ok_or_else(|| self.missing())?;
        let mut part = store.part(None, self.interrupt)?;
        let exported =
            repository.export(&commit.id, subdir, &mut part, self.interrupt).map_err(|error| match error {
                GitError::Write(source) => cannot_write(store, &source),
                error => error.into(),
            })?;
        let size = part.len();
        let (digest, _) = store.keep(part, None)?;
        Ok((exported.tree, Pin { digest, size }))
    }
}

impl From<GitError> for SupplyError {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Interrupted => Self::Interrupted,
            error => Self::Failed { why: error.to_string(), help: error.help() },
        }
    }
}
