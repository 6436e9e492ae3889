//! A file of the recipe's folder: found when a layer is planned, read when it is written, and no other one meanwhile.

use crate::layer::write::Identity;
use crate::record::Stamp;
use crate::tree::Printable;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file as it was when the layer was planned.
#[derive(Debug, Clone)]
pub struct HostFile {
    root: Arc<PathBuf>,
    /// Relative to the root.
    path: Box<Path>,
    stamp: Stamp,
}

/// The same file, whatever its name.
impl PartialEq for HostFile {
    fn eq(&self, other: &Self) -> bool {
        self.stamp == other.stamp
    }
}

impl HostFile {
    /// A file at `path` in a folder `root`, with the metadata that it has now.
    pub(super) fn new(root: &Arc<PathBuf>, path: &Path, metadata: &Metadata) -> Self {
        Self { root: Arc::clone(root), path: path.into(), stamp: Stamp::of(metadata) }
    }

    /// Length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.stamp.size()
    }

    /// What tells its content from others.
    #[must_use]
    pub fn identity(&self) -> Identity<'static> {
        Identity::Stamp { stamp: self.stamp, offset: 0, length: self.size() }
    }

    /// Its name relative to the recipe's folder, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        Printable(self.path.as_os_str().as_bytes()).to_string()
    }

    /// Where it is, absolute.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.root.join(&self.path)
    }

    /// Opens it for one reading from start to end.
    ///
    /// # Errors
    /// What the disk reports; and, then or at the end of the reading, that the file is not what it was.
    pub fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        let file = File::options()
            .read(true)
            .custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed())
            .open(self.path())
            .map_err(|error| self.unreadable(&error))?;
        let reader = Checked { file, planned: self, left: self.size() };
        reader.check()?;
        Ok(Box::new(reader))
    }

    fn unreadable(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("cannot read `{}`: {error}", self.name()))
    }
}

/// A file that is the planned one from its first byte to behind its last.
struct Checked<'a> {
    file: File,
    planned: &'a HostFile,
    /// Bytes that are still to come.
    left: u64,
}

impl Checked<'_> {
    fn check(&self) -> io::Result<()> {
        let metadata = self.file.metadata().map_err(|error| self.planned.unreadable(&error))?;
        if Stamp::of(&metadata) == self.planned.stamp { Ok(()) } else { Err(self.changed()) }
    }

    fn changed(&self) -> io::Error {
        io::Error::other(format!("`{}` changed while the image was built", self.planned.name()))
    }
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if wanted == 0 {
            if !buffer.is_empty() {
                self.check()?;
            }
            return Ok(0);
        }
        let n = match self.file.read(buffer.get_mut(..wanted).unwrap_or_default()) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(self.planned.unreadable(&error)),
            read => read?,
        };
        if n == 0 {
            return Err(self.changed());
        }
        self.left -= n as u64;
        Ok(n)
    }
}
