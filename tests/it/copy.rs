//! `rebake copy`: images between layouts, archives and registries, with their digests; `build -o docker://`; pantries in
//! registries.

mod disk;
mod fails;
mod pantry;
mod referrers;
mod registry;

use crate::support::{Output, Work, attempt, rebake, sha256};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The program, in a folder, with a cache there.
fn command(work: &Work, args: &[&str]) -> Command {
    let mut command = rebake();
    command.args(args).current_dir(work.path()).env("REBAKE_CACHE", work.join("cache"));
    command.env("REGISTRY_AUTH_FILE", work.join("auth.json"));
    command
}

fn tried(work: &Work, args: &[&str]) -> Output {
    let output = attempt(&mut command(work, args));
    assert!(!output.said().contains("panicked"), "{output}");
    output
}

/// It has to be content; what it printed.
#[track_caller]
fn ok(work: &Work, args: &[&str]) -> String {
    tried(work, args).success().text()
}

/// It has to fail; what it said.
#[track_caller]
fn fails(work: &Work, args: &[&str]) -> String {
    let output = tried(work, args);
    assert_eq!(output.code(), Some(2), "{output}");
    assert_eq!(output.text(), "", "nothing is printed: {output}");
    output.said()
}

/// With `--json`: the document.
#[track_caller]
fn document(work: &Work, args: &[&str]) -> Value {
    let output = tried(work, &[args, &["--json"]].concat()).success();
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A recipe `app` of one file for these platforms, built into `rebake-out`; its reference and digest.
#[track_caller]
fn built(work: &Work, name: &str, platforms: &[&str]) -> String {
    recipe(work, name, platforms);
    ok(work, &["build", "app", "-o", "oci:app.layout"])
}

fn recipe(work: &Work, name: &str, platforms: &[&str]) {
    let text = format!(
        "edition = '2026'\n[image]\nname = '{name}'\nversion = '1.2'\ntags = ['{{version}}', 'latest']\n\
         platforms = {platforms:?}\n[[layer]]\nname = 'app'\n[[layer.write]]\nto = '/app'\ntext = 'for {{arch}}'\n\
         [[layer]]\nname = 'same'\n[[layer.write]]\nto = '/same'\ntext = 'everywhere'\n"
    );
    work.write("app/rebake.toml", text);
}

const TWO: &[&str] = &["linux/amd64", "linux/arm64"];
const ONE: &[&str] = &["linux/amd64"];

/// The digest behind the `@` of the first line.
#[track_caller]
fn digest(printed: &str) -> String {
    let line = printed.lines().next().expect("a line");
    line.rsplit_once('@').unwrap_or_else(|| panic!("no digest in {printed}")).1.to_owned()
}

/// `index.json` of a layout.
fn index(work: &Work, layout: &str) -> Value {
    serde_json::from_slice(&work.read(format!("{layout}/index.json"))).expect("JSON")
}

/// The tags of a layout, each with its digest.
fn tags(work: &Work, layout: &str) -> Vec<(String, String)> {
    let index = index(work, layout);
    let listed = index["manifests"].as_array().expect("manifests").iter();
    let tag = |one: &Value| one["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or("-").to_owned();
    listed.map(|one| (tag(one), one["digest"].as_str().expect("a digest").to_owned())).collect()
}

/// Every blob of a layout has the digest that it is named by; their number.
#[track_caller]
fn sound(work: &Work, layout: &str) -> usize {
    let folder = work.join(layout).join("blobs/sha256");
    let names = Work::tree_of(&folder);
    for name in &names {
        assert_eq!(sha256(&fs::read(folder.join(name)).expect("a blob")), *name, "{layout}");
    }
    names.len()
}

/// Writes a blob into a layout; its descriptor.
fn blob(layout: &Path, media_type: &str, bytes: &[u8]) -> Value {
    fs::write(layout.join("blobs/sha256").join(sha256(bytes)), bytes).expect("a blob");
    json!({ "mediaType": media_type, "digest": format!("sha256:{}", sha256(bytes)), "size": bytes.len() })
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An artifact in a layout, which refers to a subject if it has one; its descriptor, listed nowhere.
fn artifact(layout: &Path, kind: &str, text: &str, subject: Option<&Value>) -> Value {
    let config = blob(layout, "application/vnd.oci.empty.v1+json", b"{}");
    let layer = blob(layout, "text/plain", text.as_bytes());
    let mut manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": config,
        "layers": [layer], "annotations": { "says": text } });
    if let Some(subject) = subject {
        let bare = json!({ "mediaType": subject["mediaType"], "digest": subject["digest"], "size": subject["size"] });
        manifest["subject"] = bare;
    }
    blob(layout, MANIFEST, manifest.to_string().as_bytes())
}

/// Lists a descriptor in a layout's index, under a tag if there is one.
fn list(work: &Work, layout: &str, mut descriptor: Value, tag: Option<&str>) {
    if let Some(tag) = tag {
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
    }
    let mut index = index(work, layout);
    index["manifests"].as_array_mut().expect("manifests").push(descriptor);
    work.write(format!("{layout}/index.json"), index.to_string());
}
