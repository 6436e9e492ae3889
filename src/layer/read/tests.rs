//! Archives made by hand, block by block: what no tool writes, or none any more.

use super::*;
use std::collections::BTreeMap;
use std::io;

/// A header to be filled in; a ustar file of no bytes.
struct Builder([u8; 512]);

impl Builder {
    fn new(name: &str, flag: u8) -> Self {
        let mut header = Self([0; 512]).with(0, name.as_bytes());
        header = header.with(100, b"0000644\0").with(108, b"0001750\0").with(116, b"0001751\0");
        header.with(136, b"00000000144\0").with(156, &[flag]).with(257, b"ustar\x0000").size(0)
    }

    fn v7(name: &str, flag: u8) -> Self {
        Self::new(name, flag).with(257, &[0; 8])
    }

    fn gnu(name: &str, flag: u8) -> Self {
        Self::new(name, flag).with(257, b"ustar  \0")
    }

    fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn size(self, size: u64) -> Self {
        self.with(124, format!("{size:011o}\0").as_bytes())
    }

    /// The header with its checksum.
    fn block(self) -> Vec<u8> {
        let header = self.with(148, b"        ");
        let sum: u64 = header.0.iter().map(|&b| u64::from(b)).sum();
        header.with(148, format!("{sum:06o}\0 ").as_bytes()).0.to_vec()
    }

    /// The header, and `data` padded to whole blocks, of which it states the size.
    fn data(self, data: &[u8]) -> Vec<u8> {
        let mut bytes = self.size(data.len() as u64).block();
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }
}

fn pax(flag: u8, records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        let mut length = body.len();
        while length != body.len() + length.to_string().len() {
            length = body.len() + length.to_string().len();
        }
        bytes.extend_from_slice(length.to_string().as_bytes());
        bytes.extend_from_slice(&body);
    }
    Builder::new("pax", flag).data(&bytes)
}

fn read(blocks: &[&[u8]]) -> Result<Vec<(RawEntry, Vec<u8>)>, TarError> {
    let bytes = blocks.concat();
    let mut tar = TarReader::new(&bytes[..]);
    let mut entries = Vec::new();
    while let Some(entry) = tar.next()? {
        let mut data = Vec::new();
        let mut buf = [0; 100];
        loop {
            match tar.read_data(&mut buf)? {
                0 => break,
                n => data.extend_from_slice(&buf[..n]),
            }
        }
        entries.push((entry, data));
    }
    tar.finish()?;
    Ok(entries)
}

fn names(blocks: &[&[u8]]) -> Vec<String> {
    read(blocks).unwrap().iter().map(|(entry, _)| entry.path.escape_ascii().to_string()).collect()
}

const END: &[u8] = &[0; 1024];

#[test]
fn a_plain_file() {
    let entries = read(&[&Builder::new("a", b'0').data(b"hello"), END]).unwrap();
    let [(entry, data)] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!(data, b"hello");
    let attributes = Attributes { mode: 0o644, uid: 0o1750, gid: 0o1751, mtime: 100, xattrs: BTreeMap::new() };
    assert_eq!(*entry, RawEntry { path: b"a".to_vec(), attributes, kind: RawKind::File { size: 5 } });
}

#[test]
fn a_slash_makes_a_folder_only_of_old_entries() {
    for (header, folder) in [
        (Builder::v7("a/", 0), true),
        (Builder::v7("a/", b'0'), true),
        (Builder::new("a/", 0), true),
        (Builder::new("a/", b'0'), false),
        (Builder::v7("a", 0), false),
    ] {
        let entries = read(&[&header.block(), END]).unwrap();
        assert_eq!(entries[0].0.kind == RawKind::Directory, folder, "{entries:?}");
    }
}

