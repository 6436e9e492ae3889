//! Pushing and streaming: against docker-registry, and against a server that misbehaves.

use crate::net::hasty;
use crate::registry::{NEVER, REAL, client, image, manifest, parts};
use crate::support::clients::{Registry as Real, skopeo};
use crate::support::http::{Behaviour, Identity, Seen, Server};
use crate::support::{Work, needs, run, tool};
use rebake::net::{Http, Settings, Timing};
use rebake::oci::{Descriptor, Digest, media_type};
use rebake::registry::{
    Action, Credentials, Pieces, Pushed, Reference, Registry, RegistryError, RegistryErrorKind, Repository,
};
use serde_json::json;
use std::io::{self, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that are no round number of anything.
fn content(length: u32) -> Vec<u8> {
    (0..length).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor::new(media_type::LAYER_TAR, Digest::of(bytes), bytes.len() as u64)
}

/// Pushes bytes; and tells from where on they were asked for.
fn push(repository: &Repository<'_>, bytes: &[u8]) -> (Result<(), RegistryError>, Vec<u64>) {
    let mut opened = Vec::new();
    let mut open = |from: u64| -> io::Result<Box<dyn Read + Send>> {
        opened.push(from);
        let mut bytes = Cursor::new(bytes.to_vec());
        bytes.set_position(from);
        Ok(Box::new(bytes))
    };
    let pushed = repository.push_blob(&descriptor(bytes), &mut open, &NEVER);
    (pushed, opened)
}

#[track_caller]
fn pushed(repository: &Repository<'_>, bytes: &[u8]) {
    push(repository, bytes).0.expect("a pushed blob");
}

/// The bytes of a blob, as they come.
fn read(repository: &Repository<'_>, descriptor: &Descriptor) -> Vec<u8> {
    let mut bytes = Vec::new();
    repository.reader(descriptor, &NEVER).expect("a reader").read_to_end(&mut bytes).expect("a blob");
    bytes
}

/// An image goes to a registry, and out of it again; its digest.
#[track_caller]
fn assert_pushes(registry: &Registry, name: &str) -> String {
    let work = Work::new();
    let image = image(&work);
    let blob = |digest: &Digest| work.read(format!("rootfs.layout/blobs/{}", digest.to_string().replace(':', "/")));
    let manifest: Digest = image.digest.parse().expect("a digest");
    let bytes = blob(&manifest);
    let repository = registry.repository(name);
    for (digest, size) in parts(&bytes) {
        assert!(!repository.has_blob(digest, &NEVER).expect("an answer"));
        pushed(&repository, &blob(&digest));
        assert!(repository.has_blob(digest, &NEVER).expect("an answer"));
        let there = Descriptor::new(media_type::LAYER_GZIP, digest, size);
        assert!(read(&repository, &there) == blob(&digest));
    }
    let there = || repository.manifest(Reference::Digest(manifest), &NEVER).is_ok();
    assert!(!there());
    for reference in [Reference::Digest(manifest), Reference::Tag("1"), Reference::Tag("latest")] {
        let pushed = repository.push_manifest(reference, media_type::MANIFEST, &bytes, &NEVER).expect("a manifest");
        assert_eq!(pushed, Pushed { digest: manifest, has_noted_subject: false });
    }
    assert!(there());
    assert_eq!(repository.tags(&NEVER).expect("tags"), ["1", "latest"]);
    image.digest
}

#[test]
fn an_image_goes_to_a_registry() {
    if !needs(REAL) {
        return;
    }
    let real = Real::start();
    let registry = client(vec![]);
    let name = real.reference("acme/pushed");
    let digest = assert_pushes(&registry, &name);
    let work = Work::new();
    let there = format!("docker://{name}:1");
    assert_eq!(skopeo::manifest_digest(&there), digest);
    skopeo::copy(&there, &format!("oci:{}:1", work.join("back").display()), &["--src-tls-verify=false"]);

    // Nothing at all, and the same bytes again.
    let repository = registry.repository(&name);
    pushed(&repository, b"");
    pushed(&repository, b"");
    assert_eq!(read(&repository, &descriptor(b"")), b"");

    // Another repository takes over what this one has.
    let other = registry.repository(&real.reference("acme/other"));
    let bytes = content(100_003);
    pushed(&repository, &bytes);
    let digest = Digest::of(&bytes);
    assert!(!other.has_blob(digest, &NEVER).expect("an answer"));
    assert!(other.mount(digest, "acme/pushed", &NEVER).expect("an answer"));
    assert!(other.has_blob(digest, &NEVER).expect("an answer"));
    assert!(!other.mount(Digest::of(b"none"), "acme/pushed", &NEVER).expect("an answer"));
    assert!(read(&other, &descriptor(&bytes)) == bytes);

    // A manifest whose blobs are not there.
    let config = descriptor(b"nowhere").to_json();
    let lost = json!({ "schemaVersion": 2, "mediaType": media_type::MANIFEST, "config": config, "layers": [] });
    let lost = lost.to_string().into_bytes();
    let error = other.push_manifest(Reference::Tag("x"), media_type::MANIFEST, &lost, &NEVER).expect_err("an error");
    assert!(matches!(&error.kind, RegistryErrorKind::Refused { status: 400 | 404, .. }), "{error:?}");
    assert!(error.to_string().contains("push that first"), "{error}");
    let error = registry.repository(&real.reference("acme/none")).tags(&NEVER).expect_err("an error");
    assert!(matches!(error.kind, RegistryErrorKind::Gone { .. }), "{error}");
    assert!(error.to_string().contains("acme/none (it says"), "{error}");
}

#[test]
fn what_refers_to_an_image_is_found() {
    if !needs(REAL) {
        return;
    }
    let real = Real::start();
    let registry = client(vec![]);
    let name = real.reference("acme/referred");
    assert_pushes(&registry, &name);
    let repository = registry.repository(&name);
    let (subject, _) = repository.manifest(Reference::Tag("1"), &NEVER).expect("a manifest");
    assert_eq!(repository.referrers(subject.digest, &NEVER).expect("a list"), []);
    pushed(&repository, b"{}");
    let empty = Descriptor::new(media_type::EMPTY, Digest::of(b"{}"), 2);
    let mut all = Vec::new();
    for kind in ["application/spdx+json", "application/vnd.example.signature"] {
        let artifact = json!({
            "schemaVersion": 2, "mediaType": media_type::MANIFEST, "artifactType": kind,
            "config": empty.to_json(), "layers": [empty.to_json()], "subject": subject.to_json(),
        });
        let artifact = artifact.to_string().into_bytes();
        let digest = Digest::of(&artifact);
        let put = repository.push_manifest(Reference::Digest(digest), media_type::MANIFEST, &artifact, &NEVER);
        assert!(!put.expect("a manifest").has_noted_subject, "this registry lists none");
        let mut descriptor = Descriptor::new(media_type::MANIFEST, digest, artifact.len() as u64);
        descriptor.artifact_type = Some(kind.to_owned());
        descriptor.annotations.insert("a".to_owned(), "b".to_owned());
        // Twice is once.
        repository.push_referrer(subject.digest, &descriptor, &NEVER).expect("an index");
        repository.push_referrer(subject.digest, &descriptor, &NEVER).expect("an index");
        all.push(descriptor);
    }
    assert_eq!(repository.referrers(subject.digest, &NEVER).expect("a list"), all);
    let tag = subject.digest.to_string().replace(':', "-");
    assert!(repository.tags(&NEVER).expect("tags").contains(&tag));
}

#[test]
fn a_push_wants_the_right_password() {
    if !needs(REAL) {
        return;
    }
    let (real, work) = (Real::start_with(Some(("alice", "s3cret")), None), Work::new());
    let name = real.reference("acme/probe");
    let host = real.reference("").trim_end_matches('/').to_owned();
    let login = |password: &str| {
        let login = json!({ "auths": { &host: { "username": "alice", "password": password } } });
        client(vec![work.write(format!("{password}.json"), login.to_string())])
    };
    assert_pushes(&login("s3cret"), &name);
    let refused = |registry: &Registry| push(&registry.repository(&name), b"x").0.expect_err("an error");
    let error = refused(&client(vec![]));
    assert!(matches!(error.kind, RegistryErrorKind::Denied { credentials: None, .. }), "{error}");
    assert!(error.to_string().contains("lets nobody unknown push to"), "{error}");
    let error = refused(&login("wr0ng"));
    assert!(matches!(&error.kind, RegistryErrorKind::Denied { credentials: Some(_), .. }), "{error}");
    assert!(error.to_string().contains("wr0ng.json push to"), "{error}");
}

#[test]
fn a_certificate_may_be_its_own_authority() {
    if !needs(&[REAL, &["faketime"]].concat()) {
        return;
    }
    let identity = Identity::new();
    let shown = run(tool("openssl").args(["x509", "-noout", "-text", "-in"]).arg(&identity.certificate)).stdout;
    assert!(String::from_utf8_lossy(&shown).contains("CA:TRUE"), "as people make it");
    let trusting = |identity: &Identity| {
        let settings = Settings { cert_file: Some(identity.certificate.clone()), ..hasty() };
        Registry::new(&Http::new(&settings).expect("a client"), &Credentials::default(), false)
    };
    let real = Real::start_with(None, Some(&identity));
    assert_pushes(&trusting(&identity), &real.reference("acme/probe"));
    // The same name, and another certificate; those whose time is over, or not there yet; and another name.
    let refused = |identity: &Identity, trusted: &Identity| {
        let server = Server::start_tls(identity);
        let name = format!("{}/a/b", server.host());
        push(&trusting(trusted).repository(&name), b"x").0.expect_err("an error").to_string()
    };
    assert!(refused(&identity, &Identity::new()).contains("an authority's own"));
    for is_signed in [false, true] {
        for (year, why) in [(2001, "expired"), (2099, "not valid yet")] {
            let identity = Identity::of_year(year, is_signed);
            let error = refused(&identity, &identity);
            assert!(error.contains("cannot be trusted") && error.contains(why), "{error}");
        }
    }
    let elsewhere = Identity::named("DNS:example.com");
    let error = refused(&elsewhere, &elsewhere);
    assert!(error.contains("not valid for name"), "{error}");

    // The positive control of all these; and one that somebody else signed, by its own name and by that one's.
    let signed = Identity::signed();
    let authority = Settings { cert_file: Some(signed.authority.clone()), ..hasty() };
    let by_authority = Registry::new(&Http::new(&authority).expect("a client"), &Credentials::default(), false);
    for (identity, registry) in
        [(&identity, trusting(&identity)), (&signed, trusting(&signed)), (&signed, by_authority)]
    {
        let server = Server::start_tls(identity);
        server.serve("/v2/a/b/tags/list", Behaviour::status(200).body("{\"tags\":[\"t\"]}"));
        assert_eq!(registry.repository(&format!("{}/a/b", server.host())).tags(&NEVER).expect("tags"), ["t"]);
    }
}

/// A port that leads to another one, and ends the first connections after so many bytes of what is sent.
fn cutter(to: u16, cuts: Vec<usize>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    let cut = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cut);
    thread::spawn(move || {
        let mut cuts = cuts.into_iter();
        for near in listener.incoming() {
            let (Ok(mut near), Ok(mut far)) = (near, TcpStream::connect(("127.0.0.1", to))) else { return };
            let (mut back, mut here) = (far.try_clone().expect("a socket"), near.try_clone().expect("a socket"));
            thread::spawn(move || io::copy(&mut back, &mut here));
            let (limit, count) = (cuts.next(), Arc::clone(&count));
            thread::spawn(move || {
                let mut piece = vec![0; 16 << 10];
                let mut left = limit.unwrap_or(usize::MAX);
                while let Ok(n) = near.read(&mut piece) {
                    if n == 0 || n > left || far.write_all(&piece[..n]).is_err() {
                        break;
                    }
                    left -= n;
                }
                count.fetch_add(usize::from(limit.is_some()), Ordering::Relaxed);
                let _ = (near.shutdown(std::net::Shutdown::Both), far.shutdown(std::net::Shutdown::Both));
            });
        }
    });
    (port, cut)
}

