//! Two scans merged by path: what only one has, what differs, and which contents are worth a second look.

use super::fields::{fields, grants, repeated};
use super::order::sorting;
use super::sorted::Sorted;
use super::standing::Standing;
use super::written::{whole, written};
use super::{EntryChange, EntryDifference, Field, Framing, FramingDifference, Order, Summary, TarDifference};
use crate::diff::cause::Evidence;
use crate::diff::scan::{Entry, Kind, Scan};
use crate::diff::{Context, DiffError, Limits};
use crate::tree::Attributes;
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

/// Compares two layers; `lowest` if no layers are below them.
pub(in crate::diff) fn compare(
    a: &Scan,
    b: &Scan,
    lowest: bool,
    context: &Context,
    evidence: &mut Evidence,
) -> Result<(TarDifference, Vec<Wanted>), DiffError> {
    let (left, right) = (Sorted::new(a), Sorted::new(b));
    let (stands, other) = (Standing::new(&left, lowest, context)?, Standing::new(&right, lowest, context)?);
    let mut found = Found {
        limits: &context.limits,
        implies: lowest && stands.is_plain() && other.is_plain(),
        list: Vec::new(),
        minor: Vec::new(),
        wanted: Vec::new(),
        tar: TarDifference::default(),
    };
    let mut framing = BTreeMap::new();
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    // Paths do not stand as often; the order makes a difference.
    let (mut repeats, mut decides) = (false, false);
    loop {
        context.check()?;
        let (x, y) = (left.path(i), right.path(j));
        let path = match (x, y) {
            (None, None) => break,
            (Some(x), Some(y)) => x.min(y),
            (Some(x), None) | (None, Some(x)) => x,
        };
        let xs = if x == Some(path) { left.run(i) } else { &[] };
        let ys = if y == Some(path) { right.run(j) } else { &[] };
        (i, j) = (i.saturating_add(xs.len()), j.saturating_add(ys.len()));
        match (left.end(xs), right.end(ys)) {
            (Some(entry), None) => found.one_sided(entry, &right, false, evidence),
            (None, Some(entry)) => found.one_sided(entry, &left, true, evidence),
            (Some(x), Some(y)) => {
                pairs.extend(xs.iter().zip(ys).map(|(x, y)| (*x, *y)));
                repeats |= xs.len() != ys.len();
                decides |= stands.fates(xs) != other.fates(ys);
                let mut fields = fields(x, y, &left, &right);
                fields.extend(repeated(xs, ys, &left, &right));
                evidence.pair(x, y, &fields);
                written(x, y, &mut framing);
                found.changed(x, y, fields, &left, &right);
            }
            (None, None) => {}
        }
    }
    let Found { limits, mut list, mut minor, wanted, mut tar, .. } = found;
    minor.truncate(limits.listed.saturating_sub(list.len()));
    list.append(&mut minor);
    list.sort_by(|x, y| x.path.cmp(&y.path));
    tar.entries = list;
    pairs.sort_unstable();
    let turned = !pairs.is_sorted_by_key(|(_, b)| b);
    decides |= (turned || repeats) && (stands.aliased || other.aliased);
    tar.order = (turned || decides).then(|| Order { a: sorting(a), b: sorting(b), decides });
    tar.substance |= tar.order.is_some_and(|order| order.decides);
    whole(a, b, &mut framing);
    if framing.is_empty() && tar.entries.is_empty() && tar.order.is_none() {
        framing.insert(Framing::Other, 0);
    }
    tar.framing = framing.into_iter().map(|(framing, entries)| FramingDifference { framing, entries }).collect();
    evidence.tar(&tar);
    Ok((tar, wanted))
}

/// What was found so far.
struct Found<'l> {
    limits: &'l Limits,
    /// A folder comes to be with what is in it, whether it is listed or not.
    implies: bool,
    /// With substance; and without.
    list: Vec<EntryDifference>,
    minor: Vec<EntryDifference>,
    wanted: Vec<Wanted>,
    tar: TarDifference,
}

impl Found<'_> {
    fn one_sided(&mut self, entry: &Entry, other: &Sorted, added: bool, evidence: &mut Evidence) {
        let implied = entry.kind == Kind::Folder && !entry.is_whiteout() && other.has_below(&entry.path);
        let Attributes { mode, uid, gid, xattrs, .. } = &entry.attributes;
        // What a client gives a folder that is not listed.
        let usual = (*mode, *uid, *gid) == (0o755, 0, 0) && !xattrs.keys().any(|name| grants(name));
        let summary = Summary {
            kind: if entry.is_whiteout() { "removal" } else { entry.kind_name() },
            mode: entry.attributes.mode,
            owner: (entry.attributes.uid, entry.attributes.gid),
            size: if let Kind::File { size, .. } = entry.kind { size } else { 0 },
            implied,
        };
        let substance = !(implied && usual && self.implies);
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
