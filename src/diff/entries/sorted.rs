//! A scan that can be searched by path.

use crate::diff::scan::{Entry, Kind, Scan};

/// A scan that can be searched.
pub(super) struct Sorted<'a> {
    pub(super) scan: &'a Scan,
    /// By path, then by place.
    order: Vec<usize>,
}

impl<'a> Sorted<'a> {
    pub(super) fn new(scan: &'a Scan) -> Self {
        let mut order: Vec<usize> = (0..scan.entries.len()).collect();
        order.sort_by(|&x, &y| Self::path_of(scan, x).cmp(Self::path_of(scan, y)));
        Self { scan, order }
    }

    pub(super) fn path_of(scan: &'a Scan, place: usize) -> &'a [u8] {
        scan.entries.get(place).map(|entry| &*entry.path).unwrap_or_default()
    }

    pub(super) fn path(&self, rank: usize) -> Option<&'a [u8]> {
        self.order.get(rank).map(|&place| Self::path_of(self.scan, place))
    }

    pub(super) fn entry(&self, place: usize) -> Option<&'a Entry> {
        self.scan.entries.get(place)
    }

    /// The places of the entries of one path, of which the first has this rank.
    pub(super) fn run(&self, rank: usize) -> &[usize] {
        let rest = self.order.get(rank..).unwrap_or_default();
        let Some(path) = self.path(rank) else { return rest };
        let end = rest.iter().position(|&place| Self::path_of(self.scan, place) != path).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    /// The places of the entries at a path.
    pub(super) fn at(&self, path: &[u8]) -> &[usize] {
        let from = self.order.partition_point(|&place| Self::path_of(self.scan, place) < path);
        let to = self.order.partition_point(|&place| Self::path_of(self.scan, place) <= path);
        self.order.get(from..to).unwrap_or_default()
    }

    /// The entry that is left of several of one path.
    pub(super) fn end(&self, places: &[usize]) -> Option<&'a Entry> {
        places.last().and_then(|&place| self.entry(place))
    }

    /// Whether something stands below a folder.
    pub(super) fn has_below(&self, folder: &[u8]) -> bool {
        if folder.is_empty() {
            return true;
        }
        let below = [folder, b"/"].concat();
        let from = self.order.partition_point(|&place| Self::path_of(self.scan, place) < below.as_slice());
        self.path(from).is_some_and(|path| path.starts_with(&below))
    }

    /// What a hard link is a name of: what stood at its target when it came; itself where that is not in this layer.
    pub(super) fn resolved(&self, entry: &'a Entry) -> &'a Entry {
        let mut at = entry;
        for _ in 0..8 {
            let Kind::HardLink(target) = &at.kind else { return at };
            let places = self.at(target);
            let before = places.partition_point(|&place| place < at.place);
            match before.checked_sub(1).and_then(|last| self.entry(*places.get(last)?)) {
                Some(next) => at = next,
                None => return entry,
            }
        }
        entry
    }

    /// Whether nothing takes the place of an entry later on.
    pub(super) fn is_last(&self, entry: &Entry) -> bool {
        self.at(&entry.path).last() == Some(&entry.place)
    }
}
