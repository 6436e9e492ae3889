//! A file or folder in the place of another one, in one step where the file system can.

use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Puts what stands at `from` in the place of the target, in one step; what stood there then stands at `from`, inside
/// or as the hidden folder, and vanishes with it.
pub(super) fn put(from: &Path, target: &Path) -> io::Result<()> {
    use rustix::io::Errno;
    let rename = |flags| renameat_with(CWD, from, CWD, target, flags);
    // Another build may put something there, or take it away, between any two looks.
    for _ in 0..16 {
        match rename(RenameFlags::NOREPLACE) {
            Ok(()) => {
                return sync_parent(target).inspect_err(|_| {
                    let _ = fs::rename(target, from);
                });
            }
            Err(Errno::EXIST) => {}
            Err(Errno::INVAL | Errno::NOSYS) => return put_without_exchange(from, target),
            Err(error) => return Err(error.into()),
        }
        match rename(RenameFlags::EXCHANGE) {
            Ok(()) => {
                return sync_parent(target).inspect_err(|_| {
                    let _ = rename(RenameFlags::EXCHANGE);
                });
            }
            Err(Errno::NOENT) => {}
            Err(Errno::INVAL | Errno::NOSYS) => return put_without_exchange(from, target),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("other builds keep changing it"))
}

/// For file systems that cannot exchange two names.
fn put_without_exchange(from: &Path, target: &Path) -> io::Result<()> {
    // An empty folder is replaced so, too.
    match fs::rename(from, target) {
        Err(_) if target.is_dir() && !target.is_symlink() => {}
        renamed => return renamed.and_then(|()| sync_parent(target)),
    }
    // Not hidden and never swept: should rebake be killed between the two steps, this is the only good copy.
    let mut aside = target.as_os_str().to_owned();
    aside.push(".before-rebake");
    fs::rename(target, &aside)?;
    match fs::rename(from, target) {
        Ok(()) => {
            fs::remove_dir_all(&aside)?;
            sync_parent(target)
        }
        Err(error) => {
            fs::rename(&aside, target)?;
            Err(error)
        }
    }
}

/// Makes a rename last.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
