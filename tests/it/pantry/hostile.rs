//! Pantries made to harm: nothing is written outside, little memory is used, and what is wrong is said.

use super::Kitchen;
use crate::sandbox::{hex, snapshot};
use crate::support::{Work, attempt_within, run, tool};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

const RECIPE: &str =
    "edition = '2026'\n[image]\nname = 'x'\n[[layer]]\nname = 'x'\n[[layer.write]]\nto = '/x'\ntext = 'x'\n";

/// A pantry put together by hand, as rebake would write it but for what is wrong with it.
struct Hostile {
    file: Value,
    recipe: Vec<u8>,
    files: Vec<u8>,
    /// What the descriptor of the files says.
    files_size: Option<u64>,
    /// Changes the manifest of the recipe.
    manifest: fn(&mut Value),
    /// Changes the index.
    index: fn(&mut Value),
}

impl Default for Hostile {
    fn default() -> Self {
        Hostile {
            file: json!("rebake.toml"),
            recipe: RECIPE.into(),
            files: tar(&[]),
            files_size: None,
            manifest: |_| {},
            index: |_| {},
        }
    }
}

impl Hostile {
    fn write(&self, folder: &Path) {
        fs::create_dir_all(folder.join("blobs/sha256")).expect("folders");
        let blob = |media_type: &str, bytes: &[u8]| {
            fs::write(folder.join("blobs/sha256").join(hex(bytes)), bytes).expect("a blob");
            json!({ "mediaType": media_type, "digest": format!("sha256:{}", hex(bytes)), "size": bytes.len() })
        };
        let mut recipe = blob("application/vnd.rebake.recipe.v1", &self.recipe);
        recipe["annotations"] = json!({ "org.opencontainers.image.title": self.file });
        let mut files = blob("application/vnd.rebake.files.v1.tar", &self.files);
        files["annotations"] = json!({ "org.opencontainers.image.title": "files.tar" });
        if let Some(size) = self.files_size {
            files["size"] = json!(size);
        }
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.rebake.recipe.v1",
            "config": blob("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [recipe, files],
            "annotations": { "dev.rebake.recipe.name": "x" },
        });
        (self.manifest)(&mut manifest);
        let mut listed = blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
        listed["annotations"] = json!({ "dev.rebake.recipe.name": "x" });
        let mut index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "artifactType": "application/vnd.rebake.pantry.v1",
            "manifests": [listed],
        });
        (self.index)(&mut index);
        let mut top = blob("application/vnd.oci.image.index.v1+json", index.to_string().as_bytes());
        top["annotations"] = json!({
            "org.opencontainers.image.ref.name": "pantry",
            "io.containerd.image.name": "pantry:pantry",
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [top],
        });
        fs::write(folder.join("index.json"), index.to_string()).expect("a file");
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
    }
}

/// A tar of members: path, what it is, content or target.
fn tar(members: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, text) in members {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        // As it stands: some of them are not what a path should be.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        let content = if *kind == tar::EntryType::Regular { text.as_bytes() } else { b"" };
        header.set_size(content.len() as u64);
        if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
            header.set_link_name_literal(text).expect("a target");
        }
        header.set_cksum();
        builder.append(&header, content).expect("a member");
    }
    builder.into_inner().expect("a tar")
}

/// Everything that reads a pantry, with little memory; nothing but `back` may change. What `check` said.
#[track_caller]
fn survived(kitchen: &Kitchen, name: &str) -> String {
    let before = snapshot(kitchen.work.path());
    let mut said = String::new();
    for args in [
        &["pantry", "check", "H"][..],
        &["pantry", "list", "H"],
        &["pantry", "restore", "H", "x", "back"],
        &["drill", "--alone", "--pantry", "H"],
        &["build", "one", "--pantry", "H", "--offline", "-o", "built"],
    ] {
        let mut command = kitchen.wrapped(&["sh", "-c", "ulimit -v 600000; exec \"$0\" \"$@\""], args);
        let output = attempt_within(Duration::from_secs(60), &mut command);
        assert!(matches!(output.code(), Some(0..=2)) && !output.said().contains("panicked"), "{name}: {output}");
        assert!(!output.said().contains("memory"), "{name}: {output}");
        if args[1] == "check" {
            assert_ne!(output.code(), Some(0), "{name}: {output}");
            said = output.text() + &output.said();
        }
        let _ = fs::remove_dir_all(kitchen.work.join("back"));
        let _ = fs::remove_dir_all(kitchen.work.join("built"));
        // What a build keeps for the next one to the same place.
        let _ = fs::remove_dir_all(kitchen.work.join("cache/rebuild"));
        assert!(snapshot(kitchen.work.path()) == before, "{name}: {args:?} wrote elsewhere");
    }
    said
}

