//! Layers that are large: past what ustar can say, and past what may be in memory. With the optimised program.

use crate::reproduce::machine::release;
use crate::support::needs;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

fn home(compression: &str) -> TempDir {
    let home = tempfile::Builder::new().prefix("rebake-large-").tempdir().unwrap();
    let recipe = format!(
        "edition = \"2026\"\n[image]\nname = \"x/large\"\ncompression = \"{compression}\"\n\
         [[layer]]\n[[layer.copy]]\nfrom = \"content\"\nto = \"/\"\n"
    );
    fs::write(home.path().join("rebake.toml"), recipe).unwrap();
    fs::create_dir(home.path().join("content")).unwrap();
    home
}

/// Builds, and tells how much memory that took at most, in bytes.
fn build(home: &Path) -> u64 {
    let mut command = Command::new(release());
    command
        .current_dir(home)
        .env("REBAKE_CACHE", crate::support::cache())
        .args(["build", "-o", "out", "--jobs", "4"])
        .stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    // The kernel keeps the peak, so that the last look tells of all before it.
    let exit = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or_default();
        peak = peak.max(kilobytes * 1024);
        match child.try_wait().unwrap() {
            Some(exit) => break exit,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    assert!(exit.success());
    assert!(peak > 1 << 20, "the memory of the process was seen: {peak}");
    peak
}

/// The only layer: the largest blob.
fn layer(home: &Path) -> PathBuf {
    let blobs = walkdir::WalkDir::new(home.join("out/blobs/sha256")).min_depth(1);
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    blobs.into_iter().map(|entry| entry.unwrap().into_path()).max_by_key(size).unwrap()
}

#[test]
fn nine_gibibytes() {
    const SIZE: u64 = 9 << 30;
    let home = home("none");
    let file = File::create(home.path().join("content/sparse")).unwrap();
    file.set_len(SIZE).unwrap();
    let end = b"the end";
    std::os::unix::fs::FileExt::write_all_at(&file, end, SIZE - end.len() as u64).unwrap();

    let peak = build(home.path());
    assert!(peak < 64 << 20, "{peak} bytes of memory for one large file");
    let blob = layer(home.path());
    let metadata = fs::metadata(&blob).unwrap();
    // A PAX header with its block of records, the header, the data, two blocks of zeros.
    assert_eq!(metadata.len(), 3 * 512 + SIZE + 2 * 512);
    assert!(metadata.blocks() * 512 < 16 << 20, "{} bytes on disk", metadata.blocks() * 512);
    let mut head = [0; 3 * 512];
    File::open(&blob).unwrap().read_exact(&mut head).unwrap();
    assert_eq!(head[156], b'x');
    assert!(head[512..].starts_with(b"19 size=9663676416\n\0"), "{}", head[512..600].escape_ascii());
    assert_eq!(head[1024 + 124..1024 + 136], *b"00000000000\0", "ustar cannot say it");
    if needs(&["tar"]) {
        let output = Command::new("tar").args(["--list", "--verbose", "--file"]).arg(&blob).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(" 9663676416 1980-01-01 "), "{text}");
    }
}

#[test]
fn many_files_in_little_memory() {
    const FILES: usize = 76_000;
    let home = home("gzip");
    let text: Vec<u8> = (0..8192_u32).flat_map(|n| (n / 3 % 251).to_string().into_bytes()).collect();
    for folder in 0..FILES / 1000 {
        let path = home.path().join(format!("content/folder-{folder:02}"));
        fs::create_dir(&path).unwrap();
        for n in 0..1000 {
            let at = (folder * 31 + n) % 4096;
            fs::write(path.join(format!("file-{n:03}")), &text[at..at + 3000 + n]).unwrap();
        }
    }
    let mut large = File::create(home.path().join("content/large")).unwrap();
    let megabyte = text.iter().copied().cycle().take(1 << 20).collect::<Vec<u8>>();
    for _ in 0..300 {
        large.write_all(&megabyte).unwrap();
    }

    let peak = build(home.path());
    eprintln!("{FILES} files: {} MiB of memory", peak >> 20);
    assert!(peak < 128 << 20, "{} MiB of memory", peak >> 20);
    let tar = flate2::read::GzDecoder::new(File::open(layer(home.path())).unwrap());
    let mut reader = rebake::layer::read::TarReader::new(tar);
    let mut entries = 0;
    while reader.next().unwrap().is_some() {
        entries += 1;
    }
    assert_eq!(entries, FILES + FILES / 1000 + 1);
}