#[test]
fn a_connection_to_a_registry_may_break() {
    if !needs(REAL) {
        return;
    }
    let real = Real::start();
    let port = real.reference("").trim_end_matches('/').rsplit(':').next().expect("a port").parse().expect("a number");
    let bytes = content(3_000_001);
    for (name, above) in [("whole", u64::MAX), ("pieces", 1 << 20)] {
        // The first one ends within the ping.
        let (through, cut) = cutter(port, vec![0, 500_000, 1_400_000, 900_000]);
        let registry = client(vec![]).with_pieces(Pieces { above, size: 400_000 });
        // This registry gives up an upload of which it has a part of a piece, so that it is started over.
        pushed(&registry.repository(&format!("localhost:{through}/acme/{name}")), &bytes);
        assert!(cut.load(Ordering::Relaxed) > 2, "it did break");
        let there = client(vec![]);
        let there = there.repository(&real.reference(&format!("acme/{name}")));
        assert!(read(&there, &descriptor(&bytes)) == bytes);
    }
}

/// A server that plays the repository `a/b`, and its name.
fn plays() -> (Server, String) {
    let server = Server::start();
    let name = format!("{}/a/b", server.host());
    (server, name)
}

const UPLOADS: &str = "/v2/a/b/blobs/uploads/";

