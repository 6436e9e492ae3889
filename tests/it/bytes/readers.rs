//! Readers that others wrote see the same tree: names, kinds, modes, sizes, owners, times, links, contents.

use super::memory::tar;
use super::sample::{Sample, Shape, Taste, content, group, one_of_everything, samples};
use crate::support::needs;
use proptest::prelude::*;
use rebake::layer::write::MTIME;
use rebake::oci::Digest;
use rebake::tree::Attributes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// An entry in words that all readers have. Names have no slash at their end; sizes of all but files are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    name: Vec<u8>,
    kind: char,
    mode: u32,
    uid: u64,
    gid: u64,
    size: u64,
    link: Vec<u8>,
    device: (u32, u32),
}

/// An entry and what only some readers tell.
struct Whole {
    seen: Seen,
    mtime: i64,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    sha256: String,
}

/// What a reader is to see, by name, whiteouts too.
fn expected(sample: &Sample) -> Vec<Whole> {
    let whole = |name: &[u8], attributes: &Attributes, kind, data: Vec<u8>, link: &[u8], device| {
        let size = data.len() as u64;
        let (mode, uid, gid) = (attributes.mode, attributes.uid, attributes.gid);
        let seen = Seen { name: name.to_vec(), kind, mode, uid, gid, size, link: link.to_vec(), device };
        Whole { seen, mtime: attributes.mtime, xattrs: attributes.xattrs.clone(), sha256: Digest::of(&data).hex() }
    };
    let mut all: Vec<Whole> = Vec::new();
    for (path, (attributes, shape)) in &sample.entries {
        let none = (0, 0);
        all.push(match shape {
            Shape::Folder => whole(path, attributes, 'd', vec![], b"", none),
            Shape::File { seed, size } => whole(path, attributes, '-', content(*seed, *size), b"", none),
            Shape::Linked(id) if sample.first(*id) == path => {
                let (seed, size) = group(*id);
                whole(path, attributes, '-', content(seed, size), b"", none)
            }
            Shape::Linked(id) => whole(path, attributes, 'h', vec![], sample.first(*id), none),
            Shape::Symlink(target) => whole(path, attributes, 'l', vec![], target, none),
            Shape::Device { block, major, minor } => {
                whole(path, attributes, if *block { 'b' } else { 'c' }, vec![], b"", (*major, *minor))
            }
            Shape::Fifo => whole(path, attributes, 'p', vec![], b"", none),
        });
    }
    for path in &sample.whiteouts {
        let at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let name = [&path[..at], b".wh.", &path[at..]].concat();
        let attributes = Attributes { mode: 0o644, mtime: MTIME, ..Attributes::default() };
        all.push(whole(&name, &attributes, '-', vec![], b"", (0, 0)));
    }
    all.sort_by(|a, b| a.seen.name.cmp(&b.seen.name));
    all
}

/// By name; what is compared is the tree, the order is held elsewhere.
fn sorted(mut seen: Vec<Seen>) -> Vec<Seen> {
    seen.sort_by(|a, b| a.name.cmp(&b.name));
    seen
}

fn bare(expected: &[Whole]) -> Vec<Seen> {
    expected.iter().map(|whole| whole.seen.clone()).collect()
}

/// The `tar` crate, which splits PAX records at newlines: mild samples only.
fn by_crate(bytes: &[u8]) -> Vec<Whole> {
    let mut archive = tar::Archive::new(bytes);
    let mut all = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut xattrs = BTreeMap::new();
        for record in entry.pax_extensions().unwrap().into_iter().flatten() {
            let record = record.unwrap();
            if let Some(name) = record.key_bytes().strip_prefix(b"SCHILY.xattr.") {
                xattrs.insert(name.to_vec(), record.value_bytes().to_vec());
            }
        }
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        let header = entry.header();
        let kind = match header.entry_type() {
            tar::EntryType::Directory => 'd',
            tar::EntryType::Regular => '-',
            tar::EntryType::Link => 'h',
            tar::EntryType::Symlink => 'l',
            tar::EntryType::Char => 'c',
            tar::EntryType::Block => 'b',
            tar::EntryType::Fifo => 'p',
            other => panic!("{other:?}"),
        };
        let name = entry.path_bytes().into_owned();
        let seen = Seen {
            name: name.strip_suffix(b"/").unwrap_or(&name).to_vec(),
            kind,
            mode: header.mode().unwrap(),
            uid: header.uid().unwrap(),
            gid: header.gid().unwrap(),
            size: entry.size(),
            link: entry.link_name_bytes().unwrap_or_default().into_owned(),
            device: (header.device_major().unwrap().unwrap(), header.device_minor().unwrap().unwrap()),
        };
        let mtime = i64::try_from(header.mtime().unwrap()).unwrap();
        all.push(Whole { seen, mtime, xattrs, sha256: Digest::of(&data).hex() });
    }
    all.sort_by(|a, b| a.seen.name.cmp(&b.seen.name));
    all
}

