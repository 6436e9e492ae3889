//! Whether a pantry is sound: every blob there, with its own bytes, and nothing else. Whether it is complete for its recipes
//! is found out by planning them, which is left to others.

use super::catalog::{Lost, PANTRY};
use super::{Pantry, PantryError, TAG};
use crate::layout::{self, IMAGE_NAME, OCI_LAYOUT};
use crate::oci::{Digest, ImageName, json};
use crate::source::image::read_document;
use crate::store::hash;
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// `oci-layout` as skopeo and podman write it.
const SKOPEOS_LAYOUT: &[u8] = br#"{"imageLayoutVersion": "1.0.0"}"#;

/// Something in a pantry that is not as it should be. Paths are below the pantry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A file with other bytes than its name says.
    Damaged {
        /// Its name.
        path: PathBuf,
        /// What it is.
        found: Digest,
    },
    /// A file of another length than its descriptor says.
    Length {
        /// Its name.
        path: PathBuf,
        /// What it should have.
        expected: u64,
        /// What it has.
        found: u64,
    },
    /// A file that is needed.
    Missing(PathBuf),
    /// An index or a manifest that is lost.
    Document {
        /// Its name.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file that is not `index.json` as rebake writes it, or the like.
    Altered(PathBuf),
    /// A symlink where a file should be.
    Symlink(PathBuf),
    /// A file or folder that does not belong there.
    Foreign(PathBuf),
    /// A file or folder that cannot be read.
    Unreadable {
        /// Its name.
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
            Self::Length { path, expected, found } => {
                write!(f, "{} is damaged: it has {found} bytes, and should have {expected}", path.display())
            }
            Self::Missing(path) => write!(f, "{} is missing", path.display()),
            Self::Document { path, why } => write!(f, "{} {why}", path.display()),
            Self::Altered(path) => write!(f, "{} is not as rebake wrote it", path.display()),
            Self::Symlink(path) => {
                write!(
                    f,
                    "{} is a symlink: whoever carries the pantry away leaves behind what it points at",
                    path.display()
                )
            }
            Self::Foreign(path) => write!(f, "{} does not belong there", path.display()),
            Self::Unreadable { path, why } => write!(f, "{} cannot be read: {why}", path.display()),
        }
    }
}

