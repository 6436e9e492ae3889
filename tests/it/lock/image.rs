//! Images: from registries, which forget them, and from this disk, where they change.

use super::url::{AMD64, BOTH};
use super::{Desk, assert_says, ended};
use crate::support::clients::Registry;
use crate::support::http::{Behaviour, Identity, Server};
use crate::support::{Image, Sample, Work, attempt, needs, rebake, run, sha256, tool};
use serde_json::json;
use std::fs;

const REAL: &[&str] = &["docker-registry", "htpasswd", "openssl", "skopeo", "tar", "gzip"];

/// An image with one file, `hello`, for linux/amd64; its manifest says no platform.
fn sample(work: &Work, content: &str) -> Image {
    work.write(format!("{content}/hello"), content);
    Sample { name: "example.com/a/base", tag: "1", config: json!({}), compression: "gzip" }.write(work, content)
}

#[track_caller]
fn push(image: &str, to: &str, options: &[&str]) {
    let mut copy = tool("skopeo");
    copy.args(["copy", "--quiet", "--all", "--dest-tls-verify=false"]).args(options);
    run(copy.args([image, &format!("docker://{to}")]));
}

#[track_caller]
fn delete(image: &str) {
    run(tool("skopeo").args(["delete", "--tls-verify=false", &format!("docker://{image}")]));
}

fn input(image: &str) -> String {
    format!("[inputs.base]\nimage = \"{image}\"\n")
}

#[test]
fn a_base_stays_when_its_tag_moves_and_when_its_registry_forgets_it() {
    if !needs(REAL) {
        return;
    }
    let (registry, desk) = (Registry::start(), Desk::new());
    let name = registry.reference("acme/base:1");
    let host = name.split('/').next().expect("a host").to_owned();
    let (one, two) = (sample(&desk.work, "one"), sample(&desk.work, "two"));
    push(&format!("oci:{}", one.layout_tag()), &name, &["--preserve-digests"]);
    desk.recipe(AMD64, &input(&name));
    assert_says(&desk.ends(2, &["build"]), &["the input `base` is not pinned", "an image in a registry"]);
    desk.run(&["lock"]);
    assert_says(
        &desk.lock(),
        &[&format!("image = \"{name}\"\ndigest = \"{}\"\n", one.digest), "\"linux/amd64\" = { digest"],
    );
    let digest = desk.digest(&[]);

    push(&format!("oci:{}", two.layout_tag()), &name, &["--preserve-digests"]);
    desk.run(&["cache", "prune"]);
    assert_eq!(desk.digest(&[]), digest, "what is pinned is still there");
    let moved = format!("base moved from {} to {}", one.digest, two.digest);
    assert_says(&desk.ends(1, &["lock", "--check"]), &[&moved]);
    assert_says(&desk.ends(1, &["lock", "--check", "--json"]), &["\"changed\": true", "\"change\": \"moved\""]);

    // What no tag names is deleted by many registries. The store has it; an empty one does not.
    delete(&format!("{}@{}", name.trim_end_matches(":1"), one.digest));
    assert_eq!(desk.digest(&[]), digest);
    desk.run(&["cache", "prune"]);
    let said = desk.ends(2, &["build"]);
    assert_says(
        &said,
        &[
            &format!("the input `base` (image {name}) cannot be had: the image that is pinned is gone from {host}"),
            "no pantry is given that could have it",
            &one.digest,
            "rebake.toml",
            "--pantry DIR",
            "`rebake lock --update base`",
        ],
    );
    assert_says(&desk.run(&["lock", "--update", "base"]), &[&moved]);
    assert_ne!(desk.digest(&[]), digest);
    assert_says(&desk.lock(), &[&two.digest]);

    let gone = registry.reference("acme/base:2");
    desk.recipe(AMD64, &input(&gone));
    let said = desk.ends(2, &["lock"]);
    assert_says(
        &said,
        &[&format!("the input `base` (image {gone}) cannot be pinned: {host} has no {gone} (it says: ")],
    );
}

