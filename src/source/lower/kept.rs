//! What the layers of a base hold, kept from one run to the next: it follows from their digests, and to find it anew takes a
//! second for a large base. Only who trusts the user's cache uses it.

use super::{Below, Lower, Standing};
use crate::oci::Digest;
use crate::record::{self, In, Out};
use crate::source::image;
use crate::tree::EntryPath;
use std::fs;
use std::path::{Path, PathBuf};

const FORM: &str = "rebake lower 1";

/// The file for these layers: all that was checked when they were read. Another rebake may see something else in them.
fn file(folder: &Path, layers: &[image::Layer]) -> PathBuf {
    let mut key = Out::new(env!("CARGO_PKG_VERSION"));
    for layer in layers {
        key.digest(layer.descriptor.digest);
        key.digest(layer.diff_id);
        key.number(layer.descriptor.size);
    }
    folder.join(format!("lower-{}", Digest::of(&key.finish()).hex()))
}

impl Lower {
    /// What an earlier run found in these layers, all of which it had read and checked.
    pub(in crate::source) fn recall(folder: &Path, layers: &[image::Layer]) -> Option<Self> {
        Self::decode(&record::read(&file(folder, layers))?)
    }

    /// Keeps what was found. What cannot be kept is found again.
    pub(in crate::source) fn keep(&self, folder: &Path, layers: &[image::Layer]) {
        let _ = fs::create_dir_all(folder).and_then(|()| self.encode().write(&file(folder, layers)));
    }

    fn encode(&self) -> Out {
        let mut out = Out::new(FORM);
        out.number(self.held);
        for accounts in [&self.passwd, &self.group] {
            out.number(u64::from(accounts.is_some()));
            out.text(accounts.as_deref().unwrap_or_default());
        }
        out.number(self.entries.len() as u64);
        for (path, Standing { attributes, kind }) in &self.entries {
            out.text(path.as_bytes());
            let (number, target) = match kind {
                Below::Directory => (0, &[][..]),
                Below::Symlink(target) => (1, &**target),
                Below::Other => (2, &[][..]),
            };
            out.number(number);
            out.text(target);
            out.attributes(attributes);
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = In::new(bytes, FORM)?;
        let mut lower = Self { held: from.number()?, ..Self::default() };
        for accounts in [&mut lower.passwd, &mut lower.group] {
            let is_there = from.number()? != 0;
            let text = from.text()?;
            *accounts = is_there.then(|| text.to_vec());
        }
        for _ in 0..from.number()? {
            let path = EntryPath::parse(from.text()?).ok()?;
            let kind = match (from.number()?, from.text()?) {
                (0, _) => Below::Directory,
                (1, target) => Below::Symlink(target.into()),
                (2, _) => Below::Other,
                _ => return None,
            };
            lower.entries.insert(path, Standing { attributes: from.attributes()?, kind });
        }
        from.is_empty().then_some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Attributes;

    #[test]
    fn what_is_kept_is_read_as_it_was_written_and_damaged_it_is_none() {
        let path = |text: &str| EntryPath::parse(text).unwrap();
        let attributes = Attributes {
            mode: 0o4755,
            uid: 1,
            gid: u64::MAX,
            mtime: -5,
            xattrs: [(b"user.a".to_vec(), b"\0".to_vec())].into(),
        };
        let standing = |kind| Standing { attributes: attributes.clone(), kind };
        let mut lower = Lower { passwd: Some(b"root".to_vec()), group: None, held: 7, ..Lower::default() };
        lower.entries.insert(path("a"), standing(Below::Directory));
        lower.entries.insert(path("a/\u{fc}"), standing(Below::Symlink(b"/b".as_slice().into())));
        lower.entries.insert(path("b"), standing(Below::Other));
        let bytes = lower.encode().finish();
        let shown = |lower: &Lower| format!("{lower:?}");
        assert_eq!(Lower::decode(&bytes).as_ref().map(shown), Some(shown(&lower)));
        for n in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[n] ^= 1;
            assert!(Lower::decode(&damaged).is_none(), "byte {n}");
            assert!(Lower::decode(&bytes[..n]).is_none(), "cut at {n}");
        }
    }
}
