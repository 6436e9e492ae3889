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

    /// The places of the entries at a path.
    pub(super) fn at(&self, path: &[u8]) -> &[usize] {
        let from = self.order.partition_point(|&place| Self::path_of(self.scan, place) < path);
        let to = self.order.partition_point(|&place| Self::path_of(self.scan, place) <= path);
        self.order.get(from..to).unwrap_or_default()
    }

    /// The entry that is left at a path.
    pub(super) fn last(&self, path: &[u8]) -> Option<&'a Entry> {
        self.at(path).last().and_then(|&place| self.entry(place))
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

    /// What a hard link is a name of; itself where that is not in this layer.
    pub(super) fn resolved(&self, entry: &'a Entry) -> &'a Entry {
        let mut at = entry;
        for _ in 0..8 {
            let Kind::HardLink(target) = &at.kind else { return at };
            match self.last(target) {
                Some(next) if !std::ptr::eq(next, at) => at = next,
                _ => return entry,
            }
        }
        entry
    }

    /// Whether the order decides what comes out: something below what is no folder, or a link before its target.
    pub(super) fn is_tangled(&self) -> bool {
        self.scan.entries.iter().enumerate().any(|(place, entry)| {
            let late = match &entry.kind {
                Kind::HardLink(target) => self.at(target).first().is_some_and(|&first| first > place),
                _ => false,
            };
            let slashes = entry.path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
            let mut above = slashes.filter_map(|end| entry.path.get(..end));
            late || above.any(|folder| {
                self.at(folder).iter().filter_map(|&place| self.entry(place)).any(|entry| entry.kind != Kind::Folder)
            })
        })
    }
}