#[test]
fn a_login_comes_from_the_auth_file_and_is_never_shown() {
    if !needs(REAL) {
        return;
    }
    let (registry, desk) = (Registry::start_with(Some(("alice", "s3cret")), None), Desk::new());
    let name = registry.reference("acme/base:1");
    let host = name.split('/').next().expect("a host").to_owned();
    let image = sample(&desk.work, "one");
    push(&format!("oci:{}", image.layout_tag()), &name, &["--dest-creds=alice:s3cret"]);
    desk.recipe(AMD64, &input(&name));
    let said = desk.ends(2, &["lock"]);
    assert_says(
        &said,
        &[&format!("the input `base` (image {name}) cannot be pinned: {host} gives"), &format!("podman login {host}")],
    );

    let auth =
        |password: &str| json!({ "auths": { &host: { "username": "alice", "password": password } } }).to_string();
    desk.work.write("home/.docker/config.json", auth("wr0ng"));
    let said = desk.ends(2, &["lock", "-v"]) + &desk.ends(2, &["lock", "--json"]);
    assert_says(&said, &["refuses", "home/.docker/config.json", "wrong, expired or not enough"]);
    assert!(!said.contains("wr0ng") && !said.contains("d3IwbmdA"), "{said}");
    let file = desk.work.write("auth.json", auth("s3cret"));
    attempt(desk.command(&["lock"]).env("REGISTRY_AUTH_FILE", file)).success();
    desk.work.write("home/.docker/config.json", auth("s3cret"));
    desk.run(&["cache", "prune"]);
    desk.run(&["build"]);
}

#[test]
fn a_registry_with_an_authority_of_its_own() {
    if !needs(REAL) {
        return;
    }
    let (identity, desk) = (Identity::new(), Desk::new());
    let registry = Registry::start_with(None, Some(&identity));
    let name = registry.reference("acme/base:1");
    push(&format!("oci:{}", sample(&desk.work, "one").layout_tag()), &name, &[]);
    desk.recipe(AMD64, &input(&name));
    assert_says(&desk.ends(2, &["lock"]), &["cannot be trusted", "SSL_CERT_FILE"]);
    attempt(desk.command(&["lock"]).env("SSL_CERT_FILE", &identity.certificate)).success();
    desk.run(&["cache", "prune"]);
    desk.run(&["build", "--insecure"]);
}

#[test]
fn an_index_a_lone_manifest_and_dockers_dialect() {
    if !needs(REAL) {
        return;
    }
    let (registry, desk) = (Registry::start(), Desk::new());
    // An index of two platforms, made by ourselves.
    desk.recipe(BOTH, "");
    desk.run(&["build", "-o", "oci:../both:1"]);
    let [both, lone, docker] = ["acme/both:1", "acme/lone:1", "acme/docker:1"].map(|name| registry.reference(name));
    push(&format!("oci:{}:1", desk.work.join("both").display()), &both, &[]);
    let image = sample(&desk.work, "one");
    push(&format!("oci:{}", image.layout_tag()), &lone, &[]);
    push(&format!("oci:{}", image.layout_tag()), &docker, &["--format=v2s2"]);

    desk.recipe(BOTH, &input(&both));
    desk.run(&["lock"]);
    assert_says(&desk.lock(), &["digest = ", "\"linux/amd64\" = {", "\"linux/arm64\" = {"]);
    desk.run(&["build"]);
    // A platform that comes later, and one that there is not.
    desk.recipe(AMD64, &input(&both));
    desk.run(&["lock"]);
    assert!(!desk.lock().contains("arm64"));
    desk.recipe(BOTH, &input(&both));
    assert_says(
        &desk.ends(2, &["build"]),
        &["the lock does not have the input `base` for linux/arm64", "`rebake lock`"],
    );
    let lock = desk.lock();
    desk.run(&["lock"]);
    desk.run(&["build"]);
    desk.work.write("recipe/rebake.lock", &lock);
    desk.recipe(&["linux/amd64", "linux/s390x"], &input(&both));
    let said = desk.ends(2, &["lock"]);
    let missing = "it is not there for linux/s390x; it is there for linux/amd64, linux/arm64";
    assert_says(&said, &["the input `base` (image ", missing]);
    assert_eq!(desk.lock(), lock);

    desk.recipe(BOTH, &input(&lone));
    let said = desk.ends(2, &["lock"]);
    assert_says(&said, &["the input `base` (image ", "it is not there for linux/arm64; it is there for linux/amd64"]);
    assert_eq!(desk.lock(), lock);

    desk.recipe(AMD64, &input(&docker));
    desk.run(&["lock"]);
    desk.run(&["build"]);
    assert_eq!(desk.content(0, "written"), "here");
}

