//! The right to change a folder: one process at a time has it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A folder that nobody else may change. Dropped, it lets go; folders that were made for it and are still empty vanish.
#[derive(Debug)]
pub struct Held {
    folder: File,
    /// Innermost first.
    made: Vec<PathBuf>,
}

impl Held {
    /// Makes a folder if it is not there, and waits until nobody else holds it.
    ///
    /// # Errors
    /// What the disk reports; [`io::ErrorKind::Interrupted`] once `interrupt` is set.
    pub fn wait(target: &Path, interrupt: &AtomicBool) -> io::Result<Self> {
        Self::within(usize::MAX, target, interrupt)
    }

    /// As [`Held::wait`], but not for long: a copy from a registry may take hours.
    ///
    /// # Errors
    /// As [`Held::wait`]; [`io::ErrorKind::WouldBlock`] if another process still holds it after 10 s.
    pub fn soon(target: &Path, interrupt: &AtomicBool) -> io::Result<Self> {
        Self::within(500, target, interrupt)
    }

    fn within(looks: usize, target: &Path, interrupt: &AtomicBool) -> io::Result<Self> {
        let made = target.ancestors().take_while(|folder| fs::symlink_metadata(folder).is_err());
        let made: Vec<PathBuf> = made.filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned).collect();
        match lock(target, looks, interrupt) {
            Ok(folder) => Ok(Self { folder, made }),
            Err(error) => {
                remove_empty(&made);
                Err(error)
            }
        }
    }

    /// The folder itself, wherever its name leads by now.
    pub(super) fn folder(&self) -> &File {
        &self.folder
    }

    /// Whether it is still what stands at `target`.
    pub(super) fn stands_at(&self, target: &Path) -> bool {
        is_at(&self.folder, target)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        remove_empty(&self.made);
    }
}

/// Removes folders, innermost first, up to the first one that holds something.
pub(super) fn remove_empty(folders: &[PathBuf]) {
    let _ = folders.iter().try_for_each(fs::remove_dir);
}

/// Locks the folder that stands at `target`, waiting for whoever has it; that one may leave another folder there. It is
/// looked at 50 times a second.
fn lock(target: &Path, mut looks: usize, interrupt: &AtomicBool) -> io::Result<File> {
    loop {
        let folder = match File::open(target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(target)?;
                continue;
            }
            opened => opened?,
        };
        loop {
            match folder.try_lock() {
                Ok(()) => break,
                Err(fs::TryLockError::WouldBlock) if interrupt.load(Ordering::Relaxed) => {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Err(fs::TryLockError::WouldBlock) if looks == 0 => {
                    let why = "another rebake is writing to it; try again when that one is done";
                    return Err(io::Error::new(io::ErrorKind::WouldBlock, why));
                }
                Err(fs::TryLockError::WouldBlock) => {
                    looks -= 1;
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
        }
        if is_at(&folder, target) {
            return Ok(folder);
        }
    }
}

fn is_at(folder: &File, target: &Path) -> bool {
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((folder.metadata(), fs::metadata(target)), (Ok(locked), Ok(there)) if same(&locked, &there))
}
