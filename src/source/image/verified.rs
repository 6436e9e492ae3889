//! A reader that holds what passes through it against a digest.

use crate::oci::{Digest, Sha256};
use std::io::{self, Read};

/// Reads on, and fails at the end if the bytes were not those that the digest names.
pub struct Verified<R> {
    reader: R,
    sha256: Option<Sha256>,
    read: u64,
    expected: Digest,
    size: Option<u64>,
    name: &'static str,
}

impl<R: Read> Verified<R> {
    /// A blob of known size.
    pub fn new(reader: R, expected: Digest, size: u64) -> Self {
        Self { reader, sha256: Some(Sha256::default()), read: 0, expected, size: Some(size), name: "digest" }
    }

    /// A tar, held against its diff_id.
    pub fn tar(reader: R, expected: Digest) -> Self {
        Self { reader, sha256: Some(Sha256::default()), read: 0, expected, size: None, name: "diff_id" }
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.read += n as u64;
        if let Some(size) = self.size.filter(|size| self.read > *size) {
            return Err(longer(size));
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(buffer.get(..n).unwrap_or_default());
        }
        // The last bytes of a blob are not given away unchecked: whoever sends them on may not read any further.
        if n == 0 && !buffer.is_empty() || self.size == Some(self.read) {
            self.check()?;
        }
        Ok(n)
    }
}

fn longer(size: u64) -> io::Error {
    io::Error::other(format!("it is longer than the {size} bytes it should have"))
}

impl<R: Read> Verified<R> {
    /// Holds all that was read against digest and size, once.
    fn check(&mut self) -> io::Result<()> {
        let Some(sha256) = self.sha256.take() else { return Ok(()) };
        let (found, size) = sha256.finish();
        if let Some(expected) = self.size.filter(|expected| *expected != size) {
            return Err(io::Error::other(format!("it has {size} bytes, and should have {expected}")));
        }
        if let Some(size) = self.size
            && self.reader.by_ref().take(1).read_to_end(&mut Vec::new())? > 0
        {
            return Err(longer(size));
        }
        if found != self.expected {
            let (name, expected) = (self.name, self.expected);
            return Err(io::Error::other(format!("it is corrupt: its {name} is {found}, and should be {expected}")));
        }
        Ok(())
    }
}
