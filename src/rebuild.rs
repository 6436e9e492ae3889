//! What a build leaves for the next one to the same place: a build that repeats itself writes nothing, and one of which
//! little changed makes little again. The bytes are those of a build without it.
//!
//! As with git's index, a file is taken for what it was if its device, inode, size, mtime and ctime are the same, unless it
//! changed so shortly before it was read that a later change might have left the same times. The blobs at the
//! destination are known in that way too. So what is trusted is the system's word on a file, and that nobody else writes into
//! the user's cache; a record that is damaged, foreign or of another rebake is none.

mod record;

use crate::image::Memory;
use crate::layer::write::Past;
use crate::oci::Digest;
use crate::plan::Plan;
use crate::record::{Kept, Stamp};
use record::Record;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// So long is kept what no build uses, in seconds: 30 days.
const UNUSED: i64 = 30 * 24 * 60 * 60;

/// The records of earlier builds, one a destination.
#[derive(Debug, Clone)]
pub struct Rebuild {
    folder: PathBuf,
    now: i64,
}

impl Rebuild {
    /// The records in a folder. `now` is the time, in seconds since 1970, at which rebake began.
    #[must_use]
    pub fn new(folder: PathBuf, now: i64) -> Self {
        Self { folder, now }
    }

    /// Where they are; what else the next build saves time with lies there too.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same, for who keeps something there.
    #[must_use]
    pub fn kept(&self) -> Kept<'_> {
        Kept { folder: &self.folder, now: self.now }
    }

    fn file(&self, target: &Path) -> Option<PathBuf> {
        let target = std::path::absolute(target).ok()?;
        Some(self.folder.join(Digest::of(target.as_os_str().as_bytes()).hex()))
    }

    /// What the next build to the layout at `target` can take over. None: it is as if there were no records.
    #[must_use]
    pub fn recall(&self, target: &Path, plans: &[Plan]) -> Option<Memory> {
        let mut memory = Memory::of(plans, self.now).ok()?;
        let record = self.file(target).and_then(|file| Record::read(&file)).unwrap_or_default();
        let mut stamps = std::collections::BTreeMap::new();
        for (digest, stamp) in record.blobs {
            let path = blob(target, digest);
            if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file() && Stamp::of(&metadata) == stamp) {
                memory.add_blob(digest, path);
                stamps.insert(digest, stamp);
            }
        }
        for (place, made) in record.layers {
            let Some(stamp) = stamps.get(&made.layer.digest) else { continue };
            let Ok(blob) = File::open(blob(target, made.layer.digest)) else { continue };
            if blob.metadata().is_ok_and(|metadata| Stamp::of(&metadata) == *stamp && metadata.len() == made.layer.size)
            {
                memory.add(place, Past { made, blob });
            }
        }
        Some(memory)
    }

    /// Keeps what was just built into the layout at `target`, of which these are the layers. What cannot be kept is made
    /// again.
    pub fn keep(&self, target: &Path, memory: Memory, layers: impl Iterator<Item = Digest>) {
        let stamp = |digest| Some((digest, Stamp::of(&fs::symlink_metadata(blob(target, digest)).ok()?)));
        let record = Record { layers: memory.into_made(), blobs: layers.filter_map(stamp).collect() };
        if let Some(file) = self.file(target) {
            let _ = fs::create_dir_all(&self.folder).and_then(|()| record.write(&file));
        }
    }

    /// How many records there are, and their bytes.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn count(&self) -> io::Result<(usize, u64)> {
        let sizes = self.records()?.into_iter().filter_map(|path| Some(fs::metadata(path).ok()?.len()));
        Ok(sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size)))
    }

    /// Forgets what no build used for 30 days, so that what is built to ever new places does not fill the disk.
    pub fn forget_unused(&self) {
        for path in self.records().unwrap_or_default() {
            let used = fs::symlink_metadata(&path).map(|metadata| metadata.mtime());
            if used.is_ok_and(|used| used < self.now.saturating_sub(UNUSED)) {
                // What cannot be removed stays.
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn clear(&self) -> io::Result<()> {
        self.records()?.into_iter().try_for_each(|path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
    }

    #[allow(clippy::disallowed_methods, reason = "the files are counted or removed, in any order")]
    fn records(&self) -> io::Result<Vec<PathBuf>> {
        match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        }
    }
}

fn blob(layout: &Path, digest: Digest) -> PathBuf {
    layout.join("blobs/sha256").join(digest.hex())
}
