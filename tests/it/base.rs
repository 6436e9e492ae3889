//! Bases that are unusual, and what becomes of them.

use crate::golden::layers;
use crate::support::{Work, attempt, rebake, sha256};
use serde_json::{Value, json};
use tar::EntryType::{self, Directory, Link, Regular, Symlink};

type Entry<'a> = (&'a str, EntryType, u32, &'a str);

/// Writes a layout `base` of one layer; the last field of an entry is its content or target.
fn base(work: &Work, entries: &[Entry], config: Value) {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, kind, mode, text) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_mtime(1_600_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_path(path).expect("a path");
        let content = if *kind == Regular { text.as_bytes() } else { b"" };
        header.set_size(content.len() as u64);
        if matches!(kind, Link | Symlink) {
            header.set_link_name(text).expect("a target");
        }
        header.set_cksum();
        tar.append(&header, content).expect("an entry");
    }
    let layer = tar.into_inner().expect("a tar");
    let blob = |bytes: &[u8], kind: &str| -> Value {
        work.write(format!("base/blobs/sha256/{}", sha256(bytes)), bytes);
        json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": format!("sha256:{}", sha256(bytes)), "size": bytes.len() })
    };
    let diff_id = format!("sha256:{}", sha256(&layer));
    let document = json!({ "os": "linux", "architecture": "amd64", "config": config,
        "rootfs": { "type": "layers", "diff_ids": [diff_id] } });
    let config = blob(document.to_string().as_bytes(), "config.v1+json");
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [blob(&layer, "layer.v1.tar")] });
    let manifest = blob(manifest.to_string().as_bytes(), "manifest.v1+json");
    work.write("base/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    work.write("base/index.json", json!({ "schemaVersion": 2, "manifests": [manifest] }).to_string());
}

/// A recipe on that base.
fn recipe(work: &Work, rest: &str) {
    let head = "edition = '2026'\n[image]\nname = 'x'\nbase = 'b'\n[inputs.b]\nimage = 'oci:base'\n";
    work.write("rebake.toml", format!("{head}{rest}"));
}

/// Type, mode and path of each entry of the last layer.
#[track_caller]
fn last(work: &Work) -> Vec<String> {
    let layers = layers(work, "rebake.toml");
    let short = |line: &str| {
        let fields: Vec<&str> = line.splitn(7, ' ').collect();
        format!("{} {} {}", fields[0], fields[1], fields[6])
    };
    layers.last().expect("a layer").lines().map(short).collect()
}

