//! The registry's client: against docker-registry, and against a server that says what no good registry says.

use crate::net::hasty;
use crate::support::clients::{Registry as Real, skopeo};
use crate::support::http::{Behaviour, Identity, Server};
use crate::support::{Image, Sample, Work, needs, run, tool};
use rebake::net::{Http, HttpErrorKind, Settings};
use rebake::oci::{Digest, media_type};
use rebake::registry::{Credentials, Reference, Registry, RegistryError, RegistryErrorKind};
use rebake::store::Store;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Whoever never asks to stop.
pub static NEVER: AtomicBool = AtomicBool::new(false);

pub const REAL: &[&str] = &["docker-registry", "htpasswd", "openssl", "skopeo", "tar", "gzip"];

pub fn client(files: Vec<PathBuf>) -> Registry {
    let http = Http::new(&hasty()).expect("a client");
    Registry::new(&http, &Credentials::new(files, None), false)
}

/// An image with one layer.
pub fn image(work: &Work) -> Image {
    work.write("rootfs/hello", "hello\n");
    Sample { name: "example.com/a/b", tag: "1", config: json!({}), compression: "gzip" }.write(work, "rootfs")
}

/// The digest and size of what a manifest names.
pub fn parts(manifest: &[u8]) -> Vec<(Digest, u64)> {
    let manifest: Value = serde_json::from_slice(manifest).expect("JSON");
    let of = |json: &Value| {
        (json["digest"].as_str().expect("a digest").parse().expect("a digest"), json["size"].as_u64().expect("a size"))
    };
    std::iter::once(&manifest["config"]).chain(manifest["layers"].as_array().expect("layers")).map(of).collect()
}

/// Everything of the image that `name` names comes with its digest.
#[track_caller]
fn assert_pulls(registry: &Registry, name: &str, image: &Image) {
    let (name, tag) = name.rsplit_once(':').expect("a tag");
    let repository = registry.repository(name);
    let (descriptor, bytes) = repository.manifest(Reference::Tag(tag), &NEVER).expect("a manifest");
    assert_eq!(descriptor.digest.to_string(), image.digest);
    assert_eq!((descriptor.media_type.as_str(), descriptor.size), (media_type::MANIFEST, bytes.len() as u64));
    let (again, same) = repository.manifest(Reference::Digest(descriptor.digest), &NEVER).expect("a manifest");
    assert_eq!((again, same), (descriptor, bytes.clone()));
    let work = Work::new();
    let store = Store::new(work.join("store"));
    for (digest, size) in parts(&bytes) {
        let mut part = store.part(Some(digest), &NEVER).expect("a part");
        repository.blob(digest, size, &mut part, &NEVER).expect("a blob");
        store.keep(part, Some(digest)).expect("the right blob");
    }
    assert_eq!(store.entries().expect("entries").len(), 2);
}

#[track_caller]
fn refused(registry: &Registry, name: &str) -> RegistryError {
    let (name, tag) = name.rsplit_once(':').expect("a tag");
    registry.repository(name).manifest(Reference::Tag(tag), &NEVER).expect_err("an error")
}

