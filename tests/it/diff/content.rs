//! What differs inside files.

use super::Compared;
use super::made::{Entry, Made};
use crate::support::{Work, needs, run, tool};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use std::io::Write;

/// Two contents at one path.
#[track_caller]
fn files(path: &str, a: &[u8], b: &[u8]) -> Compared {
    let image = |content: &[u8]| Made::new(vec![Entry::file(path, content)]);
    let compared = Compared::new(&image(a), &image(b));
    assert_eq!(compared.rung(), "different");
    compared
}

#[track_caller]
fn content(compared: &Compared) -> &Value {
    &compared.entries()[0]["content"]
}

#[test]
fn texts() {
    let compared = files("x", b"one\ntwo\nthree\n", b"one\n2\nthree\n");
    compared.expect("different", &["content"]);
    let diff = json!(["@@ -1,3 +1,3 @@", " one", "-two", "+2", " three"]);
    assert_eq!(content(&compared), &json!({ "kind": "text", "diff": diff, "omitted": 0 }));
    let work = Work::new();
    let image = |text: &str| Made::new(vec![Entry::file("x", text)]);
    image("one\ntwo\n").write(&work, "a");
    image("one\n2\n").write(&work, "b");
    let said = super::text(&work, "a", "b");
    assert!(said.contains("    ~ /x  content 8 bytes -> 6 bytes\n        @@ -1,2 +1,2 @@\n"), "{said}");
    let (_, json) = super::diff(&work, "a", "b", &["--no-content"]);
    assert_eq!(json["platforms"][0]["layers"][0]["entries"][0]["content"], Value::Null);
}

#[test]
fn bytes() {
    let a: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut b = a.clone();
    b[70_000] ^= 0xff;
    b[70_001] ^= 0xff;
    b[300_000] ^= 1;
    let compared = files("x", &a, &b);
    let found = content(&compared);
    assert_eq!((&found["kind"], &found["differing"]), (&json!("bytes"), &json!(3)));
    assert_eq!(found["runs"], json!([{ "offset": 70_000, "length": 2 }, { "offset": 300_000, "length": 1 }]));
    assert!(found["a"].as_str().unwrap().starts_with("5c 44 00 00"));
    // One is the start of the other.
    let compared = files("x", &a, &a[..399_000]);
    let found = content(&compared);
    assert_eq!((&found["differing"], &found["sizes"]), (&json!(0), &json!([400_000, 399_000])));
    let said = |a: &[u8], b: &[u8]| {
        let work = Work::new();
        Made::new(vec![Entry::file("x", a)]).write(&work, "a");
        Made::new(vec![Entry::file("x", b)]).write(&work, "b");
        super::text(&work, "a", "b")
    };
    let text = said(&a, &a[..399_000]);
    assert!(text.contains("B ends at offset 399000, A at 400000") && !text.contains("bytes differ"), "{text}");
    let text = said(&b[..399_000], &a);
    assert!(text.contains("3 bytes differ, the first at offset 70000; A ends at offset 399000, B at 400000"), "{text}");
    assert!(!said(&a, &b).contains("ends at"));
}

/// Of a file that is not compared whole, where it first differs.
#[test]
fn large_files() {
    let work = Work::new();
    let mut big = vec![0; (64 << 20) + 5];
    let image = |name: &str, big: &[u8]| {
        let made = Made { packing: super::made::Packing::None, ..Made::new(vec![Entry::file("big", big)]) };
        made.write(&work, name)
    };
    image("a", &big);
    image("shorter", &big[..(40 << 20) + 3]);
    image("longer", &[&big[..], b"0"].concat());
    big[(7 << 20) + 9] = 1;
    image("b", &big);
    for (other, mib) in [("b", 7), ("shorter", 40), ("longer", 64)] {
        let (_, json) = super::diff(&work, "a", other, &[]);
        let content = &json["platforms"][0]["layers"][0]["entries"][0]["content"];
        assert_eq!((&content["kind"], &content["mib"]), (&json!("large"), &json!(mib)), "{json:#}");
    }
    assert!(super::text(&work, "a", "b").contains("the first difference is within MiB 7, counted from 0"));
}

