//! What the order of a layer's entries decides when a client unpacks it.
//!
//! A whiteout speaks of lower layers only, but clients apply entries as they come: what stands before it may go too. A
//! path that leads through a symlink is another path, and which one, the entries before it say.

use super::sorted::Sorted;
use crate::diff::scan::{Entry, Kind};
use crate::diff::{Context, DiffError};

/// What comes later in the layer and may take an entry away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Fate {
    whiteout: bool,
    opaque: bool,
}

/// What the order of a layer's entries decides.
pub(super) struct Standing {
    /// By place.
    fates: Vec<Fate>,
    /// Some paths may be others than they look, so that any two entries may have to do with each other.
    pub(super) aliased: bool,
    plain: bool,
}

/// A whiteout, by what it covers.
struct Cover {
    path: Vec<u8>,
    place: usize,
    /// Of what is in a folder, not of the folder itself.
    opaque: bool,
}

/// What holds at a path and below it.
#[derive(Clone, Copy, Default)]
struct Below<'a> {
    path: &'a [u8],
    /// Where the last whiteouts stand that cover it.
    whiteout: Option<usize>,
    opaque: Option<usize>,
    /// It, or something above it, is no folder.
    blocked: bool,
    /// Where it is first said to be a folder.
    folder: Option<usize>,
}

impl Below<'_> {
    /// Whether this path, or one that follows it, may stand below: `a-b` comes before `a/b`.
    fn is_open(&self, path: &[u8]) -> bool {
        let rest = path.strip_prefix(self.path);
        self.path.is_empty() || rest.is_some_and(|rest| rest.first().is_none_or(|&b| b <= b'/'))
    }

    /// Whether a path for which this is open stands below.
    fn holds(&self, path: &[u8]) -> bool {
        self.path.is_empty() || path.get(self.path.len()) == Some(&b'/')
    }
}

impl Standing {
    /// `lowest`: no layer is below. Else a folder that the layer does not list may be a symlink there.
    pub(super) fn new(sorted: &Sorted, lowest: bool, context: &Context) -> Result<Self, DiffError> {
        let entries = &sorted.scan.entries;
        let covers = covers(entries);
        let mut covers = covers.iter().peekable();
        let mut standing = Self { fates: vec![Fate::default(); entries.len()], aliased: false, plain: true };
        let root = Below { folder: Some(0), ..Below::default() };
        let mut stack: Vec<Below> = Vec::new();
        let mut rank = 0;
        loop {
            context.check()?;
            let path = match (sorted.path(rank), covers.peek().map(|cover| cover.path.as_slice())) {
                (None, None) => break,
                (Some(one), Some(other)) => one.min(other),
                (Some(one), None) | (None, Some(one)) => one,
            };
            while stack.pop_if(|top| !top.is_open(path)).is_some() {}
            let above = stack.iter().rev().find(|above| above.holds(path)).copied().unwrap_or(root);
            let mut here = Below { path, folder: None, ..above };
            let mut emptied = above.opaque;
            while let Some(cover) = covers.next_if(|cover| cover.path == path) {
                let last = if cover.opaque { &mut emptied } else { &mut here.whiteout };
                *last = (*last).max(Some(cover.place));
            }
            let places = match sorted.path(rank) == Some(path) {
                true => sorted.run(rank),
                false => &[],
            };
            rank = rank.saturating_add(places.len());
            let rest = path.get(above.path.len()..).unwrap_or_default();
            let is_parent = !rest.iter().skip(1).any(|&b| b == b'/');
            for &place in places {
                let Some(entry) = sorted.entry(place) else { continue };
                let fate = Fate { whiteout: here.whiteout > Some(place), opaque: above.opaque > Some(place) };
                if let Some(slot) = standing.fates.get_mut(place) {
                    *slot = fate;
                }
                standing.plain &= fate == Fate::default();
                let known = lowest || is_parent && above.folder.is_some_and(|folder| folder <= place);
                standing.aliased |= above.blocked || !known || path.split(|&b| b == b'/').any(|part| part == b"..");
                match entry.kind {
                    Kind::Folder => here.folder = here.folder.or(Some(place)),
                    _ => here.blocked = true,
                }
            }
            here.opaque = emptied;
            if path.is_empty() {
                here.folder = root.folder;
            }
            stack.push(here);
        }
        for entry in entries.iter().filter(|entry| matches!(entry.kind, Kind::HardLink(_))) {
            context.check()?;
            let target = sorted.resolved(entry);
            standing.aliased |= std::ptr::eq(target, entry) || standing.fate(target.place) != Fate::default();
        }
        Ok(standing)
    }

    fn fate(&self, place: usize) -> Fate {
        self.fates.get(place).copied().unwrap_or_default()
    }

    /// What becomes of the entries of a path.
    pub(super) fn fates(&self, places: &[usize]) -> Vec<Fate> {
        let mut fates: Vec<Fate> = places.iter().map(|&place| self.fate(place)).collect();
        fates.dedup();
        fates
    }

    /// Whether the order decides nothing, whatever it is.
    pub(super) fn is_plain(&self) -> bool {
        self.plain && !self.aliased
    }
}

/// What whiteouts cover, by path.
fn covers(entries: &[Entry]) -> Vec<Cover> {
    let cover = |entry: &Entry| {
        let slash = entry.path.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash.saturating_add(1));
        let (folder, name) = entry.path.split_at_checked(slash)?;
        if name == b".wh..wh..opq" {
            let path = folder.strip_suffix(b"/").unwrap_or_default().to_vec();
            return Some(Cover { path, place: entry.place, opaque: true });
        }
        let path = [folder, name.strip_prefix(b".wh.")?].concat();
        Some(Cover { path, place: entry.place, opaque: false })
    };
    let mut covers: Vec<Cover> = entries.iter().filter_map(cover).collect();
    covers.sort_by(|x, y| x.path.cmp(&y.path));
    covers
}