/// Tells every member of the tar on standard input as a line of JSON, names in hex.
const PYTHON: &str = "
import hashlib, json, sys, tarfile
hexed = lambda text: text.encode('utf-8', 'surrogateescape').hex()
kinds = {b'0': '-', b'1': 'h', b'2': 'l', b'3': 'c', b'4': 'b', b'5': 'd', b'6': 'p'}
with tarfile.open(fileobj=sys.stdin.buffer, mode='r|', encoding='utf-8', errors='surrogateescape') as tar:
    for m in tar:
        data = tar.extractfile(m).read() if m.isreg() else b''
        xattrs = {hexed(k[13:]): hexed(v) for k, v in m.pax_headers.items() if k.startswith('SCHILY.xattr.')}
        print(json.dumps([hexed(m.name), kinds[m.type], m.mode, m.uid, m.gid, m.size, hexed(m.linkname),
            m.devmajor, m.devminor, int(m.mtime), xattrs, hashlib.sha256(data).hexdigest()]))
";

fn unhex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn by_python(bytes: &[u8]) -> Vec<Whole> {
    let output = piped(Command::new("python3").args(["-c", PYTHON]), bytes);
    let number = |value: &Value| value.as_u64().unwrap();
    let entry = |line: &str| {
        let fields: Vec<Value> = serde_json::from_str(line).unwrap();
        let device = |n: usize| u32::try_from(number(&fields[n])).unwrap();
        let seen = Seen {
            name: unhex(&fields[0]),
            kind: fields[1].as_str().unwrap().chars().next().unwrap(),
            mode: u32::try_from(number(&fields[2])).unwrap(),
            uid: number(&fields[3]),
            gid: number(&fields[4]),
            size: number(&fields[5]),
            link: unhex(&fields[6]),
            device: (device(7), device(8)),
        };
        let hexed = |name: &String| unhex(&Value::from(name.as_str()));
        let xattrs = fields[10].as_object().unwrap().iter().map(|(name, value)| (hexed(name), unhex(value)));
        let (mtime, sha256) = (fields[9].as_i64().unwrap(), fields[11].as_str().unwrap().to_owned());
        Whole { seen, mtime, xattrs: xattrs.collect(), sha256 }
    };
    let mut all: Vec<Whole> = String::from_utf8(output).unwrap().lines().map(entry).collect();
    all.sort_by(|a, b| a.seen.name.cmp(&b.seen.name));
    all
}

