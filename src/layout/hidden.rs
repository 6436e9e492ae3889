//! The hidden folders beside a place in which images are put together. Each is locked as long as it is in use, so that what a
//! killed rebake left is known, and swept.

use super::place::names;
use rustix::fs::{FlockOperation, flock};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A new folder, locked. A sweeper may take it away before it is locked; then there is another one.
pub(super) fn locked_folder(parent: &Path, prefix: &OsString) -> io::Result<(PathBuf, File)> {
    for _ in 0..16 {
        fs::create_dir_all(parent)?;
        let folder = match tempfile::Builder::new().prefix(prefix).tempdir_in(parent) {
            Ok(folder) => folder.keep(),
            // A failed build has just removed the folder that it had made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let Ok(lock) = File::open(&folder) else { continue };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() && folder.is_dir() {
            return Ok((folder, lock));
        }
    }
    Err(io::Error::other("other builds to the same place keep taking its folder away"))
}

/// Removes what a killed rebake left beside `target`: folders with our prefix that nobody holds.
pub(super) fn sweep(parent: &Path, prefix: &OsString) {
    let prefix = prefix.as_encoded_bytes();
    for name in names(parent).unwrap_or_default() {
        let path = parent.join(&name);
        let random = name.as_encoded_bytes().strip_prefix(prefix).unwrap_or_default();
        let ours = random.len() == 6
            && random.iter().all(u8::is_ascii_alphanumeric)
            && fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir());
        if ours && File::open(&path).is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}
