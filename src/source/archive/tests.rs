//! Small archives, made by the `tar` crate or by hand; those of real tools are read in `tests/it/read.rs`.

#![allow(clippy::disallowed_methods, reason = "a test may use the host's temporary folder")]

use super::*;
use crate::tree::LinkId;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Adds an entry; the name and the link name stand in the header as they are given.
fn push(tar: &mut ::tar::Builder<Vec<u8>>, name: &str, flag: u8, link: &str, content: &str) {
    let mut header = ::tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o640);
    header.set_mtime(content.len() as u64);
    header.set_entry_type(::tar::EntryType::new(flag));
    let raw = header.as_old_mut();
    raw.name[..name.len()].copy_from_slice(name.as_bytes());
    raw.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    tar.append(&header, content.as_bytes()).unwrap();
}

/// Files `name=content`, hard links `name>target`, symbolic links `name~target`, folders `name/`.
fn tar(entries: &[&str]) -> Vec<u8> {
    let mut tar = ::tar::Builder::new(Vec::new());
    for entry in entries {
        if let Some((name, content)) = entry.split_once('=') {
            push(&mut tar, name, b'0', "", content);
        } else if let Some((name, target)) = entry.split_once('>') {
            push(&mut tar, name, b'1', target, "");
        } else if let Some((name, target)) = entry.split_once('~') {
            push(&mut tar, name, b'2', target, "");
        } else {
            push(&mut tar, entry, b'5', "", "");
        }
    }
    tar.into_inner().unwrap()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn open_with(bytes: &[u8], limits: &Limits) -> Result<Archive, String> {
    let scratch = std::env::temp_dir();
    from_file(file(bytes), Path::new("a.tar"), &scratch, limits, &AtomicBool::new(false)).map_err(|e| e.to_string())
}

fn open_bytes(bytes: &[u8]) -> Result<Archive, String> {
    open_with(bytes, &Limits::default())
}

fn content(slice: &Slice) -> io::Result<String> {
    let mut text = String::new();
    slice.reader().read_to_string(&mut text).map(|_| text)
}

/// The members in the notation of [`tar`], a link id behind `#`.
fn list(bytes: &[u8]) -> Vec<String> {
    let show = |member: Member| match member.kind {
        Kind::Directory => format!("{}/", member.path),
        Kind::File { content: slice, link, .. } => {
            let link = link.map_or(String::new(), |LinkId(id)| format!("#{id}"));
            format!("{}={}{link}", member.path, content(&slice).unwrap())
        }
        Kind::Symlink { target } => format!("{}~{}", member.path, String::from_utf8(target.into()).unwrap()),
        other => format!("{} {other:?}", member.path),
    };
    open_bytes(bytes).unwrap().members.into_iter().map(show).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn members_in_archive_order() {
    let bytes = tar(&["./", "./b/", "b//x=1", "a=2", "l~../any/where"]);
    let want = ["/b/", "/b/x=1", "/a=2", "/l~../any/where"];
    assert_eq!(list(&bytes), want);
    assert_eq!(list(&gzip(&bytes)), want);
}

#[test]
fn the_last_of_a_path_counts() {
    assert_eq!(list(&tar(&["a=1", "b=2", "./a=3"])), ["/b=2", "/a=3"]);
    assert_eq!(list(&tar(&["d/", "d/x=1", "d/"])), ["/d/", "/d/x=1"]);
    assert_eq!(list(&tar(&["d/", "d/x=1", "d-1=y", "dd=z", "d=2"])), ["/d-1=y", "/dd=z", "/d=2"]);
    assert_eq!(list(&tar(&["a=1", "a/", "a/b=2"])), ["/a/", "/a/b=2"]);
    assert_eq!(list(&tar(&["a=1", "a~b"])), ["/a~b"]);
}

#[test]
fn hard_links_share_what_they_pointed_at() {
    assert_eq!(list(&tar(&["a=1", "b>a", "c>./b"])), ["/a=1#0", "/b=1#0", "/c=1#0"]);
    assert_eq!(list(&tar(&["a=1", "b>a", "a=2"])), ["/b=1", "/a=2"]);
    assert_eq!(list(&tar(&["a=1", "b>a", "a=2", "c>a"])), ["/b=1", "/a=2#1", "/c=2#1"]);
    assert_eq!(list(&tar(&["a~x", "b>a"])), ["/a~x", "/b~x"]);
    assert_eq!(list(&tar(&["a=1", "a>a"])), ["/a=1"]);
}

#[test]
fn hostile_members_are_refused() {
    for (entry, message) in [
        ("/etc/passwd=x", "a.tar: its member `/etc/passwd` has an absolute path"),
        ("a/../../b=x", "a.tar: its member `a/../../b`: its path contains `..`"),
        ("a/.wh.b=x", "a.tar: its member `a/.wh.b`: its path contains a name that starts with `.wh.`"),
        ("b>missing", "a.tar: its member `b` is a hard link to `missing`, which no member before it is"),
        ("b>/etc/passwd", "a.tar: its member `b` is a hard link to `/etc/passwd`, which is no path inside the archive"),
        ("b>../x", "a.tar: its member `b` is a hard link to `../x`, which is no path inside the archive"),
        ("b>d", "a.tar: its member `b` is a hard link to the folder `d`"),
        ("b~", "a.tar: its member `b` is a symbolic link with a target that no file system takes"),
    ] {
        let error = open_bytes(&tar(&["d/", entry])).unwrap_err();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn what_is_no_archive() {
    for bytes in [&b"text"[..], &b"text\n".repeat(1000), &gzip(b"text"), &[0; 100], &gzip(&[0; 511]), b"PK"] {
        assert_eq!(open_bytes(bytes).unwrap_err(), "a.tar: it is no tar or zip archive");
    }
    for bytes in [&b""[..], &[0; 512], &[0; 10240], &gzip(b""), &gzip(&[0; 1024])] {
        assert!(open_bytes(bytes).unwrap().members.is_empty());
    }
    assert!(open_bytes(b"PK\x03\x04 and no more").unwrap_err().starts_with("a.tar: invalid Zip archive"));
    let error = open(Path::new("/"), Path::new("/"), &Limits::default(), &AtomicBool::new(false)).unwrap_err();
    assert_eq!(error.to_string(), "/: it is no regular file");
}

#[test]
fn truncated_and_corrupt_archives_say_where() {
    let bytes = tar(&["a=1", "b=22"]);
    let error = open_bytes(&bytes[..1537]).unwrap_err();
    let why = "the archive is truncated: 1 of 2 bytes of the data of `b`";
    assert_eq!(error, format!("a.tar: its member `b` is the last one that can be read: {why}"));
    let error = open_bytes(&gzip(&bytes[..1537])).unwrap_err();
    assert_eq!(error, format!("a.tar: its member `b`: {why}"));

    let whole = gzip(&bytes);
    let error = open_bytes(&whole[..whole.len() - 1]).unwrap_err();
    assert_eq!(error, "a.tar: its member `b` is the last one that can be read: the gzip stream is truncated");
    let error = open_bytes(&[&whole[..], b"more"].concat()).unwrap_err();
    assert!(error.contains("the gzip stream is corrupt"), "{error}");
}

#[test]
fn limits() {
    let bytes = tar(&["a=1", "b=22"]);
    let limits = Limits { members: 1, ..Limits::default() };
    assert!(open_with(&bytes, &limits).unwrap_err().contains("member `b` has more than 1 members"));
    let limits = Limits { names: 1, ..Limits::default() };
    assert!(open_with(&bytes, &limits).unwrap_err().contains("has more than 1 bytes of names"));
    let limits = Limits { bytes: 2, ..Limits::default() };
    assert!(open_with(&gzip(&bytes), &limits).unwrap_err().contains("member `b` has more than 2 bytes of content"));
    open_with(&bytes, &limits).unwrap();
}

#[test]
fn an_interrupt_ends_the_reading() {
    for bytes in [tar(&["a=1"]), gzip(&tar(&["a=1"]))] {
        let interrupt = AtomicBool::new(true);
        let result = from_file(file(&bytes), Path::new("a"), &std::env::temp_dir(), &Limits::default(), &interrupt);
        assert!(matches!(result.unwrap_err().fault, Fault::Interrupted));
    }
}

/// An archive on disk and the content of its only member.
fn on_disk(dir: &Path) -> (PathBuf, Slice) {
    let path = dir.join("a.tar");
    std::fs::write(&path, tar(&["a=content"])).unwrap();
    let archive = open(&path, dir, &Limits::default(), &AtomicBool::new(false)).unwrap();
    let [Member { kind: Kind::File { content, .. }, .. }] = &archive.members[..] else { panic!("{archive:?}") };
    (path, content.clone())
}

#[test]
fn a_change_of_the_archive_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, slice) = on_disk(dir.path());
    assert_eq!(content(&slice).unwrap(), "content");
    let archive = File::options().write(true).open(&path).unwrap();
    archive.set_len(515).unwrap();
    assert!(content(&slice).unwrap_err().to_string().ends_with("changed while it was read"));

    let (path, slice) = on_disk(dir.path());
    let archive = File::options().write(true).open(&path).unwrap();
    archive.write_all_at(b"CONTENT", 512).unwrap();
    archive.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert!(content(&slice).unwrap_err().to_string().ends_with("changed while it was read"));

    // One that takes its place is another file, and ours is as it was.
    let (path, slice) = on_disk(dir.path());
    std::fs::rename(&path, dir.path().join("old")).unwrap();
    std::fs::write(&path, "").unwrap();
    assert_eq!(content(&slice).unwrap(), "content");
}

#[test]
fn zip_without_unix_modes() {
    use ::zip::write::{SimpleFileOptions, ZipWriter};
    use ::zip::{DateTime, System};
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let time = DateTime::from_date_and_time(2001, 2, 3, 4, 5, 6).unwrap();
    let dos = SimpleFileOptions::default().system(System::Dos).last_modified_time(time);
    zip.add_directory("folder", dos).unwrap();
    zip.start_file("folder/back\\slash", dos).unwrap();
    zip.write_all(b"text").unwrap();
    let unix = SimpleFileOptions::default().last_modified_time(time).unix_permissions(0o750);
    zip.start_file("./program", unix).unwrap();
    zip.add_symlink("link", "../x", unix).unwrap();
    let bytes = zip.finish().unwrap().into_inner();

    assert_eq!(list(&bytes), ["/folder/", "/folder/back\\\\slash=text", "/program=", "/link~../x"]);
    let modes: Vec<_> = open_bytes(&bytes).unwrap().members.iter().map(|m| m.attributes.mode).collect();
    assert_eq!(modes[..3], [0o755, 0o644, 0o750]);
    assert_eq!(open_bytes(&bytes).unwrap().members[1].attributes.mtime, 981_173_106);
}

#[test]
fn a_zip_with_two_members_of_one_name_is_refused() {
    use ::zip::write::{SimpleFileOptions, ZipWriter};
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [("good", "first"), ("evil", "second")] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let mut bytes = zip.finish().unwrap().into_inner();
    assert_eq!(list(&bytes), ["/good=first", "/evil=second"]);
    // The writer refuses to do it, so the name is changed where it stands.
    while let Some(at) = bytes.windows(4).position(|name| name == b"evil") {
        bytes[at..at + 4].copy_from_slice(b"good");
    }
    assert!(open_bytes(&bytes).unwrap_err().to_string().contains("members with the very same name"));
}
