//! What can be wrong with an archive.

use crate::layer::read::TarError;
use crate::tree::{PathError, Printable};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why an archive cannot be used: which one, at which member, and what is wrong.
#[derive(Debug)]
pub struct ArchiveError {
    /// The file.
    pub archive: PathBuf,
    /// The name of the member, as it stands in the archive; none if the fault is that of the whole.
    pub member: Option<Vec<u8>>,
    /// What is wrong.
    pub fault: Fault,
}

impl ArchiveError {
    /// The file cannot be opened.
    pub(in crate::source) fn unopened(archive: &Path, source: io::Error) -> Self {
        Self { archive: archive.to_owned(), member: None, fault: Fault::Open(source) }
    }

    /// What is wrong, for those who have named the archive already.
    #[must_use]
    pub fn why(&self) -> String {
        let fault = &self.fault;
        match (&self.member, fault.is_predicate()) {
            (None, true) => format!("it {fault}"),
            (None, false) => fault.to_string(),
            (Some(member), true) => format!("its member `{}` {fault}", Printable(member)),
            (Some(member), false) => format!("its member `{}`: {fault}", Printable(member)),
        }
    }

    /// What can be done about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match &self.fault {
            Fault::NoArchive => Some("tar (plain, gz, xz, zst, bz2) and zip can be read".to_owned()),
            Fault::Spool { .. } => Some("set TMPDIR to a folder with more room".to_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.archive.display(), self.why())
    }
}

impl std::error::Error for ArchiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.fault)
    }
}

impl Fault {
    /// Content cannot be put aside.
    pub(super) fn spool(source: io::Error) -> Self {
        Self::Spool { folder: None, source }
    }

    /// Whether its text goes on where the name of the archive or member ends.
    fn is_predicate(&self) -> bool {
        !matches!(self, Self::Tar(_) | Self::Zip(_) | Self::Path(_) | Self::Spool { .. } | Self::Interrupted)
    }
}

/// What is wrong with an archive or a member of it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be opened or looked at.
    #[error("cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// It is a folder, a device or a pipe.
    #[error("is no regular file")]
    NoFile,
    /// It is neither format, plain or compressed.
    #[error("is no tar or zip archive")]
    NoArchive,
    /// The tar stream is truncated, corrupt, or of a kind that cannot be read.
    #[error("{0}")]
    Tar(#[from] TarError),
    /// A tar stream fails while, or after, this member is read.
    #[error("is the last one that can be read: {0}")]
    After(#[source] TarError),
    /// The zip archive is truncated, corrupt, or of a kind that cannot be read.
    #[error("{0}")]
    Zip(#[from] zip::result::ZipError),
    /// Programs differ in which of them they take, and `zip` shows the last alone.
    #[error(
        "has members with the very same name, of which one program takes the first and another the last: pack it again"
    )]
    Twice,
    /// The content of a zip member is truncated or corrupt.
    #[error("is truncated or corrupt: {0}")]
    Content(#[source] io::Error),
    /// The content has not the length that the archive states.
    #[error("is corrupt: its content has {got} bytes, not {stated}")]
    Length {
        /// Bytes that the archive states.
        stated: u64,
        /// Bytes that are there.
        got: u64,
    },
    /// A zip member that only opens with a password.
    #[error("is encrypted")]
    Encrypted,
    /// A type that is neither file, folder nor symbolic link, in a zip.
    #[error("has the unknown file type {0:#o}")]
    FileType(u32),
    /// The name leads out of where the archive is extracted to.
    #[error("has an absolute path")]
    Absolute,
    /// The name cannot stand in an image.
    #[error("its path {0}")]
    Path(#[from] PathError),
    /// The target of a symbolic link is empty, has a NUL, or is longer than the 4095 bytes that Linux takes.
    #[error("is a symbolic link with a target that no file system takes")]
    SymlinkTarget,
    /// The target of a hard link leads out of the archive, or cannot stand in an image.
    #[error("is a hard link to `{}`, which is no path inside the archive", Printable(.0))]
    LinkPath(Vec<u8>),
    /// No member before it has the path that a hard link names.
    #[error("is a hard link to `{}`, which no member before it is", Printable(.0))]
    LinkTarget(Vec<u8>),
    /// A hard link to a folder.
    #[error("is a hard link to the folder `{}`", Printable(.0))]
    LinkToFolder(Vec<u8>),
    /// More than [`Limits`](super::Limits) allows.
    #[error("has more than {limit} {what}: see whether it is a bomb")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// Content could not be written aside.
    #[error("its content cannot be put aside{}: {source}", .folder.as_ref().map(|folder| format!(" in {}", folder.display())).unwrap_or_default())]
    Spool {
        /// Where; filled in on the way out.
        folder: Option<PathBuf>,
        /// The disk's word.
        source: io::Error,
    },
    /// The file is not what it was when it was opened.
    #[error("changed while it was read")]
    Changed,
    /// The user wants to stop.
    #[error("interrupted")]
    Interrupted,
}
