//! What is written is read back: every path, in its order, with all that it carries.

use super::memory::{Piece, tar};
use super::sample::{Sample, Shape, Taste, content, group, samples};
use proptest::prelude::*;
use rebake::layer::read::{Ending, RawKind, TarReader};
use rebake::layer::write::{self, MTIME, WriteError};
use rebake::oci::Digest;
use rebake::tree::{Attributes, Entry, EntryPath, Firmness, Kind, Origin, Tree};
use std::collections::BTreeSet;
use std::io::Read;

/// The entries of a tar, each with the digest of its data.
fn read(bytes: &[u8]) -> Vec<(Vec<u8>, Attributes, RawKind, Digest)> {
    let mut reader = TarReader::new(bytes);
    let mut all = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        let mut data = Vec::new();
        reader.data().read_to_end(&mut data).unwrap();
        all.push((entry.path, entry.attributes, entry.kind, Digest::of(&data)));
    }
    assert_eq!(reader.finish().unwrap(), Ending { blocks: 2, trailing: false, padded: true });
    all
}

/// The entries that a sample is to become, whiteouts left out.
fn expected(sample: &Sample) -> Vec<(Vec<u8>, Attributes, RawKind, Digest)> {
    let entries = sample.entries.iter().map(|(path, (attributes, shape))| {
        let (mut name, mut data) = (path.clone(), Vec::new());
        let kind = match shape {
            Shape::Folder => {
                name.push(b'/');
                RawKind::Directory
            }
            Shape::File { seed, size } => {
                data = content(*seed, *size);
                RawKind::File { size: *size as u64 }
            }
            Shape::Linked(id) if sample.first(*id) == path => {
                let (seed, size) = group(*id);
                data = content(seed, size);
                RawKind::File { size: size as u64 }
            }
            Shape::Linked(id) => RawKind::HardLink(sample.first(*id).to_vec()),
            Shape::Symlink(target) => RawKind::Symlink(target.clone()),
            Shape::Device { block: true, major, minor } => RawKind::BlockDevice(*major, *minor),
            Shape::Device { block: false, major, minor } => RawKind::CharDevice(*major, *minor),
            Shape::Fifo => RawKind::Fifo,
        };
        (name, attributes.clone(), kind, Digest::of(&data))
    });
    entries.collect()
}

/// The folder and the name of a path.
fn parts(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_comes_back(sample in samples(Taste::Wild)) {
        let bytes = tar(&sample.tree(usize::MAX));
        prop_assert_eq!(bytes.len() % 512, 0);
        let all = read(&bytes);

        let is_whiteout = |path: &[u8]| parts(path).1.starts_with(b".wh.");
        let entries: Vec<_> = all.iter().filter(|entry| !is_whiteout(&entry.0)).cloned().collect();
        prop_assert_eq!(entries, expected(&sample));

        let mut seen: BTreeSet<&[u8]> = BTreeSet::from([&b""[..]]);
        let mut whiteouts = Vec::new();
        for (path, attributes, kind, _) in &all {
            let path = path.strip_suffix(b"/").unwrap_or(path);
            let (folder, name) = parts(path);
            if let Some(name) = name.strip_prefix(b".wh.") {
                let below = [folder, b"/"].concat();
                let sibling = |seen: &&[u8]| match folder {
                    b"" => !seen.is_empty(),
                    _ => seen.starts_with(&below),
                };
                prop_assert!(!seen.iter().any(sibling), "a whiteout comes before its siblings' content");
                prop_assert!(seen.contains(folder) || !sample.entries.contains_key(folder));
                prop_assert_eq!(kind, &RawKind::File { size: 0 });
                prop_assert_eq!(attributes, &Attributes { mode: 0o644, mtime: MTIME, ..Attributes::default() });
                whiteouts.push(if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() });
            } else {
                prop_assert!(seen.contains(folder), "every parent comes before its children");
                prop_assert!(seen.insert(path), "each path stands once");
            }
        }
        whiteouts.sort();
        prop_assert_eq!(whiteouts, sample.whiteouts.iter().cloned().collect::<Vec<_>>());
    }
}

#[test]
fn a_file_that_is_not_what_was_planned_is_told() {
    for (planned, there) in [(10, 9), (10, 11), (0, 1), (600_000, 599_999), (512 * 1024 - 512, 512 * 1024)] {
        let mut tree = Tree::default();
        let content = Piece { bytes: vec![7; there].into(), step: 1000 };
        let kind = Kind::File { content, size: planned as u64, link: None };
        let entry = Entry { attributes: Attributes::default(), kind, firmness: Firmness::Stated, origin: Origin(5) };
        tree.insert(EntryPath::parse("file").unwrap(), entry).unwrap();
        let error = write::tar(&tree, MTIME, &mut |_| Ok(())).unwrap_err();
        assert!(matches!(error, WriteError::Content { origin: Origin(5), .. }), "{error}");
    }
}

/// They would spill into the fields beside theirs.
#[test]
fn device_numbers_that_tar_cannot_say_are_refused() {
    for (major, minor, fits) in [(0o7_777_777, 0o7_777_777, true), (0o10_000_000, 0, false), (0, u32::MAX, false)] {
        let mut tree: Tree<Piece> = Tree::default();
        let kind = Kind::CharDevice { major, minor };
        let entry = Entry { attributes: Attributes::default(), kind, firmness: Firmness::Stated, origin: Origin(0) };
        tree.insert(EntryPath::parse("device").unwrap(), entry).unwrap();
        assert_eq!(write::tar(&tree, MTIME, &mut |_| Ok(())).is_ok(), fits, "{major},{minor}");
    }
}