/// Runs a program with the bytes on its standard input; its output.
fn piped(command: &mut Command, bytes: &[u8]) -> Vec<u8> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C.UTF-8").spawn();
    let child = child.as_mut().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        // A reader may stop at the end of the archive, before the end of the padding.
        scope.spawn(move || drop(stdin.write_all(bytes)));
        scope.spawn(|| child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap());
        child.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    });
    let status = child.wait().unwrap();
    assert!(status.success() && stderr.is_empty(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    stdout
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tar_crate(sample in samples(Taste::Mild)) {
        let expected = expected(&sample);
        let read = by_crate(&tar(&sample.tree(usize::MAX)));
        prop_assert_eq!(read.len(), expected.len());
        for (read, whole) in read.iter().zip(&expected) {
            prop_assert_eq!(&read.seen, &whole.seen);
            prop_assert_eq!((&read.xattrs, &read.sha256), (&whole.xattrs, &whole.sha256));
            // It does not look for times in extended headers.
            let plain = (0..1 << 33).contains(&whole.mtime);
            prop_assert_eq!(read.mtime, if plain { whole.mtime } else { 0 });
        }
    }

    #[test]
    fn python(sample in samples(Taste::Mild)) {
        if needs(&["python3"]) {
            let expected = expected(&sample);
            let read = by_python(&tar(&sample.tree(usize::MAX)));
            prop_assert_eq!(read.len(), expected.len());
            for (read, whole) in read.iter().zip(&expected) {
                prop_assert_eq!(&read.seen, &whole.seen);
                prop_assert_eq!((read.mtime, &read.xattrs, &read.sha256), (whole.mtime, &whole.xattrs, &whole.sha256));
            }
        }
    }
}

/// `drwxr-xr-x` and its like.
fn mode(text: &str) -> u32 {
    let special = [0o4000, 0o2000, 0o1000];
    let bits = text.bytes().skip(1).take(9).enumerate().map(|(n, letter)| {
        let bit = 0o400 >> n;
        match letter {
            b'-' => 0,
            b's' | b't' => bit | special[n / 3],
            b'S' | b'T' => special[n / 3],
            _ => bit,
        }
    });
    bits.sum()
}

/// The first fields of a line, and all that follows them.
fn fields<const N: usize>(line: &str) -> ([&str; N], &str) {
    let mut rest = line;
    let fields = std::array::from_fn(|_| {
        rest = rest.trim_start();
        let (field, after) = rest.split_once(' ').unwrap();
        rest = after;
        field
    });
    (fields, rest)
}

fn listed(first: &str, owner: [&str; 2], size: &str, name: &str) -> Seen {
    let kind = first.chars().next().unwrap();
    let (name, link) = match kind {
        'l' => name.split_once(" -> ").unwrap(),
        _ => name.split_once(" link to ").unwrap_or((name, "")),
    };
    // bsdtar shows a hard link as the file that it is.
    let kind = if link.is_empty() || kind == 'l' { kind } else { 'h' };
    let (size, device) = match size.split_once(',') {
        Some((major, minor)) => (0, (major.parse().unwrap(), minor.parse().unwrap())),
        None => (size.parse().unwrap(), (0, 0)),
    };
    Seen {
        name: name.strip_suffix('/').unwrap_or(name).into(),
        kind,
        mode: mode(first),
        uid: owner[0].parse().unwrap(),
        gid: owner[1].parse().unwrap(),
        size,
        link: link.into(),
        device,
    }
}

#[test]
fn gnu_tar() {
    if !needs(&["tar"]) {
        return;
    }
    let sample = one_of_everything();
    let options =
        ["--list", "--verbose", "--numeric-owner", "--full-time", "--utc", "--quoting-style=literal", "--file=-"];
    let text = String::from_utf8(piped(Command::new("tar").args(options), &tar(&sample.tree(usize::MAX)))).unwrap();
    let expected = expected(&sample);
    let mut times = BTreeMap::new();
    let entry = |line: &str| {
        let ([first, owner, size, day, hour], name) = fields(line);
        let (uid, gid) = owner.split_once('/').unwrap();
        let seen = listed(first, [uid, gid], size, name);
        times.insert(seen.name.clone(), format!("{day} {hour}"));
        seen
    };
    let seen = sorted(text.lines().map(entry).collect());
    assert_eq!(seen, bare(&expected));
    let time = |name: &str| times[name.as_bytes()].as_str();
    assert_eq!(time("dir/early"), "1969-12-31 00:00:00");
    assert_eq!(time("dir/empty"), "2096-10-02 07:06:40");
    assert_eq!(time("dir"), "1980-01-01 00:00:00");
}

#[test]
fn bsdtar() {
    if !needs(&["bsdtar"]) {
        return;
    }
    let sample = one_of_everything();
    let options = ["--list", "--verbose", "--numeric-owner", "--file", "-"];
    let text = String::from_utf8(piped(Command::new("bsdtar").args(options), &tar(&sample.tree(usize::MAX)))).unwrap();
    let entry = |line: &str| {
        let ([first, _, uid, gid, size, _, _, _], name) = fields(line);
        listed(first, [uid, gid], size, name)
    };
    assert_eq!(sorted(text.lines().map(entry).collect()), bare(&expected(&sample)));
}
