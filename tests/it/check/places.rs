//! Layouts and archives, whole and one image of them.

use super::damage::{Layout, hold};
use crate::recipes::{copy, names};
use crate::support::{Work, attempt, rebake, run};
use crate::upstream::from_pantry;
use serde_json::json;
use std::fs;

fn write(layout: &Layout, name: &str, text: impl AsRef<[u8]>) {
    fs::write(layout.path(name), text).expect("a file");
}

#[test]
fn layouts_are_judged() {
    hold(&[
        ("nothing", |_| {}, ""),
        ("no oci-layout", |l| fs::remove_file(l.path("oci-layout")).expect("gone"), "missing"),
        ("oci-layout is text", |l| write(l, "oci-layout", "1.0.0"), "json"),
        ("oci-layout is a list", |l| write(l, "oci-layout", "[]"), "field-type"),
        ("no version", |l| write(l, "oci-layout", "{}"), "field-missing"),
        ("other version", |l| write(l, "oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#), "layout-version"),
        ("version with space", |l| write(l, "oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}\n"), ""),
        (
            "no index.json",
            |l| {
                fs::remove_file(l.path("index.json")).expect("gone");
                // What nothing names is still there.
            },
            "missing",
        ),
        ("index.json is cut", |l| write(l, "index.json", r#"{"schemaVersion":2,"#), "json"),
        (
            "index.json is a folder",
            |l| {
                fs::remove_file(l.path("index.json")).expect("gone");
                fs::create_dir(l.path("index.json")).expect("a folder");
            },
            "not-a-file",
        ),
        (
            "a name twice",
            |l| {
                let text = fs::read_to_string(l.path("index.json")).expect("text");
                write(l, "index.json", text.replacen('{', r#"{"schemaVersion":2,"#, 1));
            },
            "json",
        ),
        ("deep", |l| write(l, "index.json", "[".repeat(100_000)), "json"),
        ("schemaVersion 1", |l| l.index(|index| index["schemaVersion"] = 1.into()), "schema-version"),
        ("schemaVersion is text", |l| l.index(|index| index["schemaVersion"] = "2".into()), "schema-version"),
        (
            "no schemaVersion",
            |l| {
                l.index(|index| {
                    index.as_object_mut().expect("an object").remove("schemaVersion");
                })
            },
            "field-missing",
        ),
        ("index.json of another type", |l| l.index(|index| index["mediaType"] = "text/plain".into()), "media-type"),
        ("empty, as umoci has it", |l| write(l, "index.json", r#"{"schemaVersion":2,"manifests":null}"#), ""),
        ("no list", |l| write(l, "index.json", r#"{"schemaVersion":2}"#), "field-missing"),
        ("no list but a text", |l| l.index(|index| index["manifests"] = "x".into()), "field-type"),
        ("unreferenced, right", |l| l.store(b"extra", &mut json!({})), ""),
        ("unreferenced, wrong", |l| write(l, &format!("blobs/sha256/{}", "0".repeat(64)), "x"), "digest"),
        (
            "unreferenced sha512, wrong",
            |l| {
                fs::create_dir(l.path("blobs/sha512")).expect("a folder");
                write(l, &format!("blobs/sha512/{}", "0".repeat(128)), "x");
            },
            "digest",
        ),
        ("no digest", |l| write(l, "blobs/sha256/README", "x"), "~blob-name"),
        ("upper case", |l| write(l, &format!("blobs/sha256/{}", "A".repeat(64)), "x"), "~blob-name"),
        (
            "other algorithm",
            |l| {
                fs::create_dir(l.path("blobs/md6")).expect("a folder");
                write(l, "blobs/md6/abc", "x");
            },
            "unverified",
        ),
        (
            "a symlinked blob",
            |l| {
                let (blob, aside) = (l.blob("/layers/0"), l.work.join("aside"));
                fs::rename(&blob, &aside).expect("moved");
                std::os::unix::fs::symlink(&aside, &blob).expect("a symlink");
            },
            "~symlink",
        ),
        (
            "a folder in the place of a blob",
            |l| {
                fs::remove_file(l.blob("/layers/0")).expect("gone");
                fs::create_dir(l.blob("/layers/0")).expect("a folder");
            },
            "not-a-file",
        ),
        (
            "ref.name twice",
            |l| {
                l.index(|index| {
                    let mut other = index["manifests"][0].clone();
                    l.store(
                        br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#,
                        &mut other,
                    );
                    other["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
                    index["manifests"].as_array_mut().expect("a list").push(other);
                })
            },
            "~name-twice",
        ),
        (
            "a tag that is none",
            |l| {
                l.index(|index| {
                    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "a b".into()
                })
            },
            "~ref-name",
        ),
        (
            "two tags",
            |l| {
                l.index(|index| {
                    let mut other = index["manifests"][0].clone();
                    other["annotations"]["org.opencontainers.image.ref.name"] = "v2".into();
                    index["manifests"].as_array_mut().expect("a list").push(other);
                })
            },
            "",
        ),
    ]);
}

#[test]
fn one_image_of_a_layout() {
    let layout = Layout::new();
    layout.index(|index| {
        let broken = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
            "digest": format!("sha256:{}", "0".repeat(64)),
            "annotations": { "org.opencontainers.image.ref.name": "broken" } });
        index["manifests"].as_array_mut().expect("a list").push(broken);
    });
    assert_eq!(layout.codes("oci:l:v1"), "");
    assert_eq!(layout.codes("oci:l:broken"), "missing");
    assert_eq!(layout.codes("l"), "missing");
    let digest = layout.blob("").file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(layout.codes(&format!("oci:l@sha256:{digest}")), "");
    layout.under_index(|_| {});
    assert_eq!(layout.codes(&format!("oci:l@sha256:{digest}")), "");
    // Several images at once: the worst counts.
    assert_eq!(layout.check(&["oci:l:v1", "oci:l:broken"]).code(), Some(1));
    assert_eq!(layout.check(&["oci:l:v1", "oci:l:v1"]).code(), Some(0));
    assert_eq!(layout.check(&["oci:l:v1", "oci:l:nothing", "oci:l:broken"]).code(), Some(2));
}

#[test]
fn what_cannot_be_judged_is_no_finding() {
    let layout = Layout::new();
    layout.work.mkdir("empty");
    let nowhere = format!("oci:l@sha256:{}", "0".repeat(64));
    for (image, said) in [
        ("nowhere", "there is no folder `nowhere`"),
        ("oci:nowhere", "there is no folder `nowhere`"),
        ("empty", "`empty` is no image layout"),
        ("oci:l:v2", "no image has the tag `v2`"),
        (&nowhere, "no image has the digest"),
        ("oci-archive:nowhere.tar", "nowhere.tar"),
        ("rebake.toml", "oci-archive:rebake.toml"),
        ("docker://127.0.0.1:1/x", "127.0.0.1"),
    ] {
        let out = layout.check(&[image]);
        assert_eq!(out.code(), Some(2), "{out}");
        assert!(String::from_utf8_lossy(&out.stderr).contains(said), "{out}");
        assert_eq!(out.text(), "", "{out}");
    }
}

#[test]
fn archives_are_judged() {
    let layout = Layout::new();
    let work = &layout.work;
    let build = |to: &str| run(rebake().arg("build").arg(work.path()).arg("-o").arg(to).current_dir(work.path()));
    for transport in ["oci-archive", "docker-archive"] {
        let name = format!("{transport}:a.tar");
        build(&name);
        assert_eq!(layout.codes(&name), "");
        let whole = work.read("a.tar");
        work.write("a.tar", &whole[..whole.len() / 2]);
        assert_eq!(layout.codes(&name), "archive");
        // A byte of a layer: `hello` is content of its only file.
        let at = whole.windows(5).position(|bytes| bytes == b"hello").expect("the content");
        let mut bytes = whole.clone();
        bytes[at] = b'j';
        work.write("a.tar", &bytes);
        let wanted = if transport == "oci-archive" { "diff-id digest" } else { "diff-id" };
        assert_eq!(layout.codes(&name), wanted);
    }
}

#[test]
fn what_rebake_bakes_is_sound() {
    for name in names() {
        let work = Work::new();
        run(rebake().arg("build").arg(copy(&work, &name)).args(from_pantry()).arg("-o").arg(work.join("l")));
        let out = attempt(rebake().arg("check").arg(work.join("l"))).success();
        assert!(out.text().starts_with("sound: ") && !out.text().contains("warning"), "{name}: {out}");
    }
}
