//! What points at a cause, counted while entries are compared: memory does not grow with them.

use super::{Blame, Cause, together};
use crate::diff::content::Trace;
use crate::diff::entries::{EntryChange, Field, Framing, Order, TarDifference};
use crate::diff::fields::FieldChange;
use crate::diff::layers::{LayerChange, LayerDifference};
use crate::diff::scan::{Entry, Kind};
use crate::diff::{Encoding, Rung, Which};
use crate::oci::media_type;
use crate::transport::Manifest;
use serde_json::Value;
use std::collections::BTreeMap;

/// Collected over all layers of a platform.
#[derive(Default)]
pub struct Evidence {
    pairs: u64,
    times: Times,
    modes: Modes,
    owners: u64,
    /// The owners that entries have in B instead; none once there are several.
    owner: Option<Option<(u64, u64)>>,
    names: Names,
    links: u64,
    xattrs: (u64, Vec<String>),
    only: (Only, Only),
    folders: u64,
    orders: Vec<Order>,
    framing: BTreeMap<Framing, u64>,
    traces: Vec<(Trace, u64)>,
    encodings: Vec<(Option<Encoding>, Option<Encoding>)>,
}

/// First and last of some instants.
#[derive(Default, Clone, Copy)]
struct Span(Option<(i64, i64)>);

impl Span {
    fn add(&mut self, at: i64) {
        let (first, last) = self.0.unwrap_or((at, at));
        self.0 = Some((first.min(at), last.max(at)));
    }

    fn one(self) -> Option<i64> {
        self.0.filter(|(first, last)| first == last).map(|(first, _)| first)
    }
}

#[derive(Default)]
struct Times {
    differing: u64,
    later: u64,
    a: Span,
    b: Span,
    /// Of those that differ.
    apart: (Span, Span),
    shift: Span,
}

/// Umasks that people set.
const MASKS: [u32; 9] = [0o000, 0o002, 0o007, 0o022, 0o026, 0o027, 0o037, 0o066, 0o077];
/// The umask that nearly everybody has.
const USUAL: u32 = 0o022;

#[derive(Default)]
struct Modes {
    differing: u64,
    /// For each mask: differing modes that it explains, with A or B under it; and equal ones that it would have changed.
    fits: [(u64, u64); 9],
    spared: [u64; 9],
}

#[derive(Default)]
struct Names {
    differing: u64,
    only_a: u64,
    only_b: u64,
    example: Option<(String, String)>,
}

/// Paths that one side has.
#[derive(Default)]
struct Only {
    count: u64,
    folder: Option<Vec<u8>>,
}

impl Only {
    fn add(&mut self, path: &[u8]) {
        self.count = self.count.saturating_add(1);
        let parent = path.iter().rposition(|&b| b == b'/').and_then(|at| path.get(..at)).unwrap_or_default();
        let Some(folder) = &mut self.folder else {
            self.folder = Some(parent.to_vec());
            return;
        };
        while !(parent.starts_with(folder) && matches!(parent.get(folder.len()), None | Some(b'/'))
            || folder.is_empty())
        {
            let end = folder.iter().rposition(|&b| b == b'/').unwrap_or(0);
            folder.truncate(end);
        }
    }
}