fn opens(location: &str) -> Behaviour {
    Behaviour::status(202).header("Location", location)
}

fn requests(server: &Server, path: &str) -> Vec<(String, String, usize)> {
    let shown = |seen: Seen| (seen.method, seen.path.replace("%3A", ":"), seen.body.len());
    server.requests_of(path).into_iter().map(shown).collect()
}

#[test]
fn an_upload_goes_where_the_registry_says() {
    let digest = Digest::of(b"some");
    for (location, sent) in [
        ("/up/1", format!("/up/1?digest={digest}")),
        ("../../up/1?_state=a%2Bb%3D&x=", format!("/v2/a/b/up/1?_state=a%2Bb%3D&x=&digest={digest}")),
        ("//HOST/up/1?x", format!("/up/1?x&digest={digest}")),
        ("http://user:pass@HOST/up/1", format!("/up/1?digest={digest}")),
    ] {
        let (server, name) = plays();
        server.serve(UPLOADS, opens(&location.replace("HOST", &server.host())));
        let path = sent.split('?').next().expect("a path");
        server.serve(path, Behaviour::status(201));
        pushed(&client(vec![]).repository(&name), b"some");
        assert_eq!(requests(&server, path), [("PUT".to_owned(), sent.clone(), 4)]);
        let put = &server.requests_of(path)[0];
        assert_eq!(put.header("content-length"), Some("4"));
        assert_eq!(put.header("transfer-encoding"), None);
        assert_eq!(put.header("authorization"), None);
    }
    // Another host gets the bytes, and not the password.
    let ((server, name), other, work) = (plays(), Server::start(), Work::new());
    server.script(
        UPLOADS,
        [Behaviour::status(401).header("WWW-Authenticate", "Basic realm=x"), opens(&other.url("/up"))],
    );
    other.serve("/up", Behaviour::status(201));
    let login = json!({ "auths": { server.host(): { "username": "alice", "password": "s3cret" } } });
    pushed(&client(vec![work.write("auth.json", login.to_string())]).repository(&name), b"some");
    assert!(server.requests_of(UPLOADS)[1].header("authorization").is_some());
    assert_eq!(
        (other.requests()[0].body.as_slice(), other.requests()[0].header("authorization")),
        (&b"some"[..], None)
    );
    for nowhere in [Behaviour::status(202), opens("file:///etc/passwd"), opens("http://")] {
        server.serve(UPLOADS, nowhere);
        let error = push(&client(vec![]).repository(&name), b"some").0.expect_err("an error");
        assert!(matches!(error.kind, RegistryErrorKind::Location), "{error}");
    }
}

