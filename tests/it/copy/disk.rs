//! Layouts and archives.

use super::{ONE, TWO, built, command, digest, document, fails, index, ok, recipe, sound, tags, tried};
use crate::support::clients::skopeo;
use crate::support::{Work, needs, run, tool};
use serde_json::json;
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

#[test]
fn a_copied_layout_is_the_same_layout() {
    let work = Work::new();
    let printed = built(&work, "example.com/acme/app", TWO);
    let copied = ok(&work, &["copy", "oci:app.layout", "oci:copy"]);
    assert_eq!(copied, format!("oci:copy:1.2@{}", digest(&printed)));
    assert_eq!(work.tree("app.layout"), work.tree("copy"));
    assert_eq!(work.read("app.layout/index.json"), work.read("copy/index.json"));
    assert_eq!(work.read("app.layout/oci-layout"), work.read("copy/oci-layout"));
    assert!(sound(&work, "copy") > 5);
    // Again, nothing is to be done; elsewhere, under another name.
    let before = fs::metadata(work.join("copy/index.json")).expect("an index").modified().expect("a time");
    let again = document(&work, &["copy", "oci:app.layout:1.2", "copy"]);
    assert_eq!((again["blobs"]["copied"].as_u64(), again["blobs"]["bytes"].as_u64()), (Some(0), Some(0)));
    assert_eq!(again["blobs"]["skipped"], 5);
    assert_eq!(fs::metadata(work.join("copy/index.json")).expect("an index").modified().expect("a time"), before);
    let names = ok(&work, &["copy", "oci:app.layout:1.2", "oci:copy:new", "--tag", "newer"]);
    assert_eq!(names, format!("oci:copy:new@{}", digest(&printed)));
    let all: Vec<String> = tags(&work, "copy").into_iter().map(|(tag, _)| tag).collect();
    assert_eq!(all, ["1.2", "latest", "new", "newer"]);
    let names = index(&work, "copy");
    assert_eq!(names["manifests"][3]["annotations"]["io.containerd.image.name"], "example.com/acme/app:newer");
    // Within itself: a tag more.
    ok(&work, &["copy", "oci:copy:new", "oci:copy:same"]);
    assert_eq!(tags(&work, "copy").len(), 5);
}

#[test]
fn a_layout_is_added_to_and_nothing_of_it_is_lost() {
    let work = Work::new();
    let first = digest(&built(&work, "example.com/one", ONE));
    ok(&work, &["copy", "app.layout", "oci:all:one"]);
    fs::write(work.join("all/blobs/sha256/.new-abcdef"), "what a killed copy left").expect("a file");
    fs::write(work.join("all/README"), "mine").expect("a file");
    let mut before = index(&work, "all");
    before["annotations"] = json!({ "kept": "yes" });
    work.write("all/index.json", before.to_string());
    let second = digest(&built(&work, "example.com/two", TWO));
    ok(&work, &["copy", "app.layout", "oci:all:two"]);
    assert_eq!(tags(&work, "all"), [("one".to_owned(), first.clone()), ("two".to_owned(), second.clone())]);
    assert_eq!(index(&work, "all")["annotations"]["kept"], "yes");
    assert_eq!(work.read("all/README"), b"mine");
    sound(&work, "all");
    // A tag that stood for another image moves, and says so.
    let moved = tried(&work, &["copy", "oci:all:two", "oci:all:one"]).success();
    assert!(moved.said().contains(&format!("the tag `one` in oci:all:one moves: it was {first}")), "{moved}");
    assert_eq!(tags(&work, "all")[0], ("one".to_owned(), second.clone()));
    // A blob that was damaged where it stands is mended.
    let hex = second.strip_prefix("sha256:").expect("a digest");
    let path = work.join("all/blobs/sha256").join(hex);
    let mut bytes = fs::read(&path).expect("a blob");
    bytes[5] ^= 1;
    fs::write(&path, bytes).expect("a blob");
    ok(&work, &["copy", "app.layout", "oci:all:two"]);
    sound(&work, "all");
}

