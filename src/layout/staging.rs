//! A layout under construction: a hidden folder beside its final place.

use super::OCI_LAYOUT;
use super::adding::{NEW_BLOB, NEW_INDEX};
use super::copied::copy;
use super::held::remove_empty;
use crate::oci::{Blob, Digest, Sink};
use rustix::fs::{Advice, CWD, FlockOperation, RenameFlags, fadvise, flock, renameat_with};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use tempfile::NamedTempFile;

/// A hidden folder that becomes the layout at its target, or vanishes when it is dropped.
pub struct Staging {
    target: PathBuf,
    folder: PathBuf,
    /// The folders above it that were not there, innermost first. They go with it if nothing else is in them.
    made: Vec<PathBuf>,
    /// Held as long as the folder is in use, so that another rebake knows a leftover from a folder at work.
    _lock: File,
}

/// Whether a folder is an image layout: it has the file that says so.
#[must_use]
pub fn is_layout(folder: &Path) -> bool {
    folder.join("oci-layout").is_file()
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
        self.put(&self.folder)
    }

    /// Puts a file of the folder in the place of the target.
    ///
    /// # Errors
    /// What the disk reports; an old file is then untouched.
    pub fn publish_file(self, file: &Path) -> io::Result<()> {
        refuse_other_than_file(&self.target)?;
        self.put(file)
    }

    /// Puts what stands at `from` in the place of the target, in one step; what stood there then stands at `from`, inside
    /// or as the hidden folder, and vanishes with it.
    fn put(&self, from: &Path) -> io::Result<()> {
        use rustix::io::Errno;
        let rename = |flags| renameat_with(CWD, from, CWD, &self.target, flags);
        // Another build may put something there, or take it away, between any two looks.
        for _ in 0..16 {
            match rename(RenameFlags::NOREPLACE) {
                Ok(()) => {
                    return sync_parent(&self.target).inspect_err(|_| {
                        let _ = fs::rename(&self.target, from);
                    });
                }
                Err(Errno::EXIST) => {}
                Err(Errno::INVAL | Errno::NOSYS) => return self.put_without_exchange(from),
                Err(error) => return Err(error.into()),
            }
            match rename(RenameFlags::EXCHANGE) {
                Ok(()) => {
                    return sync_parent(&self.target).inspect_err(|_| {
                        let _ = rename(RenameFlags::EXCHANGE);
                    });
                }
                Err(Errno::NOENT) => {}
                Err(Errno::INVAL | Errno::NOSYS) => return self.put_without_exchange(from),
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::Error::other("other builds keep changing it"))
    }

    /// For file systems that cannot exchange two names.
    fn put_without_exchange(&self, from: &Path) -> io::Result<()> {
        // An empty folder is replaced so, too.
        match fs::rename(from, &self.target) {
            Err(_) if self.target.is_dir() && !self.target.is_symlink() => {}
            renamed => return renamed.and_then(|()| sync_parent(&self.target)),
        }
        // Not hidden and never swept: should rebake be killed between the two steps, this is the only good copy.
        let mut aside = self.target.clone().into_os_string();
        aside.push(".before-rebake");
        fs::rename(&self.target, &aside)?;
        match fs::rename(from, &self.target) {
            Ok(()) => {
                fs::remove_dir_all(&aside)?;
                sync_parent(&self.target)
            }
            Err(error) => {
                fs::rename(&aside, &self.target)?;
                Err(error)
            }
        }
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

/// A blob as a file without its name. Zeros become holes, so a plain tar of a sparse file is sparse on disk too.
pub(super) struct FileBlob {
    file: NamedTempFile,
    blobs: PathBuf,
    /// Zeros at the end that are not yet in the file.
    hole: u64,
    /// Bytes that the system was not told of yet.
    untold: u64,
}

/// Fewer zeros than this are written.
const HOLE: usize = 64 * 1024;
/// After so many bytes the system is asked to begin with writing them to the disk.
const BATCH: u64 = 16 << 20;

impl Write for FileBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_hole = |piece: &[u8]| piece.len() == HOLE && piece.iter().all(|&b| b == 0);
        let pieces: Vec<&[u8]> = bytes.chunks(HOLE).collect();
        let mut rest = bytes;
        for run in pieces.chunk_by(|a, b| is_hole(a) == is_hole(b)) {
            let Some((run, after)) = rest.split_at_checked(run.iter().map(|piece| piece.len()).sum()) else { break };
            rest = after;
            if run.get(..HOLE).is_some_and(is_hole) {
                self.hole += run.len() as u64;
            } else {
                self.skip_hole()?;
                self.file.write_all(run)?;
            }
        }
        self.untold += bytes.len() as u64;
        if self.untold >= BATCH {
            self.begin_to_sync();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl FileBlob {
    pub(super) fn begin(blobs: PathBuf) -> io::Result<Box<dyn Blob>> {
        let file = tempfile::Builder::new().prefix(NEW_BLOB).tempfile_in(&blobs)?;
        Ok(Box::new(Self { file, blobs, hole: 0, untold: 0 }))
    }

    /// Lets the disk begin with what is to be on it in the end, so that the end need not wait for all of it. What this call
    /// promises is that nobody needs the bytes in memory; what Linux does is write those that are not on the disk, and
    /// keep them meanwhile. Where it does nothing, nothing is lost.
    fn begin_to_sync(&mut self) {
        if let Ok(end) = self.file.stream_position() {
            let start = end.saturating_sub(self.untold);
            let _ = fadvise(self.file.as_file(), start, NonZeroU64::new(end - start), Advice::DontNeed);
        }
        self.untold = 0;
    }

    fn skip_hole(&mut self) -> io::Result<()> {
        if self.hole > 0 {
            let end = self.file.seek(SeekFrom::Current(i64::try_from(self.hole).map_err(io::Error::other)?))?;
            self.file.as_file().set_len(end)?;
            self.hole = 0;
        }
        Ok(())
    }
}

impl Blob for FileBlob {
    fn commit(mut self: Box<Self>, digest: Digest) -> io::Result<()> {
        self.skip_hole()?;
        self.file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        self.file.as_file().sync_all()?;
        // The same digest is the same bytes: which of two equal blobs stays does not matter.
        self.file.persist(self.blobs.join(digest.hex())).map(|_| ()).map_err(|error| error.error)
    }
}

/// An archive replaces a regular file, and nothing else.
fn refuse_other_than_file(target: &Path) -> io::Result<()> {
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
fn refuse_foreign(target: &Path) -> io::Result<()> {
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
fn refuse_file_above(parent: &Path) -> io::Result<()> {
    let there = parent.ancestors().find(|folder| fs::metadata(folder).is_ok());
    match there.filter(|there| !there.is_dir()) {
        Some(file) => Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is no folder", file.display()))),
        None => Ok(()),
    }
}

/// A new folder, locked. A sweeper may take it away before it is locked; then there is another one.
fn locked_folder(parent: &Path, prefix: &OsString) -> io::Result<(PathBuf, File)> {
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
fn sweep(parent: &Path, prefix: &OsString) {
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

/// The names in a folder; their order never reaches an image.
#[allow(clippy::disallowed_methods, reason = "the names are only searched, and nothing depends on their order")]
pub(super) fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    // `DIR/.` and `DIR/` name DIR.
    Ok(path.components().collect())
}

/// Makes a rename last.
fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
