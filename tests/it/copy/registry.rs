//! To registries and back, beside skopeo and the clients that pull.

use super::{ONE, TWO, built, digest, document, fails, ok, recipe, sound, tags, tried};
use crate::support::clients::{Containerd, Podman, Registry, skopeo};
use crate::support::http::Identity;
use crate::support::{Work, attempt, needs, run, tool};
use serde_json::json;

/// The tags of a repository, as skopeo sees them; none if it is not there.
pub fn tags_of(name: &str) -> Vec<String> {
    let mut list = tool("skopeo");
    let output = attempt(list.args(["list-tags", "--tls-verify=false"]).arg(format!("docker://{name}")));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mut tags: Vec<String> =
        json["Tags"].as_array().into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
    tags.sort();
    tags
}

#[test]
fn a_layout_comes_back_from_a_registry_byte_for_byte() {
    if !needs(&["docker-registry", "skopeo"]) {
        return;
    }
    let (real, work) = (Registry::start(), Work::new());
    let name = real.reference("acme/app");
    let printed = digest(&built(&work, &name, TWO));
    let there = format!("docker://{name}");
    let copied = document(&work, &["copy", "app.layout", &there]);
    assert_eq!(copied["digest"], printed);
    assert_eq!(copied["tags"], json!(["1.2", "latest"]));
    assert_eq!(copied["images"][0]["reference"], format!("{there}:1.2@{printed}"));
    // Three layers, two configs.
    assert_eq!(copied["blobs"]["copied"], 5);
    assert_eq!(tags_of(&name), ["1.2", "latest"]);
    assert_eq!(skopeo::manifest_digest(&format!("{there}:latest")), printed);

    assert_eq!(ok(&work, &["copy", &format!("{there}:1.2"), "back"]), format!("oci:back:1.2@{printed}"));
    ok(&work, &["copy", &there, "back"]);
    assert_eq!(work.tree("app.layout"), work.tree("back"));
    assert_eq!(work.read("app.layout/index.json"), work.read("back/index.json"));
    sound(&work, "back");

    // Again, nothing moves; to another repository of the registry, nothing goes over the wire.
    let again = document(&work, &["copy", "app.layout", &there]);
    assert_eq!((&again["blobs"]["copied"], &again["blobs"]["skipped"]), (&json!(0), &json!(5)));
    let second = format!("docker://{}", real.reference("acme/second"));
    let mounted = document(&work, &["copy", &there, &second]);
    assert_eq!((&mounted["blobs"]["copied"], &mounted["blobs"]["mounted"]), (&json!(0), &json!(5)));
    assert_eq!(mounted["tags"], json!(["latest"]));
    assert_eq!(skopeo::manifest_digest(&second), printed);

    // By its digest alone, and one platform.
    let third = format!("docker://{}", real.reference("third"));
    let pinned = format!("{third}@{printed}");
    assert_eq!(ok(&work, &["copy", &format!("{there}@{printed}"), &pinned]), pinned);
    assert_eq!(tags_of(&real.reference("third")), [""; 0]);
    ok(&work, &["copy", &pinned, &format!("{third}:tagged")]);
    let arm = ok(&work, &["copy", &pinned, &format!("{third}:arm"), "--platform", "linux/arm64"]);
    assert_eq!(skopeo::manifest_digest(&format!("{third}:arm")), digest(&arm));
    assert_ne!(digest(&arm), printed);
}

#[test]
fn skopeos_images_keep_their_digests_and_ours_do_with_skopeo() {
    if !needs(&["docker-registry", "skopeo"]) {
        return;
    }
    let (real, work) = (Registry::start(), Work::new());
    built(&work, "example.com/app", ONE);
    let from = format!("oci:{}:latest", work.join("app.layout").display());
    let docker = real.reference("docker:1");
    let mut convert = tool("skopeo");
    convert.args(["copy", "--quiet", "--format=v2s2", "--dest-tls-verify=false", &from, &format!("docker://{docker}")]);
    run(&mut convert);
    let theirs = skopeo::manifest_digest(&format!("docker://{docker}"));
    // Docker's media types go into layouts, registries and archives as they are.
    let to = format!("docker://{}", real.reference("copied"));
    assert_eq!(ok(&work, &["copy", &format!("docker://{docker}"), &to]), format!("{to}:1@{theirs}"));
    assert_eq!(skopeo::manifest_digest(&format!("{to}:1")), theirs);
    ok(&work, &["copy", &to.replace("copied", "copied:1"), "oci:layout"]);
    assert_eq!(tags(&work, "layout"), [("1".to_owned(), theirs.clone())]);
    assert!(String::from_utf8_lossy(&work.read("layout/index.json")).contains("distribution.manifest.v2+json"));
    ok(&work, &["copy", "layout", "oci-archive:layout.tar"]);
    let again = format!("docker://{}:2", real.reference("again"));
    assert_eq!(ok(&work, &["copy", "oci-archive:layout.tar", &again]), format!("{again}@{theirs}"));
    assert_eq!(skopeo::manifest_digest(&again), theirs);

    // Ours, carried by skopeo, and back by us.
    let ours = digest(&built(&work, "example.com/app", TWO));
    let carried = format!("docker://{}", real.reference("carried:1"));
    skopeo::copy(&from, &carried, &["--all", "--dest-tls-verify=false"]);
    assert_eq!(digest(&ok(&work, &["copy", &carried, "oci:home"])), ours);
    sound(&work, "home");
}

