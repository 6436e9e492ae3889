//! A blob on its way to the disk.

use super::adding::NEW_BLOB;
use crate::oci::{Blob, Digest};
use rustix::fs::{Advice, fadvise, ioctl_ficlone};
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tempfile::NamedTempFile;

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
    fn share(&mut self, file: &File, length: u64) -> io::Result<Option<File>> {
        let blob = self.file.as_file_mut();
        let shared = file.metadata()?.len() >= length && ioctl_ficlone(&*blob, file).is_ok();
        // What is behind is shared too at first. Where nothing can be shared the file is as empty as it was.
        blob.set_len(if shared { length } else { 0 })?;
        blob.seek(SeekFrom::End(0))?;
        if shared { blob.try_clone().map(Some) } else { Ok(None) }
    }

    fn commit(mut self: Box<Self>, digest: Digest) -> io::Result<()> {
        self.skip_hole()?;
        self.file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        self.file.as_file().sync_all()?;
        // The same digest is the same bytes: which of two equal blobs stays does not matter.
        self.file.persist(self.blobs.join(digest.hex())).map(|_| ()).map_err(|error| error.error)
    }
}
