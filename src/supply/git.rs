//! Git trees, as the tar that is pinned.

use super::{Reach, Supply, SupplyError};
use crate::git::{Commit, GitError, Location, Repository, fetch};
use crate::lock::Pin;
use std::path::PathBuf;

impl Supply<'_> {
    pub(super) fn tree(&self, git: &str, subdir: Option<&str>, commit: &str, tar: Pin) -> Result<PathBuf, SupplyError> {
        if let Some(path) = self.at_hand(tar.digest)? {
            return Ok(path);
        }
        let (repository, found) = self.repository(git, Some(commit))?;
        let (_, exported) = self.export(&repository, &found, subdir)?;
        if exported.digest != tar.digest {
            return Err(SupplyError::Failed(format!(
                "the tree of the commit {commit} in {git} is {}, and {} is pinned",
                exported.digest, tar.digest
            )));
        }
        self.at_hand(tar.digest)?.ok_or_else(|| SupplyError::Missing("it vanished from the store".to_owned()))
    }

    /// The repository of a git input with the commit that `rev` names; none: the newest one.
    ///
    /// # Errors
    /// If it may not be asked; what git says.
    pub fn repository(&self, git: &str, rev: Option<&str>) -> Result<(Repository, Commit), SupplyError> {
        let rev = rev.unwrap_or("HEAD");
        match (self.reach, Location::parse(git, self.folder)?) {
            (Reach::Folder, _) => Err(SupplyError::Missing(self.looked())),
            (_, Location::Local(path)) => {
                let repository = Repository::open(&path)?;
                let commit = repository.resolve(rev)?;
                Ok((repository, commit))
            }
            (Reach::Network(online), Location::Remote(remote)) => {
                Ok(fetch(&remote, rev, self.scratch, &online.git, self.interrupt)?)
            }
            (Reach::Disk, Location::Remote(_)) => {
                Err(SupplyError::Missing(format!("{}, and the network is not asked", self.looked())))
            }
        }
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
        let store = self.store.ok_or_else(|| SupplyError::Missing(self.looked()))?;
        let mut part = store.part(None, self.interrupt)?;
        let exported = repository.export(&commit.id, subdir, &mut part, self.interrupt)?;
        let size = part.len();
        let (digest, _) = store.keep(part, None)?;
        Ok((exported.tree, Pin { digest, size }))
    }
}

impl From<GitError> for SupplyError {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Interrupted => Self::Interrupted,
            error => Self::Failed(match error.help() {
                Some(help) => format!("{error}; {help}"),
                None => error.to_string(),
            }),
        }
    }
}
