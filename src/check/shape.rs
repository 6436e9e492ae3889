//! What a layer does to paths, small enough to be kept: what others must know of it to be judged on top of it.

use crate::oci::{Digest, Sha256};
use crate::tree::EntryPath;
use std::collections::BTreeMap;

/// Half a SHA-256 of a path, without slashes at its ends: a million paths in some ten megabytes, and nobody finds two
/// that are equal.
pub(super) type Key = [u8; 16];

/// The key of a path; of the root that of nothing.
pub(super) fn key(path: &[u8]) -> Key {
    half(Digest::of(path))
}

/// Every folder above a path, outermost first, and itself, each with its key. A long path is hashed once, not for each of its
/// folders again.
pub(super) fn keys(path: &EntryPath) -> impl Iterator<Item = (Key, &[u8])> {
    let (mut sha256, mut done) = (Sha256::default(), 0);
    path.prefixes().map(move |prefix| {
        sha256.update(prefix.get(done..).unwrap_or_default());
        done = prefix.len();
        (half(sha256.clone().finish().0), prefix)
    })
}

fn half(digest: Digest) -> Key {
    digest.bytes().first_chunk().copied().unwrap_or_default()
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    /// A folder that has no entry; one of the layers below should have it.
    Implied,
    Symlink,
    /// Everything else.
    File,
    /// The name of a whiteout; it is no file.
    Whiteout,
}

/// What a layer does.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Sorted.
    entries: Vec<(Key, Kind)>,
    /// Paths that it takes away, and folders that it empties; sorted.
    removed: Vec<Key>,
    emptied: Vec<Key>,
    /// Folders without an entry, by their names.
    pub(super) implied: Vec<Box<[u8]>>,
    /// What whiteouts take away: its path, and the name of the entry.
    pub(super) whiteouts: Vec<(EntryPath, Vec<u8>)>,
    /// Whether some of the names above were too many to be kept.
    pub(super) cut: bool,
}

/// What layers know of a path.
pub(super) enum Below {
    Is(Kind),
    Nothing,
}

impl Shape {
    pub(super) fn new(entries: BTreeMap<Key, Kind>, mut removed: Vec<Key>, mut emptied: Vec<Key>) -> Self {
        removed.sort_unstable();
        emptied.sort_unstable();
        Self { entries: entries.into_iter().collect(), removed, emptied, ..Self::default() }
    }

    /// How much of it is kept.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What it says of the last of these prefixes of a path (outermost first, the path itself last); none if nothing.
    pub(super) fn says(&self, prefixes: &[Key]) -> Option<Below> {
        let (path, folders) = prefixes.split_last()?;
        let kind = |key: &Key| {
            let at = self.entries.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
            self.entries.get(at).map(|(_, kind)| *kind)
        };
        let removed = |key: &Key| self.removed.binary_search(key).is_ok();
        if let Some(kind) = kind(path) {
            return Some(Below::Is(kind));
        }
        let replaced = |key: &Key| {
            removed(key)
                || self.emptied.binary_search(key).is_ok()
                || matches!(kind(key), Some(Kind::Symlink | Kind::File))
        };
        let root = key(b"");
        let gone = removed(path) || self.emptied.binary_search(&root).is_ok() || folders.iter().any(replaced);
        gone.then_some(Below::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_however_it_was_made() {
        let path = EntryPath::parse("usr/share/d").unwrap();
        let all: Vec<_> = keys(&path).map(|(key, path)| (key, path.to_vec())).collect();
        let wanted = ["usr", "usr/share", "usr/share/d"].map(|path| (key(path.as_bytes()), path.as_bytes().to_vec()));
        assert_eq!(all, wanted);
    }
}
