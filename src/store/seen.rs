//! Which files were hashed already: as git's index has it, a file is what it was as long as its stamp is.

use crate::oci::Digest;
use crate::record::{self, In, Out, Stamp, is_old};
use std::fs;
use std::path::{Path, PathBuf};

const FORM: &str = "rebake seen 1";

/// Where notes are taken.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The folder.
    pub notes: PathBuf,
    /// When rebake began, in seconds since 1970.
    pub now: i64,
}

/// What there is to note of a file: that it had this stamp when it was hashed, and was what its digest says.
pub(super) struct Note {
    file: PathBuf,
    stamp: Stamp,
    /// Whether another change would be seen.
    lasts: bool,
}

impl Seen {
    /// The note of a file as it is now; none if it is no file.
    pub fn note(&self, digest: Digest, path: &Path) -> Option<Note> {
        let metadata = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
        let stamp = Stamp::of(&metadata);
        let lasts = is_old(stamp.newest(), self.now);
        Some(Note { file: self.notes.join(format!("seen-{}", digest.hex())), stamp, lasts })
    }
}

impl Note {
    /// Whether this very note was taken before.
    pub fn is_taken(&self) -> bool {
        let bytes = record::read(&self.file);
        bytes.as_deref().and_then(|bytes| In::new(bytes, FORM)?.stamp()) == Some(self.stamp)
    }

    /// Takes it. Without it the file is hashed again.
    pub fn take(&self) {
        if self.lasts
            && let Some(folder) = self.file.parent()
        {
            let mut out = Out::new(FORM);
            out.stamp(self.stamp);
            let _ = fs::create_dir_all(folder).and_then(|()| out.write(&self.file));
        }
    }
}
