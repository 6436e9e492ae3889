//! The path of an entry: bytes, relative to the image's root, without `.`, `..` or empty parts.

use std::fmt;

/// Why some bytes are no path inside an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum PathError {
    /// Nothing is left after `/` and `.` are taken away: the root itself.
    #[error("names the root itself")]
    Root,
    /// A part is `..`.
    #[error("contains `..`")]
    Parent,
    /// A byte is NUL.
    #[error("contains a NUL byte")]
    Nul,
    /// A part starts with `.wh.`, which the image specification reserves for whiteouts.
    #[error("contains a name that starts with `.wh.`, which an image layer reads as a removal")]
    Whiteout,
    /// A part is longer than the 255 bytes that file systems take.
    #[error("contains a name longer than 255 bytes")]
    LongName,
    /// The whole is longer than the 4096 bytes that Linux takes.
    #[error("is longer than 4095 bytes")]
    LongPath,
}

/// Bytes of a path that no Linux opens any more.
pub const PATH_MAX: usize = 4096;

/// A path in an image: `usr/bin/env`. Never empty, no leading or trailing slash, any bytes but NUL.
///
/// The order of paths is the order of their bytes, so a folder comes before what is in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(Box<[u8]>);

impl EntryPath {
    /// Reads a path; leading slashes, `.` parts and doubled or trailing slashes are dropped.
    ///
    /// # Errors
    /// See [`PathError`]. `..` is refused, never resolved.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let bytes = bytes.as_ref();
        if bytes.contains(&0) {
            return Err(PathError::Nul);
        }
        let mut clean = Vec::with_capacity(bytes.len());
        for part in bytes.split(|&b| b == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err(PathError::Parent),
                _ if part.starts_with(b".wh.") => return Err(PathError::Whiteout),
                _ if part.len() > 255 => return Err(PathError::LongName),
                _ => {}
            }
            if !clean.is_empty() {
                clean.push(b'/');
            }
            clean.extend_from_slice(part);
        }
        match clean.len() {
            0 => Err(PathError::Root),
            PATH_MAX.. => Err(PathError::LongPath),
            _ => Ok(Self(clean.into())),
        }
    }

    /// The bytes, without leading or trailing slash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The folder it stands in; none for a path of one part.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let slash = self.0.iter().rposition(|&b| b == b'/')?;
        Some(Self(self.0[..slash].into()))
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.0.rsplit(|&b| b == b'/').next().unwrap_or_default()
    }

    /// The parts, first to last.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/')
    }

    /// This path below `parent`; a `parent` of none is the root.
    ///
    /// # Errors
    /// [`PathError::LongPath`].
    pub fn below(&self, parent: Option<&Self>) -> Result<Self, PathError> {
        match parent {
            None => Ok(self.clone()),
            // The parts of both are good.
            Some(parent) if parent.0.len() + 1 + self.0.len() >= 4096 => Err(PathError::LongPath),
            Some(parent) => Ok(Self([parent.as_bytes(), b"/", self.as_bytes()].concat().into())),
        }
    }

    /// The bytes of every folder above it, outermost first, and of itself.
    pub fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        let slashes = self.0.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
        slashes.chain([self.0.len()]).filter_map(|end| self.0.get(..end))
    }

    /// Whether this path is `ancestor` or stands below it.
    #[must_use]
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        self.0.strip_prefix(ancestor.as_bytes()).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

/// A map of paths can be searched by bytes: their order is the same.
impl std::borrow::Borrow<[u8]> for EntryPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// With a leading slash; control characters and bytes that are not UTF-8 as `\x1b`.
impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", Printable(&self.0))
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

/// Bytes for a terminal or a dump: UTF-8 stays, control characters and other bytes become `\x..`, a backslash `\\`.
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_control() => {
                        let mut utf8 = [0; 4];
                        for byte in c.encode_utf8(&mut utf8).bytes() {
                            write!(f, "\\x{byte:02x}")?;
                        }
                    }
                    c => write!(f, "{c}")?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}