#[test]
fn an_image_comes_from_a_registry_without_tls() {
    if !needs(REAL) {
        return;
    }
    let (real, work) = (Real::start(), Work::new());
    let (image, name) = (image(&work), real.reference("acme/probe:1"));
    skopeo::copy(&format!("oci:{}", image.layout_tag()), &format!("docker://{name}"), &["--dest-tls-verify=false"]);
    let registry = client(vec![work.join("no-such-file")]);
    assert_pulls(&registry, &name, &image);
    assert_pulls(&registry, &name.replace("localhost", "127.0.0.1"), &image);

    // Docker's dialect.
    let docker = real.reference("acme/docker:1");
    let mut copy = tool("skopeo");
    copy.args(["copy", "--quiet", "--format=v2s2", "--dest-tls-verify=false"]);
    run(copy.args([format!("oci:{}", image.layout_tag()), format!("docker://{docker}")]));
    let repository = registry.repository(&real.reference("acme/docker"));
    let (descriptor, _) = repository.manifest(Reference::Tag("1"), &NEVER).expect("a manifest");
    assert_eq!(descriptor.media_type, media_type::DOCKER_MANIFEST);

    let host = real.reference("").trim_end_matches('/').to_owned();
    for name in [real.reference("acme/probe:2"), real.reference("acme/none:1")] {
        let error = refused(&registry, &name);
        assert!(matches!(&error.kind, RegistryErrorKind::Gone { said: Some(_) }), "{error}");
        assert!(error.to_string().starts_with(&format!("{host} has no {name} (it says: ")), "{error}");
    }
    let nothing = Digest::of(b"nothing");
    let store = Store::new(work.join("store"));
    let mut part = store.part(Some(nothing), &NEVER).expect("a part");
    let error = repository.blob(nothing, 7, &mut part, &NEVER).expect_err("an error");
    assert!(matches!(&error.kind, RegistryErrorKind::Gone { .. }), "{error}");
    assert!(error.to_string().contains(&format!("acme/docker@{nothing}")), "{error}");
}

