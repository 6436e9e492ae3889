//! How two tars are written down: differences that no container sees.

use super::Framing;
use crate::diff::scan::{Entry, Scan, is_told};
use crate::layer::read::Ending;
use std::collections::BTreeMap;

/// Kinds of framing that are told apart.
const FRAMINGS: usize = 64;

/// How two entries are written down.
pub(super) fn written(a: &Entry, b: &Entry, framing: &mut BTreeMap<Framing, u64>) {
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
pub(super) fn whole(a: &Scan, b: &Scan, framing: &mut BTreeMap<Framing, u64>) {
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
