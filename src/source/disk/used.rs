//! What of the recipe's folder a plan is made of: a copy of these paths alone plans the same.

use crate::tree::Kind;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
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

    fn letter(self) -> u8 {
        match self {
            Self::Folder => b'd',
            Self::File => b'f',
            Self::Symlink => b'l',
        }
    }

    fn from_letter(letter: u8) -> Option<Self> {
        [Self::Folder, Self::File, Self::Symlink].into_iter().find(|used| used.letter() == letter)
    }
}

/// The paths that were used so far, relative to the recipe's folder. Clones share them. Every file of an image is noted
/// and few recipes ask, so this is one text: for each path a letter, the path, and a NUL, which no path has in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Record(Arc<Mutex<Vec<u8>>>);

impl Record {
    pub(super) fn all(&self) -> BTreeMap<PathBuf, Used> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let path = |path: &[u8]| PathBuf::from(OsStr::from_bytes(path));
        let lines = noted.split(|&byte| byte == 0).filter_map(<[u8]>::split_first);
        lines.filter_map(|(letter, name)| Some((path(name), Used::from_letter(*letter)?))).collect()
    }

    /// Notes what was found at a path.
    pub(super) fn note<C>(&self, path: &Path, kind: &Kind<C>) {
        self.add(path, Used::of(kind));
    }

    fn add(&self, path: &Path, used: Used) {
        // The recipe's folder itself needs no saying.
        if !path.as_os_str().is_empty() {
            let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            noted.push(used.letter());
            noted.extend_from_slice(path.as_os_str().as_bytes());
            noted.push(0);
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
