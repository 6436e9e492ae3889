//! Two statements that disagree about a path.

use super::{Entry, Kind, Origin, Printable};
use std::fmt;

/// Two statements that disagree about a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Who said the first, who the second.
    pub origins: [Origin; 2],
    /// In what they disagree.
    pub difference: Difference,
}

/// The most telling difference between two entries; the first value is the older one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A folder and a file, say.
    Kind(&'static str, &'static str),
    /// Files of other content, or devices of other numbers.
    Content,
    /// Where a symlink points.
    Target(Box<[u8]>, Box<[u8]>),
    /// Permission bits.
    Mode(u32, u32),
    /// Numeric user and group.
    Owner((u64, u64), (u64, u64)),
    /// Extended attributes.
    Xattrs,
    /// The time.
    Mtime(i64, i64),
}

/// `None` if both say the same of their path.
pub(super) fn difference<C: PartialEq>(old: &Entry<C>, new: &Entry<C>) -> Option<Difference> {
    match (&old.kind, &new.kind) {
        (Kind::File { content: a, size: x, .. }, Kind::File { content: b, size: y, .. }) if a == b && x == y => {}
        (Kind::Symlink { target: a }, Kind::Symlink { target: b }) if a != b => {
            return Some(Difference::Target(a.clone(), b.clone()));
        }
        (a, b) if a.noun() != b.noun() => return Some(Difference::Kind(a.noun(), b.noun())),
        (a, b) if a != b => return Some(Difference::Content),
        _ => {}
    }
    let (a, b) = (&old.attributes, &new.attributes);
    if a.mode != b.mode {
        Some(Difference::Mode(a.mode, b.mode))
    } else if (a.uid, a.gid) != (b.uid, b.gid) {
        Some(Difference::Owner((a.uid, a.gid), (b.uid, b.gid)))
    } else if a.xattrs != b.xattrs {
        Some(Difference::Xattrs)
    } else if a.mtime != b.mtime && old.kind != Kind::Directory {
        Some(Difference::Mtime(a.mtime, b.mtime))
    } else {
        None
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(a, b) => write!(f, "{a} and {b}"),
            Self::Content => f.write_str("each brings another content"),
            Self::Target(a, b) => write!(f, "targets `{}` and `{}`", Printable(a), Printable(b)),
            Self::Mode(a, b) => write!(f, "modes {a:04o} and {b:04o}"),
            Self::Owner((a, b), (c, d)) => write!(f, "owners {a}:{b} and {c}:{d}"),
            Self::Xattrs => f.write_str("other capabilities or extended attributes"),
            Self::Mtime(a, b) => write!(f, "times {a} and {b} (seconds since 1970)"),
        }
    }
}