#[test]
fn a_layer_may_be_there_twice() {
    if !needs(REAL) {
        return;
    }
    let (registry, desk) = (Registry::start(), Desk::new());
    let layer = "[[layer]]\n[[layer.write]]\nto = \"/same\"\ntext = \"same\"\n";
    let recipe = format!("edition = \"2026\"\n[image]\nname = \"acme/twice\"\n{layer}{layer}");
    desk.work.write("recipe/rebake.toml", recipe);
    desk.run(&["build", "-o", "oci:../twice:1"]);
    let name = registry.reference("acme/twice:1");
    push(&format!("oci:{}:1", desk.work.join("twice").display()), &name, &[]);
    desk.recipe(AMD64, &input(&name));
    desk.run(&["lock"]);
    desk.run(&["build"]);
    // Manifest, config and layer: what is there twice is kept once.
    assert_eq!(desk.kept().len(), 3);
}

#[test]
fn files_come_from_an_image_and_a_digest_needs_no_lock() {
    if !needs(REAL) {
        return;
    }
    let (registry, desk) = (Registry::start(), Desk::new());
    let name = registry.reference("acme/files:1");
    let image = sample(&desk.work, "one");
    push(&format!("oci:{}", image.layout_tag()), &name, &["--preserve-digests"]);
    desk.recipe(AMD64, &format!("[inputs.files]\nimage = \"{name}\"\n"));
    desk.run(&["lock"]);
    desk.run(&["build"]);
    assert_eq!(desk.content(0, "files/hello"), "one");

    fs::remove_file(desk.lock_path()).expect("a lock");
    desk.run(&["cache", "prune"]);
    let pinned = format!("{name}@{}", image.digest);
    desk.recipe(AMD64, &format!("[inputs.files]\nimage = \"{pinned}\"\n"));
    desk.run(&["build"]);
    assert!(!desk.lock_path().exists());
    let digest = desk.digest(&["--offline"]);
    // What the recipe pins itself is kept too.
    desk.run(&["cache", "prune", "--keep", "."]);
    assert_eq!(desk.digest(&["--offline"]), digest);
    delete(&pinned.replace(":1@", "@"));
    desk.run(&["cache", "prune"]);
    assert_says(&desk.ends(2, &["build"]), &["the image that is pinned is gone from localhost:"]);
}

#[test]
fn an_image_on_disk_that_changed_is_said() {
    if !needs(&["skopeo", "tar", "gzip"]) {
        return;
    }
    for transport in ["oci", "oci-archive", "docker-archive"] {
        let desk = Desk::new();
        let place = |image: &Image| match transport {
            "oci" => image.layout.clone(),
            "oci-archive" => image.oci_archive.clone(),
            _ => image.docker_archive.clone(),
        };
        let (one, two) = (sample(&desk.work, "one"), sample(&desk.work, "two"));
        let there = desk.work.join("recipe/there");
        let put = |image: &Image| {
            run(tool("rm").arg("-rf").arg(&there));
            run(tool("cp").arg("-r").arg(place(image)).arg(&there));
        };
        put(&one);
        desk.recipe(AMD64, &input(&format!("{transport}:there")));
        // Nobody has to pin what lies beside the recipe.
        let digest = desk.digest(&[]);
        desk.run(&["lock"]);
        assert_eq!(desk.digest(&["--locked"]), digest);
        put(&two);
        let said = desk.ends(2, &["build"]);
        let called = format!("the input `base` (image {transport}:there) cannot be had: ");
        assert_says(&said, &[&called, " is sha256:", " now, and sha256:", " is pinned", "`rebake lock --update base`"]);
        assert_says(&desk.ends(1, &["lock", "--check"]), &["base moved from sha256:"]);
        desk.run(&["lock", "--update", "base"]);
        assert_ne!(desk.digest(&[]), digest);
        run(tool("rm").arg("-rf").arg(&there));
        assert_says(&desk.ends(2, &["build"]), &[&called, "there"]);
        let output = attempt(&mut desk.command(&["lock", "--update"]));
        assert_says(&ended(2, &output), &["the input `base` (image ", "cannot be pinned: "]);
    }
}

