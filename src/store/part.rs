//! A file that is being received: hashed while it is written, and resumed where it stopped.

use super::read_only;
use crate::oci::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A file of the store before it is whole. Its lock goes with it.
#[derive(Debug)]
pub struct Part {
    file: File,
    path: PathBuf,
    sha256: Sha256,
    len: u64,
    /// Of no use to anybody once it is dropped.
    temporary: bool,
}

impl Part {
    /// Goes on behind what the file has already.
    pub(super) fn new(mut file: File, path: PathBuf, temporary: bool) -> io::Result<Self> {
        let mut sha256 = Sha256::default();
        let mut buffer = vec![0; 256 << 10];
        let mut len = 0;
        file.rewind()?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n => {
                    sha256.update(buffer.get(..n).unwrap_or_default());
                    len += n as u64;
                }
            }
        }
        Ok(Self { file, path, sha256, len, temporary })
    }

    /// How many bytes it has.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Begins again: what it has is not the start of what is wanted.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        (self.sha256, self.len) = (Sha256::default(), 0);
        Ok(())
    }

    /// The digest of what it has.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.sha256.clone().finish().0
    }

    /// Reads what it has from the start, to look at it before it is kept.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn reader(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Throws it away.
    pub fn discard(mut self) {
        self.temporary = true;
    }

    /// Gives it its name.
    pub(super) fn place(mut self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        // Not before: a part that was left half placed has to be writable.
        read_only(&self.file)?;
        self.temporary = false;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.sha256.update(bytes.get(..n).unwrap_or_default());
        self.len += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.temporary || self.len == 0 {
            let _ = fs::remove_file(&self.path);
        }
    }
}