#[test]
fn a_build_waits_for_a_copy_but_not_for_ever() {
    let work = Work::new();
    let first = digest(&built(&work, "example.com/one", ONE));
    recipe(&work, "example.com/one", TWO);
    let build =
        || command(&work, &["build", "app", "-o", "oci:app.layout"]).stdout(Stdio::null()).spawn().expect("a build");
    let layout = fs::File::open(work.join("app.layout")).expect("the layout");
    layout.lock().expect("what a copy does");
    assert!(fails(&work, &["build", "app", "-o", "oci:app.layout"]).contains("another rebake is writing to it"));
    let mut waiting = build();
    sleep(Duration::from_secs(1));
    assert_eq!(waiting.try_wait().expect("a child"), None);
    assert_eq!(tags(&work, "app.layout")[0].1, first);
    layout.unlock().expect("what a copy does when it is done");
    assert!(waiting.wait().expect("an end").success());
    assert_ne!(tags(&work, "app.layout")[0].1, first);
}

/// Whichever of the two comes first, both are content.
#[test]
fn a_build_and_a_copy_at_once() {
    let work = Work::new();
    built(&work, "example.com/one", TWO);
    ok(&work, &["copy", "oci:app.layout:1.2", "oci:other:other"]);
    for round in 0..40 {
        recipe(&work, &format!("example.com/one-{round}"), ONE);
        let copy = command(&work, &["copy", "oci:other:other", "oci:app.layout:other"]).stdout(Stdio::null()).spawn();
        ok(&work, &["build", "app", "-o", "oci:app.layout"]);
        assert!(copy.expect("a copy").wait().expect("an end").success());
        let there: Vec<String> = tags(&work, "app.layout").into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(there.iter().filter(|tag| *tag != "other").collect::<Vec<_>>(), ["1.2", "latest"], "{there:?}");
    }
    sound(&work, "app.layout");
}