fn kitchen() -> Kitchen {
    let kitchen = Kitchen::small();
    kitchen.work.write("victim/precious", "mine");
    kitchen
}

#[test]
fn a_pantry_put_together_by_hand_is_sound() {
    let kitchen = kitchen();
    let files = tar(&[("dir/file", tar::EntryType::Regular, "x"), ("link", tar::EntryType::Symlink, "dir/file")]);
    Hostile { files, ..Hostile::default() }.write(&kitchen.work.join("H"));
    kitchen.ok(&["pantry", "check", "H"]);
    kitchen.ok(&["pantry", "restore", "H", "x", "back"]);
    assert_eq!(kitchen.work.tree("back"), ["dir/", "dir/file", "link", "rebake.toml"]);
}

#[test]
fn no_name_leads_outside() {
    use tar::EntryType::{Block, Directory, Link, Regular, Symlink};
    let kitchen = kitchen();
    let victim = kitchen.work.join("victim/precious");
    let victim = victim.to_str().expect("a plain path");
    let folder = kitchen.work.join("victim");
    let folder = folder.to_str().expect("a plain path");
    for (name, members) in [
        ("up", &[("../victim/new", Regular, "x")][..]),
        ("absolute", &[("/victim/new", Regular, "x")]),
        ("through a symlink", &[("a", Symlink, folder), ("a/new", Regular, "x")]),
        ("through a symlink, later", &[("a/new", Regular, "x"), ("a", Symlink, folder)]),
        ("a folder through a symlink", &[("a", Symlink, folder), ("a/new", Directory, "")]),
        ("the recipe is a symlink", &[("rebake.toml", Symlink, victim)]),
        ("the recipe is another", &[("rebake.toml", Regular, "other")]),
        ("the recipe is a folder", &[("rebake.toml", Directory, "")]),
        ("a hard link outside", &[("a", Link, victim)]),
        ("a device", &[("a", Block, "")]),
    ] {
        let _ = fs::remove_dir_all(kitchen.work.join("H"));
        Hostile { files: tar(members), ..Hostile::default() }.write(&kitchen.work.join("H"));
        let said = survived(&kitchen, name);
        // A later member takes the place of an earlier one.
        assert!(said.contains("damaged") || said.contains("is a") || said.contains("exists"), "{name}: {said}");
    }
    let long = "x".repeat(300);
    for file in ["../victim/new", "/victim/new", "..", ".", "", "a/b", "a\0b", &long] {
        let _ = fs::remove_dir_all(kitchen.work.join("H"));
        Hostile { file: json!(file), ..Hostile::default() }.write(&kitchen.work.join("H"));
        survived(&kitchen, file);
    }
}

#[test]
fn nothing_takes_more_room_than_it_has() {
    use tar::EntryType::{Link, Regular};
    let kitchen = kitchen();
    let text = "x".repeat(2000);
    let mut members = vec![("a", Regular, text.as_str())];
    let names: Vec<String> = (0..2000).map(|n| format!("l{n}")).collect();
    members.extend(names.iter().map(|name| (name.as_str(), Link, "a")));
    let many = tar(&members);
    let work = Work::new();
    run(tool("truncate").args(["-s", "1T"]).arg(work.join("sparse")));
    let mut pack = tool("tar");
    pack.args(["--create", "--sparse", "--file"]).arg(work.join("tar")).arg("-C").arg(work.path()).arg("sparse");
    run(&mut pack);
    let sparse = work.read("tar");
    let bomb = run(tool("sh")
        .current_dir(work.path())
        .args(["-c", "head -c 300000000 /dev/zero > f && tar c f | gzip -9 && rm f"]))
    .stdout;
    let recipe_bomb = vec![b'#'; 5 << 20];
    for (name, hostile) in [
        ("hard links", Hostile { files: many, ..Hostile::default() }),
        ("a sparse file", Hostile { files: sparse, ..Hostile::default() }),
        ("a compressed tar", Hostile { files: bomb, ..Hostile::default() }),
        ("a long recipe", Hostile { recipe: recipe_bomb, ..Hostile::default() }),
        ("a lying size", Hostile { files_size: Some(u64::MAX), ..Hostile::default() }),
        ("a deep recipe", Hostile { recipe: "[".repeat(1 << 20).into(), ..Hostile::default() }),
    ] {
        let _ = fs::remove_dir_all(kitchen.work.join("H"));
        hostile.write(&kitchen.work.join("H"));
        survived(&kitchen, name);
    }
}

