//! One layer, complete: each path once, in order.
//!
//! A [`Tree`] knows nothing of tar, of OCI or of a disk; where the content of a file comes from is its parameter `C`.

mod conflict;
mod path;
mod through;

pub use conflict::{Conflict, Difference};
pub use path::{EntryPath, PATH_MAX, PathError, Printable};
pub use through::{Astray, Top, through, through_below};

use std::collections::{BTreeMap, btree_map};

/// What an entry carries besides its kind. Two entries agree if these are equal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Permission bits with setuid, setgid and sticky: `0..=0o7777`.
    pub mode: u32,
    /// Numeric user id.
    pub uid: u64,
    /// Numeric group id.
    pub gid: u64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub mtime: i64,
    /// Extended attributes, name to value, both bytes.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The identity of a file that stands at several paths: all paths with one id are hard links of each other (see
/// [`Tree::file`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind<C> {
    /// A folder.
    Directory,
    /// A regular file of `size` bytes.
    File {
        /// Where its bytes come from.
        content: C,
        /// Length in bytes.
        size: u64,
        /// Set if the file stands at several paths.
        link: Option<LinkId>,
    },
    /// A symbolic link; the target is kept as it was written.
    Symlink {
        /// The target, any bytes but NUL, not empty.
        target: Box<[u8]>,
    },
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

impl<C> Kind<C> {
    /// What it is called in a message.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Directory => "a folder",
            Self::File { .. } => "a file",
            Self::Symlink { .. } => "a symlink",
            Self::CharDevice { .. } => "a character device",
            Self::BlockDevice { .. } => "a block device",
            Self::Fifo => "a named pipe",
        }
    }

    /// The same with another content, if it is a file.
    ///
    /// # Errors
    /// What `content` returns.
    pub fn try_map<D, E>(self, content: impl FnOnce(C) -> Result<D, E>) -> Result<Kind<D>, E> {
        Ok(match self {
            Self::File { content: old, size, link } => Kind::File { content: content(old)?, size, link },
            Self::Directory => Kind::Directory,
            Self::Symlink { target } => Kind::Symlink { target },
            Self::CharDevice { major, minor } => Kind::CharDevice { major, minor },
            Self::BlockDevice { major, minor } => Kind::BlockDevice { major, minor },
            Self::Fifo => Kind::Fifo,
        })
    }
}

/// How firmly a folder is asked for. The firmer statement decides its attributes; equally firm ones must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firmness {
    /// Something stands below it.
    Implied,
    /// A folder that is copied from a disk goes through it.
    Copied,
    /// A statement or an archive names it.
    Stated,
}

/// Who asked for an entry: a number that the caller chose and gets back with a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u32);

/// One path of a layer.
#[derive(Debug, Clone)]
pub struct Entry<C> {
    /// Mode, owner, time, extended attributes.
    pub attributes: Attributes,
    /// What it is.
    pub kind: Kind<C>,
    /// How firmly it is asked for; counts for folders only.
    pub firmness: Firmness,
    /// Who asked for it.
    pub origin: Origin,
}

/// A layer: entries and whiteouts, each path once, in the order of edition 2026.
///
/// A whiteout and an entry may share a path: the whiteout takes away what lies below, the entry stands in its place.
#[derive(Debug, Clone)]
pub struct Tree<C> {
    entries: BTreeMap<EntryPath, Entry<C>>,
    /// By their place in the order.
    whiteouts: BTreeMap<Box<[u8]>, EntryPath>,
    /// Files that turned out to be another one: each id leads to a smaller one.
    same: BTreeMap<LinkId, LinkId>,
}

/// One step of [`Tree::iter`].
#[derive(Debug)]
pub enum Item<'a, C> {
    /// The path of a lower layer is taken away.
    Whiteout(&'a EntryPath),
    /// The path holds this.
    Entry(&'a EntryPath, &'a Entry<C>),
}

impl<C> Default for Tree<C> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), whiteouts: BTreeMap::new(), same: BTreeMap::new() }
    }
}

impl<C: PartialEq> Tree<C> {
    /// Adds an entry. What is already there may say the same, or be a folder asked for less or more firmly.
    ///
    /// # Errors
    /// A [`Conflict`] if both are equally firm and disagree; the tree is then as it was.
    pub fn insert(&mut self, path: EntryPath, entry: Entry<C>) -> Result<(), Conflict> {
        let old = match self.entries.entry(path) {
            btree_map::Entry::Vacant(place) => {
                place.insert(entry);
                return Ok(());
            }
            btree_map::Entry::Occupied(place) => place.into_mut(),
        };
        if let (Kind::Directory, Kind::Directory) = (&old.kind, &entry.kind)
            && old.firmness != entry.firmness
        {
            if old.firmness < entry.firmness {
                *old = entry;
            }
            return Ok(());
        }
        match conflict::difference(old, &entry) {
            None => {
                // Two archives that both bring a folder rarely agree on its time; the later one counts, in any order.
                old.attributes.mtime = old.attributes.mtime.max(entry.attributes.mtime);
                old.origin = old.origin.min(entry.origin);
                let (Kind::File { link, .. }, Kind::File { link: Some(new), .. }) = (&mut old.kind, &entry.kind) else {
                    return Ok(());
                };
                // Both files stand at this path, so they are one, and so are all other paths of both.
                let old = *link.get_or_insert(*new);
                let (old, new) = (self.file(old), self.file(*new));
                if old != new {
                    self.same.insert(old.max(new), old.min(new));
                }
                Ok(())
            }
            Some(difference) => Err(Conflict { origins: [old.origin, entry.origin], difference }),
        }
    }
}

