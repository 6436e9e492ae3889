//! Where content comes from: the disk beside the recipe, inputs, archives, images. What is read is checked while it is
//! read; nothing here decides what an image looks like.

pub mod archive;
pub mod disk;
pub mod files;
pub mod filter;
pub mod image;
mod inputs;
pub mod lower;
pub mod place;

pub use inputs::{AtHand, Bench, Inputs, Opened, Ready};

use crate::layer::write::{self, Identity};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The bytes of a file of an image.
#[derive(Debug, Clone)]
pub enum Content {
    /// A file beside the recipe.
    Disk(disk::HostFile),
    /// A part of an archive, or a file of an input.
    Archive(archive::Slice),
    /// Text of the recipe itself, or made by rebake.
    Text(Arc<[u8]>),
}

/// Equal if it is the same place; bytes are not compared.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Disk(a), Self::Disk(b)) => a == b,
            (Self::Archive(a), Self::Archive(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            _ => false,
        }
    }
}

impl write::Content for Content {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Disk(file) => file.open(),
            Self::Archive(slice) => Ok(Box::new(slice.reader())),
            Self::Text(bytes) => Ok(Box::new(&**bytes)),
        }
    }

    fn prepare(&self, interrupt: &AtomicBool) -> io::Result<()> {
        match self {
            Self::Archive(slice) => slice.unpack(interrupt),
            Self::Disk(_) | Self::Text(_) => Ok(()),
        }
    }

    fn identity(&self) -> Identity<'_> {
        match self {
            Self::Disk(file) => file.identity(),
            Self::Archive(slice) => slice.identity(),
            Self::Text(bytes) => Identity::Bytes(bytes),
        }
    }
}

impl Content {
    /// Whether two contents are the same bytes. Reads both unless they are the same place.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn same_bytes(&self, other: &Self) -> io::Result<bool> {
        if self == other {
            return Ok(true);
        }
        let (mut a, mut b) = (write::Content::open(self)?, write::Content::open(other)?);
        let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        loop {
            let (n, m) = (fill(&mut a, &mut left)?, fill(&mut b, &mut right)?);
            if left.get(..n) != right.get(..m) {
                return Ok(false);
            }
            if n == 0 {
                return Ok(true);
            }
        }
    }
}

/// Reads until the buffer is full or nothing is left.
pub(crate) fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
