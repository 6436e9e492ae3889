//! `golden/` pins the bytes of every recipe, with a readable dump beside the digest: when one moves, the dump shows what.
//!
//! `REBAKE_BLESS=1 cargo test --test it golden` writes them anew. Before the first release that needs a line in
//! CHANGELOG.md; after it, a new edition.

use crate::recipes::{REPOSITORY, copy, names};
use crate::support::{Work, rebake, run, sha256};
use crate::upstream::from_pantry;
use rebake::layer::decompress::sniff_decoder;
use rebake::layer::read::{RawKind, TarReader};
use rebake::tree::Printable;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;

#[test]
fn golden_digests_and_dumps() {
    let golden = Path::new(REPOSITORY).join("golden");
    let bless = std::env::var_os("REBAKE_BLESS").is_some();
    let names = names();
    let mut moved = String::new();
    for name in &names {
        let now = dump(name);
        let folder = golden.join(name);
        if bless {
            let _ = fs::remove_dir_all(&folder);
        }
        for (file, text) in &now {
            let path = folder.join(file);
            if bless {
                fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                fs::write(&path, text).expect("a golden file");
            }
            let pinned = fs::read_to_string(&path).unwrap_or_default();
            if pinned != *text {
                let _ = writeln!(moved, "{}:\n{}", path.display(), changes(&pinned, text));
            }
        }
        let pinned = Work::tree_of(&folder);
        let extra: Vec<_> = pinned.iter().filter(|file| !file.ends_with('/') && !now.contains_key(*file)).collect();
        assert!(extra.is_empty(), "{name}: golden files of no image: {extra:?}");
    }
    assert!(moved.is_empty(), "the bytes of an edition moved:\n{moved}");
    let pinned: Vec<String> = fs::read_dir(&golden)
        .expect("golden")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !names.contains(name))
        .collect();
    assert!(pinned.is_empty(), "golden folders of no recipe: {pinned:?}");
}

/// The lines that differ.
fn changes(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}\n"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(come).take(40).collect()
}

/// File name to text: `digest`, and for each platform its manifest, config and layers.
fn dump(name: &str) -> BTreeMap<String, String> {
    let work = Work::new();
    let out = work.join("out");
    let printed = run(rebake().arg("build").arg(copy(&work, name)).args(from_pantry()).arg("-o").arg(&out)).text();
    let digest = printed.split_once('@').expect("a digest").1;
    let blob = |digest: &str| fs::read(out.join("blobs").join(digest.replace(':', "/"))).expect("a blob");
    let json = |digest: &str| -> Value { serde_json::from_slice(&blob(digest)).expect("JSON") };
    let pretty = |value: &Value| format!("{value:#}\n");

    let mut files = BTreeMap::from([("digest".to_owned(), format!("{digest}\n"))]);
    let top = json(digest);
    let manifests: Vec<(String, String)> = match top["manifests"].as_array() {
        None => vec![(String::new(), digest.to_owned())],
        Some(members) => {
            files.insert("index.json".to_owned(), pretty(&top));
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let folder =
                |m: &Value| format!("{}-{}/", text(&m["platform"]["os"]), text(&m["platform"]["architecture"]));
            members.iter().map(|member| (folder(member), text(&member["digest"]))).collect()
        }
    };
    for (folder, digest) in manifests {
        let manifest = json(&digest);
        files.insert(format!("{folder}manifest.json"), pretty(&manifest));
        let config = manifest["config"]["digest"].as_str().expect("a digest");
        files.insert(format!("{folder}config.json"), pretty(&json(config)));
        for (n, layer) in manifest["layers"].as_array().expect("layers").iter().enumerate() {
            let layer = blob(layer["digest"].as_str().expect("a digest"));
            files.insert(format!("{folder}layer-{}.txt", n + 1), entries(&layer));
        }
    }
    files
}

/// The dumps of all layers that the recipe at `recipe` in `work` gives (of its first platform).
#[track_caller]
pub fn layers(work: &Work, recipe: &str) -> Vec<String> {
    let out = work.join("layers-of-it");
    let printed = run(rebake().args(["build", "--json"]).arg(work.join(recipe)).arg("-o").arg(&out)).text();
    let json: Value = serde_json::from_str(&printed).expect("JSON");
    let layers = json["images"][0]["platforms"][0]["layers"].as_array().expect("layers");
    let blob = |layer: &Value| {
        fs::read(out.join("blobs").join(layer["digest"].as_str().expect("a digest").replace(':', "/"))).expect("a blob")
    };
    layers.iter().map(|layer| entries(&blob(layer))).collect()
}

/// A line an entry: type, mode, owner, time, size, digest, path, target, extended attributes.
pub fn entries(layer: &[u8]) -> String {
    let mut tar = TarReader::new(sniff_decoder(layer).expect("a decoder"));
    let mut text = String::new();
    while let Some(entry) = tar.next().expect("an entry") {
        let a = &entry.attributes;
        let (kind, size, digest, target) = match &entry.kind {
            RawKind::Directory => ('d', 0, String::new(), None),
            RawKind::File { size } => {
                let mut bytes = Vec::new();
                tar.data().read_to_end(&mut bytes).expect("its data");
                ('-', *size, sha256(&bytes), None)
            }
            RawKind::HardLink(target) => ('h', 0, String::new(), Some(target)),
            RawKind::Symlink(target) => ('l', 0, String::new(), Some(target)),
            RawKind::CharDevice(major, minor) => ('c', 0, format!("{major},{minor}"), None),
            RawKind::BlockDevice(major, minor) => ('b', 0, format!("{major},{minor}"), None),
            RawKind::Fifo => ('p', 0, String::new(), None),
        };
        let _ = write!(text, "{kind} {:04o} {}:{} {} {size} ", a.mode, a.uid, a.gid, a.mtime);
        let _ = write!(text, "{} {}", if digest.is_empty() { "-" } else { &digest }, Printable(&entry.path));
        if let Some(target) = target {
            let _ = write!(text, " -> {}", Printable(target));
        }
        for (name, value) in &a.xattrs {
            let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = write!(text, " {}={hex}", Printable(name));
        }
        text.push('\n');
    }
    text
}