#[test]
fn a_registry_with_a_password_wants_it() {
    if !needs(REAL) {
        return;
    }
    let (real, work) = (Real::start_with(Some(("alice", "s3cret")), None), Work::new());
    let (image, name) = (image(&work), real.reference("acme/probe:1"));
    let from = format!("oci:{}", image.layout_tag());
    skopeo::copy(&from, &format!("docker://{name}"), &["--dest-tls-verify=false", "--dest-creds=alice:s3cret"]);

    let error = refused(&client(vec![]), &name);
    assert!(matches!(error.kind, RegistryErrorKind::Denied { credentials: None, .. }), "{error}");
    assert!(error.to_string().contains(&format!("podman login {}", error.host())), "{error}");

    // As skopeo and podman write it.
    let auth = work.join("auth.json");
    let mut login = tool("skopeo");
    login.args(["login", "--tls-verify=false", "-u", "alice", "-p", "s3cret", "--authfile"]);
    run(login.arg(&auth).arg(error.host()));
    assert_pulls(&client(vec![work.join("none"), auth]), &name, &image);

    // As docker has it with a helper: a program that is asked.
    let helper =
        "#!/bin/sh\nread -r key; echo '{\"Username\":\"alice\",\"Secret\":\"s3cret\"}'; echo \"$key\" > \"$0.asked\"\n";
    work.write_mode("bin/docker-credential-probe", 0o755, helper);
    let path = std::env::join_paths([work.join("bin"), "/usr/bin".into(), "/bin".into()]).expect("a path");
    for config in [
        json!({ "credHelpers": { error.host(): "probe" } }),
        json!({ "auths": { error.host(): {} }, "credsStore": "probe" }),
    ] {
        let file = work.write("config.json", config.to_string());
        let http = Http::new(&hasty()).expect("a client");
        let registry = Registry::new(&http, &Credentials::new(vec![file], Some(path.clone())), false);
        assert_pulls(&registry, &name, &image);
        assert_eq!(String::from_utf8_lossy(&work.read("bin/docker-credential-probe.asked")).trim(), error.host());
        std::fs::remove_file(work.join("bin/docker-credential-probe.asked")).expect("a file to remove");
    }

    let wrong = json!({ "auths": { error.host(): { "username": "alice", "password": "wr0ng" } } });
    let wrong = work.write("wrong.json", wrong.to_string());
    let error = refused(&client(vec![wrong.clone()]), &name);
    assert!(
        matches!(&error.kind, RegistryErrorKind::Denied { credentials: Some(file), .. } if *file == wrong),
        "{error}"
    );
    assert!(error.to_string().contains("wrong.json"), "{error}");
    assert!(!format!("{error} {error:?}").contains("wr0ng"), "{error:?}");

    let broken = work.write("broken.json", "{ \"auths\": s3cret");
    let error = refused(&client(vec![broken]), &name);
    assert!(matches!(&error.kind, RegistryErrorKind::Credentials(_)), "{error}");
    assert!(error.to_string().contains("broken.json") && !error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn a_registry_with_tls_is_trusted_by_its_certificate() {
    if !needs(REAL) {
        return;
    }
    let (identity, work) = (Identity::new(), Work::new());
    let real = Real::start_with(None, Some(&identity));
    let (image, name) = (image(&work), real.reference("acme/probe:1"));
    skopeo::copy(&format!("oci:{}", image.layout_tag()), &format!("docker://{name}"), &["--dest-tls-verify=false"]);
    let with = |settings: Settings, insecure| {
        Registry::new(&Http::new(&settings).expect("a client"), &Credentials::default(), insecure)
    };
    assert_pulls(&with(Settings { cert_file: Some(identity.certificate.clone()), ..hasty() }, false), &name, &image);
    assert_pulls(&with(hasty(), true), &name, &image);
    let other = Identity::new();
    let error = refused(&with(Settings { cert_file: Some(other.certificate.clone()), ..hasty() }, false), &name);
    let certificate = |kind: &RegistryErrorKind| matches!(kind, RegistryErrorKind::Http(error) if matches!(error.kind, HttpErrorKind::Certificate(_)));
    assert!(certificate(&error.kind), "no other way is tried: {error}");
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
}

/// A manifest of a server of ours.
pub fn manifest() -> Vec<u8> {
    json!({ "schemaVersion": 2, "mediaType": media_type::MANIFEST, "config": {}, "layers": [] })
        .to_string()
        .into_bytes()
}

fn challenge(server: &Server) -> Behaviour {
    let value = format!(
        "Digest realm=\"x\", Bearer realm=\"{}\",service=\"the, service\",scope=\"repository:a/b:pull\"",
        server.url("/token?x=1")
    );
    Behaviour::status(401).header("WWW-Authenticate", value)
}

#[test]
fn a_token_is_fetched_kept_and_renewed() {
    let (server, work) = (Server::start(), Work::new());
    let name = format!("{}/a/b", server.host());
    let good = Behaviour::bytes(manifest());
    server.script("/v2/a/b/manifests/1", [challenge(&server), good.clone(), good.clone(), challenge(&server), good]);
    let token = |token: &str| Behaviour::status(200).body(json!({ "token": token }).to_string());
    server.script("/token", [token("first"), token("second")]);
    let config = json!({ "auths": { server.host(): { "username": "alice", "password": "s3cret" } } });
    let registry = client(vec![work.write("auth.json", config.to_string())]);
    for _ in 0..3 {
        registry.repository(&name).manifest(Reference::Tag("1"), &NEVER).expect("a manifest");
    }
    let tokens = server.requests_of("/token");
    assert_eq!(tokens.len(), 2);
    assert_eq!(tokens[0].path, "/token?x=1&service=the%2C+service&scope=repository%3Aa%2Fb%3Apull");
    // printf alice:s3cret | base64
    assert_eq!(tokens[0].header("authorization"), Some("Basic YWxpY2U6czNjcmV0"));
    let sent = |path: &str| -> Vec<Option<String>> {
        server.requests_of(path).iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect()
    };
    let (first, second) = (Some("Bearer first".to_owned()), Some("Bearer second".to_owned()));
    assert_eq!(sent("/v2/a/b/manifests/1"), [None, first.clone(), first.clone(), first, second.clone()]);
    let accept = server.requests_of("/v2/a/b/manifests/1")[0].header("accept").map(str::to_owned).expect("types");
    for kind in [media_type::MANIFEST, media_type::INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_INDEX] {
        assert!(accept.contains(kind), "{accept}");
    }

    // A blob that breaks, whose token expires meanwhile, and that another host keeps.
    let store = Server::start();
    let body = vec![7; 100_000];
    let digest = Digest::of(&body);
    let path = format!("/v2/a/b/blobs/{digest}");
    store.script("/blob", [Behaviour::bytes(body.clone()).close_after(40_000), Behaviour::bytes(body.clone())]);
    let away = Behaviour::redirect(307, store.url("/blob?signature=x"));
    server.script(&path, [away.clone(), challenge(&server), away]);
    server.serve("/token", token("third"));
    let stored = Store::new(work.join("store"));
    let mut part = stored.part(Some(digest), &NEVER).expect("a part");
    registry.repository(&name).blob(digest, 100_000, &mut part, &NEVER).expect("a blob");
    stored.keep(part, Some(digest)).expect("the right blob");
    assert_eq!(sent(&path), [second.clone(), second, Some("Bearer third".to_owned())]);
    let strangers = store.requests();
    assert_eq!(strangers.iter().map(|seen| seen.header("range")).collect::<Vec<_>>(), [None, Some("bytes=40000-")]);
    assert!(strangers.iter().all(|seen| seen.header("authorization").is_none()), "{strangers:?}");
}

#[test]
fn an_identity_token_is_exchanged() {
    let (server, work) = (Server::start(), Work::new());
    server.script("/v2/a/b/manifests/1", [challenge(&server), Behaviour::bytes(manifest())]);
    server.serve("/token", Behaviour::status(200).body(r#"{"access_token":"t0ken"}"#));
    let config = json!({ "auths": { server.host(): { "identitytoken": "id&=" } } });
    let registry = client(vec![work.write("auth.json", config.to_string())]);
    let repository = format!("{}/a/b", server.host());
    registry.repository(&repository).manifest(Reference::Tag("1"), &NEVER).expect("a manifest");
    let asked = &server.requests_of("/token")[0];
    assert_eq!((asked.method.as_str(), asked.header("authorization")), ("POST", None));
    let body = String::from_utf8_lossy(&asked.body);
    for field in [
        "grant_type=refresh_token",
        "refresh_token=id%26%3D",
        "service=the%2C+service",
        "scope=repository%3Aa%2Fb%3Apull",
    ] {
        assert!(body.split('&').any(|other| other == field), "{body}");
    }
    assert_eq!(server.requests_of("/v2/a/b/manifests/1")[1].header("authorization"), Some("Bearer t0ken"));
}

#[test]
fn a_refusal_says_what_to_do() {
    let (server, work) = (Server::start(), Work::new());
    let name = format!("{}/a/b:1", server.host());
    let login = json!({ "auths": { server.host(): { "username": "alice", "password": "s3cret" } } });
    let file = work.write("auth.json", login.to_string());
    let said = r#"{"errors":[{"code":"DENIED","message":"no\u0007 way\nmore"}]}"#;

    // By the token server.
    server.serve("/v2/a/b/manifests/1", challenge(&server));
    server.serve("/token", Behaviour::status(401).body(r#"{"details":"incorrect username or password"}"#));
    let error = refused(&client(vec![file.clone()]), &name).to_string();
    assert!(error.contains("incorrect username or password") && error.contains("auth.json"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
    for wrong in
        [Behaviour::status(200).body("{}"), Behaviour::status(418), Behaviour::status(200).body(vec![b' '; 2 << 20])]
    {
        server.serve("/token", wrong);
        let error = refused(&client(vec![]), &name);
        assert!(matches!(error.kind, RegistryErrorKind::Token { .. } | RegistryErrorKind::TooLarge { .. }), "{error}");
    }
    // By the registry, which takes no token that its own server gives: asked once, not for ever.
    server.serve("/token", Behaviour::status(200).body(r#"{"token":"t"}"#));
    let before = server.requests_of("/token").len();
    let error = refused(&client(vec![]), &name);
    assert!(matches!(error.kind, RegistryErrorKind::Denied { credentials: None, .. }), "{error}");
    assert_eq!(server.requests_of("/token").len(), before + 1);
    // By a way of its own.
    server.serve("/v2/a/b/manifests/1", Behaviour::status(401).header("WWW-Authenticate", "Negotiate"));
    let error = refused(&client(vec![file.clone()]), &name);
    assert!(matches!(error.kind, RegistryErrorKind::Denied { .. }), "{error}");

    server.serve("/v2/a/b/manifests/1", Behaviour::status(403).body(said));
    let error = refused(&client(vec![file]), &name).to_string();
    assert!(error.contains("(it says: no way)"), "{error}");
    server.serve("/v2/a/b/manifests/1", Behaviour::status(429).header("Retry-After", "0"));
    let error = refused(&client(vec![]), &name);
    assert!(matches!(&error.kind, RegistryErrorKind::TooMany { after: Some(after) } if after == "0"), "{error}");
    server.serve("/v2/a/b/manifests/1", Behaviour::status(500).body(said));
    let error = refused(&client(vec![]), &name);
    assert!(matches!(&error.kind, RegistryErrorKind::Server { status: 500, said: Some(_) }), "{error}");
}

#[test]
fn what_is_no_manifest_is_refused() {
    let server = Server::start();
    let name = format!("{}/a/b", server.host());
    let registry = client(vec![]);
    let ask = |behaviour: Behaviour| {
        server.serve("/v2/a/b/manifests/1", behaviour);
        registry.repository(&name).manifest(Reference::Tag("1"), &NEVER)
    };
    let index = json!({ "schemaVersion": 2, "manifests": [] }).to_string();
    let (descriptor, _) = ask(Behaviour::bytes(index).header("Content-Type", media_type::INDEX)).expect("an index");
    assert_eq!(descriptor.media_type, media_type::INDEX);

    let error = ask(Behaviour::bytes("<html>").header("Content-Type", "text/html")).expect_err("an error");
    assert!(matches!(error.kind, RegistryErrorKind::NotAManifest { .. }), "{error}");
    let old = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let error = ask(Behaviour::bytes("{}").header("Content-Type", old)).expect_err("an error");
    assert!(error.to_string().contains("old format"), "{error}");
    let error = ask(Behaviour::bytes(vec![b' '; (4 << 20) + 1])).expect_err("an error");
    assert!(matches!(error.kind, RegistryErrorKind::TooLarge { limit: 4_194_304 }), "{error}");

    // Another document than the digest says, and than the registry itself says.
    let wanted = Digest::of(b"wanted");
    server.serve(&format!("/v2/a/b/manifests/{wanted}"), Behaviour::bytes(manifest()));
    let error = registry.repository(&name).manifest(Reference::Digest(wanted), &NEVER).expect_err("an error");
    let found = Digest::of(&manifest());
    assert!(
        matches!(error.kind, RegistryErrorKind::Digest { expected, found: other } if (expected, other) == (wanted, found)),
        "{error}"
    );
    assert!(
        error.to_string().contains(&wanted.to_string()) && error.to_string().contains(&found.to_string()),
        "{error}"
    );
    let lying = Behaviour::bytes(manifest()).header("Docker-Content-Digest", wanted.to_string());
    assert!(matches!(ask(lying).expect_err("an error").kind, RegistryErrorKind::Digest { .. }));

    // A blob of more than its descriptor says.
    let work = Work::new();
    let store = Store::new(work.join("store"));
    let mut part = store.part(Some(wanted), &NEVER).expect("a part");
    server.serve(&format!("/v2/a/b/blobs/{wanted}"), Behaviour::bytes("wanted, and more").chunked());
    let error = registry.repository(&name).blob(wanted, 6, &mut part, &NEVER).expect_err("an error");
    assert!(matches!(error.kind, RegistryErrorKind::TooLarge { limit: 6 }), "{error}");
    assert!(part.len() <= 6);
    // And one that is there already is not asked for.
    part.restart().and_then(|()| std::io::Write::write_all(&mut part, b"wanted")).expect("a part");
    let before = server.requests().len();
    registry.repository(&name).blob(wanted, 6, &mut part, &NEVER).expect("a blob");
    assert_eq!(server.requests().len(), before);
    // Unless it is another one of that length.
    part.restart().and_then(|()| std::io::Write::write_all(&mut part, b"stale!")).expect("a part");
    server.serve(&format!("/v2/a/b/blobs/{wanted}"), Behaviour::bytes("wanted"));
    registry.repository(&name).blob(wanted, 6, &mut part, &NEVER).expect("a blob");
    assert_eq!(part.digest(), wanted);
}
