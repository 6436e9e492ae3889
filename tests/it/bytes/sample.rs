//! Random trees, described in words of their own, so that what is expected is not what the writer says.

use super::memory::Piece;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rebake::layer::write::MTIME;
use rebake::tree::{Attributes, Entry, EntryPath, Firmness, Kind, LinkId, Origin, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    Folder,
    /// A file of so many bytes, which depend on the seed.
    File {
        seed: u32,
        size: usize,
    },
    /// One of a group of hard links; the group decides its content.
    Linked(u8),
    Symlink(Vec<u8>),
    Device {
        block: bool,
        major: u32,
        minor: u32,
    },
    Fifo,
}

/// A tree: entries and whiteouts by their paths.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    pub entries: BTreeMap<Vec<u8>, (Attributes, Shape)>,
    pub whiteouts: BTreeSet<Vec<u8>>,
}

/// How far a sample goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taste {
    /// As far as our types go.
    Wild,
    /// As far as other readers can follow: no newline in names or values, and numbers of a usual width.
    Mild,
}

pub const FOLDER: Attributes = Attributes { mode: 0o755, uid: 0, gid: 0, mtime: MTIME, xattrs: BTreeMap::new() };

/// The content of a group of hard links.
pub fn group(group: u8) -> (u32, usize) {
    (1000 + u32::from(group), [0, 700, 600_000][usize::from(group % 3)])
}

