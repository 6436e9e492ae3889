//! A folder and all that is below it, read by several threads: a large tree is mostly waiting for the kernel.
//!
//! The order in which a disk lists its folders, and in which threads come back, never gets out of here.

use super::{DiskError, Root};
use crate::source::filter::Filter;
use crate::source::place::FoundBelow;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// One walk.
pub(super) struct Walk<'a> {
    root: &'a Root,
    /// Relative to the root.
    folder: &'a Path,
    filter: &'a Filter,
    left: Mutex<Left>,
    /// There is more to read, or nothing any more.
    news: Condvar,
}

/// A folder below the one that is walked, by its path there; the folder itself is empty.
type Below = Box<[u8]>;

/// What is left to do.
struct Left {
    folders: Vec<Below>,
    /// Folders that are being read, and may have others in them.
    at_work: usize,
    /// The first of the mistakes, by its path.
    mistake: Option<Mistake>,
}

/// What cannot be read or copied, by its path.
type Mistake = (Below, DiskError);

/// A folder that was read.
struct Done<'a> {
    walk: &'a Walk<'a>,
    folders: Vec<Below>,
    mistake: Option<Mistake>,
}

impl Done<'_> {
    fn note(&mut self, new: Mistake) {
        first(&mut self.mistake, new);
    }
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut left = self.walk.left();
        left.folders.append(&mut self.folders);
        left.at_work -= 1;
        if let Some(new) = self.mistake.take() {
            first(&mut left.mistake, new);
        }
        self.walk.news.notify_all();
    }
}

/// The first of both, by its path.
fn first(old: &mut Option<Mistake>, new: Mistake) {
    if old.as_ref().is_none_or(|old| new.0 < old.0) {
        *old = Some(new);
    }
}

impl<'a> Walk<'a> {
    pub fn new(root: &'a Root, folder: &'a Path, filter: &'a Filter) -> Self {
        let left = Left { folders: vec![Below::default()], at_work: 0, mistake: None };
        Self { root, folder, filter, left: Mutex::new(left), news: Condvar::new() }
    }

    /// Everything that counts, each with its path below the folder, by its bytes.
    ///
    /// # Errors
    /// Of all that cannot be read or copied, the first by its path.
    pub fn run(self, threads: usize) -> Result<Vec<FoundBelow>, DiskError> {
        // Many folders are all files; whoever comes later finds nothing to do.
        let mut found = self.next().map(|folder| self.read(&folder)).unwrap_or_default();
        if !self.left().folders.is_empty() {
            thread::scope(|scope| {
                let helper = |_| thread::Builder::new().spawn_scoped(scope, || self.work()).ok();
                let helpers: Vec<_> = (1..threads).map_while(helper).collect();
                found.extend(self.work());
                for helper in helpers {
                    found.extend(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
                }
            });
        }
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        match self.left.into_inner().unwrap_or_else(PoisonError::into_inner).mistake {
            Some((_, mistake)) => Err(mistake),
            None => Ok(found),
        }
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads folders until there are none.
    fn work(&self) -> Vec<FoundBelow> {
        let mut found = Vec::new();
        while let Some(folder) = self.next() {
            found.append(&mut self.read(&folder));
        }
        found
    }

    /// The next folder to read; none if all are read.
    fn next(&self) -> Option<Below> {
        let mut left = self.left();
        loop {
            if let Some(folder) = left.folders.pop() {
                left.at_work += 1;
                return Some(folder);
            }
            if left.at_work == 0 {
                return None;
            }
            left = self.news.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What counts in one folder; the folders in it are left to whoever has time.
    fn read(&self, below: &[u8]) -> Vec<FoundBelow> {
        // Whatever happens, nobody is left waiting.
        let mut done = Done { walk: self, folders: Vec::new(), mistake: None };
        let mut found = Vec::new();
        if let Err(mistake) = self.list(below, &mut found, &mut done) {
            done.note(mistake);
        }
        found
    }

    #[allow(clippy::disallowed_methods, reason = "what is found is sorted")]
    fn list(&self, below: &[u8], found: &mut Vec<FoundBelow>, done: &mut Done) -> Result<(), Mistake> {
        let path = join(self.root.path(), &self.relative(below));
        let cannot = |error| (below.into(), self.cannot(below, error));
        for entry in fs::read_dir(&path).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let name = entry.file_name();
            if self.root.is_written(&path, &name) {
                continue;
            }
            let name: Below = match below {
                [] => name.as_bytes().into(),
                _ => [below, b"/", name.as_bytes()].concat().into(),
            };
            // The next one may have a name that comes before this one's.
            match self.look(&name, &entry, done) {
                Ok(what) => found.extend(what.map(|what| (name, what))),
                Err(error) => done.note((name, error)),
            }
        }
        Ok(())
    }

    /// What stands there, if it counts.
    fn look(&self, name: &[u8], entry: &DirEntry, done: &mut Done) -> Result<Option<super::Found>, DiskError> {
        let cannot = |error| self.cannot(name, error);
        if entry.file_type().map_err(cannot)?.is_dir() {
            if self.filter.prunes(name) {
                return Ok(None);
            }
            done.folders.push(name.into());
        }
        if !self.filter.keeps(name) {
            return Ok(None);
        }
        self.root.classify(&self.relative(name), &entry.metadata().map_err(cannot)?).map(Some)
    }

    fn relative(&self, below: &[u8]) -> PathBuf {
        join(self.folder, Path::new(OsStr::from_bytes(below)))
    }

    fn cannot(&self, below: &[u8], source: io::Error) -> DiskError {
        DiskError::Io { path: self.relative(below).display().to_string(), source }
    }
}

/// `join` puts a slash behind a path to which nothing is joined.
fn join(path: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { path.to_owned() } else { path.join(below) }
}