impl<C> Tree<C> {
    /// Takes a path of lower layers away.
    pub fn remove(&mut self, path: EntryPath) {
        self.whiteouts.insert(whiteout_key(&path), path);
    }

    /// What stands at a path.
    #[must_use]
    pub fn get(&self, path: &EntryPath) -> Option<&Entry<C>> {
        self.entries.get(path)
    }

    /// The id that a file and all its hard links share in the end. Ids of files that met at one path differ at first.
    #[must_use]
    pub fn file(&self, mut id: LinkId) -> LinkId {
        while let Some(same) = self.same.get(&id) {
            id = *same;
        }
        id
    }

    /// What stands at a path, to be changed.
    pub fn get_mut(&mut self, path: &EntryPath) -> Option<&mut Entry<C>> {
        self.entries.get_mut(path)
    }

    /// Whether it has no entries and no whiteouts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.whiteouts.is_empty()
    }

    /// The number of entries and whiteouts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() + self.whiteouts.len()
    }

    /// The entries by the bytes of their path.
    pub fn entries(&self) -> impl Iterator<Item = (&EntryPath, &Entry<C>)> {
        self.entries.iter()
    }

    /// The whiteouts.
    pub fn whiteouts(&self) -> impl Iterator<Item = &EntryPath> {
        self.whiteouts.values()
    }

    /// Everything in the order of edition 2026: by the bytes of the path, a folder's whiteouts before its content.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_, C>> {
        let mut entries = self.entries.iter().peekable();
        let mut whiteouts = self.whiteouts.iter().peekable();
        std::iter::from_fn(move || {
            let whiteout_first = match (whiteouts.peek(), entries.peek()) {
                (Some((key, _)), Some((path, _))) => key.as_ref() < path.as_bytes(),
                (whiteout, _) => whiteout.is_some(),
            };
            if whiteout_first {
                whiteouts.next().map(|(_, path)| Item::Whiteout(path))
            } else {
                entries.next().map(|(path, entry)| Item::Entry(path, entry))
            }
        })
    }
}

/// A NUL before the last part: no name has one, so this stands behind the folder and before all it holds. Edition 2026.
fn whiteout_key(path: &EntryPath) -> Box<[u8]> {
    let name = path.file_name();
    let parent = &path.as_bytes()[..path.as_bytes().len() - name.len()];
    [parent, b"\0", name].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> EntryPath {
        EntryPath::parse(text).unwrap()
    }

    fn folder(mode: u32, firmness: Firmness, origin: u32) -> Entry<u8> {
        let attributes = Attributes { mode, ..Attributes::default() };
        Entry { attributes, kind: Kind::Directory, firmness, origin: Origin(origin) }
    }

    fn file(content: u8) -> Entry<u8> {
        let kind = Kind::File { content, size: 1, link: None };
        Entry { kind, ..folder(0o644, Firmness::Stated, 7) }
    }

    #[test]
    fn the_order_is_that_of_bytes_and_whiteouts_come_before_their_siblings() {
        let mut tree = Tree::default();
        for name in ["a/b", "a", "a-b", "a/-", "a.b", "a/b/c"] {
            tree.insert(path(name), file(0)).unwrap();
        }
        for name in ["a/z", "a/b", "top"] {
            tree.remove(path(name));
        }
        let order: Vec<String> = tree
            .iter()
            .map(|item| match item {
                Item::Whiteout(path) => format!("-{path}"),
                Item::Entry(path, _) => path.to_string(),
            })
            .collect();
        assert_eq!(order, ["-/top", "/a", "/a-b", "/a.b", "-/a/b", "-/a/z", "/a/-", "/a/b", "/a/b/c"]);
    }

    #[test]
    fn the_firmer_folder_counts_in_any_order() {
        let asked = [(0o700, Firmness::Stated), (0o755, Firmness::Implied), (0o750, Firmness::Copied)];
        for turn in 0..3 {
            let mut tree = Tree::default();
            for n in 0..3 {
                let (mode, firmness) = asked[(n + turn) % 3];
                tree.insert(path("a"), folder(mode, firmness, 0)).unwrap();
            }
            assert_eq!(tree.get(&path("a")).unwrap().attributes.mode, 0o700);
        }
    }

    #[test]
    fn files_that_meet_at_a_path_are_one_in_any_order() {
        let linked = |id| Entry { kind: Kind::File { content: 1, size: 1, link: Some(LinkId(id)) }, ..file(1) };
        let mut asked = [("x", linked(1)), ("y", linked(1)), ("y", linked(2)), ("z", linked(2)), ("o", linked(3))];
        for _ in 0..asked.len() {
            asked.rotate_left(1);
            let mut tree = Tree::default();
            for (name, entry) in &asked {
                tree.insert(path(name), entry.clone()).unwrap();
            }
            let id = |name| match tree.get(&path(name)).unwrap().kind {
                Kind::File { link: Some(id), .. } => tree.file(id),
                _ => panic!("{name} is no file with an id"),
            };
            assert_eq!([id("x"), id("y"), id("z")], [LinkId(1); 3]);
            assert_eq!(id("o"), LinkId(3));
        }
    }

    #[test]
    fn equal_statements_are_one_and_others_a_conflict_that_names_both() {
        let mut tree = Tree::default();
        tree.insert(path("a"), file(1)).unwrap();
        tree.insert(path("a"), file(1)).unwrap();
        assert_eq!(tree.len(), 1);
        let conflict = tree.insert(path("a"), Entry { origin: Origin(9), ..file(2) }).unwrap_err();
        assert_eq!(conflict.origins, [Origin(7), Origin(9)]);
        assert_eq!(conflict.difference, Difference::Content);
        assert!(tree.insert(path("a"), folder(0o755, Firmness::Implied, 3)).is_err(), "a file is no folder");
    }
}
