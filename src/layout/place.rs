//! What stands where an image is to go, and whether an image may replace it.

use super::adding::NEW_INDEX;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

/// Whether a folder is an image layout: it has the file that says so.
#[must_use]
pub fn is_layout(folder: &Path) -> bool {
    folder.join("oci-layout").is_file()
}

/// An archive replaces a regular file, and nothing else.
pub(super) fn refuse_other_than_file(target: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(target) else { return Ok(()) };
    let taken = |what: &str| Err(io::Error::new(io::ErrorKind::AlreadyExists, what.to_owned()));
    match metadata.file_type() {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => taken("a folder stands there, and an archive is a file"),
        kind if kind.is_symlink() => taken("it is a symlink, which would be replaced; name the file it points at"),
        _ => taken("a pipe, socket or device stands there, which would be replaced by a file"),
    }
}

/// Only a layout, an empty folder or nothing may be replaced.
pub(super) fn refuse_foreign(target: &Path) -> io::Result<()> {
    let taken = |what: &str| Err(io::Error::new(io::ErrorKind::AlreadyExists, what.to_owned()));
    let Ok(metadata) = fs::symlink_metadata(target) else { return Ok(()) };
    if metadata.is_symlink() {
        return taken("it is a symlink, which would be replaced; name the folder it points at");
    }
    if !metadata.is_dir() {
        return taken("a file stands there, and an image layout is a folder");
    }
    let names = names(target)?;
    // A copy that adds to the layout may be about to write its index, or have been killed then.
    let foreign = |name: &&OsString| !matches!(name.to_str(), Some("oci-layout" | "index.json" | "blobs" | NEW_INDEX));
    match names.iter().filter(foreign).min() {
        Some(name) => taken(&format!("the folder holds `{}`, which is no part of an image layout", name.display())),
        None if is_layout(target) || names.is_empty() => Ok(()),
        None => taken("the folder is no image layout (it has no file `oci-layout`)"),
    }
}

/// The folders above a target can be made unless one of them is something else.
pub(super) fn refuse_file_above(parent: &Path) -> io::Result<()> {
    let there = parent.ancestors().find(|folder| fs::metadata(folder).is_ok());
    match there.filter(|there| !there.is_dir()) {
        Some(file) => Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is no folder", file.display()))),
        None => Ok(()),
    }
}

/// The names in a folder; their order never reaches an image.
#[allow(clippy::disallowed_methods, reason = "the names are only searched, and nothing depends on their order")]
pub(super) fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}
