//! Whether a pantry is sound: every blob there, with its own bytes, and nothing else. Whether it is complete for its recipes
//! is found out by planning them, which is left to others.

use super::{Pantry, PantryError, TAG};
use crate::layout::{self, OCI_LAYOUT};
use crate::oci::Digest;
use crate::store::hash;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Something in a pantry that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A file with other bytes than its name says.
    Damaged {
        /// Its name, below the pantry.
        path: PathBuf,
        /// What it is.
        found: Digest,
    },
    /// A file that is needed.
    Missing(Digest),
    /// A file that is not `index.json` as rebake writes it, or the like.
    Altered(PathBuf),
    /// A file that does not belong there.
    Foreign(PathBuf),
    /// A file that cannot be read.
    Unreadable {
        /// Its name, below the pantry.
        path: PathBuf,
        /// The disk's word.
        why: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { path, found } => {
                write!(f, "{} is damaged: its bytes have the digest {found}", path.display())
            }
            Self::Missing(digest) => write!(f, "{digest} is missing"),
            Self::Altered(path) => write!(f, "{} is not as rebake wrote it", path.display()),
            Self::Foreign(path) => write!(f, "{} does not belong there", path.display()),
            Self::Unreadable { path, why } => write!(f, "{} cannot be read: {why}", path.display()),
        }
    }
}

impl Pantry {
    /// Everything that is wrong with the files of the pantry; each is read once.
    ///
    /// # Errors
    /// [`PantryError::Interrupted`].
    pub fn faults(&self, interrupt: &AtomicBool) -> Result<Vec<Fault>, PantryError> {
        let mut faults = Vec::new();
        let index = layout::index_json(TAG, &[TAG.to_owned()], &bare(&self.index));
        for (name, expected) in [("oci-layout", OCI_LAYOUT), ("index.json", &index)] {
            if super::read(&self.folder().join(name)).ok().as_deref() != Some(expected) {
                faults.push(Fault::Altered(name.into()));
            }
        }
        let mut needed = self.catalog.blobs();
        for path in walk(self.folder()) {
            let below = path.strip_prefix(self.folder()).unwrap_or(&path).to_owned();
            let digest = below.strip_prefix("blobs/sha256").ok().and_then(Path::to_str);
            let digest = digest.and_then(|name| format!("sha256:{name}").parse::<Digest>().ok());
            match digest.and_then(|digest| Some((digest, needed.remove(&digest)?))) {
                Some((digest, size)) => match hash(&path, interrupt) {
                    Ok((found, length)) if found == digest && length == size => {}
                    Ok((found, _)) => faults.push(Fault::Damaged { path: below, found }),
                    Err(_) if interrupt.load(Ordering::Relaxed) => return Err(PantryError::Interrupted),
                    Err(why) => faults.push(Fault::Unreadable { path: below, why: why.to_string() }),
                },
                None if matches!(below.to_str(), Some("oci-layout" | "index.json")) => {}
                None => faults.push(Fault::Foreign(below)),
            }
        }
        faults.extend(needed.into_keys().map(Fault::Missing));
        Ok(faults)
    }
}

/// The descriptor without what `index.json` adds.
fn bare(descriptor: &crate::oci::Descriptor) -> crate::oci::Descriptor {
    crate::oci::Descriptor::new(&descriptor.media_type, descriptor.digest, descriptor.size)
}

/// Every file below a folder, by name.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter().flatten();
    let file = |entry: &walkdir::DirEntry| !entry.file_type().is_dir();
    entries.filter(file).map(walkdir::DirEntry::into_path).collect()
}
