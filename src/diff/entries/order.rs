//! In which order entries stand.

use super::sorted::Sorted;
use super::{Order, Sorting};
use crate::diff::scan::{Entry, Scan};

/// Whether the entries of pairs of places come in the same order, and if not, in which.
pub(super) fn order(pairs: &mut [(usize, usize)], left: &Sorted, right: &Sorted) -> Option<Order> {
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