/// What rebake says when it refuses.
#[track_caller]
fn refused(work: &Work) -> String {
    let out = attempt(rebake().arg("build").current_dir(work.path()));
    assert_eq!(out.code(), Some(2), "{}", String::from_utf8_lossy(&out.stdout));
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// A file of the last layer of what was built.
fn config(work: &Work) -> Value {
    let out = attempt(rebake().args(["build", "--json"]).current_dir(work.path()));
    let said: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let digest = said["images"][0]["platforms"][0]["config"].as_str().expect("a digest").replace(':', "/");
    serde_json::from_slice(&work.read(format!("rebake-out/x/blobs/{digest}"))).expect("JSON")
}

const PASSWD: &str = "root:x:0:0::/root:/bin/bash\nwww:x:33:33::/:/bin/sh\n";

#[test]
fn accounts_behind_a_hard_link_are_kept() {
    let work = Work::new();
    let (file, link) = (("etc/passwd-", Regular, 0o644, PASSWD), ("etc/passwd", Link, 0o644, "etc/passwd-"));
    base(&work, &[("a/.wh.gone", Regular, 0o644, ""), file, link], json!({}));
    recipe(&work, "[users.app]\nuid = 1000\n[config]\nuser = 'www'\n");
    let with_app = format!("{PASSWD}app:x:1000:1000::/:/sbin/nologin\n");
    let layer = layers(&work, "rebake.toml").pop().expect("a layer");
    assert!(layer.contains(&sha256(with_app.as_bytes())), "{layer}");
}

#[test]
fn a_user_of_the_base_keeps_its_group_and_another_number_is_refused() {
    let work = Work::new();
    base(&work, &[("etc/passwd", Regular, 0o644, "app:x:1000:100::/:/bin/sh\n")], json!({}));
    let own = "[[layer]]\n[[layer.write]]\nto = '/x'\ntext = ''\nowner = 'app'\n";
    recipe(&work, &format!("[users.app]\nuid = 1000\n{own}"));
    assert!(layers(&work, "rebake.toml")[1].contains(" 1000:100 "));
    recipe(&work, "[users.app]\nuid = 1000\ngid = 5\n");
    assert!(refused(&work).contains("already has a user `app`, with the gid 100"));
    recipe(&work, "[users.app]\nuid = 7\n");
    assert!(refused(&work).contains("already has a user `app`, with the uid 1000"));
}

#[test]
fn accounts_that_are_no_files_are_not_written_over() {
    let work = Work::new();
    recipe(&work, "[users.app]\nuid = 1000\n");
    base(&work, &[("etc", Regular, 0o644, "a file")], json!({}));
    assert!(refused(&work).contains("/etc of the image is not a folder"));
    base(&work, &[("etc/passwd/x", Regular, 0o644, "")], json!({}));
    assert!(refused(&work).contains("/etc/passwd of the image is not a file"));
    base(&work, &[("etc/passwd", Regular, 0o644, &"a:x:1:1::/:/bin/sh\n".repeat(300_000))], json!({}));
    assert!(refused(&work).contains("larger than 4 MiB"));
}

#[test]
fn folders_without_an_entry_are_there() {
    let work = Work::new();
    base(&work, &[("impl/only/file", Regular, 0o644, "")], json!({}));
    recipe(&work, "[[layer]]\n[[layer.remove]]\npath = '/impl/only'\n");
    assert_eq!(last(&work), ["d 0755 impl/", "- 0644 impl/.wh.only"]);
    recipe(&work, "[[layer]]\n[[layer.write]]\nto = '/impl'\ntext = ''\n");
    assert!(refused(&work).contains("would replace a folder"));
}

#[test]
fn what_aufs_left_is_passed_over() {
    let work = Work::new();
    base(
        &work,
        &[(".wh..wh.plnk/", Directory, 0o700, ""), (".wh..wh.aufs", Regular, 0o444, ""), ("a", Regular, 0o644, "")],
        json!({}),
    );
    recipe(&work, "[[layer]]\n[[layer.write]]\nto = '/b'\ntext = ''\n");
    assert_eq!(last(&work), ["- 0644 b"]);
}

#[test]
fn a_file_in_the_place_of_a_symlink_holds_nothing() {
    let work = Work::new();
    base(&work, &[("d/", Directory, 0o755, ""), ("a", Symlink, 0o777, "d")], json!({}));
    recipe(&work, "[[layer]]\n[[layer.write]]\nto = '/a'\ntext = ''\n[[layer.write]]\nto = '/a/c'\ntext = ''\n");
    let said = refused(&work);
    assert!(said.contains("rebake.toml:9:6") || said.contains("rebake.toml:12:6"), "{said}");
}

#[test]
fn a_mkdir_after_a_removal_starts_afresh() {
    let work = Work::new();
    base(&work, &[("data/", Directory, 0o700, ""), ("data/x", Regular, 0o644, "")], json!({}));
    recipe(&work, "[[layer]]\n[[layer.remove]]\npath = '/data'\n[[layer.mkdir]]\npath = '/data'\n");
    assert_eq!(last(&work), ["- 0644 .wh.data", "d 0755 data/"]);
}

#[test]
fn a_variable_said_twice_is_replaced_twice() {
    let work = Work::new();
    base(&work, &[("a", Regular, 0o644, "")], json!({ "Env": ["A=1", "B=2", "A=3"] }));
    recipe(&work, "[config.env]\nA = '9'\n");
    assert_eq!(config(&work)["config"]["Env"], json!(["A=9", "B=2"]));
}

#[test]
fn every_layer_has_an_entry_in_the_history() {
    let work = Work::new();
    base(&work, &[("etc", Directory, 0o755, "")], json!({}));
    recipe(&work, "[[layer]]\nname = 'ours'\nwrite = [{ to = '/x', text = 'x' }]\n");
    let history = config(&work)["history"].clone();
    let made: Vec<_> = history.as_array().expect("a list").iter().map(|entry| entry["created_by"].clone()).collect();
    assert_eq!(made, ["rebake: (base)", "rebake: ours"]);
}

#[test]
fn indexes_that_point_at_each_other_cost_nothing() {
    let work = Work::new();
    base(&work, &[("a", Regular, 0o644, "")], json!({}));
    let index = |inner: &[Value]| {
        let text = json!({ "schemaVersion": 2, "manifests": inner }).to_string();
        work.write(format!("base/blobs/sha256/{}", sha256(text.as_bytes())), &text);
        json!({ "mediaType": "application/vnd.oci.image.index.v1+json",
            "digest": format!("sha256:{}", sha256(text.as_bytes())), "size": text.len() })
    };
    let other = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": format!("sha256:{:064}", 0),
        "size": 1, "platform": { "os": "linux", "architecture": "s390x" } });
    let mut top = other;
    for _ in 0..3 {
        top = index(&vec![top; 300]);
    }
    work.write("base/index.json", json!({ "schemaVersion": 2, "manifests": [top] }).to_string());
    recipe(&work, "");
    assert!(refused(&work).contains("is not there for linux/amd64"));
}