#[test]
fn endings() {
    let file = Builder::new("a", b'0').data(b"x");
    for (tail, blocks, trailing) in [
        (vec![], 0, false),
        (vec![0; 512], 1, false),
        (vec![0; 1024], 2, false),
        (vec![0; 10240], 2, false),
        (vec![0; 700], 1, false),
        ([vec![0; 512], vec![1; 3]].concat(), 1, true),
        ([vec![0; 512], vec![1; 512]].concat(), 1, true),
        ([vec![0; 5000], vec![1]].concat(), 2, true),
    ] {
        let bytes = [&file[..], &tail].concat();
        assert_eq!(
            TarReader::new(&bytes[..]).finish().unwrap(),
            Ending { blocks, trailing, padded: true },
            "{}",
            tail.len()
        );
    }
    assert_eq!(TarReader::new(&b""[..]).finish().unwrap(), Ending { blocks: 0, trailing: false, padded: true });
}

#[test]
fn where_it_is_cut_is_told() {
    let bytes = Builder::new("a", b'0').data(&[1; 600]);
    let message = |end: usize| read(&[&bytes[..end]]).unwrap_err().to_string();
    assert_eq!(message(100), "the archive is truncated: 100 of 512 bytes of the header at byte 0");
    assert_eq!(message(512), "the archive is truncated: 0 of 600 bytes of the data of `a`");
    assert_eq!(message(1000), "the archive is truncated: 488 of 600 bytes of the data of `a`");
    // Nothing but padding is lost: umoci 0.4 writes such layers.
    for end in [1112, 1512] {
        let ending = TarReader::new(&bytes[..end]).finish().unwrap();
        assert_eq!(ending, Ending { blocks: 0, trailing: false, padded: false }, "{end}");
    }
    assert_eq!(message(1111), "the archive is truncated: 599 of 600 bytes of the data of `a`");
    let skipped = TarReader::new(&bytes[..1000]).finish().unwrap_err();
    assert_eq!(skipped.to_string(), message(1000));
}

#[test]
fn a_wrong_checksum_is_an_error() {
    let good = Builder::new("a", b'0').block();
    let mut bad = good.clone();
    bad[0] = b'b';
    assert!(matches!(read(&[&good, &bad]), Err(TarError::Checksum { offset: 512 })));
}

#[test]
fn a_checksum_of_signed_bytes_passes() {
    let header = Builder::new("\u{e9}", b'0').with(148, b"        ");
    let sum: i64 = header.0.iter().map(|&b| i64::from(b.cast_signed())).sum();
    let block = header.with(148, format!("{sum:06o}\0 ").as_bytes()).0;
    assert_eq!(names(&[&block, END]), ["\\xc3\\xa9"]);
}

#[test]
fn pax_overrides_and_global_ones_last() {
    let global = pax(b'g', &[("mtime", b"7.5"), ("uid", b"12"), ("comment", b"x")]);
    let own = pax(b'x', &[("path", b"new\nname"), ("mtime", b"-1.5"), ("uid", b""), ("SCHILY.xattr.a.b", b"1\n2=\0")]);
    let gone = pax(b'g', &[("mtime", b"")]);
    let file = Builder::new("a", b'0').block();
    let entries = read(&[&global, &own, &file, &file, &gone, &file]).unwrap();
    let seen: Vec<_> = entries.iter().map(|(e, _)| (&e.path[..], e.attributes.mtime, e.attributes.uid)).collect();
    assert_eq!(seen, [(&b"new\nname"[..], -2, 0o1750), (b"a", 7, 12), (b"a", 100, 12)]);
    let xattrs = BTreeMap::from([(b"a.b".to_vec(), b"1\n2=\0".to_vec())]);
    assert_eq!(entries[0].0.attributes.xattrs, xattrs);
    assert!(entries[1].0.attributes.xattrs.is_empty());
}

#[test]
fn pax_size_and_link() {
    let own = pax(b'x', &[("size", b"3")]);
    let mut file = Builder::new("a", b'0').size(0).block();
    file.extend_from_slice(&[b'y'; 512]);
    assert_eq!(read(&[&own, &file, END]).unwrap()[0].1, b"yyy");
    let own = pax(b'x', &[("linkpath", b"far\0away")]);
    let link = Builder::new("a", b'2').with(157, b"near").block();
    let entries = read(&[&own, &link, &link]).unwrap();
    assert_eq!(entries[0].0.kind, RawKind::Symlink(b"far\0away".to_vec()));
    assert_eq!(entries[1].0.kind, RawKind::Symlink(b"near".to_vec()));
}