impl Pantry {
    /// Opens what is, or was, a pantry, and tells everything that is wrong with its files, each of which is read once. There
    /// is no pantry to go on with if its index is lost.
    ///
    /// # Errors
    /// What never was a pantry; [`PantryError::Interrupted`].
    pub fn check(folder: &Path, interrupt: &AtomicBool) -> Result<(Option<Self>, Vec<Fault>), PantryError> {
        match Self::open_damaged(folder) {
            Ok((pantry, lost)) => {
                let mut faults = pantry.faults(&lost, interrupt)?;
                faults
                    .extend(lost.into_iter().map(|Lost { digest, why }| Fault::Document { path: below(digest), why }));
                Ok((Some(pantry), faults))
            }
            Err(PantryError::Damaged { what, why, .. }) => {
                let digest: Option<Digest> = what.parse().ok();
                let path = digest.map_or_else(|| PathBuf::from(&what), below);
                let mut faults = vec![Fault::Document { path: path.clone(), why }];
                // There is an index, and another one is named, or another length.
                let file = folder.join(&path);
                let sound = read_document(&file).is_ok_and(|bytes| Some(Digest::of(&bytes)) == digest);
                if sound || (!file.exists() && was_pantry(folder)) {
                    faults.push(Fault::Altered("index.json".into()));
                }
                Ok((None, faults))
            }
            // What was a pantry, and is not any more, is unsound; what never was one is wrong input.
            Err(error) if was_pantry(folder) => {
                let missing = |name: &&str| !folder.join(name).is_file();
                let names = ["oci-layout", "index.json"];
                let lost: Vec<Fault> =
                    names.into_iter().filter(missing).map(|name| Fault::Missing(name.into())).collect();
                match (lost.is_empty(), error) {
                    (false, _) => Ok((None, lost)),
                    (true, PantryError::Io { source, .. }) => {
                        Ok((None, vec![Fault::Unreadable { path: "index.json".into(), why: source.to_string() }]))
                    }
                    (true, _) => Ok((None, vec![Fault::Altered("index.json".into())])),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn faults(&self, lost: &[Lost], interrupt: &AtomicBool) -> Result<Vec<Fault>, PantryError> {
        let mut faults = Vec::new();
        let is_own =
            |name: &str, right: &dyn Fn(&[u8]) -> bool| read_document(&self.folder.join(name)).is_ok_and(|b| right(&b));
        if !is_own("oci-layout", &|bytes| bytes == OCI_LAYOUT || bytes == SKOPEOS_LAYOUT) {
            faults.push(Fault::Altered("oci-layout".into()));
        }
        if !is_own("index.json", &|bytes| self.is_own_index(bytes)) {
            faults.push(Fault::Altered("index.json".into()));
        }
        let mut needed = self.sizes.clone();
        for entry in walkdir::WalkDir::new(&self.folder).min_depth(1).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().map(|path| self.below(path)).unwrap_or_default();
                    let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                    faults.push(Fault::Unreadable { path, why });
                    continue;
                }
            };
            let path = self.below(entry.path());
            let digest = path.strip_prefix("blobs/sha256").ok().and_then(Path::to_str);
            let digest = digest.and_then(|name| format!("sha256:{name}").parse::<Digest>().ok());
            let size = digest.and_then(|digest| needed.remove(&digest));
            let own = matches!(path.to_str(), Some("oci-layout" | "index.json"));
            let folder = matches!(path.to_str(), Some("blobs" | "blobs/sha256"));
            match (entry.file_type(), digest, size) {
                (kind, _, _) if kind.is_symlink() && (own || folder || size.is_some()) => {
                    faults.push(Fault::Symlink(path));
                }
                (_, Some(digest), Some(size)) => faults.extend(self.fault(path, digest, size, interrupt)?),
                (kind, ..) if (kind.is_dir() && folder) || own => {}
                // A lost manifest, or what one of them would name.
                (_, Some(_), None) if !lost.is_empty() => {}
                _ => faults.push(Fault::Foreign(path)),
            }
        }
        faults.extend(needed.into_keys().map(|digest| Fault::Missing(below(digest))));
        Ok(faults)
    }

    /// What is wrong with a blob.
    fn fault(
        &self,
        path: PathBuf,
        digest: Digest,
        expected: u64,
        interrupt: &AtomicBool,
    ) -> Result<Option<Fault>, PantryError> {
        let file = self.folder.join(&path);
        // A file that somebody has blown up need not be read.
        let length = file.metadata().map_or(expected, |metadata| metadata.len());
        if length != expected {
            return Ok(Some(Fault::Length { path, expected, found: length }));
        }
        match hash(&file, interrupt) {
            Ok((found, _)) if found == digest => Ok(None),
            Ok((found, _)) => Ok(Some(Fault::Damaged { path, found })),
            Err(_) if interrupt.load(Ordering::Relaxed) => Err(PantryError::Interrupted),
            Err(why) => Ok(Some(Fault::Unreadable { path, why: why.to_string() })),
        }
    }

    /// Whether this is `index.json` as rebake writes it, or as other tools write the same: with the names of an object in
    /// another order, without the media type, and without the annotation for containerd. Nothing else may be in it, not
    /// even white space, so that no byte can change unseen.
    fn is_own_index(&self, bytes: &[u8]) -> bool {
        let own = layout::index_json(TAG, &[TAG.to_owned()], &self.index);
        let (Ok(mut json), Ok(mut own)) = (json::parse(bytes), json::parse(&own)) else { return false };
        let compact = json::canonical(&json).len() == bytes.len();
        for json in [&mut json, &mut own] {
            forget(json, "mediaType", crate::oci::media_type::INDEX);
            // What containerd is to call it is for whoever copies it to say.
            if let Some(annotations) = json.pointer_mut("/manifests/0/annotations").and_then(Value::as_object_mut) {
                let name = annotations.get(IMAGE_NAME).and_then(Value::as_str).unwrap_or_default();
                if name == format!("{TAG}:{TAG}") || (name.contains('/') && name.parse::<ImageName>().is_ok()) {
                    annotations.remove(IMAGE_NAME);
                }
            }
        }
        compact && json == own
    }

    fn below(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.folder).unwrap_or(path).to_owned()
    }
}

/// Takes a name away that has the value it is expected to have.
fn forget(json: &mut Value, name: &str, value: &str) {
    if let Some(object) = json.as_object_mut()
        && object.get(name).is_some_and(|found| found == value)
    {
        object.remove(name);
    }
}

/// The name of a blob's file, below the pantry.
fn below(digest: Digest) -> PathBuf {
    super::blob(Path::new(""), digest)
}

/// Whether one of the blobs begins as the index of a pantry does.
fn was_pantry(folder: &Path) -> bool {
    let begin = format!("{{\"artifactType\":\"{PANTRY}\"");
    let begins = |entry: walkdir::DirEntry| {
        let mut bytes = Vec::new();
        let read = File::open(entry.path()).and_then(|file| file.take(begin.len() as u64).read_to_end(&mut bytes));
        read.is_ok() && bytes == begin.as_bytes()
    };
    let blobs = walkdir::WalkDir::new(folder.join("blobs/sha256")).min_depth(1).max_depth(1);
    blobs.into_iter().flatten().filter(|entry| entry.file_type().is_file()).any(begins)
}