/// Bytes that neither repeat nor are all noise.
pub fn content(seed: u32, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let mut bytes = Vec::with_capacity(size + 4);
    while bytes.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(&(state >> 20).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Whether these bytes are a path, and not only another spelling of one.
fn is_path(bytes: &[u8]) -> bool {
    EntryPath::parse(bytes).is_ok_and(|path| path.as_bytes() == bytes)
}

impl Sample {
    /// Adds an entry below one of the folders so far; a path that is none or is taken is left out.
    fn add(&mut self, below: &Index, name: &[u8], attributes: Attributes, shape: Shape) {
        let path = self.below(below, name);
        if !is_path(&path) || self.entries.contains_key(&path) {
            return;
        }
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let above: Vec<&[u8]> = slashes.map(|at| &path[..at]).collect();
        if above.iter().any(|path| self.entries.get(*path).is_some_and(|(_, shape)| *shape != Shape::Folder)) {
            return;
        }
        for folder in above {
            self.entries.entry(folder.to_vec()).or_insert((FOLDER, Shape::Folder));
        }
        self.entries.insert(path, (attributes, shape));
    }

    fn below(&self, below: &Index, name: &[u8]) -> Vec<u8> {
        let mut folders = vec![&b""[..]];
        let is_folder = |(path, (_, shape)): (&'_ Vec<u8>, &(Attributes, Shape))| (*shape == Shape::Folder, path.len());
        folders.extend(self.entries.iter().filter(|entry| is_folder(*entry).0).map(|(path, _)| path.as_slice()));
        match *below.get(&folders) {
            b"" => name.to_vec(),
            folder => [folder, b"/", name].concat(),
        }
    }

    /// The tree; its files are read in pieces of `step` bytes.
    pub fn tree(&self, step: usize) -> Tree<Piece> {
        let mut tree = Tree::default();
        for (path, (attributes, shape)) in &self.entries {
            let file = |(seed, size): (u32, usize), link| Kind::File {
                content: Piece { bytes: content(seed, size).into(), step },
                size: size as u64,
                link,
            };
            let kind = match shape {
                Shape::Folder => Kind::Directory,
                Shape::File { seed, size } => file((*seed, *size), None),
                Shape::Linked(id) => file(group(*id), Some(LinkId(u64::from(*id)))),
                Shape::Symlink(target) => Kind::Symlink { target: target.as_slice().into() },
                Shape::Device { block: true, major, minor } => Kind::BlockDevice { major: *major, minor: *minor },
                Shape::Device { block: false, major, minor } => Kind::CharDevice { major: *major, minor: *minor },
                Shape::Fifo => Kind::Fifo,
            };
            let attributes = attributes.clone();
            let entry = Entry { attributes, kind, firmness: Firmness::Stated, origin: Origin(0) };
            tree.insert(EntryPath::parse(path).unwrap(), entry).unwrap();
        }
        for path in &self.whiteouts {
            tree.remove(EntryPath::parse(path).unwrap());
        }
        tree
    }

    /// The first path of a group, which carries its content.
    pub fn first(&self, id: u8) -> &[u8] {
        self.entries.iter().find(|(_, (_, shape))| *shape == Shape::Linked(id)).unwrap().0
    }
}

fn name(taste: Taste) -> impl Strategy<Value = Vec<u8>> {
    let any = match taste {
        Taste::Wild => select((1..=255).filter(|byte| *byte != b'/').collect::<Vec<u8>>()).boxed(),
        Taste::Mild => select(b"abcXYZ019-_+=~.".to_vec()).boxed(),
    };
    let unicode = ["größe", "日本語", "e\u{301}", "\u{202e}abc", "🍞", "İi"];
    prop_oneof![
        4 => prop::collection::vec(any.clone(), 1..12),
        2 => select(unicode.to_vec()).prop_map(|name| name.as_bytes().to_vec()),
        1 => Just(b"latin-\xe9\xff".to_vec()),
        // Around the fields of ustar: 100 bytes of name, 155 of prefix.
        2 => (select(vec![98, 99, 100, 101, 154, 155, 156, 255]), any).prop_map(|(n, byte)| [vec![b'n'; n - 1], vec![byte]].concat()),
        1 => (1..40_usize).prop_map(|n| ["d"].repeat(n).join("/").into_bytes()),
        1 => (200..250_usize).prop_map(|n| ["p".repeat(n), "q".repeat(n)].join("/").into_bytes()),
    ]
}

fn attributes(taste: Taste) -> impl Strategy<Value = Attributes> {
    let mut ids = vec![0, 1000, 2_097_151, 2_097_152, 4_294_967_294];
    let mut times = vec![MTIME, 0, -1, -86_400_000, 8_589_934_591, 8_589_934_592, 10_000_000_000];
    let mut values = vec![b"".to_vec(), b"value".to_vec(), b"a=b=c".to_vec(), b"\x01\0\0\x02\xff\0".to_vec()];
    if taste == Taste::Wild {
        ids.push(u64::MAX);
        times.extend([i64::MAX, i64::MIN + 1]);
        values.extend([b"two\nlines\n".to_vec(), b"18 path=elsewhere\n".to_vec(), vec![b'\n'; 3], vec![0; 300]]);
    }
    let names = ["user.a", "user.b", "security.capability", "trusted.overlay.opaque", "user.größe"];
    let xattrs = prop::collection::btree_map(
        select(names.to_vec()).prop_map(|name| name.as_bytes().to_vec()),
        select(values),
        0..3,
    );
    let xattrs = prop_oneof![3 => Just(BTreeMap::new()), 1 => xattrs];
    let mode = prop_oneof![select(vec![0o644, 0o755, 0o7777, 0]), 0..=0o7777_u32];
    (mode, select(ids.clone()), select(ids), select(times), xattrs)
        .prop_map(|(mode, uid, gid, mtime, xattrs)| Attributes { mode, uid, gid, mtime, xattrs })
}

fn shape(taste: Taste) -> impl Strategy<Value = Shape> {
    const STEP: usize = 512 * 1024;
    let small = select(vec![0, 1, 511, 512, 513, 4000, 33_000]);
    let edges = select(vec![STEP - 513, STEP - 512, STEP - 511, STEP - 1, STEP, STEP + 1, (1 << 20) + 1, 1_200_000]);
    let device = |most: u32| (any::<bool>(), 0..=most, 0..=most);
    let target = prop_oneof![
        name(taste),
        Just(b"../../up".to_vec()),
        Just([vec![b't'; 99], b"/x".to_vec()].concat()),
        Just(vec![b'u'; 100])
    ];
    prop_oneof![
        6 => Just(Shape::Folder),
        8 => (any::<u32>(), small).prop_map(|(seed, size)| Shape::File { seed, size }),
        1 => (any::<u32>(), edges).prop_map(|(seed, size)| Shape::File { seed, size }),
        3 => (0..3_u8).prop_map(Shape::Linked),
        2 => target.prop_map(Shape::Symlink),
        1 => device(0o7_777_777).prop_map(|(block, major, minor)| Shape::Device { block, major, minor }),
        1 => Just(Shape::Fifo),
    ]
}

/// Random trees.
pub fn samples(taste: Taste) -> impl Strategy<Value = Sample> {
    let entry = (any::<Index>(), name(taste), attributes(taste), shape(taste));
    let whiteout = (any::<Index>(), name(taste));
    (prop::collection::vec(entry, 0..30), prop::collection::vec(whiteout, 0..4)).prop_map(|(entries, whiteouts)| {
        let mut sample = Sample::default();
        // All hard links of a file have its attributes.
        let mut groups: BTreeMap<u8, Attributes> = BTreeMap::new();
        for (below, name, mut attributes, shape) in entries {
            if let Shape::Linked(id) = shape {
                attributes = groups.entry(id).or_insert(attributes).clone();
            }
            sample.add(&below, &name, attributes, shape);
        }
        for (below, name) in whiteouts {
            let path = sample.below(&below, &name);
            if is_path(&path) && path.rsplit(|b| *b == b'/').next().is_some_and(|n| n.len() <= 251) {
                sample.whiteouts.insert(path);
            }
        }
        sample
    })
}

/// A tree with one of everything, for readers whose words are compared.
pub fn one_of_everything() -> Sample {
    let mut sample = Sample::default();
    let root = FOLDER;
    let mut add = |path: &str, attributes: &Attributes, shape| {
        sample.entries.insert(path.as_bytes().to_vec(), (attributes.clone(), shape));
    };
    let odd = Attributes { mode: 0o4711, uid: 1234, gid: 567, ..root.clone() };
    let large = Attributes { mode: 0o600, uid: 3_000_000, gid: 4_000_000_000, mtime: 4_000_000_000, ..root.clone() };
    let early = Attributes { mode: 0o1777, mtime: -86_400, ..root.clone() };
    let long = ["l".repeat(120), "m".repeat(120), "n".repeat(60)].join("/");
    let (outer, inner) = ("l".repeat(120), ["l".repeat(120), "m".repeat(120)].join("/"));
    for folder in ["dir", &outer, &inner] {
        add(folder, &root, Shape::Folder);
    }
    add("dir/early", &early, Shape::Folder);
    add("dir/file", &odd, Shape::File { seed: 1, size: 1000 });
    add("dir/file-2", &root, Shape::File { seed: 2, size: 512 });
    add("dir/empty", &large, Shape::File { seed: 3, size: 0 });
    add("dir/größe", &root, Shape::File { seed: 4, size: 3 });
    add("dir/link", &Attributes { mode: 0o777, ..root.clone() }, Shape::Symlink(b"file".to_vec()));
    add("dir/far", &Attributes { mode: 0o777, ..root.clone() }, Shape::Symlink(vec![b'f'; 150]));
    add("dir/one", &root, Shape::Linked(1));
    add("dir/two", &root, Shape::Linked(1));
    add("dir/null", &Attributes { mode: 0o666, ..root.clone() }, Shape::Device { block: false, major: 1, minor: 3 });
    add("dir/disk", &Attributes { mode: 0o660, ..root.clone() }, Shape::Device { block: true, major: 254, minor: 16 });
    add("dir/pipe", &root, Shape::Fifo);
    add(&long, &root, Shape::File { seed: 5, size: 600_000 });
    sample.whiteouts.insert(b"dir/gone".to_vec());
    sample
}