#[test]
fn elf() {
    let a = std::fs::read("/bin/true").expect("a program");
    let at = a.windows(4).position(|bytes| bytes == b"GNU\0").expect("a note") + 4;
    let note =
        a.windows(16).position(|bytes| bytes[..4] == [4, 0, 0, 0] && bytes[8..] == [3, 0, 0, 0, b'G', b'N', b'U', 0]);
    let note = note.map_or(at, |note| note + 16);
    let mut b = a.clone();
    b[note] ^= 0xff;
    let compared = files("bin/true", &a, &b);
    assert_eq!(content(&compared)["sections"][0]["name"], ".note.gnu.build-id");
    compared.expect("different", &["build-id", "content"]);
    // Some text of the program.
    let at = a.windows(7).position(|bytes| bytes == b"--help\0").expect("an option");
    let mut b = a.clone();
    b[at] = b'+';
    let compared = files("bin/true", &a, &b);
    let sections = content(&compared)["sections"].as_array().unwrap();
    assert_eq!(sections.iter().map(|s| s["name"].as_str().unwrap()).collect::<Vec<_>>(), [".rodata"]);
    compared.expect("different", &["content"]);
    // Damaged ones are bytes.
    let mut broken = a.clone();
    broken[0x28..0x30].fill(0xfe);
    assert_eq!(content(&files("bin/true", &broken, &b))["kind"], "bytes");
}

#[test]
fn dates_and_paths() {
    files("x", b"built 2026-11-20 10:00:00\n", b"built 2026-11-21 10:00:01\n")
        .expect("different", &["embedded-date", "content"]);
    files("x", b"\0\xffNov 20 2026\0\x01", b"\0\xffNov 21 2026\0\x01")
        .expect("different", &["embedded-date", "content"]);
    files("x", b"src = /home/ann/x.c\n", b"src = /build/1/x.c\n").expect("different", &["embedded-path", "content"]);
    files("x", b"Fri, 20 Nov 2026 10:00:00 +0000\n", b"Sat, 21 Nov 2026 10:00:00 +0000\n")
        .expect("different", &["embedded-date", "content"]);
    files("x", b"20261120\n", b"20261121\n").expect("different", &["embedded-date", "content"]);
    files("x", b"20269920\n", b"20269921\n").expect("different", &["content"]);
    files("x", b"version 1.2.3\n", b"version 1.2.4\n").expect("different", &["content"]);
    files("x", b"from /usr/bin\n", b"from /usr/lib\n").expect("different", &["content"]);
}

#[test]
fn compiled_python() {
    let pyc = |time: u32, code: &[u8]| [b"\xa7\r\r\n\0\0\0\0", &time.to_le_bytes()[..], &[9, 0, 0, 0], code].concat();
    files("m.pyc", &pyc(1, b"\xe3\0"), &pyc(0xffff, b"\xe3\0")).expect("different", &["compiled-python", "content"]);
    files("m.pyc", &pyc(1, b"\xe3\0"), &pyc(1, b"\xe3\x01")).expect("different", &["content"]);
    files("m.bin", &pyc(1, b"\xe3\0"), &pyc(0xffff, b"\xe3\0")).expect("different", &["content"]);
}

fn gzip(mtime: u32, text: &[u8]) -> Vec<u8> {
    let mut gzip = GzBuilder::new().mtime(mtime).write(Vec::new(), Compression::new(6));
    gzip.write_all(text).expect("memory");
    gzip.finish().expect("memory")
}

#[test]
fn gzip_streams() {
    let compared = files("x.gz", &gzip(1, b"text"), &gzip(2, b"text"));
    compared.expect("different", &["member-times", "content"]);
    let mtime = json!({ "name": "mtime", "a": "1970-01-01T00:00:01Z", "b": "1970-01-01T00:00:02Z" });
    assert_eq!(content(&compared)["members"], json!([{ "name": "content", "change": "changed", "fields": [mtime] }]));
    let compared = files("x.gz", &gzip(1, b"text"), &gzip(1, b"texts"));
    compared.expect("different", &["content"]);
    assert_eq!(content(&compared)["members"][0]["fields"][0]["name"], "content");
    let mut best = gzip(1, b"text");
    best[8] = 2;
    let compared = files("x.gz", &gzip(1, b"text"), &best);
    assert_eq!((&content(&compared)["format"], &content(&compared)["total"]), (&json!("gzip"), &json!(0)));
}

