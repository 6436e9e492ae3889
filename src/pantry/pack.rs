//! The files beside a recipe as a tar, and a tar as files again.

use crate::layer::write::{self, Content, MTIME, WriteError};
use crate::source::archive::Member;
use crate::tree::{Attributes, Entry, EntryPath, Firmness, Kind, Origin, Tree};
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that is packed.
#[derive(Debug, Clone, PartialEq)]
struct Packed(PathBuf);

impl Content for Packed {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        Ok(Box::new(OpenOptions::new().read(true).custom_flags(flags).open(&self.0)?))
    }
}

/// Writes the files, folders and symlinks at `paths`, relative to `folder`, as a tar that says nothing of the host: modes
/// are 0755 or 0644, owners 0, times the edition's.
///
/// # Errors
/// What the disk or `out` reports.
pub fn pack(folder: &Path, paths: &BTreeSet<PathBuf>, out: &mut dyn Write, interrupt: &AtomicBool) -> io::Result<()> {
    let mut tree = Tree::default();
    for path in paths {
        let Ok(name) = EntryPath::parse(path.as_os_str().as_bytes()) else { continue };
        let place = folder.join(path);
        let metadata = fs::symlink_metadata(&place)?;
        let (kind, mode) = if metadata.is_dir() {
            (Kind::Directory, 0o755)
        } else if metadata.is_symlink() {
            (Kind::Symlink { target: fs::read_link(&place)?.into_os_string().into_vec().into() }, 0o777)
        } else {
            let executable = metadata.permissions().mode() & 0o100 != 0;
            let kind = Kind::File { size: metadata.len(), content: Packed(place), link: None };
            (kind, if executable { 0o755 } else { 0o644 })
        };
        let attributes = Attributes { mode, mtime: MTIME, ..Attributes::default() };
        let entry = Entry { attributes, kind, firmness: Firmness::Stated, origin: Origin(0) };
        tree.insert(name, entry).map_err(|conflict| io::Error::other(conflict.difference.to_string()))?;
    }
    let mut emit = |block: Vec<u8>| match interrupt.load(Ordering::Relaxed) {
        true => Err(WriteError::Interrupted),
        false => out.write_all(&block).map_err(WriteError::Sink),
    };
    write::tar(&tree, MTIME, &mut emit).map_err(|error| match error {
        WriteError::Sink(error) | WriteError::Content { source: error, .. } => error,
        WriteError::Interrupted => io::ErrorKind::Interrupted.into(),
    })
}

/// Puts the members of an archive below a new, empty folder. Symlinks come last, so nothing is ever written through one.
///
/// # Errors
/// What the disk reports; a member that is neither file, folder nor symlink.
pub fn unpack(members: &[Member], folder: &Path) -> io::Result<()> {
    let place = |path: &EntryPath| folder.join(std::ffi::OsStr::from_bytes(path.as_bytes()));
    let make_folder = |path: &Path| match DirBuilder::new().mode(0o755).recursive(true).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    for member in members {
        // What git finds there it runs.
        if has_git(member.path.as_bytes()) {
            return Err(io::Error::other(format!("`{}` contains `.git`", member.path)));
        }
        let at = place(&member.path);
        if let Some(parent) = at.parent() {
            make_folder(parent)?;
        }
        match &member.kind {
            Kind::Directory => make_folder(&at)?,
            Kind::File { content, .. } => {
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&at)?;
                io::copy(&mut content.reader(), &mut file)?;
                set_mode(&file, if member.attributes.mode & 0o100 == 0 { 0o644 } else { 0o755 })?;
            }
            Kind::Symlink { .. } => {}
            other => return Err(io::Error::other(format!("`{}` is {}", member.path, other.noun()))),
        }
    }
    for member in members {
        if let Kind::Symlink { target } = &member.kind {
            std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), place(&member.path))?;
        }
    }
    Ok(())
}

/// Whether a path leads through a `.git`, in whatever case a file system takes it for one.
#[must_use]
pub fn has_git(path: &[u8]) -> bool {
    path.split(|&b| b == b'/').any(|part| part.eq_ignore_ascii_case(b".git"))
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(mode))
}