#[test]
fn what_is_malformed_is_an_error() {
    let file = || Builder::new("a", b'0');
    let check = |blocks: &[&[u8]], message: &str| {
        let error = read(blocks).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    };
    check(&[&pax(b'x', &[("uid", b"-1")]), &file().block()], "the value of `uid` is malformed");
    check(&[&pax(b'x', &[("mtime", b"soon")]), &file().block()], "the value of `mtime` is malformed");
    check(&[&Builder::new("p", b'x').data(b"8 a=b\n"), &file().block()], "a record's length is wrong");
    check(&[&file().with(108, b"rootroot").block()], "`a` has a malformed uid");
    check(&[&file().with(100, &[0xff; 8]).block()], "`a` has a malformed mode");
    check(&[&file().with(124, &[0xff; 12]).block()], "`a` has a malformed size");
    check(&[&Builder::new("a", b'3').with(329, &[0xff; 8]).block()], "malformed device number");
    check(&[&pax(b'x', &[]), &pax(b'x', &[]), &file().block()], "the extended header at byte 512 comes twice");
    check(&[&pax(b'x', &[]), END], "describes no entry");
    check(&[&Builder::new("a", b'M').block()], "multi-volume");
    check(&[&Builder::new("a", b'\x1b').block()], "`a` has the unknown type `\\x1b`");
    check(&[&Builder::new("a", b'S').block()], "unknown type `S`");
    check(&[&pax(b'x', &[("size", b"18446744073709551615")]), &file().block()], "malformed size");
    check(&[&Builder::new("p", b'x').size(1 << 21).block()], "has more than 1048576 bytes");
    check(&[&Builder::new("p", b'L').size(1 << 40).block()], "has more than 1048576 bytes");
}

#[test]
fn global_headers_do_not_pile_up() {
    let value = vec![b'x'; 600_000];
    let (one, two) = (pax(b'g', &[("comment", &value)]), pax(b'g', &[("other", &value)]));
    read(&[&one, &one, END]).unwrap();
    assert!(matches!(read(&[&one, &two, END]), Err(TarError::TooLarge { what: Part::GlobalHeader, .. })));
}

#[test]
fn what_is_no_file_has_data_only_if_no_header_follows() {
    let next = Builder::new("next", b'0').block();
    for flag in [b'1', b'2', b'5', b'6'] {
        // A size that means nothing, as old tars write it.
        let stated = Builder::new("a", flag).size(700).block();
        assert_eq!(names(&[&stated, &next, END]), ["a", "next"]);
        assert_eq!(names(&[&stated, END]), ["a"]);
        assert_eq!(names(&[&stated]), ["a"]);
        // Data, as POSIX lets hard links have it.
        for size in [1, 512, 513, 1024, 3000] {
            let data = Builder::new("a", flag).data(&vec![b'd'; size]);
            assert_eq!(names(&[&data, &next, END]), ["a", "next"], "{size}");
            if size > 1 {
                read(&[&data[..512 + size - 1]]).unwrap_err();
            }
        }
    }
    let dump = Builder::gnu("a/", b'D').data(b"Yfile\0\0");
    assert_eq!(read(&[&dump, &next, END]).unwrap()[0].0.kind, RawKind::Directory);
}

#[test]
fn gnu_long_names_and_labels() {
    let long = "n".repeat(200);
    let name = Builder::gnu("././@LongLink", b'L').data(format!("{long}\0").as_bytes());
    let link = Builder::gnu("././@LongLink", b'K').data(b"target");
    let label = Builder::gnu("label", b'V').block();
    let entries = read(&[&label, &name, &link, &Builder::gnu("n", b'2').block()]).unwrap();
    assert_eq!(entries[0].0.path, long.as_bytes());
    assert_eq!(entries[0].0.kind, RawKind::Symlink(b"target".to_vec()));
}

