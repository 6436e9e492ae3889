//! A layout that stands already: an image that would be written there is compared with it, and nothing is written.

use super::OCI_LAYOUT;
use super::place::names;
use crate::oci::{Blob, Digest, Sink, document};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The sink of an image that should be there already. Documents are compared with those that stand there.
#[derive(Debug)]
pub struct Standing {
    folder: PathBuf,
    /// The names of the blobs that the image consists of.
    seen: Arc<Mutex<BTreeSet<String>>>,
}

impl Standing {
    /// The layout at `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), seen: Arc::default() }
    }

    /// Whether the layout is exactly the image that was written here, with this `index.json`.
    #[must_use]
    pub fn is(&self, index_json: &[u8]) -> bool {
        let holds = |name: &str, expected: &[u8]| is_file(&self.folder.join(name), expected);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
            && holds("oci-layout", OCI_LAYOUT)
            && holds("index.json", index_json)
            && names(&self.folder).is_ok_and(|names| names.len() == 3)
            && names(&self.folder.join("blobs")).is_ok_and(|names| names.len() == 1)
            && names(&self.folder.join("blobs/sha256")).is_ok_and(|names| {
                let is_seen = |name: &OsString| name.to_str().is_some_and(|name| seen.contains(name));
                names.len() == seen.len() && names.iter().all(is_seen)
            })
    }
}

impl Sink for Standing {
    fn blob(&self) -> io::Result<Box<dyn Blob>> {
        let blobs = self.folder.join("blobs/sha256");
        Ok(Box::new(Compared { bytes: Vec::new(), blobs, seen: Arc::clone(&self.seen) }))
    }

    fn adopt(&self, digest: Digest, _: &Path) -> io::Result<bool> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.hex());
        Ok(true)
    }
}

/// A document, which must stand there already. A layer that has to be written is none.
struct Compared {
    bytes: Vec<u8>,
    blobs: PathBuf,
    seen: Arc<Mutex<BTreeSet<String>>>,
}

/// What stands there is another image.
fn other() -> io::Error {
    io::Error::other("another image stands there")
}

impl Write for Compared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > document::LIMIT {
            return Err(other());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Blob for Compared {
    fn commit(self: Box<Self>, digest: Digest) -> io::Result<()> {
        if !is_file(&self.blobs.join(digest.hex()), &self.bytes) {
            return Err(other());
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.hex());
        Ok(())
    }
}

/// Whether a file has this content.
fn is_file(path: &Path, expected: &[u8]) -> bool {
    let mut bytes = Vec::new();
    let is_plain = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
    let read = |file: File| file.take(expected.len() as u64 + 1).read_to_end(&mut bytes);
    is_plain && File::open(path).and_then(read).is_ok() && bytes == expected
}
