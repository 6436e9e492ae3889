//! What goes wrong, and leaves no tag.

use super::registry::tags_of;
use super::{MANIFEST, ONE, blob, built, command, document, fails, index, ok, tags, tried};
use crate::support::clients::Registry;
use crate::support::http::{Behaviour, Server};
use crate::support::{Work, attempt_within, needs, sha256, signal};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// The first layer of the image in `app.layout`.
fn layer(work: &Work) -> String {
    let manifest = index(work, "app.layout")["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
    let bytes = work.read(format!("app.layout/blobs/sha256/{}", &manifest["sha256:".len()..]));
    let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
    manifest["layers"][0]["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_source_that_is_damaged_leaves_no_tag() {
    if !needs(&["docker-registry", "skopeo"]) {
        return;
    }
    let (real, work) = (Registry::start(), Work::new());
    built(&work, "example.com/app", ONE);
    let layer = layer(&work);
    let path = work.join("app.layout/blobs/sha256").join(&layer["sha256:".len()..]);
    let good = fs::read(&path).expect("a blob");
    let name = real.reference("app");
    let there = format!("docker://{name}");
    ok(&work, &["copy", "app.layout", "oci:whole:before"]);
    let before = work.read("whole/index.json");
    let mut flipped = good.clone();
    flipped[20] ^= 1;
    let longer = [good.as_slice(), b"x"].concat();
    for (what, bytes) in
        [("flipped", Some(flipped)), ("short", Some(good[..30].to_vec())), ("long", Some(longer)), ("gone", None)]
    {
        match &bytes {
            Some(bytes) => fs::write(&path, bytes).expect("a blob"),
            None => fs::remove_file(&path).expect("a blob"),
        }
        fs::remove_file(work.join("whole/blobs/sha256").join(&layer["sha256:".len()..])).expect("a blob");
        for to in [&there, "oci:new", "oci:whole:after", "oci-archive:new.tar"] {
            let error = fails(&work, &["copy", "app.layout", to]);
            let told = format!("the source: oci:app.layout: layer {layer}: ");
            assert!(error.contains(&told), "{what} {to}: {error}");
            if what == "flipped" {
                assert!(error.contains("it is corrupt: its digest is"), "{error}");
            }
        }
        assert_eq!(tags_of(&name), [""; 0], "{what}");
        assert!(!work.join("new").exists() && !work.join("new.tar").exists(), "{what}");
        assert_eq!(work.read("whole/index.json"), before, "{what}");
        assert!(Work::tree_of(work.path()).iter().all(|path| !path.contains(".new")), "{what}");
        fs::write(&path, &good).expect("a blob");
        ok(&work, &["copy", "app.layout", "oci:whole:before"]);
    }
    // The positive control: it was the damage.
    ok(&work, &["copy", "app.layout", &there]);
    assert_eq!(tags_of(&name), ["1.2", "latest"]);
}

/// A source whose layer never comes to its end.
fn stalling(work: &Work, server: &Server) -> String {
    built(work, "example.com/app", ONE);
    let manifest = index(work, "app.layout")["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
    let read = |digest: &str| work.read(format!("app.layout/blobs/sha256/{}", &digest["sha256:".len()..]));
    let bytes = read(&manifest);
    let json: Value = serde_json::from_slice(&bytes).expect("JSON");
    let served = Behaviour::bytes(bytes).header("Content-Type", MANIFEST);
    server.serve("/v2/app/manifests/1", served.clone());
    server.serve(&format!("/v2/app/manifests/{manifest}"), served);
    for one in json["layers"].as_array().expect("layers").iter().chain([&json["config"]]) {
        let digest = one["digest"].as_str().expect("a digest");
        server.serve(&format!("/v2/app/blobs/{digest}"), Behaviour::bytes(read(digest)));
    }
    let digest = json["layers"][0]["digest"].as_str().expect("a digest");
    server.serve(&format!("/v2/app/blobs/{digest}"), Behaviour::bytes(read(digest)).stall_after(10));
    format!("docker://{}/app:1", server.host())
}

#[test]
fn a_signal_leaves_no_tag() {
    if !needs(&["docker-registry", "skopeo"]) {
        return;
    }
    let (real, server, work) = (Registry::start(), Server::start(), Work::new());
    let from = stalling(&work, &server);
    let other = String::from_utf8(work.read("app/rebake.toml")).expect("text").replace("for {arch}", "another");
    work.write("other/rebake.toml", other);
    ok(&work, &["build", "other", "-o", "oci:kept:old"]);
    let name = real.reference("app");
    for to in [&format!("docker://{name}:1"), "oci:new", "oci:kept:new", "oci-archive:new.tar"] {
        let asked = || server.requests().iter().filter(|seen| seen.path.contains("/blobs/")).count();
        let before = asked();
        let mut child = command(&work, &["copy", &from, to]);
        let mut child = child.stderr(std::process::Stdio::null()).spawn().expect("a rebake");
        while asked() == before {
            assert!(child.try_wait().expect("a child").is_none(), "{to}: it ended before it was asked to");
            std::thread::sleep(Duration::from_millis(10));
        }
        signal("TERM", &child.id().to_string());
        assert_eq!(child.wait().expect("an end").code(), Some(2), "{to}");
        assert_eq!(tags_of(&name), [""; 0]);
        assert!(!work.join("new").exists() && !work.join("new.tar").exists(), "{to}");
        assert_eq!(tags(&work, "kept").len(), 1, "{to}");
    }
}

#[test]
fn a_destination_that_fails_gets_no_manifest() {
    let (server, work) = (Server::start(), Work::new());
    built(&work, "example.com/app", ONE);
    server.serve("/v2/", Behaviour::status(200));
    let upload = Behaviour::status(202).header("Location", server.url("/upload"));
    server.serve("/v2/app/blobs/uploads/", upload);
    server.serve("/upload", Behaviour::status(403).body(r#"{"errors":[{"code":"DENIED","message":"no room"}]}"#));
    let to = format!("docker://{}/app:1", server.host());
    let output = attempt_within(Duration::from_secs(60), &mut command(&work, &["copy", "app.layout", &to]));
    assert_eq!(output.code(), Some(2), "{output}");
    assert!(output.said().contains("the destination: ") && output.said().contains("no room"), "{output}");
    assert!(server.requests().iter().all(|seen| !seen.path.contains("/manifests/")), "{:?}", server.requests());
    assert!(server.requests().iter().any(|seen| seen.path.starts_with("/upload")), "it was tried");
    let offline = tried(&work, &["build", "app", "-o", &to, "--offline"]);
    assert_eq!(offline.code(), Some(2), "{offline}");
}

#[test]
fn layers_to_be_had_elsewhere_are_left_out() {
    let work = Work::new();
    built(&work, "example.com/app", ONE);
    let folder = work.join("app.layout");
    let old = index(&work, "app.layout")["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
    let bytes = work.read(format!("app.layout/blobs/sha256/{}", &old["sha256:".len()..]));
    let mut manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
    let missing = format!("sha256:{}", sha256(b"elsewhere"));
    manifest["layers"][0] = json!({ "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": missing, "size": 9, "urls": ["https://example.com/layer"] });
    let top = blob(&folder, MANIFEST, manifest.to_string().as_bytes());
    work.write("app.layout/index.json", json!({ "schemaVersion": 2, "manifests": [top] }).to_string());
    let output = tried(&work, &["copy", "app.layout", "oci:copy"]).success();
    assert!(output.said().contains(&format!("the layer {missing} is left out")), "{output}");
    assert_eq!(tags(&work, "copy"), [("latest".to_owned(), top["digest"].as_str().expect("a digest").to_owned())]);
    assert_eq!(document(&work, &["copy", "app.layout", "oci:other"])["blobs"]["leftOut"], 1);
    ok(&work, &["copy", "app.layout", "oci-archive:copy.tar"]);
    // Without an address it has to be there.
    manifest["layers"][0]["urls"] = json!([]);
    let top = blob(&folder, MANIFEST, manifest.to_string().as_bytes());
    work.write("app.layout/index.json", json!({ "schemaVersion": 2, "manifests": [top] }).to_string());
    assert!(fails(&work, &["copy", "app.layout", "oci:none"]).contains(&missing));
}
