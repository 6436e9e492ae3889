//! What points at a cause, counted while entries are compared: memory does not grow with them.

mod documents;
mod modes;
mod names;
mod rights;
mod times;

use super::{Blame, Cause, together};
use crate::diff::content::Trace;
use crate::diff::entries::{EntryChange, Field, Framing, Order, TarDifference};
use crate::diff::fields::FieldChange;
use crate::diff::layers::{LayerChange, LayerDifference};
use crate::diff::scan::{Entry, Kind};
use crate::diff::{Encoding, Rung, Which};
use crate::oci::media_type;
use crate::transport::Manifest;
use documents::{base, documents};
use modes::Modes;
use names::{Names, Only};
use rights::{Rights, xattr_right};
use std::collections::BTreeMap;
use times::Times;

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
    contents: u64,
    repeats: u64,
    orders: Vec<Order>,
    framing: BTreeMap<Framing, u64>,
    traces: Vec<(Trace, u64)>,
    encodings: Vec<(Option<String>, Option<String>)>,
    rights: Rights,
    removals: (Only, Only),
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
        self.rights.pair(a, b, fields);
        self.times.pair(a.attributes.mtime, b.attributes.mtime);
        if !matches!(a.kind, Kind::Symlink(_)) {
            self.modes.add(a.attributes.mode, b.attributes.mode);
        }
        let is_content = |field: &Field| {
            matches!(
                field,
                Field::Kind(..)
                    | Field::Content(..)
                    | Field::Target(..)
                    | Field::Device(..)
                    | Field::Repeated(_, _, true)
            )
        };
        if fields.iter().any(is_content) {
            count(&mut self.contents);
        }
        for field in fields {
            match field {
                Field::Owner(_, b) => {
                    count(&mut self.owners);
                    self.owner = match self.owner {
                        None => Some(Some(*b)),
                        Some(one) => Some(one.filter(|one| one == b)),
                    };
                }
                Field::OwnerNames(a, b) => self.names.differ(a, b),
                Field::HardLink(..) => count(&mut self.links),
                Field::Repeated(_, _, false) => count(&mut self.repeats),
                Field::Xattr(name, ..) if xattr_right(name).is_none() => {
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
        let is_removal = entry.is_whiteout();
        match (implied, added) {
            (true, _) => {
                self.rights.folder(entry);
                count(&mut self.folders);
            }
            (false, false) if is_removal => self.removals.0.add(&entry.path),
            (false, true) if is_removal => self.removals.1.add(&entry.path),
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
        let how = |encoding: &Option<Encoding>| encoding.as_ref().map(Encoding::how);
        let both = (how(a), how(b));
        if self.encodings.len() < 64 && !self.encodings.contains(&both) {
            self.encodings.push(both);
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
        let mut found = documents(x, y, manifest, config, layers);
        let base = base(x, y, layers);
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
        found.extend(self.rights.cause());
        found.extend(divided(x, y, layers));
        found.extend(layers.iter().filter_map(unreadable).map(|cause| (cause, 0)));
        found.extend(self.orders.iter().map(|order| (Cause::Order(order.a, order.b), 0)));
        let (xattrs, names) = self.xattrs;
        let counted = [
            (Cause::HardLinks, self.links),
            (Cause::Folders, self.folders),
            (Cause::Xattrs(names), xattrs),
            (Cause::Content, self.contents),
            (Cause::HeaderFormat, self.repeats),
        ];
        found.extend(counted.into_iter().filter(|(_, entries)| *entries > 0));
        for (which, only) in [(Which::A, self.only.0), (Which::B, self.only.1)] {
            let cause = |(folder, entries)| (Cause::OnlyIn { which, folder }, entries);
            found.extend(only.folder().map(cause));
        }
        for (which, removals) in [(Which::A, self.removals.0), (Which::B, self.removals.1)] {
            let cause = |(folder, entries)| (Cause::Removals { which, folder }, entries);
            found.extend(removals.folder().map(cause));
        }
        found.extend(self.framing.into_iter().map(|(framing, entries)| (framed(&framing), entries)));
        found.extend(self.traces.into_iter().map(|(trace, entries)| (traced(trace), entries)));
        found.extend(self.encodings.into_iter().map(|(a, b)| (Cause::Encoder(a, b), 0)));
        let all: Vec<Blame> = found.into_iter().map(|(cause, entries)| Blame { cause, entries }).collect();
        together(all.iter())
    }
}

fn unreadable(layer: &LayerDifference) -> Option<Cause> {
    match &layer.change {
        LayerChange::Unreadable { which, why } => Some(Cause::Unreadable(*which, why.clone())),
        _ => None,
    }
}

/// The same layers in another order, or layers that only one side has.
fn divided(x: &Manifest, y: &Manifest, layers: &[LayerDifference]) -> Option<(Cause, u64)> {
    let alone = |is: fn(&LayerDifference) -> bool| layers.iter().filter(|layer| is(layer)).count();
    let alone = (alone(|layer| layer.b.is_none()), alone(|layer| layer.a.is_none()));
    let sorted = |manifest: &Manifest| {
        let mut diff_ids: Vec<String> = manifest.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        diff_ids.sort();
        diff_ids
    };
    let moved = || !x.layers.iter().map(|l| l.diff_id).eq(y.layers.iter().map(|l| l.diff_id));
    match alone {
        _ if sorted(x) == sorted(y) && moved() => Some((Cause::LayerOrder, 0)),
        (0, 0) => None,
        alone => Some((Cause::Layers { a: x.layers.len(), b: y.layers.len(), alone }, 0)),
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