#[test]
fn tar_archives() {
    let inside = |mtime: u64, text: &str| {
        let made = Made::new(vec![Entry::file("a", "a"), Entry { mtime, ..Entry::file("b", text) }]);
        made.tar(&made.layers[0])
    };
    let compared = files("x.tar", &inside(1, "x"), &inside(2, "x"));
    compared.expect("different", &["member-times", "content"]);
    assert_eq!(content(&compared)["format"], "tar");
    let compared = files("x.tgz", &gzip(0, &inside(1, "x")), &gzip(0, &inside(1, "y")));
    compared.expect("different", &["content"]);
    assert_eq!(
        (&content(&compared)["format"], &content(&compared)["members"][0]["name"]),
        (&json!("tar+gzip"), &json!("b"))
    );
    // Of two members of one name readers take the one or the other; and a hole of 2^50 bytes is not looked through.
    let tar = |entries: &[Entry]| Made::new(Vec::new()).tar(entries);
    let (one, two) = (Entry::file("a", "1"), Entry::file("a", "2"));
    let compared = files("x.tar", &tar(&[one.clone(), two.clone()]), &tar(&[two]));
    assert_eq!(content(&compared)["kind"], "bytes");
    let hole = Entry { path: "b".to_owned(), ..super::substance::hole(1 << 50) };
    let compared = files("x.tar", &tar(&[one.clone(), hole]), &tar(&[one]));
    assert_eq!(content(&compared)["kind"], "bytes");
}

fn ar(mtime: u64, owner: u64, text: &str) -> Vec<u8> {
    let member = |name: &str, mtime: u64, text: &str| {
        let pad = if text.len() % 2 == 1 { "\n" } else { "" };
        format!("{name:<16}{mtime:<12}{owner:<6}{:<6}{:<8}{:<10}`\n{text}{pad}", 0, 100_644, text.len())
    };
    format!("!<arch>\n{}{}", member("debian-binary", 0, "2.0\n"), member("x.o/", mtime, text)).into_bytes()
}

#[test]
fn ar_archives() {
    let compared = files("x.a", &ar(1, 0, "odd"), &ar(2, 1000, "odd"));
    compared.expect("different", &["member-times", "content"]);
    let members = &content(&compared)["members"];
    assert_eq!((&members[1]["name"], &members[1]["fields"][1]["b"]), (&json!("x.o"), &json!("1000:0")));
    let compared = files("x.a", &ar(1, 0, "odd"), &ar(1, 0, "even"));
    assert_eq!(content(&compared)["members"].as_array().unwrap().len(), 1);
    compared.expect("different", &["content"]);
}

/// As a zip has it.
fn crc32(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().to_le_bytes()
}

#[test]
fn zip_archives() {
    if !needs(&["python3"]) {
        return;
    }
    let work = Work::new();
    let packed = |name: &str, year: u32, text: &str, method: &str| {
        let code = format!(
            "import zipfile\nz = zipfile.ZipFile('{name}', 'w')\nfor n, t in (('META-INF/MANIFEST.MF', 'v'), ('a.class', '{text}')):\n z.writestr(zipfile.ZipInfo(n, ({year}, 1, 1, 0, 0, 0)), t, zipfile.ZIP_{method})\nz.close()"
        );
        run(tool("python3").args(["-c", &code]).current_dir(work.path()));
        work.read(name)
    };
    let make = |name: &str, year: u32, text: &str| packed(name, year, text, "STORED");
    let (a, later, other) = (make("a.jar", 2020, "x"), make("b.jar", 2021, "x"), make("c.jar", 2020, "y"));
    let compared = files("x.jar", &a, &later);
    compared.expect("different", &["member-times", "content"]);
    assert_eq!(content(&compared)["total"], 2);
    let compared = files("x.jar", &a, &other);
    compared.expect("different", &["content"]);
    assert_eq!(content(&compared)["members"][0]["name"], "a.class");
    let deflated = packed("d.jar", 2020, "x", "DEFLATED");
    assert_eq!(content(&files("x.jar", &a, &deflated))["total"], 0);
    // Cut off, it is no archive any more.
    assert_eq!(content(&files("x.jar", &a, &other[..60]))["kind"], "bytes");
    // Nor is one whose directory states the sum of another content.
    let mut lying = other.clone();
    let (sum, stated) = (crc32(b"y"), crc32(b"x"));
    let places: Vec<usize> = (0..lying.len() - 4).filter(|&at| lying[at..at + 4] == sum).collect();
    assert_eq!(places.len(), 2);
    places.into_iter().for_each(|at| lying[at..at + 4].copy_from_slice(&stated));
    assert_ne!(lying, other);
    assert_eq!(content(&files("x.jar", &a, &lying))["kind"], "bytes");
}