#[test]
fn what_may_pass_is_pushed_again() {
    let bytes = content(200_003);
    let blob = format!("/v2/a/b/blobs/{}", Digest::of(&bytes));
    let (server, name) = plays();
    let busy = Behaviour::status(429).header("Retry-After", "1");
    server.script(UPLOADS, [busy.clone(), opens("/up")]);
    server.script("/up", [Behaviour::status(201).hang_up_after(100_000), busy, Behaviour::status(201)]);
    let start = Instant::now();
    let (done, opened) = push(&client(vec![]).repository(&name), &bytes);
    done.expect("a pushed blob");
    assert!(start.elapsed() >= Duration::from_secs(2), "it waits when it is asked to");
    assert_eq!(opened, [0, 0, 0]);
    assert_eq!(server.requests_of(&blob).len(), 2, "it may have come all the same");
    assert!(server.requests_of("/up")[2].body == bytes);

    // It has come, and only the answer was lost.
    let (server, name) = plays();
    server.serve(UPLOADS, opens("/up"));
    server.serve("/up", Behaviour::status(201).hang_up_after(200_003));
    server.serve(&blob, Behaviour::status(200));
    pushed(&client(vec![]).repository(&name), &bytes);
    assert_eq!(server.requests_of("/up").len(), 1);

    // Not for ever.
    let (server, name) = plays();
    server.serve(UPLOADS, opens("/up"));
    server.serve("/up", Behaviour::status(503));
    let error = push(&client(vec![]).repository(&name), &bytes).0.expect_err("an error");
    assert!(matches!(error.kind, RegistryErrorKind::Server { status: 503, .. }), "{error}");
    assert_eq!(server.requests_of("/up").len(), 5);
    server.serve("/up", Behaviour::status(201).hang_up_after(7));
    let error = push(&client(vec![]).repository(&name), &bytes).0.expect_err("an error");
    assert!(error.to_string().contains("cannot be pushed") && error.to_string().contains("5 tries"), "{error}");
    // A registry that loses every upload.
    server.serve("/up", Behaviour::status(404));
    assert!(push(&client(vec![]).repository(&name), &bytes).0.is_err());
}

fn has(offset: usize) -> Behaviour {
    Behaviour::status(202).header("Range", format!("0-{}", offset.saturating_sub(1)))
}

#[test]
fn a_large_blob_goes_in_pieces() {
    let bytes = content(1_000_003);
    let digest = Digest::of(&bytes);
    let pieces = || client(vec![]).with_pieces(Pieces { above: 1000, size: 400_000 });
    let put = |length| ("PUT".to_owned(), format!("/up?digest={digest}"), length);
    let patch = |length| ("PATCH".to_owned(), "/up".to_owned(), length);
    let ask = || ("GET".to_owned(), "/up".to_owned(), 0);

    // A connection breaks in the second piece, of which the registry kept a part.
    let (server, name) = plays();
    server.serve(UPLOADS, opens("/up"));
    let cut = Behaviour::status(202).hang_up_after(300_000);
    let lost = Behaviour::status(204).header("Range", "0-499999");
    server.script("/up", [has(400_000), cut, lost, has(900_000), has(1_000_003), Behaviour::status(201)]);
    let (done, opened) = push(&pieces().repository(&name), &bytes);
    done.expect("a pushed blob");
    assert_eq!(opened, [0, 500_000], "what can be read on is not opened again");
    let expected = [patch(400_000), patch(300_000), ask(), patch(400_000), patch(100_003), put(0)];
    assert_eq!(requests(&server, "/up"), expected);
    let seen = server.requests_of("/up");
    let ranges: Vec<_> = seen.iter().filter_map(|seen| seen.header("content-range")).collect();
    assert_eq!(ranges, ["0-399999", "400000-799999", "500000-899999", "900000-1000002"]);
    assert!(seen[0].body == bytes[..400_000] && seen[3].body == bytes[500_000..900_000]);

    // The registry forgot the upload.
    let (server, name) = plays();
    server.serve(UPLOADS, opens("/up").header("OCI-Chunk-Min-Length", "600000"));
    let gone = Behaviour::status(404);
    let good = [has(600_000), has(1_000_003), Behaviour::status(201)];
    server.script("/up", [vec![has(600_000), gone.clone(), gone], good.to_vec()].concat());
    pushed(&pieces().repository(&name), &bytes);
    let expected = [patch(600_000), patch(400_003), ask(), patch(600_000), patch(400_003), put(0)];
    assert_eq!(requests(&server, "/up"), expected);
    assert_eq!(server.requests_of(UPLOADS).len(), 2);

    // A registry that takes no pieces.
    for status in [400, 404, 405, 501] {
        let (server, name) = plays();
        server.serve(UPLOADS, opens("/up"));
        server.script("/up", [Behaviour::status(status), Behaviour::status(204), Behaviour::status(201)]);
        pushed(&pieces().repository(&name), &bytes);
        let cancel = ("DELETE".to_owned(), "/up".to_owned(), 0);
        assert_eq!(requests(&server, "/up"), [patch(400_000), cancel, put(1_000_003)], "{status}");
    }

    // One that refuses the whole blob is believed at once, and before the piece is sent.
    let (server, name) = plays();
    server.serve(UPLOADS, opens("/up"));
    server.serve("/up", Behaviour::status(413).early());
    let whole = content(2_000_003);
    for above in [1000, u64::MAX] {
        let registry = client(vec![]).with_pieces(Pieces { above, size: 1_500_000 });
        let error = push(&registry.repository(&name), &whole).0.expect_err("an error");
        assert!(error.to_string().contains("too large for the registry"), "{error}");
    }
    assert_eq!(server.requests_of("/up").len(), 2);

    // One that never gets on.
    server.serve("/up", has(0));
    assert!(push(&pieces().repository(&name), &bytes).0.is_err());
    assert!(server.requests_of("/up").len() < 20);
}