#[test]
fn documents_that_lie_are_refused() {
    let kitchen = kitchen();
    let sum = |manifest: &mut Value| {
        let digests = (1..4).map(|n| format!("sha256:{n:064}"));
        let layers = digests.map(|digest| {
            json!({ "mediaType": "application/vnd.rebake.input.v1", "digest": digest, "size": u64::MAX,
                    "annotations": { "dev.rebake.input": "x" } })
        });
        let layers: Vec<Value> = layers.collect();
        manifest["layers"].as_array_mut().expect("layers").extend(layers);
    };
    for (name, hostile) in [
        ("sizes that overflow", Hostile { manifest: sum, ..Hostile::default() }),
        ("no layers", Hostile { manifest: |json| json["layers"] = json!(7), ..Hostile::default() }),
        (
            "twice",
            Hostile {
                index: |json| {
                    let list = json["manifests"].as_array_mut().expect("a list");
                    list.push(list[0].clone());
                },
                ..Hostile::default()
            },
        ),
        (
            "many",
            Hostile {
                index: |json| {
                    let one = |n: u64| {
                        let digest = format!("sha256:{n:064}");
                        json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 4 << 20 })
                    };
                    json["manifests"] = (0..20_000).map(one).collect();
                },
                ..Hostile::default()
            },
        ),
        ("huge", Hostile { index: |json| json["x"] = json!("x".repeat(5 << 20)), ..Hostile::default() }),
        ("wide", Hostile { index: |json| json["x"] = json!(vec![0; 1 << 20]), ..Hostile::default() }),
        ("more", Hostile { index: |json| json["x"] = json!(1), ..Hostile::default() }),
    ] {
        let _ = fs::remove_dir_all(kitchen.work.join("H"));
        hostile.write(&kitchen.work.join("H"));
        survived(&kitchen, name);
    }
    let index = kitchen.work.join("H/index.json");
    for (name, bytes) in [
        ("deep", "[".repeat(1 << 20)),
        ("deep objects", "{\"a\":".repeat(1 << 18)),
        ("long", " ".repeat(5 << 20)),
        ("binary", "\u{1b}[31m\0\u{7}".repeat(9)),
    ] {
        Hostile::default().write(&kitchen.work.join("H"));
        fs::write(&index, bytes).expect("a file");
        let said = survived(&kitchen, name);
        assert!(said.contains("index.json") && !said.contains('\u{1b}'), "{name}: {said}");
    }
    fs::remove_file(&index).expect("gone");
    run(tool("mkfifo").arg(&index));
    let output = attempt_within(Duration::from_secs(20), &mut kitchen.rebake(&["pantry", "check", "H"]));
    assert_eq!(output.code(), Some(1), "{output}");
}

#[test]
fn files_that_are_something_else_are_told() {
    let kitchen = kitchen();
    let hostile = Hostile::default();
    let files = hex(&hostile.files);
    let path = kitchen.work.join("H/blobs/sha256").join(&files);
    let fresh = || {
        let _ = fs::remove_dir_all(kitchen.work.join("H"));
        hostile.write(&kitchen.work.join("H"));
        fs::remove_file(&path).expect("gone");
    };
    for target in ["/dev/zero", "/dev/full", "/nonexistent", "../../../victim/precious", "."] {
        fresh();
        symlink(target, &path).expect("a symlink");
        let output = kitchen.attempt(&["pantry", "check", "H"]);
        assert_eq!(output.code(), Some(1), "{target}: {output}");
        assert!(output.text().contains(&format!("{files} is a symlink")), "{target}: {output}");
    }
    fresh();
    run(tool("mkfifo").arg(&path));
    let output = attempt_within(Duration::from_secs(20), &mut kitchen.rebake(&["pantry", "check", "H"]));
    assert_eq!(output.code(), Some(1), "{output}");
    fresh();
    run(tool("truncate").args(["-s", "1T"]).arg(&path));
    let output = attempt_within(Duration::from_secs(20), &mut kitchen.rebake(&["pantry", "check", "H"]));
    assert!(output.code() == Some(1) && output.text().contains("it has 1099511627776 bytes"), "{output}");
    // A name is a stranger's word, too.
    let _ = fs::remove_dir_all(kitchen.work.join("H"));
    Hostile {
        manifest: |json| json["annotations"]["dev.rebake.recipe.name"] = json!("\u{1b}[31mred"),
        ..Hostile::default()
    }
    .write(&kitchen.work.join("H"));
    for command in ["check", "list"] {
        let output = kitchen.attempt(&["pantry", command, "H"]);
        assert!(!output.text().contains('\u{1b}') && !output.said().contains('\u{1b}'), "{output}");
    }
}