fn count(n: &mut u64) {
    *n = n.saturating_add(1);
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Evidence {
    /// Two entries of one path, and what differs between them.
    pub fn pair(&mut self, a: &Entry, b: &Entry, fields: &[Field]) {
        count(&mut self.pairs);
        self.times.a.add(a.attributes.mtime);
        self.times.b.add(b.attributes.mtime);
        if !matches!(a.kind, Kind::Symlink(_)) {
            self.modes.add(a.attributes.mode, b.attributes.mode);
        }
        for field in fields {
            match field {
                Field::Mtime(a, b) => self.times.differ(*a, *b),
                Field::Owner(_, b) => {
                    count(&mut self.owners);
                    self.owner = match self.owner {
                        None => Some(Some(*b)),
                        Some(one) => Some(one.filter(|one| one == b)),
                    };
                }
                Field::OwnerNames(a, b) => self.names.differ(a, b),
                Field::HardLink(..) => count(&mut self.links),
                Field::Xattr(name, ..) => {
                    count(&mut self.xattrs.0);
                    let name = lossy(name);
                    if self.xattrs.1.len() < 8 && !self.xattrs.1.contains(&name) {
                        self.xattrs.1.push(name);
                    }
                }
                _ => {}
            }
        }
    }

    /// An entry that only one side has: the second, if it was added.
    pub fn one_sided(&mut self, entry: &Entry, implied: bool, added: bool) {
        match (implied, added) {
            (true, _) => count(&mut self.folders),
            (false, false) => self.only.0.add(&entry.path),
            (false, true) => self.only.1.add(&entry.path),
        }
    }

    /// What is about a whole tar.
    pub fn tar(&mut self, tar: &TarDifference) {
        self.orders.extend(tar.order);
        for difference in &tar.framing {
            let known = self.framing.entry(difference.framing.clone()).or_default();
            *known = known.saturating_add(difference.entries);
        }
    }

    /// What differing contents look like.
    pub fn contents(&mut self, tar: &TarDifference) {
        for entry in &tar.entries {
            let EntryChange::Changed(_) = entry.change else { continue };
            let mut seen: Vec<std::mem::Discriminant<Trace>> = Vec::new();
            for trace in entry.content.iter().flat_map(|content| &content.traces) {
                let kind = std::mem::discriminant(trace);
                if seen.contains(&kind) {
                    continue;
                }
                seen.push(kind);
                let known = self.traces.iter_mut().find(|(known, _)| std::mem::discriminant(known) == kind);
                match known {
                    Some((_, entries)) => count(entries),
                    None => self.traces.push((trace.clone(), 1)),
                }
            }
        }
    }

    /// How the blobs of one tar are compressed.
    pub fn encodings(&mut self, a: &Option<Encoding>, b: &Option<Encoding>) {
        if self.encodings.len() < 64 {
            self.encodings.push((a.clone(), b.clone()));
        }
    }

    /// The causes that all this shows, most telling first.
    pub fn causes(
        self,
        x: &Manifest,
        y: &Manifest,
        manifest: &[FieldChange],
        config: &[FieldChange],
        layers: &[LayerDifference],
        rung: Rung,
    ) -> Vec<Blame> {
        if rung == Rung::Identical {
            return Vec::new();
        }
        let mut found = documents(manifest, config, layers);
        let base = base(x, y, manifest, config, layers);
        found.extend(base.map(|cause| (cause, 0)));
        if x.document.descriptor.media_type != y.document.descriptor.media_type
            && media_type::is_manifest(&x.document.descriptor.media_type)
        {
            found.push((Cause::Dialect, 0));
        }
        found.extend(self.times.cause(self.pairs));
        found.extend(self.modes.cause());
        if let Some(owner) = self.owner {
            found.push((owner.map_or(Cause::Owners, |(uid, gid)| Cause::Owner(uid, gid)), self.owners));
        }
        found.extend(self.names.cause());
        found.extend(self.orders.first().map(|order| (Cause::Order(order.a, order.b), 0)));
        let (xattrs, names) = self.xattrs;
        let counted = [(Cause::HardLinks, self.links), (Cause::Folders, self.folders), (Cause::Xattrs(names), xattrs)];
        found.extend(counted.into_iter().filter(|(_, entries)| *entries > 0));
        for (which, only) in [(Which::A, self.only.0), (Which::B, self.only.1)] {
            if let Some(folder) = only.folder {
                found.push((Cause::OnlyIn { which, folder }, only.count));
            }
        }
        found.extend(self.framing.into_iter().map(|(framing, entries)| (framed(&framing), entries)));
        found.extend(self.traces.into_iter().map(|(trace, entries)| (traced(trace), entries)));
        found.extend(self.encodings.into_iter().map(|(a, b)| (Cause::Encoder(a, b), 0)));
        let all: Vec<Blame> = found.into_iter().map(|(cause, entries)| Blame { cause, entries }).collect();
        together(all.iter())
    }
}

fn framed(framing: &Framing) -> Cause {
    let is_time = |key: &String| matches!(key.as_str(), "atime" | "ctime" | "mtime");
    match framing {
        Framing::Records(a, b) if a.iter().chain(b).all(is_time) => Cause::PaxTimes,
        Framing::RecordValues(keys) if keys.iter().any(is_time) => Cause::PaxTimes,
        Framing::Sparse(..) => Cause::Sparse,
        Framing::Ending(..) | Framing::Tail(..) | Framing::Other => Cause::Padding,
        _ => Cause::HeaderFormat,
    }
}

fn traced(trace: Trace) -> Cause {
    match trace {
        Trace::Date(a, b) => Cause::EmbeddedDate(a, b),
        Trace::Path(a, b) => Cause::EmbeddedPath(a, b),
        Trace::BuildId => Cause::BuildId,
        Trace::CompiledPython => Cause::CompiledPython,
        Trace::MemberTimes(format) => Cause::MemberTimes(format),
    }
}

impl Times {
    fn differ(&mut self, a: i64, b: i64) {
        count(&mut self.differing);
        self.apart.0.add(a);
        self.apart.1.add(b);
        if b > a {
            count(&mut self.later);
        }
        self.shift.add(b.saturating_sub(a));
    }

    fn cause(&self, pairs: u64) -> Option<(Cause, u64)> {
        let n = self.differing;
        if n == 0 {
            return None;
        }
        // One entry, or a few of many, show no pattern.
        let pattern = n >= 2 && n.saturating_mul(2) >= pairs;
        let cause = match (self.a.one(), self.b.one(), self.shift.one()) {
            _ if !pattern => Cause::Times,
            (Some(a), Some(b), _) => Cause::SourceDateEpoch(a, b),
            (None, _, Some(shift)) if n == pairs && shift % 900 == 0 && shift.abs() <= 26 * 3600 => {
                Cause::TimeZone(shift)
            }
            (Some(_), _, _) if self.later == n => self.built(Which::B),
            (_, Some(_), _) if self.later == 0 => self.built(Which::A),
            _ if self.later == n => self.built(Which::B),
            _ => Cause::Times,
        };
        Some((cause, n))
    }

    fn built(&self, which: Which) -> Cause {
        let span = if which == Which::A { self.apart.0 } else { self.apart.1 };
        let (first, last) = span.0.unwrap_or_default();
        Cause::TimesNotNormalised { which, first, last }
    }
}

impl Modes {
    fn add(&mut self, a: u32, b: u32) {
        if a != b {
            count(&mut self.differing);
        }
        for ((mask, fits), spared) in MASKS.iter().zip(&mut self.fits).zip(&mut self.spared) {
            // Either the mask took bits away, or both modes are what programs ask for under a mask.
            let asked = |mode: u32| if mode & 0o111 == 0 { 0o666 } else { 0o777 };
            let under = |x: u32, y: u32| y == x & !mask || x == asked(x | y) & !USUAL && y == asked(x | y) & !mask;
            if a != b {
                fits.0 = fits.0.saturating_add(u64::from(under(b, a)));
                fits.1 = fits.1.saturating_add(u64::from(under(a, b)));
            } else if a & mask != 0 {
                count(spared);
            }
        }
    }

    fn cause(&self) -> Option<(Cause, u64)> {
        let n = self.differing;
        if n == 0 {
            return None;
        }
        let explains = |fits: u64, spared: u64| n >= 2 && fits == n && spared <= n;
        let masks = || MASKS.iter().zip(&self.fits).zip(&self.spared);
        let of_b = masks().find(|((_, fits), spared)| explains(fits.1, **spared));
        let of_a = masks().find(|((_, fits), spared)| explains(fits.0, **spared));
        let cause = match (of_b, of_a) {
            // What nearly everybody has tells nothing, if the other side has another.
            (Some(((mask, _), _)), of_a) if *mask != USUAL || of_a.is_none() => {
                Cause::Umask { which: Which::B, mask: *mask }
            }
            (_, Some(((mask, _), _))) => Cause::Umask { which: Which::A, mask: *mask },
            _ => Cause::Modes,
        };
        Some((cause, n))
    }
}

/// Names of a user and a group.
type Pair = (Vec<u8>, Vec<u8>);

impl Names {
    fn differ(&mut self, a: &Pair, b: &Pair) {
        count(&mut self.differing);
        let empty = |(user, group): &Pair| user.is_empty() && group.is_empty();
        match (empty(a), empty(b)) {
            (true, false) => count(&mut self.only_b),
            (false, true) => count(&mut self.only_a),
            _ => {}
        }
        let (user, group) = if empty(b) { a } else { b };
        self.example.get_or_insert_with(|| (lossy(user), lossy(group)));
    }

    fn cause(self) -> Option<(Cause, u64)> {
        let (user, group) = self.example?;
        let which = match self.differing {
            n if n == self.only_b => Some(Which::B),
            n if n == self.only_a => Some(Which::A),
            _ => None,
        };
        Some((Cause::OwnerNames { which, user, group }, self.differing))
    }
}

fn text(value: &Option<Value>) -> Option<String> {
    value.as_ref().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The name of the annotation or label at a pointer.
fn name_at(pointer: &str) -> Option<&str> {
    pointer.strip_prefix("/annotations/").or_else(|| pointer.strip_prefix("/config/Labels/"))
}

/// What manifest and config say.
fn documents(manifest: &[FieldChange], config: &[FieldChange], layers: &[LayerDifference]) -> Vec<(Cause, u64)> {
    let mut found = Vec::new();
    let is_created = |change: &&FieldChange| {
        change.pointer == "/created"
            || change.pointer.starts_with("/history/") && change.pointer.ends_with("/created")
            || change.pointer == "/annotations/org.opencontainers.image.created"
    };
    let all = || manifest.iter().chain(config);
    let same = layers.iter().all(|layer| matches!(layer.change, LayerChange::Same));
    if let Some(created) = config.iter().chain(manifest).find(is_created) {
        let only = same && all().all(|change| is_created(&change));
        found.push((Cause::Created { only, a: text(&created.a), b: text(&created.b) }, 0));
    }
    for change in all() {
        let name = name_at(&change.pointer);
        let is_version =
            |name: &&str| matches!(*name, "org.opencontainers.image.revision" | "org.opencontainers.image.version");
        if let Some(name) = name.filter(is_version) {
            let (name, a, b) = (name.to_owned(), text(&change.a), text(&change.b));
            let cause = (Cause::Revision { name, a, b }, 0);
            if !found.contains(&cause) {
                found.push(cause);
            }
        }
    }
    if manifest.iter().any(|change| change.pointer.starts_with("/annotations")) {
        found.push((Cause::Annotations, 0));
    }
    found
}

const BASE: &str = "org.opencontainers.image.base.digest";

/// Another base: its digest says so; or the first layers differ, and all above them are the same.
fn base(
    x: &Manifest,
    y: &Manifest,
    manifest: &[FieldChange],
    config: &[FieldChange],
    layers: &[LayerDifference],
) -> Option<Cause> {
    if let Some(change) = manifest.iter().chain(config).find(|change| name_at(&change.pointer) == Some(BASE)) {
        return Some(Cause::BaseMoved(text(&change.a), text(&change.b)));
    }
    let same = |layer: &LayerDifference| matches!(layer.change, LayerChange::Same | LayerChange::Recompressed(..));
    let first = layers.first().filter(|first| !same(first))?;
    let above: Vec<&LayerDifference> = layers.iter().skip_while(|layer| !same(layer)).collect();
    let substance = layers.iter().any(|layer| match &layer.change {
        LayerChange::Tar(tar) => tar.substance,
        LayerChange::OneSided { .. } => true,
        _ => false,
    });
    if above.is_empty() || !substance || !above.iter().all(|layer| same(layer)) {
        return None;
    }
    let diff_id = |of: &Manifest, n: Option<usize>| Some(of.layers.get(n?)?.diff_id.to_string());
    Some(Cause::BaseMoved(diff_id(x, first.a), diff_id(y, first.b)))
}
