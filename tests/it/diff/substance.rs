//! Where the order of entries, or an entry that one side leaves out, decides what a client unpacks; and where not.

use super::made::{Entry, Made};
use super::{Compared, diff, text};
use crate::support::{Work, attempt, rebake};
use std::time::{Duration, Instant};

/// Compares two lists of entries, both ways, as the lowest layer and above `base`.
#[track_caller]
fn rung(base: Option<&[Entry]>, a: &[Entry], b: &[Entry]) -> String {
    let image = |entries: &[Entry]| {
        let layers = base.map(<[Entry]>::to_vec).into_iter().chain([entries.to_vec()]).collect();
        Made { layers, ..Made::usual() }
    };
    let there = Compared::new(&image(a), &image(b));
    let back = Compared::new(&image(b), &image(a));
    assert_eq!(there.rung(), back.rung(), "{:#}", there.json);
    there.rung().to_owned()
}

fn picked(all: &[Entry], order: &[usize]) -> Vec<Entry> {
    order.iter().map(|&n| all[n].clone()).collect()
}

#[test]
fn a_hard_link_is_what_stood_there_before_it() {
    let all = [Entry::file("f", "good\n"), Entry::file("f", "evil\n"), Entry::hard("h", "f"), Entry::file("z", "")];
    let order = |order: &[usize]| picked(&all, order);
    // h is the good one, and the evil one.
    assert_eq!(rung(None, &order(&[0, 2, 1, 3]), &order(&[0, 1, 2, 3])), "different");
    // Of one f it is that one, wherever it stands behind it.
    assert_eq!(rung(None, &order(&[0, 2, 3]), &order(&[0, 3, 2])), "same-tree");
    // Before f it is a link to that of a lower layer, or to nothing.
    assert_eq!(rung(None, &order(&[0, 2, 3]), &order(&[2, 0, 3])), "different");
    // A copy of what it was then, and of what it was not.
    let copy = |text| [Entry::file("f", "good\n"), Entry::file("h", text), Entry::file("f", "evil\n")].to_vec();
    assert_eq!(rung(None, &order(&[0, 2, 1]), &copy("good\n")), "same-tree");
    assert_eq!(rung(None, &order(&[0, 2, 1]), &copy("evil\n")), "different");
    // The same twice is the same; one after the other, in another order, is not.
    assert_eq!(rung(None, &order(&[0, 0, 3]), &order(&[0, 3])), "same-tree");
    assert_eq!(rung(None, &order(&[0, 1]), &order(&[1, 0])), "different");
}

#[test]
fn a_link_has_the_rights_of_its_file() {
    let with = |mode, h: Entry| [Entry::file("f", "x").mode(mode), h].to_vec();
    let copy = Entry::file("h", "x");
    assert_eq!(rung(None, &with(0o644, Entry::hard("h", "f")), &with(0o644, copy.clone())), "same-tree");
    assert_eq!(rung(None, &with(0o4755, Entry::hard("h", "f")), &with(0o4755, copy)), "different");
}

#[test]
fn a_whiteout_and_what_it_covers() {
    let base = [Entry::folder("d/"), Entry::file("d/c", "base"), Entry::file("d/k", "base")];
    for whiteout in ["d/.wh.c", "d/.wh..wh..opq", ".wh.d"] {
        let all = [Entry::folder("d/"), Entry::file(whiteout, ""), Entry::file("d/c", "2"), Entry::file("e", "2")];
        let order = |order: &[usize]| picked(&all, order);
        let usual = order(&[0, 1, 2, 3]);
        assert_eq!(rung(Some(&base), &usual, &order(&[0, 2, 1, 3])), "different", "{whiteout}");
        assert_eq!(rung(Some(&base), &usual, &order(&[0, 1, 3, 2])), "same-tree", "{whiteout}");
        assert_eq!(rung(Some(&base), &usual, &order(&[3, 0, 1, 2])), "same-tree", "{whiteout}");
        assert_eq!(rung(Some(&base), &usual, &order(&[0, 2, 3])), "different", "{whiteout}");
    }
    // One that covers nothing of the layer may stand anywhere.
    let all = [Entry::folder("d/"), Entry::file("d/.wh.c", ""), Entry::file("d/c-d", "2"), Entry::file("d/b", "2")];
    assert_eq!(rung(Some(&base), &all, &picked(&all, &[0, 3, 2, 1])), "same-tree");
}