#[test]
fn ustar_prefix() {
    let header = || Builder::new("name", b'0').with(345, b"some/folder");
    assert_eq!(names(&[&header().block()]), ["some/folder/name"]);
    assert_eq!(names(&[&header().with(257, b"ustar  \0").block()]), ["name"]);
    let star = header().with(345, &[b'p'; 131]).with(476, b"00000000000 ").with(508, b"tar\0").block();
    assert_eq!(names(&[&star]), [format!("{}/name", "p".repeat(131))]);
}

/// An old GNU map with `pieces`, the file having `size` bytes.
fn sparse(size: u64, pieces: &[(u64, u64)], data: &[u8]) -> Vec<u8> {
    let field = |n: u64| format!("{n:011o}\0");
    let map: Vec<u8> = pieces.iter().flat_map(|&(at, len)| (field(at) + &field(len)).into_bytes()).collect();
    let (first, rest) = map.split_at(map.len().min(96));
    let header = Builder::gnu("sparse", b'S').with(386, first).with(483, field(size).as_bytes());
    let mut bytes = header.with(482, &[u8::from(!rest.is_empty())]).size(data.len() as u64).block();
    for (n, chunk) in rest.chunks(504).enumerate() {
        let mut block = [0; 512];
        block[..chunk.len()].copy_from_slice(chunk);
        block[504] = u8::from((n + 1) * 504 < rest.len());
        bytes.extend_from_slice(&block);
    }
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn old_gnu_sparse() {
    let entries = read(&[&sparse(10, &[(1, 2), (5, 1), (10, 0)], b"abc"), END]).unwrap();
    assert_eq!(entries[0].1, b"\0ab\0\0c\0\0\0\0");
    let pieces: Vec<_> = (0..60).map(|n| (n * 2, 1)).collect();
    let entries = read(&[&sparse(120, &pieces, &[b'x'; 60]), END]).unwrap();
    assert_eq!(entries[0].1, b"x\0".repeat(60));
    let bad = [sparse(10, &[(5, 1), (1, 2)], b"abc"), sparse(10, &[(5, 6)], b"abcdef"), sparse(10, &[(5, 2)], b"abc")];
    for bytes in bad {
        assert!(matches!(read(&[&bytes, END]), Err(TarError::Sparse { .. })));
    }
}

#[test]
fn a_file_of_holes_takes_no_room() {
    let bytes = sparse(1 << 32, &[(1 << 31, 3)], b"abc");
    let mut tar = TarReader::new(&bytes[..]);
    let entry = tar.next().unwrap().unwrap();
    assert_eq!(entry.kind, RawKind::File { size: 1 << 32 });
    assert_eq!(tar.contiguous(), None);
    let mut buf = [0; 8];
    assert_eq!(tar.read_piece(&mut buf).unwrap(), Some((1 << 31, 3)));
    assert_eq!(tar.read_piece(&mut buf).unwrap(), None);
    assert_eq!(tar.finish().unwrap(), Ending { blocks: 0, trailing: false, padded: true });
}

#[test]
fn an_unknown_sparse_format_is_an_error() {
    let own = pax(b'x', &[("GNU.sparse.major", b"2"), ("GNU.sparse.minor", b"0")]);
    assert!(matches!(read(&[&own, &Builder::new("a", b'0').block()]), Err(TarError::SparseFormat { .. })));
    let own = pax(b'x', &[("GNU.sparse.map", b"1,2,3"), ("GNU.sparse.size", b"9")]);
    assert!(matches!(read(&[&own, &Builder::new("a", b'0').block()]), Err(TarError::Sparse { .. })));
}

#[test]
fn what_is_not_read_is_passed_over() {
    let bytes = [Builder::new("a", b'0').data(&[1; 5000]), Builder::new("b", b'0').data(b"b")].concat();
    let mut tar = TarReader::new(&bytes[..]);
    tar.next().unwrap().unwrap();
    assert_eq!(tar.contiguous(), Some(Extent { offset: 512, len: 5000 }));
    tar.read_data(&mut [0; 7]).unwrap();
    assert_eq!(tar.next().unwrap().unwrap().path, b"b");
    let mut data = String::new();
    io::Read::read_to_string(&mut tar.data(), &mut data).unwrap();
    assert_eq!(data, "b");
}
