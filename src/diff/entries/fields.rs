//! What differs between two entries of one path, and whether that matters to a container.

use super::Field;
use super::sorted::Sorted;
use crate::diff::scan::{Entry, Kind};
use crate::tree::Attributes;

/// Whether an extended attribute gives a right, or decides how a file system treats a file.
pub(super) fn grants(xattr: &[u8]) -> bool {
    !xattr.starts_with(b"user.")
}

impl Field {
    /// Whether it is more than metadata of the tar, for the entries that differ in it.
    pub(super) fn is_substance(&self, a: &Entry, b: &Entry) -> bool {
        match self {
            Self::Kind(..) | Self::Content(..) | Self::Target(..) | Self::Device(..) | Self::Repeated(_, _, true) => {
                true
            }
            Self::Mode(a, b) => (a ^ b) & 0o7000 != 0,
            Self::Owner(..) => a.kind != Kind::Folder && (a.attributes.mode | b.attributes.mode) & 0o6000 != 0,
            Self::Xattr(name, ..) => grants(name),
            Self::Mtime(..) | Self::OwnerNames(..) | Self::HardLink(..) | Self::Repeated(_, _, false) => false,
        }
    }
}

/// What differs between two entries of one path.
pub(super) fn fields(a: &Entry, b: &Entry, left: &Sorted, right: &Sorted) -> Vec<Field> {
    let mut fields = Vec::new();
    let (x, y) = (left.resolved(a), right.resolved(b));
    let target = |entry: &Entry| match &entry.kind {
        Kind::HardLink(target) => Some(target.to_vec()),
        _ => None,
    };
    let (from, to) = (target(a), target(b));
    let alike = from == to;
    match (&x.kind, &y.kind) {
        // Another name of a file: the file itself tells how it changed.
        _ if alike && from.is_some() && left.is_last(x) && right.is_last(y) => {}
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
        (Kind::HardLink(s), Kind::HardLink(t)) if s != t => fields.push(Field::Target(s.to_vec(), t.to_vec())),
        _ if !alike => fields.push(Field::HardLink(from, to)),
        _ => {}
    }
    let (s, t) = (&a.attributes, &b.attributes);
    // A link has the rights of what it is a name of, whatever its own header says.
    let (u, v) = if alike { (s, t) } else { (&x.attributes, &y.attributes) };
    if s.mode != t.mode {
        fields.push(Field::Mode(s.mode, t.mode));
    } else if (u.mode ^ v.mode) & 0o7000 != 0 {
        fields.push(Field::Mode(u.mode, v.mode));
    }
    if (s.uid, s.gid) != (t.uid, t.gid) {
        fields.push(Field::Owner((s.uid, s.gid), (t.uid, t.gid)));
    }
    if s.mtime != t.mtime {
        fields.push(Field::Mtime(s.mtime, t.mtime));
    }
    let (s, t) = if s.xattrs == t.xattrs { (&u.xattrs, &v.xattrs) } else { (&s.xattrs, &t.xattrs) };
    let names = s.keys().chain(t.keys().filter(|name| !s.contains_key(*name)));
    for name in names.filter(|name| s.get(*name) != t.get(*name)) {
        fields.push(Field::Xattr(name.clone(), s.get(name).cloned(), t.get(name).cloned()));
    }
    let names = |entry: &Entry| (entry.written.user.clone(), entry.written.group.clone());
    if (&a.written.user, &a.written.group) != (&b.written.user, &b.written.group) {
        fields.push(Field::OwnerNames(names(a), names(b)));
    }
    fields
}

/// That a path stands several times, and not the same way on both sides.
pub(super) fn repeated(xs: &[usize], ys: &[usize], left: &Sorted, right: &Sorted) -> Option<Field> {
    if xs.len() == 1 && ys.len() == 1 {
        return None;
    }
    let says = |entry: &'_ Entry| {
        let Attributes { mode, uid, gid, xattrs, .. } = &entry.attributes;
        let granted = xattrs.iter().filter(|(name, _)| grants(name)).map(|(name, value)| (name.clone(), value.clone()));
        let owner = (mode & 0o6000 != 0).then_some((*uid, *gid));
        (entry.kind.clone(), mode & 0o7000, owner, granted.collect::<Vec<_>>())
    };
    // The same said again at once changes nothing.
    let of = |places: &[usize], side: &Sorted| -> Vec<_> {
        let mut all: Vec<_> = places.iter().filter_map(|&n| side.entry(n)).map(says).collect();
        all.dedup();
        all
    };
    let (from, to) = (of(xs, left), of(ys, right));
    let decides = from != to && from.iter().chain(&to).any(|one| Some(one) != from.first());
    (decides || xs.len() != ys.len()).then_some(Field::Repeated(xs.len() as u64, ys.len() as u64, decides))
}
