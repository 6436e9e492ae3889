//! Two scans merged by path: what only one has, what differs, and which contents are worth a second look.

use super::fields::{fields, grants, repeated};
use super::order::order;
use super::sorted::Sorted;
use super::written::{whole, written};
use super::{EntryChange, EntryDifference, Field, Framing, FramingDifference, Summary, TarDifference};
use crate::diff::Limits;
use crate::diff::cause::Evidence;
use crate::diff::scan::{Entry, Kind, Scan};
use std::collections::BTreeMap;

/// A file whose contents differ, and where they stand.
pub(in crate::diff) struct Wanted {
    pub(in crate::diff) path: Vec<u8>,
    pub(in crate::diff) a: Carrier,
    pub(in crate::diff) b: Carrier,
    /// For large ones, the MiB in which the first difference lies.
    pub(in crate::diff) mib: Option<u64>,
}

/// The entry that carries a content.
pub(in crate::diff) struct Carrier {
    pub(in crate::diff) place: usize,
    pub(in crate::diff) size: u64,
}

/// Compares two layers.
pub(in crate::diff) fn compare(
    a: &Scan,
    b: &Scan,
    limits: &Limits,
    evidence: &mut Evidence,
) -> (TarDifference, Vec<Wanted>) {
    let (left, right) = (Sorted::new(a), Sorted::new(b));
    let mut found =
        Found { limits, list: Vec::new(), minor: Vec::new(), wanted: Vec::new(), tar: TarDifference::default() };
    let mut framing = BTreeMap::new();
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    loop {
        let (x, y) = (left.path(i), right.path(j));
        let path = match (x, y) {
            (None, None) => break,
            (Some(x), Some(y)) => x.min(y),
            (Some(x), None) | (None, Some(x)) => x,
        };
        let (xs, ys) = (left.at(path), right.at(path));
        (i, j) = (i.saturating_add(xs.len()), j.saturating_add(ys.len()));
        match (left.last(path), right.last(path)) {
            (Some(entry), None) => found.one_sided(entry, &right, false, evidence),
            (None, Some(entry)) => found.one_sided(entry, &left, true, evidence),
            (Some(x), Some(y)) => {
                pairs.extend(xs.first().zip(ys.first()).map(|(x, y)| (*x, *y)));
                let mut fields = fields(x, y, &left, &right);
                fields.extend(repeated(xs, ys, &left, &right));
                evidence.pair(x, y, &fields);
                written(x, y, &mut framing);
                found.changed(x, y, fields, &left, &right);
            }
            (None, None) => {}
        }
    }
    let Found { mut list, mut minor, wanted, mut tar, .. } = found;
    minor.truncate(limits.listed.saturating_sub(list.len()));
    list.append(&mut minor);
    list.sort_by(|x, y| x.path.cmp(&y.path));
    tar.entries = list;
    tar.order = order(&mut pairs, &left, &right);
    tar.substance |= tar.order.is_some_and(|order| order.decides);
    whole(a, b, &mut framing);
    if framing.is_empty() && tar.entries.is_empty() && tar.order.is_none() {
        framing.insert(Framing::Other, 0);
    }
    tar.framing = framing.into_iter().map(|(framing, entries)| FramingDifference { framing, entries }).collect();
    evidence.tar(&tar);
    (tar, wanted)
}

/// What was found so far.
struct Found<'l> {
    limits: &'l Limits,
    /// With substance; and without.
    list: Vec<EntryDifference>,
    minor: Vec<EntryDifference>,
    wanted: Vec<Wanted>,
    tar: TarDifference,
}

impl Found<'_> {
    fn one_sided(&mut self, entry: &Entry, other: &Sorted, added: bool, evidence: &mut Evidence) {
        let implied = entry.kind == Kind::Folder && other.has_below(&entry.path);
        let grants = entry.attributes.mode & 0o7000 != 0 || entry.attributes.xattrs.keys().any(|name| grants(name));
        let summary = Summary {
            kind: if entry.is_whiteout() { "removal" } else { entry.kind_name() },
            mode: entry.attributes.mode,
            owner: (entry.attributes.uid, entry.attributes.gid),
            size: if let Kind::File { size, .. } = entry.kind { size } else { 0 },
            implied,
        };
        let substance = !implied || grants;
        evidence.one_sided(entry, implied, added);
        let change = if added { EntryChange::Added(summary) } else { EntryChange::Removed(summary) };
        let count = if added { &mut self.tar.added } else { &mut self.tar.removed };
        *count = count.saturating_add(1);
        self.push(&entry.path, change, substance);
    }

    fn changed(&mut self, a: &Entry, b: &Entry, fields: Vec<Field>, left: &Sorted, right: &Sorted) {
        if fields.is_empty() {
            return;
        }
        self.tar.changed = self.tar.changed.saturating_add(1);
        let y_path = &b.path;
        let substance = fields.iter().any(|field| field.is_substance(a, b));
        if let (true, [x, y]) = (substance, [left.resolved(a), right.resolved(b)])
            && let (Kind::File { size, .. }, Kind::File { size: other, .. }) = (&x.kind, &y.kind)
            && fields.iter().any(|field| matches!(field, Field::Content(..)))
            && self.wanted.len() < self.limits.listed
        {
            let (a, b) = (Carrier { place: x.place, size: *size }, Carrier { place: y.place, size: *other });
            let mib = left.scan.first_difference(a.place, right.scan, b.place);
            self.wanted.push(Wanted { path: y_path.to_vec(), a, b, mib });
        }
        self.push(y_path, EntryChange::Changed(fields), substance);
    }

    fn push(&mut self, path: &[u8], change: EntryChange, substance: bool) {
        self.tar.substance |= substance;
        let list = if substance { &mut self.list } else { &mut self.minor };
        if list.len() < self.limits.listed {
            list.push(EntryDifference { path: path.to_vec(), change, substance, content: None });
        }
    }
}
