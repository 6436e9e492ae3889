//! Two tars, entry by entry, and how they are written down.
//!
//! *Substance* is what a container would notice or could use: content, kinds, link targets, device numbers, setuid, setgid
//! and sticky bits, capabilities. All else is metadata of the tar.

use super::cause::Evidence;
use super::scan::{Entry, Kind, Scan, is_told};
use super::{ContentDifference, Limits};
use crate::layer::read::{Ending, Format};
use crate::oci::Digest;
use std::collections::BTreeMap;

/// What differs between two tars.
#[derive(Debug, Clone, Default)]
pub struct TarDifference {
    /// The most important differences first of all kept, then in the order of their paths.
    pub entries: Vec<EntryDifference>,
    /// Paths that only the second has.
    pub added: u64,
    /// Paths that only the first has.
    pub removed: u64,
    /// Paths whose entries differ.
    pub changed: u64,
    /// Whether something differs that is more than metadata of the tar.
    pub substance: bool,
    /// The entries that both have stand in another order.
    pub order: Option<Order>,
    /// How the tars are written down.
    pub framing: Vec<FramingDifference>,
}

/// A path whose entries differ.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryDifference {
    /// Without leading or trailing slash, any bytes; empty for the root.
    pub path: Vec<u8>,
    /// In what.
    pub change: EntryChange,
    /// Whether that is more than metadata.
    pub substance: bool,
    /// What differs in the content, if that was compared.
    pub content: Option<ContentDifference>,
}

/// In what the entries of a path differ.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryChange {
    /// Only the second has it.
    Added(Summary),
    /// Only the first has it.
    Removed(Summary),
    /// Both have it.
    Changed(Vec<Field>),
}

/// An entry that only one side has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// `file`, `folder` and so on.
    pub kind: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner and group.
    pub owner: (u64, u64),
    /// Length of a file in bytes.
    pub size: u64,
    /// A folder that the other side has too, as something stands in it.
    pub implied: bool,
}

/// What differs between two entries, first to second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// What it is.
    Kind(&'static str, &'static str),
    /// Length and digest of the content.
    Content((u64, Digest), (u64, Digest)),
    /// Where a symlink points.
    Target(Vec<u8>, Vec<u8>),
    /// Device numbers.
    Device((u32, u32), (u32, u32)),
    /// How often the path stands in the tar, or what earlier entries of it say.
    Repeated(u64, u64),
    /// Permission bits.
    Mode(u32, u32),
    /// Numeric owner and group.
    Owner((u64, u64), (u64, u64)),
    /// Seconds since 1970.
    Mtime(i64, i64),
    /// Names of owner and group.
    OwnerNames((Vec<u8>, Vec<u8>), (Vec<u8>, Vec<u8>)),
    /// A hard link, by its target, where the other side has an equal file, or a link to another name of it.
    HardLink(Option<Vec<u8>>, Option<Vec<u8>>),
    /// An extended attribute: name and values.
    Xattr(Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>),
}

/// Other order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// How the first is sorted.
    pub a: Sorting,
    /// How the second is sorted.
    pub b: Sorting,
    /// Something stands below a symlink or before what it links to, so that the order decides what comes out.
    pub decides: bool,
}

/// How paths are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sorting {
    /// By the bytes of the whole path.
    Bytes,
    /// Folder by folder, each by the bytes of its names.
    Folders,
    /// As a locale does it: without regard to case and punctuation.
    Locale,
    /// Not at all, as a file system gives the names of a folder.
    Unsorted,
}

/// A way of writing that differs, and for how many entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramingDifference {
    /// What.
    pub framing: Framing,
    /// For how many entries; 0 if it is about the whole tar.
    pub entries: u64,
}

