//! What gives a program or a user a right: no leftover of the machine that built it.

use super::count;
use crate::diff::Cause;
use crate::diff::entries::Field;
use crate::diff::scan::{Entry, Kind};
use std::collections::BTreeSet;

const BITS: &str = "setuid, setgid or sticky bits";

#[derive(Default)]
pub(super) struct Rights {
    kinds: BTreeSet<&'static str>,
    entries: u64,
}

/// The right that an extended attribute gives, if it is one.
pub(super) fn xattr_right(name: &[u8]) -> Option<&'static str> {
    match name {
        b"security.capability" => Some("file capabilities"),
        b"system.posix_acl_access" | b"system.posix_acl_default" => Some("access control lists"),
        _ => None,
    }
}

impl Rights {
    pub(super) fn pair(&mut self, a: &Entry, b: &Entry, fields: &[Field]) {
        let lent = a.kind != Kind::Folder && (a.attributes.mode | b.attributes.mode) & 0o6000 != 0;
        self.add(fields.iter().filter_map(|field| match field {
            Field::Mode(a, b) if (a ^ b) & 0o7000 != 0 => Some(BITS),
            Field::Owner(..) if lent => Some("owners of setuid or setgid files"),
            Field::Xattr(name, ..) => xattr_right(name),
            _ => None,
        }));
    }

    /// A folder that the other side has without an entry.
    pub(super) fn folder(&mut self, entry: &Entry) {
        let bits = Some(BITS).filter(|_| entry.attributes.mode & 0o7000 != 0);
        self.add(bits.into_iter().chain(entry.attributes.xattrs.keys().filter_map(|name| xattr_right(name))));
    }

    fn add(&mut self, found: impl Iterator<Item = &'static str>) {
        let mut found = found.peekable();
        if found.peek().is_some() {
            count(&mut self.entries);
        }
        self.kinds.extend(found);
    }

    pub(super) fn cause(self) -> Option<(Cause, u64)> {
        let kinds: Vec<&str> = self.kinds.into_iter().collect();
        (!kinds.is_empty()).then_some((Cause::Rights(kinds), self.entries))
    }
}