#[test]
fn a_registry_that_gives_other_bytes_is_named() {
    let (server, desk) = (Server::start(), Desk::new());
    let image = sample(&desk.work, "one");
    let host = server.host();
    let blob = |digest: &str| fs::read(image.layout.join("blobs").join(digest.replace(':', "/"))).expect("a blob");
    let manifest = blob(&image.digest);
    let json: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let of = |json: &serde_json::Value| json["digest"].as_str().expect("a digest").to_owned();
    let (config, layer) = (of(&json["config"]), of(&json["layers"][0]));
    server.serve("/v2/", Behaviour::status(200));
    for reference in ["1", &image.digest] {
        let answer =
            Behaviour::bytes(&manifest[..]).header("Content-Type", "application/vnd.oci.image.manifest.v1+json");
        server.serve(&format!("/v2/a/base/manifests/{reference}"), answer);
    }
    server.serve(&format!("/v2/a/base/blobs/{config}"), Behaviour::bytes(blob(&config)));
    let mut wrong = blob(&layer);
    wrong[20] ^= 1;
    server.serve(&format!("/v2/a/base/blobs/{layer}"), Behaviour::bytes(&wrong[..]));
    desk.recipe(AMD64, &input(&format!("{host}/a/base:1")));
    let said = desk.ends(2, &["lock"]);
    assert_says(
        &said,
        &[
            "the input `base` (image ",
            &format!(
                "{host} gives something else as {host}/a/base@{layer}: it has the digest sha256:{}",
                sha256(&wrong)
            ),
            &format!("and should have {layer}"),
        ],
    );
    assert!(!desk.lock_path().exists() && !desk.kept().iter().any(|name| layer.ends_with(name)));
    assert_eq!(desk.work.tree("cache/partial"), [""; 0]);

    // Cut in the middle and resumed, then whole.
    let right = Behaviour::bytes(blob(&layer));
    server.script(&format!("/v2/a/base/blobs/{layer}"), [right.clone().close_after(40), right]);
    desk.run(&["lock"]);
    desk.run(&["build", "--offline"]);
    // Too many at once is what a registry says that wants to be left alone for a while.
    server.serve("/v2/a/base/manifests/1", Behaviour::status(429).header("Retry-After", "100000"));
    let said = desk.ends(2, &["lock", "--update"]);
    assert_says(&said, &["too many requests", "retry after 100000"]);
    server.serve("/v2/a/base/manifests/1", Behaviour::status(503));
    assert_says(&desk.ends(2, &["lock", "--update"]), &["the input `base` (image ", "503"]);
}

#[test]
fn an_image_on_disk_moves_only_when_it_is_asked_to() {
    let work = Work::new();
    let base = |text: &str| {
        let recipe = "edition = '2026'\n[image]\nname = 'b'\n[[layer]]\n[[layer.write]]\nto = '/b'\n";
        work.write("base/rebake.toml", format!("{recipe}text = '{text}'\n"));
        run(rebake().args(["build", "base", "-o", "b"]).current_dir(work.path()));
    };
    work.write(
        "app/rebake.toml",
        "edition = '2026'\n[image]\nname = 'a'\nbase = 'b'\n[inputs.b]\nimage = 'oci:../b'\n",
    );
    let call = |args: &[&str]| attempt(rebake().args(args).current_dir(work.join("app"))).code();
    let lock = || std::fs::read_to_string(work.join("app/rebake.lock")).expect("a lock");
    base("one");
    assert_eq!(call(&["lock"]), Some(0));
    let pinned = lock();
    base("two");
    assert_eq!(call(&["lock", "--offline"]), Some(2), "what is pinned is gone");
    assert_eq!(lock(), pinned);
    assert_eq!((call(&["build"]), call(&["lock", "--check"])), (Some(2), Some(1)));
    assert_eq!((call(&["lock", "--update", "b"]), call(&["build"])), (Some(0), Some(0)));
    assert_ne!(lock(), pinned);
}