/// How a tar is written down, first to second.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framing {
    /// The layout of headers.
    Format(Format, Format),
    /// PAX records that only one of the two has, by their keys: only in the first, only in the second.
    Records(Vec<String>, Vec<String>),
    /// Values of PAX records with these keys.
    RecordValues(Vec<String>),
    /// A leading `./` or `/`, or a slash behind folders.
    Spelling(String, String),
    /// How numbers are filled up and ended.
    Numbers,
    /// GNU long names.
    LongNames(bool, bool),
    /// Sparse files stored as such.
    Sparse(bool, bool),
    /// PAX records for all entries.
    Global(bool, bool),
    /// Blocks of zeros at the end.
    Ending((u8, bool), (u8, bool)),
    /// Bytes after the last entry.
    Tail(u64, u64),
    /// Bytes that mean nothing: names of extended headers, padding.
    Other,
}

/// Kinds of framing that are told apart.
const FRAMINGS: usize = 64;

/// A file whose contents differ, and where they stand.
pub(super) struct Wanted {
    pub(super) path: Vec<u8>,
    pub(super) a: Carrier,
    pub(super) b: Carrier,
}

/// The entry that carries a content.
pub(super) struct Carrier {
    pub(super) place: usize,
    pub(super) size: u64,
}

/// A scan that can be searched.
struct Sorted<'a> {
    scan: &'a Scan,
    /// By path, then by place.
    order: Vec<usize>,
}

impl<'a> Sorted<'a> {
    fn new(scan: &'a Scan) -> Self {
        let mut order: Vec<usize> = (0..scan.entries.len()).collect();
        order.sort_by(|&x, &y| Self::path_of(scan, x).cmp(Self::path_of(scan, y)));
        Self { scan, order }
    }

    fn path_of(scan: &'a Scan, place: usize) -> &'a [u8] {
        scan.entries.get(place).map(|entry| &*entry.path).unwrap_or_default()
    }

    fn path(&self, rank: usize) -> Option<&'a [u8]> {
        self.order.get(rank).map(|&place| Self::path_of(self.scan, place))
    }

