//! A layer of an image: its blob, and the entries of its tar.

use super::error::broken;
use super::place::Blob;
use super::{ImageError, Verified};
use crate::layer::decompress;
use crate::layer::read::{RawEntry, TarReader};
use crate::oci::{Descriptor, Digest};
use std::io::{self, Read};

/// A layer of an image that exists.
#[derive(Debug, Clone)]
pub struct Layer {
    /// As it will stand in an OCI manifest.
    pub descriptor: Descriptor,
    /// The digest of its tar, as the config says it.
    pub diff_id: Digest,
    pub(super) blob: Blob,
}

impl Layer {
    pub(super) fn what(&self) -> String {
        format!("layer {}", self.descriptor.digest)
    }

    /// The blob as it is, not checked.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn blob(&self) -> io::Result<Box<dyn Read + Send>> {
        self.blob.open()
    }

    /// The blob as it is; its digest and size are checked by the time its end is read.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(&self) -> Result<impl Read + '_, ImageError> {
        let reader = self.blob.open().map_err(|source| ImageError::Io { path: self.what(), source })?;
        Ok(Verified::new(reader, self.descriptor.digest, self.descriptor.size))
    }

    /// Whether the blob is what its digest and size say.
    fn check(&self) -> io::Result<()> {
        let blob = Verified::new(self.blob.open()?, self.descriptor.digest, self.descriptor.size);
        io::copy(&mut { blob }, &mut io::sink()).map(drop)
    }

    /// Every entry in order, with a reader of its content. Digest, size and diff_id are checked at the end.
    ///
    /// # Errors
    /// See [`ImageError`]; what `visit` returns.
    pub fn read<E: From<ImageError>>(
        &self,
        mut visit: impl FnMut(RawEntry, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        // A blob that is not what its digest says has many ways to be wrong, and only one of them is worth saying.
        let failed = |why: String| match self.check() {
            Ok(()) => broken(self.what(), why),
            Err(error) => broken(self.what(), error.to_string()),
        };
        let blob = self.open()?;
        let tar = decompress::sniff_decoder(blob).map_err(|error| failed(error.to_string()))?;
        let mut tar = Verified::tar(tar, self.diff_id);
        let mut reader = TarReader::new(&mut tar);
        while let Some(entry) = reader.next().map_err(|error| failed(error.to_string()))? {
            visit(entry, &mut reader.data())?;
        }
        reader.finish().map_err(|error| failed(error.to_string()))?;
        // What stands behind the end of the tar counts for the diff_id too.
        io::copy(&mut tar, &mut io::sink()).map_err(|error| failed(error.to_string()))?;
        Ok(())
    }
}
