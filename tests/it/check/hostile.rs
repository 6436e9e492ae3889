//! Images made to cost time, memory or patience.

use super::damage::{Layout, dir, empty, entry, file};
use crate::support::{Output, Work, attempt_within, rebake};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::process::Command;
use std::time::Duration;

/// Checks `l` with so many MiB of address space.
#[track_caller]
fn within(layout: &Layout, mebibytes: u32) -> Output {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("ulimit -v {} && exec \"$@\"", mebibytes << 10), "sh"]);
    command.arg(rebake().get_program()).args(["check", "l", "--json", "--jobs", "2"]);
    attempt_within(Duration::from_secs(60), command.current_dir(layout.work.path()))
}

#[track_caller]
fn found(layout: &Layout, code: &str) {
    let out = within(layout, 400);
    assert_eq!(out.code(), Some(1), "{out}");
    let said: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{out}"));
    assert!(said["findings"].as_array().expect("a list").iter().any(|it| it["code"] == code), "{code}: {out}");
    assert!(out.stdout.len() < 1 << 20, "{}", out.stdout.len());
}

#[test]
fn the_limit_is_one() {
    let layout = Layout::new();
    assert_eq!(within(&layout, 400).code(), Some(0));
    assert_ne!(within(&layout, 4).code(), Some(0));
}

#[test]
fn bombs() {
    // A file of almost 8 GiB, and one of its parts over and over.
    let start = {
        let mut header = entry("a", b'0', "", b"");
        header[124..136].copy_from_slice(b"77777777777\0");
        header[148..156].copy_from_slice(b"        ");
        let sum: u64 = header.iter().map(|&b| u64::from(b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        header
    };
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).expect("memory");
    let zeros = vec![0; 64 << 20];
    let gzip = [gzip(&start), gzip(&zeros).repeat(100)].concat();
    let zstd = [zstd(&start), zstd(&zeros).repeat(1000)].concat();
    for (blob, suffix) in [(gzip, "+gzip"), (zstd, "+zstd")] {
        let layout = Layout::new();
        layout.blobs(&[(b"", blob, suffix)]);
        found(&layout, "bomb");
    }
}

#[test]
fn large_windows() {
    // A frame with a window of 2 GiB.
    let layout = Layout::new();
    layout.blobs(&[(b"", b"\x28\xb5\x2f\xfd\x00\xa8\x01\0\0".to_vec(), "+zstd")]);
    found(&layout, "stream");
}

#[test]
fn pipes_are_not_waited_for() {
    for pointer in ["", "/config", "/layers/0"] {
        let layout = Layout::new();
        let blob = layout.blob(pointer);
        fs::remove_file(&blob).expect("gone");
        rustix::fs::mknodat(rustix::fs::CWD, &blob, rustix::fs::FileType::Fifo, 0o644.into(), 0).expect("a pipe");
        found(&layout, "not-a-file");
    }
}

#[test]
fn a_manifest_of_4_gibibytes_is_not_read() {
    for pointer in ["", "/config"] {
        let layout = Layout::new();
        let set = |descriptor: &mut Value| descriptor["size"] = (4_u64 << 30).into();
        File::options()
            .write(true)
            .open(layout.blob(pointer))
            .and_then(|it| it.set_len(4 << 30))
            .expect("a large file");
        match pointer {
            "" => layout.index(|index| set(&mut index["manifests"][0])),
            _ => layout.manifest(|manifest| set(&mut manifest["config"])),
        }
        found(&layout, "too-large");
    }
    let layout = Layout::new();
    File::create(layout.path("index.json")).and_then(|it| it.set_len(4 << 30)).expect("a large file");
    found(&layout, "too-large");
}

#[test]
fn an_index_with_all_members_it_can_have() {
    let layout = Layout::new();
    let members = (0..40_000).map(|n| {
        json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1, "digest": format!("sha256:{n:064}") })
    });
    // The long names are left out, so that it stays below 4 MiB.
    let members: Vec<Value> = members.take(25_000).collect();
    layout.index(|index| index["manifests"] = members.into());
    found(&layout, "missing");
    let said: Value = serde_json::from_slice(&within(&layout, 400).stdout).expect("JSON");
    assert_eq!(said["errors"], 25_000);
    assert_eq!(said["findings"].as_array().expect("a list").len(), 100);
    assert_eq!(said["omitted"].as_u64(), Some(25_000 + said["warnings"].as_u64().expect("a number") - 100));
}

#[test]
fn a_manifest_with_one_layer_over_and_over() {
    let layout = Layout::new();
    // Every layer asks all those below for what it takes away.
    let removals: Vec<u8> = (0..200).flat_map(|n| empty(&format!(".wh.{n}"))).collect();
    layout.tars(&[removals]);
    layout.config(|config| {
        let first = config["rootfs"]["diff_ids"][0].clone();
        config["rootfs"]["diff_ids"] = vec![first; 10_000].into();
    });
    layout.manifest(|manifest| manifest["layers"] = vec![manifest["layers"][0].clone(); 10_000].into());
    let out = within(&layout, 400);
    assert_eq!(out.code(), Some(0), "{out}");
}

#[test]
fn many_entries() {
    let mut tar: Vec<u8> = (0..100_000).flat_map(|n| file(&format!("{n}"))).collect();
    tar.extend(dir("0/"));
    let layout = Layout::new();
    layout.tars(&[tar]);
    found(&layout, "path-twice");
}

#[test]
fn names_without_end() {
    // A name of almost a mebibyte, many times.
    let name = "n/".repeat(500_000);
    let record = format!("1000014 path={name}\n");
    assert_eq!(record.len(), 1_000_014);
    let one = [entry("x", b'x', "", record.as_bytes()), file("short")].concat();
    let layout = Layout::new();
    layout.tars(&[one.repeat(100)]);
    found(&layout, "path");
}

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let layout = Layout::new();
    let mut flips = 0;
    for name in Work::tree_of(&layout.path("")).iter().filter(|name| !name.ends_with('/')) {
        let path = layout.path(name);
        let whole = fs::read(&path).expect("bytes");
        for at in (0..whole.len()).step_by(whole.len() / 12 + 1) {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&path, &bytes).expect("a file");
            let out = layout.check(&["l"]);
            // Nothing vouches for these two.
            let free = name == "index.json" || name == "oci-layout";
            assert!(out.code() == Some(1) || (free && out.code() == Some(0)), "{name} {at}: {out}");
            flips += 1;
        }
        fs::write(&path, &whole).expect("a file");
    }
    assert!(flips > 50, "{flips}");
    assert_eq!(layout.check(&["l"]).code(), Some(0));
}