fn challenge(server: &Server) -> Behaviour {
    let value = format!("Bearer realm=\"{}\",service=\"s\",scope=\"repository:a/b:pull\"", server.url("/token"));
    Behaviour::status(401).header("WWW-Authenticate", value)
}

#[test]
fn a_token_is_for_what_it_was_asked_for() {
    let (server, name) = plays();
    let token = |token: &str| Behaviour::status(200).body(json!({ "token": token }).to_string());
    server.script("/token", ["pull", "push", "mount", "renewed"].map(token));
    let good = Behaviour::bytes(manifest());
    server.script("/v2/a/b/manifests/1", [challenge(&server), good, challenge(&server), Behaviour::status(201)]);
    // Who sends none back is asked for the manifest.
    let registry = client(vec![]).with_pieces(Pieces { above: 1000, size: 5000 });
    let repository = registry.repository(&name);
    repository.manifest(Reference::Tag("1"), &NEVER).expect("a manifest");
    let digest = Digest::of(&manifest());
    server.script(
        "/v2/a/b/manifests/1",
        [challenge(&server), Behaviour::status(201).header("Docker-Content-Digest", digest.to_string())],
    );
    repository.push_manifest(Reference::Tag("1"), media_type::MANIFEST, &manifest(), &NEVER).expect("a manifest");
    server.script(UPLOADS, [challenge(&server), Behaviour::status(201), opens("/up")]);
    assert!(repository.mount(digest, "c/d", &NEVER).expect("an answer"));
    // It expires between two pieces.
    server.script("/up", [has(5000), challenge(&server), has(7000), Behaviour::status(201)]);
    pushed(&repository, &content(7000));

    let asked: Vec<_> = server.requests_of("/token").into_iter().map(|seen| seen.path).collect();
    let scope = |scopes: &str| format!("/token?service=s&scope=repository%3Aa%2Fb%3A{scopes}");
    let from = format!("{}&scope=repository%3Ac%2Fd%3Apull", scope("pull%2Cpush"));
    assert_eq!(asked, [scope("pull"), scope("pull%2Cpush"), from, scope("pull%2Cpush")]);
    let sent = |path: &str| -> Vec<String> {
        let of = |seen: Seen| seen.header("authorization").unwrap_or("nothing").to_owned();
        server.requests_of(path).into_iter().map(of).collect()
    };
    assert_eq!(sent("/v2/a/b/manifests/1"), ["nothing", "Bearer pull", "nothing", "Bearer push"]);
    assert_eq!(sent(UPLOADS), ["nothing", "Bearer mount", "Bearer push"]);
    assert_eq!(sent("/up"), ["Bearer push", "Bearer push", "Bearer renewed", "Bearer renewed"]);
}

#[test]
fn a_mount_that_is_not_made_leaves_nothing() {
    let (server, name) = plays();
    let registry = client(vec![]);
    let repository = registry.repository(&name);
    let mount = || repository.mount(Digest::of(b"x"), "c/d", &NEVER);
    server.serve(UPLOADS, opens("/up"));
    server.serve("/up", Behaviour::status(204));
    assert!(!mount().expect("an answer"));
    assert_eq!(requests(&server, "/up"), [("DELETE".to_owned(), "/up".to_owned(), 0)]);
    let asked = &requests(&server, UPLOADS)[0];
    assert_eq!(asked.1, format!("{UPLOADS}?mount={}&from=c%2Fd", Digest::of(b"x")));
    for status in [400, 401, 403, 404, 405] {
        server.serve(UPLOADS, Behaviour::status(status));
        assert!(!mount().expect("an answer"), "{status}");
    }
    server.serve(UPLOADS, Behaviour::status(500));
    assert!(mount().is_err());
}

