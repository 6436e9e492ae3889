//! What of the recipe's folder a plan is made of: a copy of these paths alone plans the same.

use crate::tree::Kind;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// More steps than this on the way to one path are a disk that changes underneath.
const STEPS: usize = 10_000;

/// What a path is that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// A folder: it was copied, or something in it was. Not all that is in it.
    Folder,
    /// A file.
    File,
    /// A symlink: it was copied, or followed.
    Symlink,
}

impl Used {
    fn of<C>(kind: &Kind<C>) -> Self {
        match kind {
            Kind::Directory => Self::Folder,
            Kind::Symlink { .. } => Self::Symlink,
            _ => Self::File,
        }
    }
}

/// The paths that were used so far, relative to the recipe's folder. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Record(Arc<Mutex<BTreeMap<PathBuf, Used>>>);

impl Record {
    pub(super) fn all(&self) -> BTreeMap<PathBuf, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what was found at a path.
    pub(super) fn note<C>(&self, path: &Path, kind: &Kind<C>) {
        self.add(path, Used::of(kind));
    }

    fn add(&self, path: &Path, used: Used) {
        // The recipe's folder itself needs no saying.
        if !path.as_os_str().is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), used);
        }
    }

    /// Notes everything on the way from `root`, which has no symlinks, to a path that was found: folders, symlinks, and
    /// where they lead. What cannot be looked at any more is reported by whoever reads it.
    pub(super) fn way(&self, root: &Path, from: &Path) {
        let parts =
            |path: &Path| -> Vec<OsString> { path.components().rev().map(|c| c.as_os_str().to_owned()).collect() };
        let (mut here, mut left) = (root.to_owned(), parts(from));
        for _ in 0..STEPS {
            let Some(part) = left.pop() else { return };
            match Path::new(&part).components().next() {
                Some(Component::ParentDir) => drop(here.pop()),
                Some(Component::RootDir) => here = PathBuf::from("/"),
                Some(Component::Normal(_)) => {
                    here.push(&part);
                    let Ok(kind) = fs::symlink_metadata(&here).map(|metadata| metadata.file_type()) else { return };
                    let used = if kind.is_dir() {
                        Used::Folder
                    } else if kind.is_symlink() {
                        Used::Symlink
                    } else {
                        Used::File
                    };
                    if let Ok(below) = here.strip_prefix(root) {
                        self.add(below, used);
                    }
                    if kind.is_symlink() {
                        let Ok(target) = fs::read_link(&here) else { return };
                        here.pop();
                        left.extend(parts(&target));
                    }
                }
                _ => {}
            }
        }
    }
}
