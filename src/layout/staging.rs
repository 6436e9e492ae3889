//! A layout under construction: a hidden folder beside its final place.

use super::OCI_LAYOUT;
use super::blob::FileBlob;
use super::copied::copy;
use super::exchange::put;
use super::held::remove_empty;
use super::hidden::{locked_folder, sweep};
use super::place::{refuse_file_above, refuse_foreign, refuse_other_than_file};
use crate::oci::{Blob, Digest, Sink};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A hidden folder that becomes the layout at its target, or vanishes when it is dropped.
pub struct Staging {
    target: PathBuf,
    folder: PathBuf,
    /// The folders above it that were not there, innermost first. They go with it if nothing else is in them.
    made: Vec<PathBuf>,
    /// Held as long as the folder is in use, so that another rebake knows a leftover from a folder at work.
    _lock: File,
}

impl Staging {
    /// Begins a layout that is to stand at `target`, making the folders above it.
    ///
    /// # Errors
    /// If `target` is something else than an image layout, an empty folder or nothing; or what the disk reports.
    pub fn begin(target: &Path) -> io::Result<Self> {
        refuse_foreign(target)?;
        Self::beside(target)
    }

    /// Begins a folder in which an archive is put together that is to stand at `target`.
    ///
    /// # Errors
    /// If `target` is something else than a file or nothing; or what the disk reports.
    pub fn begin_file(target: &Path) -> io::Result<Self> {
        refuse_other_than_file(target)?;
        Self::beside(target)
    }

    /// Begins a folder beside `target`.
    fn beside(target: &Path) -> io::Result<Self> {
        let target = absolute(target)?;
        let (parent, name) = match (target.parent(), target.file_name()) {
            (Some(parent), Some(name)) => (parent, name),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no place for an image")),
        };
        refuse_file_above(parent)?;
        let mut prefix = OsString::from(".");
        prefix.push(name);
        prefix.push(".rebake-");
        sweep(parent, &prefix);
        let made = parent.ancestors().take_while(|folder| fs::symlink_metadata(folder).is_err());
        let made: Vec<PathBuf> = made.map(Path::to_owned).collect();
        let (folder, lock) = locked_folder(parent, &prefix).inspect_err(|_| remove_empty(&made))?;
        let staging = Self { target, folder, made, _lock: lock };
        fs::set_permissions(&staging.folder, fs::Permissions::from_mode(0o755))?;
        // Whatever the umask: what others may read does not depend on who built it.
        for part in ["blobs", "blobs/sha256"] {
            let path = staging.folder.join(part);
            DirBuilder::new().mode(0o755).create(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        Ok(staging)
    }

    /// The folder as long as it is hidden.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Puts the layout in its place: whole, with `index.json` as its last file, in one step where the file system can.
    ///
    /// # Errors
    /// What the disk reports; the old layout is then untouched.
    pub fn publish(self, index_json: &[u8]) -> io::Result<()> {
        self.file("oci-layout", OCI_LAYOUT)?;
        self.file("index.json", index_json)?;
        for folder in ["blobs/sha256", "blobs", ""] {
            File::open(self.folder.join(folder))?.sync_all()?;
        }
        refuse_foreign(&self.target)?;
        put(&self.folder, &self.target)
    }

    /// Puts a file of the folder in the place of the target.
    ///
    /// # Errors
    /// What the disk reports; an old file is then untouched.
    pub fn publish_file(self, file: &Path) -> io::Result<()> {
        refuse_other_than_file(&self.target)?;
        put(file, &self.target)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&path)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.sync_all()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Nothing can be done about a folder that does not go away; the next build sweeps it.
        let _ = fs::remove_dir_all(&self.folder);
        remove_empty(&self.made);
    }
}

impl Sink for Staging {
    fn blob(&self) -> io::Result<Box<dyn Blob>> {
        FileBlob::begin(self.folder.join("blobs/sha256"))
    }

    /// As another name of the same file: nobody writes into a blob. Where a file system has no such names, the blob is
    /// written once more.
    fn adopt(&self, digest: Digest, file: &Path) -> io::Result<bool> {
        let blob = self.folder.join("blobs/sha256").join(digest.hex());
        Ok(match fs::hard_link(file, blob) {
            Err(error) => error.kind() == io::ErrorKind::AlreadyExists,
            Ok(()) => true,
        })
    }

    fn places(&self, digest: Digest) -> Vec<PathBuf> {
        [&self.folder, &self.target].map(|layout| layout.join("blobs/sha256").join(digest.hex())).into()
    }

    /// Never as another name of the same file: that layout is somebody else's too.
    fn copy(&self, (digest, size): (Digest, u64), places: &[PathBuf], interrupt: &AtomicBool) -> io::Result<bool> {
        if self.folder.join("blobs/sha256").join(digest.hex()).exists() {
            return Ok(true);
        }
        for place in places {
            let mut blob = self.blob()?;
            if copy(place, &mut *blob, (digest, size), interrupt)? {
                return blob.commit(digest).map(|()| true);
            }
        }
        Ok(false)
    }
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    // `DIR/.` and `DIR/` name DIR.
    Ok(path.components().collect())
}
