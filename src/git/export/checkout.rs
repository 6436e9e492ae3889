//! A folder of a commit as files on this disk, straight out of the object database: no index, no work tree, no filters.
//! What the database does not hold, submodules and the content behind git-lfs pointers, is left out and told.

use super::{Batch, Blob, Listed, NoContent, add};
use crate::git::{GitError, NEVER, Repository, failed, first_words, path};
use crate::layer::write::Content;
use crate::tree::{EntryPath, Kind, Printable, Tree};
use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

impl Repository {
    /// The folder in which its paths start: the work tree's topmost one. None for a bare repository.
    #[must_use]
    pub fn top(&self) -> Option<&Path> {
        self.work_tree.as_deref()
    }

    /// The paths of all regular files of a commit, in git's order.
    ///
    /// # Errors
    /// An object that is not there.
    pub fn files(&self, commit: &str) -> Result<Vec<PathBuf>, GitError> {
        let id = self.tree_of(commit, None)?;
        let listing = self.listing(["ls-tree", "-r", "-z", "--full-tree"], &id, &NEVER)?;
        let files = listing.split(|&b| b == 0).filter_map(Listed::parse);
        let regular = files.filter(|listed| listed.mode.starts_with(b"100"));
        Ok(regular.map(|listed| path(listed.path.to_vec())).collect())
    }

    /// Writes a folder of a commit, all of it without `subdir`, into an empty folder: files with modes 0644 and 0755, folders,
    /// symlinks. Tells the paths that are left out, as the repository does not hold their content.
    ///
    /// # Errors
    /// Objects that are not there, trees that git would not check out; what the disk reports.
    pub fn check_out(
        &self,
        commit: &str,
        subdir: Option<&str>,
        folder: &Path,
        interrupt: &AtomicBool,
    ) -> Result<Vec<String>, GitError> {
        let id = self.tree_of(commit, subdir)?;
        let listing = self.listing(["ls-tree", "-r", "-t", "-z", "-l", "--full-tree"], &id, interrupt)?;
        let batch = RefCell::new(Batch::start(self)?);
        let (mut tree, mut left_out) = (Tree::default(), Vec::new());
        for line in listing.split(|&b| b == 0).filter(|line| !line.is_empty()) {
            let listed = Listed::parse(line).ok_or_else(|| failed("list the tree", "its answer is malformed"))?;
            match listed.mode {
                b"160000" => left_out.push(Printable(listed.path).to_string()),
                _ => add(&mut tree, &listed, &batch)?,
            }
        }
        // Symlinks come last, so that nothing is ever written through one.
        let (links, others): (Vec<_>, Vec<_>) =
            tree.entries().partition(|(_, entry)| matches!(entry.kind, Kind::Symlink { .. }));
        for (path, entry) in others.into_iter().chain(links) {
            if interrupt.load(Ordering::Relaxed) {
                return Err(GitError::Interrupted);
            }
            if !write(path, &entry.kind, entry.attributes.mode, folder)? {
                left_out.push(Printable(path.as_bytes()).to_string());
            }
        }
        left_out.sort();
        Ok(left_out)
    }

    fn listing<const N: usize>(
        &self,
        command: [&str; N],
        id: &str,
        interrupt: &AtomicBool,
    ) -> Result<Vec<u8>, GitError> {
        let listing = self.ask(command, [id], interrupt)?;
        match listing.success {
            true => Ok(listing.stdout),
            false => Err(GitError::Object { what: format!("the tree {id}"), said: first_words(&listing.stderr) }),
        }
    }
}

/// Writes one path; false if its content is not in the repository.
fn write(path: &EntryPath, kind: &Kind<Blob>, mode: u32, folder: &Path) -> Result<bool, GitError> {
    let place = folder.join(OsStr::from_bytes(path.as_bytes()));
    match kind {
        Kind::Directory => DirBuilder::new().mode(0o755).create(&place).map_err(GitError::Write)?,
        Kind::Symlink { target } => {
            symlink(OsString::from_vec(target.to_vec()), &place).map_err(GitError::Write)?;
        }
        Kind::File { content, .. } => {
            let object = |said: String| GitError::Object { what: format!("`{path}`"), said };
            let mut reader = match content.open() {
                Ok(reader) => reader,
                Err(error) if matches!(error.get_ref().and_then(|e| e.downcast_ref()), Some(NoContent::Lfs)) => {
                    return Ok(false);
                }
                Err(error) => return Err(object(error.to_string())),
            };
            let opened = OpenOptions::new().write(true).create_new(true).open(&place);
            let mut file = opened.map_err(GitError::Write)?;
            // What goes wrong here is nearly always the disk.
            io::copy(&mut reader, &mut file).map_err(GitError::Write)?;
            file.set_permissions(fs::Permissions::from_mode(mode)).map_err(GitError::Write)?;
        }
        // `add` makes no others.
        _ => {}
    }
    Ok(true)
}
