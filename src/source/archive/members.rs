//! The members of an archive as extraction would leave them: names judged, hard links resolved, later before earlier.

use super::error::Fault;
use super::slice::Slice;
use super::{Limits, Member};
use crate::layer::read::{RawEntry, RawKind};
use crate::tree::{Attributes, EntryPath, Kind, LinkId, PathError};
use std::collections::BTreeMap;

/// Collects members in archive order; `C` is their content, or where it is.
pub(in crate::source) struct Members<'a, C = Slice> {
    limits: &'a Limits,
    /// None where a later member took the place.
    list: Vec<Option<Member<C>>>,
    places: BTreeMap<EntryPath, usize>,
    links: u64,
    /// Bytes of names, targets and extended attributes so far.
    names: u64,
}

impl<'a, C: Clone + PartialEq> Members<'a, C> {
    pub(in crate::source) fn new(limits: &'a Limits) -> Self {
        Self { limits, list: Vec::new(), places: BTreeMap::new(), links: 0, names: 0 }
    }

    /// Counts a member against the limits.
    pub(in crate::source) fn weigh(&mut self, entry: &RawEntry) -> Result<(), Fault> {
        let limit = self.limits.members;
        if self.list.len() >= limit {
            return Err(Fault::Limit { what: "members", limit: limit as u64 });
        }
        let target = match &entry.kind {
            RawKind::HardLink(target) | RawKind::Symlink(target) => target.len(),
            _ => 0,
        };
        let xattrs = entry.attributes.xattrs.iter().flat_map(|(name, value)| [name.len(), value.len()]);
        let weight = xattrs.chain([entry.path.len(), target]).fold(0, usize::saturating_add);
        let limit = self.limits.names;
        self.names = self.names.saturating_add(weight as u64);
        if self.names > limit {
            return Err(Fault::Limit { what: "bytes of names and attributes", limit });
        }
        Ok(())
    }

    /// Counts a member against the limits, and judges its path. None for the root (`./`), which is nothing to extract.
    pub(super) fn admit(&mut self, entry: &RawEntry) -> Result<Option<EntryPath>, Fault> {
        self.weigh(entry)?;
        if entry.path.starts_with(b"/") {
            return Err(Fault::Absolute);
        }
        match EntryPath::parse(&entry.path) {
            Ok(path) => Ok(Some(path)),
            // A name that is empty is no name of the root.
            Err(PathError::Root) if !entry.path.is_empty() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a member. Two folders at one path are merged: the attributes of the later, the place of the earlier. In all
    /// other cases the later replaces the earlier, and with a folder all that is in it.
    ///
    /// What stands below something that is no folder is left to the tree to refuse.
    pub(in crate::source) fn add(&mut self, path: EntryPath, attributes: Attributes, kind: Kind<C>) {
        let old = self.places.get(&path).and_then(|&place| self.list.get_mut(place));
        if let Some(old) = old {
            if let Some(old) = old.as_mut().filter(|old| old.is_folder() && kind == Kind::Directory) {
                old.attributes = attributes;
                return;
            }
            let was_folder = old.take().is_some_and(|old| old.is_folder());
            if was_folder {
                self.remove_below(&path);
            }
        }
        self.places.insert(path.clone(), self.list.len());
        self.list.push(Some(Member { path, attributes, kind }));
    }

    /// Whether something stands at a path.
    pub(in crate::source) fn has(&self, path: &EntryPath) -> bool {
        self.places.contains_key(path)
    }

    /// Where the symlink at a path points.
    pub(in crate::source) fn symlink(&self, path: &EntryPath) -> Option<&[u8]> {
        match &self.list.get(*self.places.get(path)?)?.as_ref()?.kind {
            Kind::Symlink { target } => Some(target),
            _ => None,
        }
    }

    /// Takes a path away, and all that is in it.
    pub(in crate::source) fn remove(&mut self, path: &EntryPath) {
        self.remove_below(path);
        if let Some(place) = self.places.remove(path).and_then(|place| self.list.get_mut(place)) {
            *place = None;
        }
    }

    /// Takes everything away.
    pub(in crate::source) fn clear(&mut self) {
        self.places.clear();
        self.list.iter_mut().for_each(|place| *place = None);
    }

    /// Takes all away that is in a folder.
    pub(in crate::source) fn remove_below(&mut self, folder: &EntryPath) {
        // The first name that can stand below; if even that is too long, nothing does.
        let Ok(first) = EntryPath::parse([folder.as_bytes(), b"/\x01"].concat()) else { return };
        let below = self.places.range(first..).map(|(path, _)| path).take_while(|path| path.starts_with(folder));
        let below: Vec<EntryPath> = below.cloned().collect();
        for path in below {
            if let Some(place) = self.places.remove(&path).and_then(|place| self.list.get_mut(place)) {
                *place = None;
            }
        }
    }

    /// Adds a hard link: one more name of what its target is now, whatever takes that name later. The attributes are
    /// those of the target, as `link(2)` leaves them.
    pub(in crate::source) fn link(&mut self, path: EntryPath, target: &[u8]) -> Result<(), Fault> {
        let name = if target.starts_with(b"/") { None } else { EntryPath::parse(target).ok() };
        let name = name.ok_or_else(|| Fault::LinkPath(target.to_vec()))?;
        let place = self.places.get(&name).and_then(|&place| self.list.get_mut(place));
        let Some(Some(member)) = place else { return Err(Fault::LinkTarget(target.to_vec())) };
        if name == path {
            return Ok(());
        }
        match &mut member.kind {
            Kind::Directory => return Err(Fault::LinkToFolder(target.to_vec())),
            Kind::File { link, .. } => {
                if link.is_none() {
                    *link = Some(LinkId(self.links));
                    self.links = self.links.saturating_add(1);
                }
            }
            // Nothing tells two names of one of these from two of them.
            Kind::Symlink { .. } | Kind::CharDevice { .. } | Kind::BlockDevice { .. } | Kind::Fifo => {}
        }
        let (attributes, kind) = (member.attributes.clone(), member.kind.clone());
        self.add(path, attributes, kind);
        Ok(())
    }

    /// The members that are left, in archive order. A file whose other names were replaced is no link any more.
    pub(in crate::source) fn finish(self) -> Vec<Member<C>> {
        let mut members: Vec<Member<C>> = self.list.into_iter().flatten().collect();
        let mut names: BTreeMap<LinkId, u64> = BTreeMap::new();
        for id in members.iter().filter_map(Member::link) {
            let count = names.entry(id).or_default();
            *count = count.saturating_add(1);
        }
        for member in &mut members {
            if let Kind::File { link, .. } = &mut member.kind {
                *link = link.filter(|id| names.get(id).is_some_and(|&count| count > 1));
            }
        }
        members
    }
}

impl<C: PartialEq> Member<C> {
    fn is_folder(&self) -> bool {
        self.kind == Kind::Directory
    }

    fn link(&self) -> Option<LinkId> {
        match self.kind {
            Kind::File { link, .. } => link,
            _ => None,
        }
    }
}

/// A symbolic link to `target`, if a file system would take it: 1 to 4095 bytes, none of them NUL.
pub(in crate::source) fn symlink<C>(target: Vec<u8>) -> Result<Kind<C>, Fault> {
    if target.is_empty() || target.len() > 4095 || target.contains(&0) {
        return Err(Fault::SymlinkTarget);
    }
    Ok(Kind::Symlink { target: target.into() })
}