    fn entry(&self, place: usize) -> Option<&'a Entry> {
        self.scan.entries.get(place)
    }

    /// The places of the entries at a path.
    fn at(&self, path: &[u8]) -> &[usize] {
        let from = self.order.partition_point(|&place| Self::path_of(self.scan, place) < path);
        let to = self.order.partition_point(|&place| Self::path_of(self.scan, place) <= path);
        self.order.get(from..to).unwrap_or_default()
    }

    /// The entry that is left at a path.
    fn last(&self, path: &[u8]) -> Option<&'a Entry> {
        self.at(path).last().and_then(|&place| self.entry(place))
    }

    /// Whether something stands below a folder.
    fn has_below(&self, folder: &[u8]) -> bool {
        if folder.is_empty() {
            return true;
        }
        let below = [folder, b"/"].concat();
        let from = self.order.partition_point(|&place| Self::path_of(self.scan, place) < below.as_slice());
        self.path(from).is_some_and(|path| path.starts_with(&below))
    }

    /// What a hard link is a name of; itself where that is not in this layer.
    fn resolved(&self, entry: &'a Entry) -> &'a Entry {
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
    fn is_tangled(&self) -> bool {
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

/// Compares two layers.
pub(super) fn compare(a: &Scan, b: &Scan, limits: &Limits, evidence: &mut Evidence) -> (TarDifference, Vec<Wanted>) {
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
                if repeats_differ(xs, ys, &left, &right) {
                    fields.push(Field::Repeated(xs.len() as u64, ys.len() as u64));
                }
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
            kind: entry.kind_name(),
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
            self.wanted.push(Wanted { path: y_path.to_vec(), a, b });
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

/// Whether an extended attribute gives a right, or decides how a file system treats a file.
fn grants(xattr: &[u8]) -> bool {
    !xattr.starts_with(b"user.")
}

impl Field {
    /// Whether it is more than metadata of the tar, for the entries that differ in it.
    fn is_substance(&self, a: &Entry, b: &Entry) -> bool {
        match self {
            Self::Kind(..) | Self::Content(..) | Self::Target(..) | Self::Device(..) | Self::Repeated(..) => true,
            Self::Mode(a, b) => (a ^ b) & 0o7000 != 0,
            Self::Owner(..) => a.kind != Kind::Folder && (a.attributes.mode | b.attributes.mode) & 0o6000 != 0,
            Self::Xattr(name, ..) => grants(name),
            Self::Mtime(..) | Self::OwnerNames(..) | Self::HardLink(..) => false,
        }
    }
}

/// What differs between two entries of one path.
fn fields(a: &Entry, b: &Entry, left: &Sorted, right: &Sorted) -> Vec<Field> {
    let mut fields = Vec::new();
    let (x, y) = (left.resolved(a), right.resolved(b));
    let target = |entry: &Entry| match &entry.kind {
        Kind::HardLink(target) => Some(target.to_vec()),
        _ => None,
    };
    let (from, to) = (target(a), target(b));
    let linked = from.is_some() || to.is_some();
    match (&x.kind, &y.kind) {
        // Another name of a file: the file itself tells how it changed.
        _ if from.is_some() && from == to => {}
        (Kind::File { size: s, sha256: d }, Kind::File { size: t, sha256: e }) if d != e || s != t => {
            fields.push(Field::Content((*s, *d), (*t, *e)));
        }
        (Kind::Symlink(s), Kind::Symlink(t)) if s != t => fields.push(Field::Target(s.to_vec(), t.to_vec())),
        (&Kind::CharDevice(m, n), &Kind::CharDevice(o, p)) | (&Kind::BlockDevice(m, n), &Kind::BlockDevice(o, p))
            if (m, n) != (o, p) =>
        {
            fields.push(Field::Device((m, n), (o, p)));
        }
        (s, t) if std::mem::discriminant(s) != std::mem::discriminant(t) => {
            fields.push(Field::Kind(x.kind_name(), y.kind_name()));
        }
        // A link out of the layer, to two places.
        (Kind::HardLink(s), Kind::HardLink(t)) => fields.push(Field::Target(s.to_vec(), t.to_vec())),
        _ if linked => fields.push(Field::HardLink(from, to)),
        _ => {}
    }
    let (s, t) = (&a.attributes, &b.attributes);
    if s.mode != t.mode {
        fields.push(Field::Mode(s.mode, t.mode));
    }
    if (s.uid, s.gid) != (t.uid, t.gid) {
        fields.push(Field::Owner((s.uid, s.gid), (t.uid, t.gid)));
    }
    if s.mtime != t.mtime {
        fields.push(Field::Mtime(s.mtime, t.mtime));
    }
    if s.xattrs != t.xattrs {
        let names = s.xattrs.keys().chain(t.xattrs.keys().filter(|name| !s.xattrs.contains_key(*name)));
        for name in names.filter(|name| s.xattrs.get(*name) != t.xattrs.get(*name)) {
            fields.push(Field::Xattr(name.clone(), s.xattrs.get(name).cloned(), t.xattrs.get(name).cloned()));
        }
    }
    let names = |entry: &Entry| (entry.written.user.clone(), entry.written.group.clone());
    if (&a.written.user, &a.written.group) != (&b.written.user, &b.written.group) {
        fields.push(Field::OwnerNames(names(a), names(b)));
    }
    fields
}

/// Whether a path stands several times, and not the same way on both sides: then readers may differ in what they make of it.
fn repeats_differ(xs: &[usize], ys: &[usize], left: &Sorted, right: &Sorted) -> bool {
    if xs.len() == 1 && ys.len() == 1 {
        return false;
    }
    let both = xs.iter().filter_map(|&x| left.entry(x)).zip(ys.iter().filter_map(|&y| right.entry(y)));
    xs.len() != ys.len() || { both }.any(|(x, y)| x.kind != y.kind || x.attributes.mode != y.attributes.mode)
}

/// How two entries are written down.
fn written(a: &Entry, b: &Entry, framing: &mut BTreeMap<Framing, u64>) {
    let mut differs = |what: Framing| {
        if framing.contains_key(&what) || framing.len() < FRAMINGS {
            let count = framing.entry(what).or_default();
            *count = count.saturating_add(1);
        }
    };
    let (x, y) = (&*a.written, &*b.written);
    if a.spelling != b.spelling {
        differs(Framing::Spelling(a.spelled(), b.spelled()));
    }
    if a.records != b.records {
        let keys = |of: &Entry, other: &Entry| -> Vec<String> {
            let only = of.written.keys.iter().filter(|key| !is_told(key) && !other.written.keys.contains(*key));
            only.map(|key| String::from_utf8_lossy(key).into_owned()).collect()
        };
        let (only_a, only_b) = (keys(a, b), keys(b, a));
        if only_a.is_empty() && only_b.is_empty() {
            let all = x.keys.iter().filter(|key| !is_told(key)).map(|key| String::from_utf8_lossy(key).into_owned());
            differs(Framing::RecordValues(all.collect()));
        } else {
            differs(Framing::Records(only_a, only_b));
        }
    }
    if x == y {
        return;
    }
    if x.format != y.format {
        differs(Framing::Format(x.format, y.format));
    } else if x.numbers != y.numbers && a.kind == b.kind {
        differs(Framing::Numbers);
    }
    if x.long != y.long {
        differs(Framing::LongNames(x.long, y.long));
    }
    if x.sparse != y.sparse {
        differs(Framing::Sparse(x.sparse, y.sparse));
    }
}

impl Entry {
    fn spelled(&self) -> String {
        let start = if self.spelling.absolute { "/" } else { "" };
        let start = if self.spelling.dot { "./" } else { start };
        format!("{start}NAME{}", if self.spelling.slash { "/" } else { "" })
    }
}

/// What is not about single entries.
fn whole(a: &Scan, b: &Scan, framing: &mut BTreeMap<Framing, u64>) {
    let ending = |Ending { blocks, trailing, .. }: Ending| (blocks, trailing);
    if a.global != b.global {
        framing.insert(Framing::Global(a.global, b.global), 0);
    }
    if ending(a.ending) != ending(b.ending) {
        framing.insert(Framing::Ending(ending(a.ending), ending(b.ending)), 0);
    }
    if a.tail != b.tail {
        framing.insert(Framing::Tail(a.tail, b.tail), 0);
    }
}

/// Whether the entries of pairs of places come in the same order, and if not, in which.
fn order(pairs: &mut [(usize, usize)], left: &Sorted, right: &Sorted) -> Option<Order> {
    pairs.sort_unstable();
    if pairs.is_sorted_by_key(|(_, b)| b) {
        return None;
    }
    let decides = left.is_tangled() || right.is_tangled();
    Some(Order { a: sorting(left.scan), b: sorting(right.scan), decides })
}

fn sorting(scan: &Scan) -> Sorting {
    let parts = |entry: &Entry| -> Vec<Vec<u8>> { entry.path.split(|&b| b == b'/').map(<[u8]>::to_vec).collect() };
    let letters = |entry: &Entry| -> Vec<Vec<u8>> {
        let fold =
            |part: &[u8]| part.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
        entry.path.split(|&b| b == b'/').map(fold).collect()
    };
    let entries = &scan.entries;
    if entries.is_sorted_by(|x, y| x.path <= y.path) {
        Sorting::Bytes
    } else if entries.is_sorted_by(|x, y| parts(x) <= parts(y)) {
        Sorting::Folders
    } else if entries.is_sorted_by(|x, y| letters(x) <= letters(y)) {
        Sorting::Locale
    } else {
        Sorting::Unsorted
    }
}
