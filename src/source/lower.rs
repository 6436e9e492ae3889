//! What layers hold together, as the one sees it that goes on top of them: enough to know where a path leads and what its
//! folder is like.

mod kept;

use super::{Content, image};
use crate::layer::read::{RawEntry, RawKind};
use crate::layer::write::{Content as _, MTIME};
use crate::tree::{Attributes, Entry, EntryPath, Kind, Tree, through};
use image::{Change, ImageError, relative};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

/// More paths than this are an attack, not an image.
const MOST_ENTRIES: usize = 4_000_000;
/// What is kept of a base's names, symlink targets and attributes, in bytes.
const MOST_BYTES: u64 = 256 << 20;
/// `/etc/passwd` and `/etc/group` are read up to this size, in bytes.
const ACCOUNTS: u64 = 4 << 20;

/// One path of the layers below.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Mode, owner, time, extended attributes.
    pub attributes: Attributes,
    /// What it is.
    pub kind: Below,
}

/// What a path of the layers below is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    /// A folder.
    Directory,
    /// A symlink and its target.
    Symlink(Box<[u8]>),
    /// A file or something else without content that counts here.
    Other,
}

/// The layers below, seen as one.
#[derive(Debug, Clone, Default)]
pub struct Lower {
    entries: BTreeMap<EntryPath, Standing>,
    /// The content of `/etc/passwd`; none if there is no such file.
    pub passwd: Option<Vec<u8>>,
    /// The content of `/etc/group`.
    pub group: Option<Vec<u8>>,
    /// Bytes of names, targets and attributes of the base so far.
    held: u64,
}

impl Lower {
    /// What stands at a path.
    #[must_use]
    pub fn get(&self, path: &EntryPath) -> Option<&Standing> {
        self.entries.get(path)
    }

    /// Where the symlink at a path points.
    #[must_use]
    pub fn link(&self, path: &EntryPath) -> Option<&[u8]> {
        match &self.entries.get(path)?.kind {
            Below::Symlink(target) => Some(target),
            _ => None,
        }
    }

    fn below(&self, path: &EntryPath) -> impl Iterator<Item = &EntryPath> {
        let start = [path.as_bytes(), b"/"].concat();
        self.entries
            .range::<[u8], _>((Bound::Included(start.as_slice()), Bound::Unbounded))
            .map(|(path, _)| path)
            .take_while(move |path| path.as_bytes().starts_with(&start))
    }

    fn remove(&mut self, path: &EntryPath) {
        self.remove_children(path);
        self.entries.remove(path);
        *match path.as_bytes() {
            b"etc/passwd" => &mut self.passwd,
            b"etc/group" => &mut self.group,
            _ => return,
        } = None;
    }

    fn remove_children(&mut self, path: &EntryPath) {
        let doomed: Vec<EntryPath> = self.below(path).cloned().collect();
        for path in doomed {
            self.remove(&path);
        }
    }

    fn set(&mut self, path: EntryPath, standing: Standing) {
        if standing.kind == Below::Directory {
            if self.get(&path).is_some_and(|old| old.kind != Below::Directory) {
                self.remove(&path);
            }
        } else {
            self.remove(&path);
        }
        self.entries.insert(path, standing);
    }

    /// Lays a planned layer on top.
    ///
    /// # Errors
    /// If its `/etc/passwd` or `/etc/group` cannot be read.
    pub fn put(&mut self, tree: &Tree<Content>) -> io::Result<()> {
        self.put_some(tree, tree.entries())
    }

    /// Lays a planned layer on top of which nothing else will stand: only the accounts count then.
    ///
    /// # Errors
    /// If its `/etc/passwd` or `/etc/group` cannot be read.
    pub fn put_accounts(&mut self, tree: &Tree<Content>) -> io::Result<()> {
        let paths = ["etc", "etc/group", "etc/passwd"].map(EntryPath::parse);
        self.put_some(tree, paths.iter().flatten().filter_map(|path| Some((path, tree.get(path)?))))
    }