#[test]
fn copies_at_once_do_not_lose_each_other() {
    let work = Work::new();
    let digest = digest(&built(&work, "example.com/app", TWO));
    let names: Vec<String> = (0..8).map(|n| format!("oci:deep/new:v{n}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| super::command(&work, &["-q", "copy", "app.layout", name]).spawn().expect("a rebake"))
        .collect();
    for mut child in children {
        assert!(child.wait().expect("an end").success());
    }
    let mut there = tags(&work, "deep/new");
    there.sort();
    assert_eq!(there, (0..8).map(|n| (format!("v{n}"), digest.clone())).collect::<Vec<_>>());
    assert_eq!(sound(&work, "deep/new"), sound(&work, "app.layout"));
}

#[test]
fn a_copied_archive_is_the_file_that_the_build_writes() {
    let work = Work::new();
    let digest = digest(&built(&work, "example.com/app", TWO));
    ok(&work, &["build", "app", "-o", "oci-archive:built.tar"]);
    assert_eq!(
        ok(&work, &["copy", "app.layout", "oci-archive:copy.tar"]),
        format!("oci-archive:copy.tar:1.2@{digest}")
    );
    assert!(work.read("built.tar") == work.read("copy.tar"), "the archives differ");
    // Out of it again.
    ok(&work, &["copy", "oci-archive:copy.tar", "back"]);
    assert_eq!(work.read("back/index.json"), work.read("app.layout/index.json"));

    built(&work, "example.com/app", ONE);
    ok(&work, &["build", "app", "-o", "docker-archive:built.docker"]);
    let copied = tried(&work, &["copy", "app.layout", "docker-archive:copy.docker"]).success();
    assert_eq!(copied.text(), "docker-archive:copy.docker");
    assert!(copied.said().contains("a docker-archive holds no manifest: the digest sha256:"), "{copied}");
    assert!(work.read("built.docker") == work.read("copy.docker"), "the archives differ");
    ok(&work, &["copy", "oci:app.layout:latest", "docker-archive:named.docker:example.org/other:7"]);
    let back = tried(&work, &["copy", "docker-archive:named.docker", "from-docker"]).success();
    assert!(back.said().contains("docker-archive:named.docker has no manifest; the one that is made for it is"));
    assert_eq!(tags(&work, "from-docker")[0].0, "7");
    let name = index(&work, "from-docker");
    assert_eq!(name["manifests"][0]["annotations"]["io.containerd.image.name"], "example.org/other:7");
    sound(&work, "from-docker");
    if needs(&["skopeo"]) {
        let config = |name: &str| skopeo::config_digest(name);
        let ours = config(&format!("oci:{}:1.2", work.join("app.layout").display()));
        assert_eq!(config(&format!("docker-archive:{}", work.join("copy.docker").display())), ours);
        assert_eq!(config(&format!("oci:{}:7", work.join("from-docker").display())), ours);
    }
}

#[test]
fn one_platform_is_chosen_and_the_rest_is_said_to_stay() {
    let work = Work::new();
    let index_digest = digest(&built(&work, "example.com/app", TWO));
    let error = fails(&work, &["copy", "app.layout", "docker-archive:no.tar"]);
    assert!(error.contains("choose it with --platform") && error.contains("linux/amd64, linux/arm64"), "{error}");
    assert!(!work.join("no.tar").exists());
    let error = fails(&work, &["copy", "app.layout", "oci:no", "--platform", "linux/s390x"]);
    assert!(error.contains("there is none for linux/s390x") && error.contains("linux/amd64, linux/arm64"), "{error}");
    assert!(!work.join("no").exists());
    let one = tried(&work, &["copy", "app.layout", "oci:arm", "--platform", "linux/arm64"]).success();
    assert!(one.said().contains(&format!("the index {index_digest} stays behind")), "{one}");
    assert_ne!(digest(&one.text()), index_digest);
    let seen = document(&work, &["inspect", "arm"]);
    assert_eq!(seen["platforms"].as_array().map(Vec::len), Some(1), "{seen}");
    assert!(seen.to_string().contains("linux/arm64"), "{seen}");
    // What has one platform is copied whole.
    let same = tried(&work, &["copy", "arm", "oci:same", "--platform", "linux/arm64"]).success();
    assert_eq!((digest(&same.text()), same.said()), (digest(&one.text()), String::new()));
}

#[test]
fn all_images_of_a_layout_go_with_their_tags() {
    let work = Work::new();
    let one = digest(&built(&work, "example.com/one", ONE));
    ok(&work, &["copy", "app.layout", "all"]);
    recipe(&work, "example.com/two", TWO);
    let text = String::from_utf8(work.read("app/rebake.toml")).expect("text").replace("'latest'", "'2'");
    work.write("app/rebake.toml", text.replace("'{version}', ", ""));
    let two = digest(&ok(&work, &["build", "app", "-o", "oci:two.layout"]));
    ok(&work, &["copy", "two.layout", "all"]);

    let error = fails(&work, &["copy", "all", "oci:no"]);
    assert!(error.contains("it holds several images"), "{error}");
    let error = fails(&work, &["copy", "--all", "all", "oci:no:tag"]);
    assert!(error.contains("holds 2 images, and each keeps its own tags"), "{error}");
    let copied = ok(&work, &["copy", "--all", "all", "oci:copy"]);
    assert_eq!(copied, format!("oci:copy:1.2@{one}\noci:copy:2@{two}"));
    assert_eq!(work.read("all/index.json"), work.read("copy/index.json"));
    assert_eq!(work.tree("all"), work.tree("copy"));
    ok(&work, &["copy", "--all", "all", "oci-archive:all.tar"]);
    ok(&work, &["copy", "--all", "oci-archive:all.tar", "oci:back"]);
    assert_eq!(work.read("all/index.json"), work.read("back/index.json"));
    let list = run(tool("tar").arg("-xOf").arg(work.join("all.tar")).arg("manifest.json")).text();
    assert!(list.contains("example.com/one:latest") && list.contains("example.com/two:2"), "{list}");
    ok(&work, &["copy", "oci:all:2", "oci:only"]);
    assert_eq!(tags(&work, "only"), [("2".to_owned(), two)]);
}

#[test]
fn what_must_not_be_written_to_is_refused() {
    let work = Work::new();
    let printed = digest(&built(&work, "example.com/app", ONE));
    ok(&work, &["copy", "app.layout", "oci-archive:a.tar"]);
    work.write("file", "mine");
    work.write("foreign/important", "mine");
    let other = format!("oci:new@sha256:{}", "0".repeat(64));
    let before = work.tree("");
    for (args, wanted) in [
        (&["oci-archive:a.tar", "oci-archive:a.tar:other"][..], "is the source too, which would be replaced"),
        (&["app.layout", "oci:file"], "is a file, and an image layout is a folder"),
        (&["app.layout", "oci:file/below"], "cannot write oci:file/below"),
        (&["app.layout", "foreign"], "the folder holds `important`"),
        (&["app.layout", "oci-archive:foreign"], "a folder stands there"),
        (&["app.layout", &other], "names a digest, and what oci:app.layout stands for has another one"),
        (&["app.layout", "oci:new:-x"], "is no tag"),
        (&["app.layout", "dir:new"], "rebake writes oci:DIR[:TAG]"),
        (&["app.layout", ""], "DEST names no place"),
        (&["nowhere", "oci:new"], "there is no folder `nowhere`"),
        (&["oci:app.layout:2", "oci:new"], "the source: oci:app.layout:2: no image has the tag `2`"),
        (&["app.layout", "oci:new", "--tag", "a b"], "`a b` is no tag"),
    ] {
        let error = fails(&work, &[&["copy"], args].concat());
        assert!(error.contains(wanted), "{args:?}: {error}");
        assert_eq!(work.tree(""), before, "{args:?}");
    }
    let pinned = format!("oci:new@{printed}");
    assert_eq!(ok(&work, &["copy", "app.layout", &pinned]), pinned);
    assert_eq!(tags(&work, "new"), [("-".to_owned(), printed)]);
}

/// Image archives of every kind, and what is none: `rebake copy X oci-archive:notes.txt` is a slip.
#[test]
fn only_an_archive_is_replaced_by_one() {
    let work = Work::new();
    built(&work, "example.com/app", ONE);
    for transport in ["oci-archive", "docker-archive"] {
        ok(&work, &["copy", "app.layout", &format!("{transport}:{transport}")]);
    }
    run(tool("tar").args(["-czf", "by-hand", "-C", "app.layout", "."]).current_dir(work.path()));
    run(tool("tar").args(["-cf", "backup", "app"]).current_dir(work.path()));
    run(tool("tar").args(["-czf", "backup-gz", "./app"]).current_dir(work.path()));
    let whole = work.read("oci-archive");
    work.write("cut-short", &whole[..whole.len() / 2]);
    work.write("empty", "");
    work.write("notes", "Call them at nine.\n");
    work.write("zeros", [0; 4096]);
    let mut good = vec!["oci-archive", "docker-archive", "by-hand", "cut-short", "empty", "new"];
    if needs(&["skopeo"]) {
        let from = format!("oci:{}:1.2", work.join("app.layout").display());
        for transport in ["oci-archive", "docker-archive"] {
            let to = work.join(format!("skopeo-{transport}"));
            skopeo::copy(&from, &format!("{transport}:{}:x/y:1", to.display()), &[]);
        }
        good.extend(["skopeo-oci-archive", "skopeo-docker-archive"]);
    }
    for file in ["backup", "backup-gz", "notes", "zeros"] {
        let before = work.read(file);
        for transport in ["oci-archive", "docker-archive"] {
            let error = fails(&work, &["copy", "app.layout", &format!("{transport}:{file}")]);
            assert!(error.contains("the file that stands there is no image archive; name another"), "{file}: {error}");
        }
        assert_eq!(work.read(file), before);
    }
    for file in good {
        ok(&work, &["copy", "app.layout", &format!("oci-archive:{file}")]);
        assert_eq!(work.read(file), whole, "{file}");
        ok(&work, &["build", "app", "-o", &format!("docker-archive:{file}")]);
        assert_ne!(work.read(file), whole, "{file}");
    }
}

#[test]
fn a_layout_that_others_read_stays_one() {
    if !needs(&["skopeo", "umoci"]) {
        return;
    }
    let work = Work::new();
    let first = digest(&built(&work, "example.com/app", ONE));
    skopeo::copy(
        &format!("oci:{}:1.2", work.join("app.layout").display()),
        &format!("oci:{}:theirs", work.join("both").display()),
        &[],
    );
    ok(&work, &["copy", "app.layout", "oci:both:ours"]);
    for tag in ["ours", "theirs"] {
        assert_eq!(skopeo::manifest_digest(&format!("oci:{}:{tag}", work.join("both").display())), first);
    }
    run(tool("umoci").args(["stat", "--image"]).arg(format!("{}:ours", work.join("both").display())));
}