#[test]
fn a_digest_that_differs_is_noticed() {
    let (server, name) = plays();
    let registry = client(vec![]);
    let repository = registry.repository(&name);
    let (bytes, path) = (manifest(), "/v2/a/b/manifests/1");
    let (right, wrong) = (Digest::of(&bytes), Digest::of(b"wrong"));
    let put = || repository.push_manifest(Reference::Tag("1"), media_type::MANIFEST, &bytes, &NEVER);
    let said = |digest: &str| Behaviour::status(201).header("Docker-Content-Digest", digest);
    let differs = |kind: &RegistryErrorKind| matches!(kind, RegistryErrorKind::Digest { expected, found } if (*expected, *found) == (right, wrong));

    server.serve(path, said(&right.to_string()).header("OCI-Subject", wrong.to_string()));
    assert_eq!(put().expect("a manifest"), Pushed { digest: right, has_noted_subject: true });
    assert_eq!(server.requests_of(path)[0].header("content-type"), Some(media_type::MANIFEST));
    assert!(server.requests_of(path)[0].body == bytes);
    server.serve(path, said(&wrong.to_string()));
    let error = put().expect_err("an error");
    assert!(differs(&error.kind) && error.action == Action::Push, "{error}");
    assert!(error.to_string().contains("made something else of"), "{error}");
    // It does not say which one it has, or in other words: it is asked.
    for silent in [Behaviour::status(201), said("sha512:abc")] {
        server.script(path, [silent.clone(), Behaviour::bytes(bytes.clone())]);
        assert_eq!(put().expect("a manifest").digest, right);
        server.script(path, [silent, Behaviour::bytes("wrong")]);
        assert!(differs(&put().expect_err("an error").kind));
    }
    // Our own mistake is found before anything is sent.
    let before = server.requests().len();
    let put = repository.push_manifest(Reference::Digest(wrong), media_type::MANIFEST, &bytes, &NEVER);
    assert!(matches!(put.expect_err("an error").kind, RegistryErrorKind::Digest { .. }));
    assert_eq!(server.requests().len(), before);
    // A blob.
    server.serve(UPLOADS, opens("/up"));
    server.serve("/up", said(&wrong.to_string()));
    let error = push(&repository, b"right").0.expect_err("an error");
    assert!(matches!(error.kind, RegistryErrorKind::Digest { .. }), "{error}");
}

#[test]
fn a_refusal_to_take_something_says_why() {
    let (server, name) = plays();
    let registry = client(vec![]);
    let repository = registry.repository(&name);
    let said = |status, code: &str| {
        let body = json!({ "errors": [{ "code": code, "message": "the\u{7} words\nmore" }] });
        Behaviour::status(status).body(body.to_string())
    };
    for (behaviour, words) in [
        (said(401, "UNAUTHORIZED"), "lets nobody unknown push"),
        (said(403, "DENIED"), "lets nobody unknown push"),
        (said(404, "NAME_UNKNOWN"), "make it there first"),
        (said(405, "UNSUPPORTED"), "read-only"),
        (said(413, ""), "too large for the registry"),
        (said(507, ""), "no room is left"),
        (said(400, "MANIFEST_BLOB_UNKNOWN"), "push that first"),
        (said(400, "UNSUPPORTED"), "does not know this kind"),
        (said(415, ""), "does not know this kind"),
        (said(418, ""), "refuses it (418)"),
        (said(429, "").header("Retry-After", "600"), "too many requests, it says: retry after 600"),
        (said(500, ""), "fails with 500"),
    ] {
        server.serve("/v2/a/b/manifests/1", behaviour.clone());
        server.serve(UPLOADS, behaviour);
        let put = repository.push_manifest(Reference::Tag("1"), media_type::MANIFEST, b"{}", &NEVER);
        for error in [put.expect_err("an error"), push(&repository, b"x").0.expect_err("an error")] {
            let error = error.to_string();
            assert!(error.contains(words), "{error}");
            assert!(error.contains("(it says: the words)") || error.contains("too many"), "{error}");
        }
    }
}

#[test]
fn a_source_that_fails_is_said() {
    let (server, name) = plays();
    server.serve(UPLOADS, opens("/up"));
    server.serve("/up", Behaviour::status(201));
    let registry = client(vec![]);
    let repository = registry.repository(&name);
    let wanted = descriptor(&content(300_000));
    let try_with = |open: &mut dyn FnMut(u64) -> io::Result<Box<dyn Read + Send>>| {
        let error = repository.push_blob(&wanted, open, &NEVER).expect_err("an error").to_string();
        assert!(error.contains("what is to be sent cannot be read"), "{error}");
        error
    };
    assert!(try_with(&mut |_| Err(io::Error::other("no such thing"))).contains("no such thing"));
    let short = content(299_999);
    assert!(try_with(&mut |_| Ok(Box::new(Cursor::new(short.clone())))).contains("last 1 bytes are missing"));
    // It borrows, and has more than is asked for.
    let long = [content(300_000), vec![7; 99]].concat();
    repository.push_blob(&wanted, &mut |_| Ok(Box::new(&long[..])), &NEVER).expect("a pushed blob");
    assert!(server.requests_of("/up").last().is_some_and(|seen| seen.body == content(300_000)));
}