#[test]
fn a_password_and_certificates_are_as_elsewhere() {
    if !needs(&["docker-registry", "htpasswd", "openssl"]) {
        return;
    }
    let (identity, work) = (Identity::new(), Work::new());
    let real = Registry::start_with(Some(("alice", "s3cret")), Some(&identity));
    let printed = digest(&built(&work, "example.com/app", ONE));
    let there = format!("docker://{}", real.reference("acme/app"));
    let error = fails(&work, &["copy", "app.layout", &there]);
    assert!(error.contains("SSL_CERT_FILE"), "{error}");
    let error = fails(&work, &["copy", "app.layout", &there, "--insecure"]);
    assert!(error.contains("the destination: ") && error.contains("podman login"), "{error}");
    let host = real.reference("").trim_end_matches('/').to_owned();
    let auth = json!({ "auths": { host: { "username": "alice", "password": "s3cret" } } });
    work.write("auth.json", auth.to_string());
    assert_eq!(digest(&ok(&work, &["copy", "app.layout", &there, "--insecure"])), printed);
    let mut trusting = super::command(&work, &["copy", &there, "back"]);
    assert_eq!(digest(&run(trusting.env("SSL_CERT_FILE", &identity.certificate)).text()), printed);
    let error = fails(&work, &["copy", &format!("{there}:none"), "no", "--insecure"]);
    assert!(error.contains("the source: ") && error.contains("has no"), "{error}");
}

#[test]
fn a_build_is_pushed_with_its_tags() {
    if !needs(&["docker-registry", "skopeo"]) {
        return;
    }
    let (real, work) = (Registry::start(), Work::new());
    let name = real.reference("acme/app");
    let there = format!("docker://{name}");
    let printed = built(&work, &name, TWO);
    assert_eq!(ok(&work, &["build", "app", "-o", &there]), printed);
    assert_eq!(tags_of(&name), ["1.2", "latest"]);
    assert_eq!(skopeo::manifest_digest(&format!("{there}:1.2")), digest(&printed));
    let other = real.reference("other");
    let json = document(&work, &["build", "app", "-o", &format!("docker://{other}:rc1")]);
    assert_eq!(json["images"][0]["reference"], format!("{other}:rc1@{}", digest(&printed)));
    assert_eq!(json["images"][0]["destination"], format!("docker://{other}:rc1"));
    assert_eq!(tags_of(&other), ["rc1"]);

    // Nothing is pushed that is not the expected image, nor what cannot be built.
    recipe(&work, &name, ONE);
    ok(&work, &["lock", "--record", "app"]);
    let text = String::from_utf8(work.read("app/rebake.toml")).expect("text");
    work.write("app/rebake.toml", text.replace("everywhere", "elsewhere"));
    let refused = tried(&work, &["build", "--locked", "app", "-o", &format!("docker://{other}:no")]);
    assert_eq!((refused.code(), refused.text().as_str()), (Some(1), ""), "{refused}");
    work.write("app/rebake.toml", text.replace("'/same'", "'../same'"));
    fails(&work, &["build", "app", "-o", &format!("docker://{other}:no")]);
    let digested = format!("docker://{other}@{}", digest(&printed));
    assert!(fails(&work, &["build", "app", "-o", &digested]).contains("a digest cannot be chosen"));
    assert_eq!(tags_of(&other), ["rc1"]);
}

#[test]
fn clients_pull_what_was_pushed() {
    if !needs(&["docker-registry", "skopeo", "podman", "runc", "containerd", "ctr", "busybox", "root"]) {
        return;
    }
    let (real, work) = (Registry::start(), Work::new());
    let image = crate::clients::probe::ours(&work);
    let there = real.reference("acme/probe:1");
    ok(&work, &["copy", &format!("oci:{}", image.layout_tag()), &format!("docker://{there}")]);
    let podman = Podman::new();
    let id = podman.pull(&there);
    assert_eq!(podman.digest(&id), image.digest);
    assert_eq!(podman.run(&id, &[]), crate::clients::probe::REPORT);
    podman.forget();
    let containerd = Containerd::start();
    containerd.pull(&there);
    assert_eq!(containerd.digest(&there), image.digest);
    // What copy makes for docker runs too.
    let saved = format!("docker-archive:{}:{}", work.join("saved.tar").display(), image.reference());
    ok(&work, &["copy", &format!("docker://{there}"), &saved]);
    let id = podman.load(&work.join("saved.tar"), &image);
    assert_eq!(podman.run(&id, &[]), crate::clients::probe::REPORT);
    podman.forget();
}
