//! Files of every kind arrive: modes, owners, links, capabilities, and names that not every tar can say.

use crate::support::clients::Bundle;
use crate::support::{Image, Sample, Work, needs, run, tool};
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const RECIPE: &str = r#"
edition = "2026"

[image]
name = "example.com/acme/files"
tags = ["1"]

[[layer]]
name = "files"

[[layer.copy]]
from = "tree"
to = "/tree"

[[layer.copy]]
from = "program"
to = "/bin/setuid"
mode = "4755"

[[layer.copy]]
from = "program"
to = "/bin/capable"
mode = "0755"
capabilities = "cap_net_bind_service=ep"

[[layer.copy]]
from = "program"
to = "/bin/owned"
mode = "0640"
owner = "70000:3000000"

[[layer.link]]
path = "/bin/same"
target = "/bin/setuid"
hard = true

[[layer.link]]
path = "/bin/arrow"
target = "../anywhere/else"

[[layer.mkdir]]
path = "/empty"
mode = "1777"
"#;

#[test]
fn control_keeps_files_of_every_kind() {
    if !needs(&["skopeo", "umoci", "getcap", "setcap", "root"]) {
        return;
    }
    let work = Work::new();
    trees(&work, "rootfs/tree");
    for (path, mode) in [("setuid", 0o4755), ("capable", 0o755), ("owned", 0o640)] {
        let path = work.write(format!("rootfs/bin/{path}"), "program\n");
        if path.ends_with("owned") {
            std::os::unix::fs::chown(&path, Some(70000), Some(3_000_000)).expect("an owner");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }
    fs::hard_link(work.join("rootfs/bin/setuid"), work.join("rootfs/bin/same")).expect("a hard link");
    work.symlink("../anywhere/else", "rootfs/bin/arrow");
    fs::set_permissions(work.mkdir("rootfs/empty"), fs::Permissions::from_mode(0o1777)).expect("a mode");
    run(tool("setcap").arg("cap_net_bind_service=ep").arg(work.join("rootfs/bin/capable")));
    let sample = Sample { name: "example.com/acme/files", tag: "1", config: json!({}), compression: "gzip" };
    keeps_files_of_every_kind(&sample.write(&work, "rootfs"));
}

#[test]
fn ours_keeps_files_of_every_kind() {
    if !needs(&["umoci", "getcap", "root"]) {
        return;
    }
    let work = Work::new();
    work.write("recipe/rebake.toml", RECIPE);
    work.write("recipe/program", "program\n");
    trees(&work, "recipe/tree");
    keeps_files_of_every_kind(&Image::baked(&work, "recipe"));
}

fn keeps_files_of_every_kind(image: &Image) {
    let bundle = Bundle::unpack(&image.layout_tag());
    let root = bundle.rootfs();
    let stat = |path: &Path| fs::symlink_metadata(root.join(path)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mode = |path: &str| stat(Path::new(path)).mode() & 0o7777;
    let owner = |path: &str| (stat(Path::new(path)).uid(), stat(Path::new(path)).gid());

    assert_eq!(mode("bin/setuid"), 0o4755);
    assert_eq!(mode("bin/owned"), 0o640);
    assert_eq!(mode("empty"), 0o1777);
    assert_eq!(owner("bin/setuid"), (0, 0));
    assert_eq!(owner("bin/owned"), (70000, 3_000_000));
    assert_eq!(stat(Path::new("bin/same")).ino(), stat(Path::new("bin/setuid")).ino());
    assert_eq!(stat(Path::new("bin/setuid")).nlink(), 2);
    assert_eq!(fs::read_link(root.join("bin/arrow")).expect("a symlink"), Path::new("../anywhere/else"));
    assert_eq!(fs::read_dir(root.join("empty")).expect("a folder").count(), 0);
    let capabilities = run(tool("getcap").arg(root.join("bin/capable"))).text();
    assert!(capabilities.ends_with(" cap_net_bind_service=ep"), "{capabilities}");

    for (path, content) in names() {
        let arrived = fs::read(root.join("tree").join(&path)).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(arrived, content.as_bytes(), "{path:?}");
        assert_eq!(stat(&Path::new("tree").join(&path)).mode() & 0o7777, 0o644, "{path:?}");
    }
    assert_eq!(fs::read_link(root.join("tree/to-plain")).expect("a symlink"), Path::new("plain"));
}

/// Names of files, each with its content, from one that every tar can say to those that need PAX.
fn names() -> Vec<(PathBuf, &'static str)> {
    let long = |length: usize, count: usize| vec!["d".repeat(length); count].join("/");
    vec![
        ("plain".into(), "plain\n"),
        (long(90, 1).into(), "fits the name field\n"),
        (long(120, 1).into(), "one part too long for ustar\n"),
        (format!("{}/file", long(50, 3)).into(), "needs the prefix field\n"),
        (format!("{}/file", long(60, 6)).into(), "longer than all of ustar\n"),
        ("Käse & 寿司.txt".into(), "UTF-8\n"),
        (OsStr::from_bytes(b"latin-\xe9\xff").into(), "not UTF-8\n"),
        ("a b\nc\\d'e\"f".into(), "awkward\n"),
        ("empty file".into(), ""),
    ]
}

/// A folder with all [`names`] and a symlink.
fn trees(work: &Work, at: &str) {
    for (path, content) in names() {
        work.write(Path::new(at).join(path), content);
    }
    work.symlink("plain", format!("{at}/to-plain"));
}