    fn put_some<'a>(
        &mut self,
        tree: &Tree<Content>,
        entries: impl Iterator<Item = (&'a EntryPath, &'a Entry<Content>)>,
    ) -> io::Result<()> {
        for path in tree.whiteouts() {
            self.remove(path);
        }
        for (path, entry) in entries {
            let kind = match &entry.kind {
                Kind::Directory => Below::Directory,
                Kind::Symlink { target } => Below::Symlink(target.clone()),
                _ => Below::Other,
            };
            self.set(path.clone(), Standing { attributes: entry.attributes.clone(), kind });
            self.keep_accounts(path, entry)?;
        }
        Ok(())
    }

    fn keep_accounts(&mut self, path: &EntryPath, entry: &Entry<Content>) -> io::Result<()> {
        let Some(place) = self.accounts(path.as_bytes()) else { return Ok(()) };
        if let Kind::File { content, .. } = &entry.kind {
            *place = Some(read_accounts(&mut content.open()?)?);
        }
        Ok(())
    }

    fn accounts(&mut self, path: &[u8]) -> Option<&mut Option<Vec<u8>>> {
        match path {
            b"etc/passwd" => Some(&mut self.passwd),
            b"etc/group" => Some(&mut self.group),
            _ => None,
        }
    }

    /// Lays a layer of a base image on top (image-spec, "layer.md", Applying changesets). Reads it whole, and so checks
    /// its digests.
    ///
    /// # Errors
    /// If it cannot be read, is not what its digests say, or leaves the root.
    pub fn put_base(&mut self, layer: &image::Layer, interrupt: &AtomicBool) -> Result<(), ImageError> {
        let what = format!("layer {}", layer.descriptor.digest);
        let broken = |why: String| ImageError::Broken { what: what.clone(), why };
        let mut added = Vec::new();
        let mut accounts = Vec::new();
        let mut linked: Vec<(EntryPath, EntryPath)> = Vec::new();
        layer.read(|entry, data| {
            if interrupt.load(Ordering::Relaxed) {
                return Err(broken("interrupted".to_owned()));
            }
            self.held += (entry.path.len() + kept_size(&entry)) as u64;
            if self.held > MOST_BYTES {
                return Err(broken("the image's names, targets and attributes fill more than 256 MiB".to_owned()));
            }
            // Whiteouts speak of the layers below only, wherever they stand in the tar; the rest waits.
            match Change::of(&entry.path).map_err(broken)? {
                Change::Entry(path) => {
                    if matches!(path.as_bytes(), b"etc/passwd" | b"etc/group") {
                        match &entry.kind {
                            RawKind::File { .. } => {
                                let bytes = read_accounts(data).map_err(|error| broken(error.to_string()))?;
                                accounts.push((path.clone(), bytes));
                            }
                            RawKind::HardLink(target) => {
                                linked.extend(relative(target).map_err(broken)?.map(|target| (path.clone(), target)));
                            }
                            _ => {}
                        }
                    }
                    added.push((path, standing(entry)));
                }
                Change::Removal(path) => {
                    let path = self.resolved(&path, false).map_err(broken)?;
                    path.into_iter().for_each(|path| self.remove(&path));
                }
                Change::Opaque(Some(folder)) => {
                    let folder = self.resolved(&folder, true).map_err(broken)?;
                    folder.into_iter().for_each(|folder| self.remove_children(&folder));
                }
                Change::Opaque(None) => *self = Self { held: self.held, ..Self::default() },
                Change::Nothing => {}
            }
            if added.len() + self.entries.len() > MOST_ENTRIES {
                return Err(broken(format!("the image has more than {MOST_ENTRIES} paths")));
            }
            Ok(())
        })?;
        if !linked.is_empty() {
            // The content stands at another path of the same tar, before the link: read it once more.
            layer.read(|entry, data| -> Result<(), ImageError> {
                for (path, target) in &linked {
                    if matches!(entry.kind, RawKind::File { .. })
                        && relative(&entry.path).ok().flatten().as_ref() == Some(target)
                    {
                        accounts.push((path.clone(), read_accounts(data).map_err(|error| broken(error.to_string()))?));
                    }
                }
                Ok(())
            })?;
        }
        for (path, standing) in added {
            if let Some(path) = self.resolved(&path, false).map_err(broken)? {
                self.imply_parents(&path);
                self.set(path, standing);
            }
        }
        for (path, bytes) in accounts {
            if let Some(place) = self.accounts(path.as_bytes()) {
                *place = Some(bytes);
            }
        }
        Ok(())
    }

    /// A folder that no tar names is there all the same, as clients make it.
    fn imply_parents(&mut self, path: &EntryPath) {
        let mut next = path.parent();
        while let Some(folder) = next {
            if self.entries.contains_key(&folder) {
                return;
            }
            let attributes = Attributes { mode: 0o755, mtime: MTIME, ..Attributes::default() };
            self.entries.insert(folder.clone(), Standing { attributes, kind: Below::Directory });
            next = folder.parent();
        }
    }

    fn resolved(&self, path: &EntryPath, leaf: bool) -> Result<Option<EntryPath>, String> {
        through(path, leaf, |at| self.link(at)).map_err(|astray| astray.to_string())
    }
}

/// The whole of a `/etc/passwd` or `/etc/group`.
fn read_accounts(data: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    data.take(ACCOUNTS + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > ACCOUNTS {
        true => Err(io::Error::other("its /etc/passwd or /etc/group is larger than 4 MiB")),
        false => Ok(bytes),
    }
}

/// How many bytes of an entry are kept besides its path.
fn kept_size(entry: &RawEntry) -> usize {
    match &entry.kind {
        RawKind::Directory => entry.attributes.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum(),
        RawKind::Symlink(target) => target.len(),
        _ => 0,
    }
}

fn standing(entry: RawEntry) -> Standing {
    let kind = match entry.kind {
        RawKind::Directory => Below::Directory,
        RawKind::Symlink(target) => Below::Symlink(target.into()),
        _ => Below::Other,
    };
    let mut attributes = entry.attributes;
    if kind != Below::Directory {
        // Only a folder is written again as it is.
        attributes.xattrs.clear();
    }
    Standing { attributes, kind }
}