#[test]
fn a_folder_that_one_side_leaves_out() {
    let with = |folder: Entry| [folder, Entry::file("d/f", "1")].to_vec();
    let without = [Entry::file("d/f", "1")].to_vec();
    let usual = Entry::folder("d/");
    assert_eq!(rung(None, &with(usual.clone()), &without), "same-tree");
    assert_eq!(rung(None, &with(usual.clone().mode(0o1755)), &without), "different");
    assert_eq!(rung(None, &with(usual.clone().mode(0o700)), &without), "different");
    assert_eq!(rung(None, &with(Entry { owner: (1, 1), ..usual.clone() }), &without), "different");
    // Below, d may be a symlink, or have other rights.
    let symlink = [Entry::folder("x/"), Entry::symlink("d", "x")];
    assert_eq!(rung(Some(&symlink), &with(usual.clone()), &without), "different");
    assert_eq!(rung(Some(&[usual.clone().mode(0o1777)]), &with(usual.clone()), &without), "different");
    // Where both list it nothing is unclear.
    let later = |folder: Entry| [folder, Entry::file("d/f", "1")].map(|entry| Entry { mtime: 5, ..entry }).to_vec();
    assert_eq!(rung(Some(&symlink), &with(usual.clone()), &later(usual)), "same-tree");
}

#[test]
fn paths_that_are_others_than_they_look() {
    // Through a symlink of a lower layer the two are one.
    let base = [Entry::folder("x/"), Entry::symlink("d", "x")];
    let all = [Entry::file("d/f", "1"), Entry::file("x/f", "2")];
    let turned = picked(&all, &[1, 0]);
    assert_eq!(rung(Some(&base), &all, &turned), "different");
    assert_eq!(rung(None, &all, &turned), "same-tree");
    let folders = [Entry::folder("d/"), Entry::folder("x/"), all[0].clone(), all[1].clone()];
    assert_eq!(rung(Some(&base), &folders, &picked(&folders, &[1, 0, 3, 2])), "same-tree");
    let upwards = [Entry::folder("d/"), Entry::file("f", "1"), Entry::file("d/../f", "2")];
    assert_eq!(rung(None, &upwards, &picked(&upwards, &[0, 2, 1])), "different");
}

/// A file with nothing but a hole.
pub fn hole(size: u64) -> Entry {
    let records = [("GNU.sparse.size", size.to_string()), ("GNU.sparse.map", format!("{size},0"))];
    let records = records.map(|(key, value)| (key.to_owned(), value.into_bytes())).to_vec();
    Entry { records, ..Entry::file("f", "") }
}

#[test]
fn holes_that_nobody_could_unpack() {
    let said = |a, b| {
        let work = Work::new();
        Made::new(vec![hole(a)]).write(&work, "a");
        Made::new(vec![hole(b)]).write(&work, "b");
        text(&work, "a", "b")
    };
    let start = Instant::now();
    let bomb = said(1 << 50, (1 << 50) + 512);
    assert!(bomb.contains("it is a bomb"), "{bomb}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let small = said(4096, 8192);
    assert!(small.contains("8192") && !small.contains("it is a bomb"), "{small}");
}

#[test]
fn long_and_deep_paths() {
    let work = Work::new();
    let image = |name: &str, path: &str, count: usize, turn: bool| {
        let file = |n: usize| {
            let records = vec![("path".to_owned(), format!("{path}{n:05}").into_bytes())];
            Entry { records, ..Entry::file("f", "") }
        };
        let mut entries: Vec<Entry> = (0..count).map(file).collect();
        if turn {
            entries.reverse();
        }
        Made::new(entries).write(&work, name);
    };
    let long = "a/".repeat(200_000);
    image("a", &long, 3, false);
    image("b", &long, 3, true);
    let said = text(&work, "a", "b");
    assert!(said.contains("is longer than 4095 bytes"), "{said}");
    let deep = "a/".repeat(2000);
    image("c", &deep, 2000, false);
    image("d", &deep, 2000, true);
    let start = Instant::now();
    let (_, json) = diff(&work, "c", "d", &[]);
    assert_eq!(json["rung"], "same-tree");
    let out = attempt(rebake().current_dir(work.path()).args(["inspect", "--tree", "d"]));
    assert_eq!(out.code(), Some(0), "{out}");
    // The positive control is the time that it took before: minutes.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
