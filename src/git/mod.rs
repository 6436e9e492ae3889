//! Stand-in until the room is built.
use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
/// Token.
#[derive(Debug, Default)]
pub struct Online(());
impl Online {
    /// New.
    pub fn new() -> Self {
        Self(())
    }
}
/// Commit.
pub struct Commit {
    /// Id.
    pub id: String,
}
/// Error.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Stop.
    #[error("interrupted")]
    Interrupted,
    /// Other.
    #[error("git is not there yet")]
    Other,
}
/// Repository.
pub struct Repository;
/// Exported.
pub struct Exported {
    /// Tree.
    pub tree: String,
}
impl Repository {
    /// Opens.
    pub fn open(_: &Path) -> Result<Self, GitError> {
        Err(GitError::Other)
    }
    /// Resolves.
    pub fn resolve(&self, _: &str, _: &AtomicBool) -> Result<Commit, GitError> {
        Err(GitError::Other)
    }
    /// Exports.
    pub fn export(&self, _: &str, _: Option<&str>, _: &mut dyn Write, _: &AtomicBool) -> Result<Exported, GitError> {
        Err(GitError::Other)
    }
}
/// Fetches.
pub fn fetch(_: &Online, _: &str, _: &str, _: &Path, _: &AtomicBool) -> Result<(Repository, Commit), GitError> {
    Err(GitError::Other)
}
/// Local.
pub fn is_local(_: &str) -> bool {
    true
}
