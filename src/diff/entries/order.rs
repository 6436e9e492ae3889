//! In which order entries stand.

use super::Sorting;
use crate::diff::scan::{Entry, Scan};

/// How a layer is sorted.
pub(super) fn sorting(scan: &Scan) -> Sorting {
    // A slash comes before all else, so that a folder's own content follows it.
    fn parts(entry: &Entry) -> impl Iterator<Item = u16> {
        entry.path.iter().map(|&b| if b == b'/' { 0 } else { u16::from(b).saturating_add(1) })
    }
    fn letters(entry: &Entry) -> impl Iterator<Item = u8> {
        let wanted = entry.path.iter().filter(|b| **b == b'/' || b.is_ascii_alphanumeric());
        wanted.map(|b| if *b == b'/' { 0 } else { b.to_ascii_lowercase() })
    }
    let entries = &scan.entries;
    if entries.is_sorted_by(|x, y| x.path <= y.path) {
        Sorting::Bytes
    } else if entries.is_sorted_by(|x, y| parts(x).le(parts(y))) {
        Sorting::Folders
    } else if entries.is_sorted_by(|x, y| letters(x).le(letters(y))) {
        Sorting::Locale
    } else {
        Sorting::Unsorted
    }
}