#[test]
fn an_interrupt_ends_an_upload() {
    let (server, name) = plays();
    server.serve(UPLOADS, opens("/up"));
    server.serve("/up", Behaviour::status(201));
    let http = Http::new(&Settings { timing: Timing::default(), ..Settings::default() }).expect("a client");
    let registry = Registry::new(&http, &Credentials::default(), false);
    let interrupt = AtomicBool::new(false);
    // A source without an end.
    let endless = Descriptor::new(media_type::LAYER_TAR, Digest::of(b"endless"), u64::MAX >> 1);
    let pulled = AtomicUsize::new(0);
    struct Endless<'a>(&'a AtomicUsize);
    impl Read for Endless<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            thread::sleep(Duration::from_millis(1));
            self.0.fetch_add(1, Ordering::Relaxed);
            out.fill(0);
            Ok(out.len())
        }
    }
    let registry = registry.with_pieces(Pieces { above: u64::MAX, size: 1 });
    let start = Instant::now();
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(200));
            interrupt.store(true, Ordering::Relaxed);
        });
        let repository = registry.repository(&name);
        repository.push_blob(&endless, &mut |_| Ok(Box::new(Endless(&pulled))), &interrupt).expect_err("an error")
    });
    assert!(error.to_string().contains("interrupted"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3) && pulled.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_stream_reads_on_where_it_broke() {
    let (server, name) = plays();
    let store = Server::start();
    let bytes = content(200_003);
    let wanted = descriptor(&bytes);
    let path = format!("/v2/a/b/blobs/{}", wanted.digest);
    let registry = client(vec![]);
    let repository = registry.repository(&name);
    let token = |token: &str| Behaviour::status(200).body(json!({ "token": token }).to_string());
    server.script("/token", [token("first"), token("second")]);

    // Another host keeps it; its connection breaks, and the token expires.
    let away = Behaviour::redirect(307, store.url("/blob?signature=x"));
    server.script(&path, [challenge(&server), away.clone(), challenge(&server), away]);
    store.script("/blob", [Behaviour::bytes(bytes.clone()).close_after(70_001), Behaviour::bytes(bytes.clone())]);
    assert!(read(&repository, &wanted) == bytes);
    let strangers = store.requests();
    assert_eq!(strangers.iter().map(|seen| seen.header("range")).collect::<Vec<_>>(), [None, Some("bytes=70001-")]);
    assert!(strangers.iter().all(|seen| seen.header("authorization").is_none()), "{strangers:?}");

    // A server that knows no parts; one that stops early; from the middle on.
    server
        .script(&path, [Behaviour::bytes(bytes.clone()).close_after(70_001), Behaviour::bytes(bytes.clone()).whole()]);
    assert!(read(&repository, &wanted) == bytes);
    let short = Behaviour::bytes(bytes[..9].to_vec()).chunked();
    server.script(&path, [short, Behaviour::bytes(bytes.clone())]);
    assert!(read(&repository, &wanted) == bytes);
    let mut rest = Vec::new();
    let mut reader = repository.reader_at(&wanted, 150_000, &NEVER).expect("a reader");
    reader.read_to_end(&mut rest).expect("a blob");
    assert!(rest == bytes[150_000..]);

    // More than it should be: announced, or not.
    server.serve(&path, Behaviour::bytes([&bytes[..], b"x"].concat()));
    let error = repository.reader(&wanted, &NEVER).expect_err("an error");
    assert!(matches!(error.kind, RegistryErrorKind::Size { expected: 200_003, found: 200_004 }), "{error}");
    server.serve(&path, Behaviour::bytes([&bytes[..], b"x"].concat()).chunked());
    assert_eq!(read(&repository, &wanted).len(), 200_003);

    // What is not there is said before anything is read.
    server.serve(&path, Behaviour::status(404));
    let error = repository.reader(&wanted, &NEVER).expect_err("an error");
    assert!(matches!(error.kind, RegistryErrorKind::Gone { .. }), "{error}");
    // And it does not try for ever.
    server.script(&path, [Behaviour::bytes(bytes.clone()).close_after(70_001), Behaviour::status(503)]);
    let failed = repository.reader(&wanted, &NEVER).expect("a reader").read_to_end(&mut rest).expect_err("an error");
    let failed = failed.get_ref().and_then(|error| error.downcast_ref::<RegistryError>()).expect("ours");
    assert!(matches!(failed.kind, RegistryErrorKind::Server { status: 503, .. }), "{failed}");
    let before = server.requests_of(&path).len();
    server.script(&path, [Behaviour::bytes(bytes.clone()).whole().close_after(70_001)]);
    let mut reader = repository.reader(&wanted, &NEVER).expect("a reader");
    let failed = reader.read_to_end(&mut rest).expect_err("an error").to_string();
    assert!(failed.contains("broke") && failed.contains("5 tries"), "{failed}");
    assert_eq!(server.requests_of(&path).len() - before, 5);
}

#[test]
fn a_registry_may_list_referrers_itself() {
    let (server, name) = plays();
    let registry = client(vec![]);
    let repository = registry.repository(&name);
    let subject = Digest::of(b"subject");
    let path = format!("/v2/a/b/referrers/{subject}");
    let kept = format!("/v2/a/b/manifests/{}", subject.to_string().replace(':', "-"));
    let one = |name: &str| {
        let mut descriptor = descriptor(name.as_bytes());
        descriptor.artifact_type = Some(name.to_owned());
        descriptor
    };
    let index = |all: &[Descriptor]| {
        let all: Vec<_> = all.iter().map(Descriptor::to_json).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": all });
        Behaviour::status(200).body(index.to_string()).header("Content-Type", media_type::INDEX)
    };
    let next = |to: &str| format!("<{to}>; rel=\"next\"");
    server.script(&path, [index(&[one("a")]).header("Link", next("?page=2")), index(&[one("b"), one("c")])]);
    assert_eq!(repository.referrers(subject, &NEVER).expect("a list"), [one("a"), one("b"), one("c")]);
    assert_eq!(server.requests_of(&path)[1].path, format!("{path}?page=2"));
    assert_eq!(server.requests_of(&kept).len(), 0);

    // Circles, and other hosts.
    server.serve(&path, index(&[one("a")]).header("Link", next("?page=2")));
    let error = repository.referrers(subject, &NEVER).expect_err("an error");
    assert!(error.to_string().contains("circles"), "{error}");
    let other = Server::start();
    server.serve(&path, index(&[one("a")]).header("Link", next(&other.url("/x"))));
    let error = repository.referrers(subject, &NEVER).expect_err("an error");
    assert!(error.to_string().contains("another host") && other.requests().is_empty(), "{error}");

    // Who lists none: clients keep an index.
    for none in [Behaviour::status(404), Behaviour::status(405), Behaviour::status(200).body("<html>")] {
        server.serve(&path, none);
        server.serve(&kept, Behaviour::status(404));
        assert_eq!(repository.referrers(subject, &NEVER).expect("a list"), []);
        server.serve(&kept, index(&[one("kept")]));
        assert_eq!(repository.referrers(subject, &NEVER).expect("a list"), [one("kept")]);
    }
    server.serve(&kept, Behaviour::bytes(manifest()));
    assert!(repository.referrers(subject, &NEVER).expect_err("an error").to_string().contains("names no index"));
    server.serve(&path, Behaviour::status(500));
    assert!(repository.referrers(subject, &NEVER).is_err(), "no answer is no `none`");

    // What others keep in the index stays, also what we do not know of.
    let strange = json!({ "schemaVersion": 2, "mediaType": media_type::INDEX, "x": 1, "manifests": [
        { "mediaType": media_type::MANIFEST, "digest": subject.to_string(), "size": 7, "y": [2] } ] });
    let strange = Behaviour::status(200).body(strange.to_string()).header("Content-Type", media_type::INDEX);
    // Somebody else writes at the same time, and ours is lost once.
    let taken = Behaviour::status(201);
    let echo = |all: &[Descriptor]| index(all);
    server.script(&kept, [strange, taken.clone(), echo(&[]), echo(&[]), taken, echo(&[]), echo(&[one("new")])]);
    let pushed = repository.push_referrer(subject, &one("new"), &NEVER);
    let put: serde_json::Value = serde_json::from_slice(
        &server.requests_of(&kept).iter().find(|seen| seen.method == "PUT").expect("a push").body,
    )
    .expect("JSON");
    assert_eq!(
        (&put["x"], &put["manifests"][0]["y"], put["manifests"][1]["artifactType"].as_str()),
        (&json!(1), &json!([2]), Some("new"))
    );
    assert!(matches!(pushed.expect_err("an error").kind, RegistryErrorKind::Digest { .. }), "it was never there");
}

#[test]
fn tags_come_in_pages() {
    let (server, name) = plays();
    let registry = client(vec![]);
    let repository = registry.repository(&name);
    let path = "/v2/a/b/tags/list";
    let page = |body: &str, next: &str| {
        let page = Behaviour::status(200).body(body);
        if next.is_empty() { page } else { page.header("Link", format!("<{next}>; rel=\"next\"")) }
    };
    server.script(
        path,
        [
            page(r#"{"tags":["b","a"]}"#, "/v2/a/b/tags/list?last=a&n=2"),
            page(r#"{"tags":["c"]}"#, &server.url("/v2/a/b/tags/list?last=c")),
            page(r#"{"tags":null}"#, ""),
        ],
    );
    assert_eq!(repository.tags(&NEVER).expect("tags"), ["a", "b", "c"]);
    let asked: Vec<_> = server.requests_of(path).into_iter().map(|seen| seen.path).collect();
    assert_eq!(asked[1..], ["/v2/a/b/tags/list?last=a&n=2", "/v2/a/b/tags/list?last=c"]);
    server.serve(path, page("<html>", ""));
    assert!(repository.tags(&NEVER).expect_err("an error").to_string().contains("no JSON"));
    let many: Vec<_> = (0..60_000).map(|n| n.to_string()).collect();
    let many = json!({ "tags": many }).to_string();
    server.script(path, [page(&many, "?last=1"), page(&many, "?last=2")]);
    assert!(repository.tags(&NEVER).expect_err("an error").to_string().contains("no end"));
}

#[test]
fn only_where_no_tls_is_spoken_is_it_left_out() {
    // A host that takes its time is no host without TLS.
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let host = listener.local_addr().expect("its address").to_string();
    let mut settings = hasty();
    settings.timing.connect = Duration::from_millis(300);
    settings.timing.idle = Duration::from_millis(300);
    let registry = Registry::new(&Http::new(&settings).expect("a client"), &Credentials::default(), true);
    let error = registry.repository(&format!("{host}/a/b")).tags(&NEVER).expect_err("an error").to_string();
    assert!(error.contains("no connection within") || error.contains("stalled"), "{error}");
    assert!(error.contains("https://"), "{error}");
    // One that speaks something else is one.
    let (server, name) = plays();
    server.serve("/v2/a/b/tags/list", Behaviour::status(200).body("{}"));
    assert_eq!(registry.repository(&name).tags(&NEVER).expect("tags"), [""; 0]);
}
