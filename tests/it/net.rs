//! The HTTP client against a server that misbehaves.

use crate::support::http::{Behaviour, Identity, Server};
use crate::support::{Work, needs};
use rebake::net::{Http, HttpError, HttpErrorKind, Method, Request, Settings, Timing};
use rebake::oci::Digest;
use rebake::store::{Part, Store};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Whoever never asks to stop.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Waits that a test can afford.
pub fn hasty() -> Settings {
    let timing = Timing {
        connect: Duration::from_secs(5),
        idle: Duration::from_secs(10),
        delay: Duration::from_millis(2),
        patience: Duration::from_millis(1500),
    };
    Settings { timing, ..Settings::default() }
}

/// The same that thinks of a stall early.
fn impatient(idle: Duration) -> Http {
    let mut settings = hasty();
    settings.timing.idle = idle;
    Http::new(&settings).expect("a client")
}

/// A name that no resolver has to be asked for: no label is that long.
fn nowhere() -> String {
    format!("{}.invalid", "x".repeat(64))
}

fn http() -> Http {
    Http::new(&hasty()).expect("a client")
}

/// A file that is no round number of anything.
fn content() -> Vec<u8> {
    (0..200_003_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A store, and a file that is received into it.
struct Download {
    work: Work,
    limit: u64,
    http: Http,
    /// What an earlier rebake left.
    earlier: Vec<u8>,
}

impl Download {
    fn new() -> Self {
        Self { work: Work::new(), limit: 1 << 20, http: http(), earlier: Vec::new() }
    }

    fn part(&self) -> Part {
        let store = Store::new(self.work.join("store"));
        let pinned = (!self.earlier.is_empty()).then(|| Digest::of(b"whatever"));
        let mut part = store.part(pinned, &NEVER).expect("a part");
        part.restart().expect("an empty part");
        part.write_all(&self.earlier).expect("a part to write");
        part
    }

    /// The bytes that came, or why not all did.
    fn of(&self, url: &str) -> Result<Vec<u8>, HttpError> {
        self.with(url, &[]).1
    }

    fn with(&self, url: &str, headers: &[(&str, &str)]) -> (u64, Result<Vec<u8>, HttpError>) {
        let mut part = self.part();
        let done = self.http.download(url, headers, self.limit, &mut part, &NEVER);
        let mut bytes = Vec::new();
        part.reader().expect("a part").read_to_end(&mut bytes).expect("a part to read");
        assert_eq!(part.digest(), Digest::of(&bytes), "the hash is of what is there");
        (part.len(), done.map(|()| bytes))
    }
}

fn ranges(server: &Server, path: &str) -> Vec<Option<String>> {
    server.requests_of(path).iter().map(|seen| seen.header("range").map(str::to_owned)).collect()
}

#[test]
fn a_file_comes_as_it_is() {
    let server = Server::start();
    server.serve("/plain", Behaviour::bytes(content()));
    server.serve("/chunked", Behaviour::bytes(content()).chunked());
    server.serve("/empty", Behaviour::bytes([]));
    // Nobody asked for that, but some servers say it of every .gz file.
    server.serve("/gz", Behaviour::bytes("no gzip at all").header("Content-Encoding", "gzip"));
    let download = Download::new();
    assert!(download.of(&server.url("/plain")).expect("a file") == content());
    assert!(download.of(&server.url("/chunked")).expect("a file") == content());
    assert_eq!(download.of(&server.url("/empty")).expect("a file"), b"");
    assert_eq!(download.of(&server.url("/gz")).expect("a file"), b"no gzip at all");
    let seen = &server.requests()[0];
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert!(seen.header("user-agent").expect("a name").starts_with("rebake/"));
    assert_eq!(seen.header("range"), None);
    assert_eq!(server.requests().len(), 4, "each was asked for once");
}

#[test]
fn a_broken_connection_is_resumed() {
    for broken in [
        Behaviour::bytes(content()).close_after(70_001),
        Behaviour::bytes(content()).close_after(70_001).chunked(),
        Behaviour::bytes(content()).stall_after(70_001),
    ] {
        let server = Server::start();
        server.script("/f", [broken.clone(), broken, Behaviour::bytes(content())]);
        let download = Download { http: impatient(Duration::from_secs(1)), ..Download::new() };
        assert!(download.of(&server.url("/f")).expect("a file") == content());
        let expected = [None, Some("bytes=70001-".to_owned()), Some("bytes=140002-".to_owned())];
        assert_eq!(ranges(&server, "/f"), expected);
        assert!(server.requests()[1].header("if-range").is_some_and(|etag| etag.starts_with('"')));
    }
}

#[test]
fn every_step_forward_gives_new_tries() {
    // Twenty times a piece, where five failures in a row are the end.
    let server = Server::start();
    server.serve("/f", Behaviour::bytes(content()).close_after(10_001));
    assert!(Download::new().of(&server.url("/f")).expect("a file") == content());
    assert_eq!(server.requests().len(), 20);
}

#[test]
fn without_a_validator_it_starts_again() {
    let (old, new) = (vec![b'a'; 50_000], vec![b'b'; 50_000]);
    let changed = |first: Behaviour, second: Behaviour| {
        let server = Server::start();
        server.script("/f", [first.close_after(20_000), second]);
        let came = Download::new().of(&server.url("/f")).expect("a file");
        assert!(came == new, "halves of two versions");
        ranges(&server, "/f")[1].clone()
    };
    let bare = |body: &Vec<u8>| Behaviour::bytes(body.clone()).without("ETag");
    // The server tells nothing: no part is asked for.
    assert_eq!(changed(bare(&old), bare(&new)), None);
    // A weak ETag, and a date that may be that of two versions, are nothing.
    let weak = |body: &Vec<u8>| Behaviour::bytes(body.clone()).header("ETag", "W/\"same\"");
    assert_eq!(changed(weak(&old), weak(&new)), None);
    let now = "Sun, 06 Nov 1994 08:49:37 GMT";
    let dated = |body: &Vec<u8>| bare(body).header("Last-Modified", now).header("Date", now);
    assert_eq!(changed(dated(&old), dated(&new)), None);
    // Both are known by their ETag: the server sees that the file is another one.
    assert!(changed(Behaviour::bytes(old.clone()), Behaviour::bytes(new.clone())).is_some());

    // A date of long ago names one version.
    let server = Server::start();
    let dated = bare(&new).header("Last-Modified", "Sun, 06 Nov 1994 08:49:36 GMT").header("Date", now);
    server.script("/f", [dated.clone().close_after(20_000), dated]);
    assert!(Download::new().of(&server.url("/f")).expect("a file") == new);
    assert_eq!(ranges(&server, "/f")[1].as_deref(), Some("bytes=20000-"));
    assert_eq!(server.requests()[1].header("if-range"), Some("Sun, 06 Nov 1994 08:49:36 GMT"));
}

#[test]
fn what_an_earlier_rebake_received_is_resumed() {
    let server = Server::start();
    server.serve("/f", Behaviour::bytes(content()).without("ETag"));
    let earlier = |bytes: Vec<u8>| Download { earlier: bytes, ..Download::new() };
    assert!(earlier(content()[..123_456].to_vec()).of(&server.url("/f")).expect("a file") == content());
    assert_eq!(ranges(&server, "/f"), [Some("bytes=123456-".to_owned())]);
    // It was whole already: the server has nothing to send.
    assert!(earlier(content()).of(&server.url("/f")).expect("a file") == content());
    assert_eq!(server.requests().len(), 2);
    // It was longer than the file: it cannot be its start.
    assert!(earlier(vec![0; 300_000]).of(&server.url("/f")).expect("a file") == content());
    assert_eq!(ranges(&server, "/f")[2..], [Some("bytes=300000-".to_owned()), None]);
    // Or longer than any file may be.
    assert!(earlier(vec![0; 2 << 20]).of(&server.url("/f")).expect("a file") == content());
    assert_eq!(ranges(&server, "/f")[4..], [None]);
    // A server that knows no parts sends the whole.
    server.serve("/f", Behaviour::bytes(content()).whole());
    assert!(earlier(vec![0; 5]).of(&server.url("/f")).expect("a file") == content());
}

#[test]
fn a_part_that_does_not_fit_is_not_taken() {
    for range in ["bytes 7-200002/200003", "bytes 100-50/200003", "bytes 100-200002/7", "items 100-200002/200003", ""] {
        let server = Server::start();
        let wrong = Behaviour::bytes(content()).header("Content-Range", range);
        server.script("/f", [wrong, Behaviour::bytes(content())]);
        let download = Download { earlier: content()[..100].to_vec(), ..Download::new() };
        assert!(download.of(&server.url("/f")).expect("a file") == content(), "{range}");
        assert_eq!(ranges(&server, "/f"), [Some("bytes=100-".to_owned()), None], "{range}");
    }
    // A part that nobody asked for.
    let server = Server::start();
    server.serve("/f", Behaviour::status(206).body("part"));
    let error = Download::new().of(&server.url("/f")).expect_err("an error");
    assert!(matches!(&error.kind, HttpErrorKind::Status(response) if response.status == 206), "{error}");
}

#[test]
fn a_length_that_lies_is_noticed() {
    let server = Server::start();
    // Longer than the body: it is as if the connection broke, and the rest is nothing.
    server.script("/long", [Behaviour::bytes("short").lying(50), Behaviour::bytes("short")]);
    assert_eq!(Download::new().of(&server.url("/long")).expect("a file"), b"short");
    assert_eq!(server.requests_of("/long").len(), 2);
    server.serve("/always", Behaviour::bytes("short").whole().lying(50));
    let error = Download::new().of(&server.url("/always")).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Broken(_)), "{error}");
    assert_eq!((error.tries, server.requests_of("/always").len()), (5, 5), "{error}");
}

#[test]
fn more_than_the_limit_is_refused() {
    let server = Server::start();
    server.serve("/said", Behaviour::bytes(content()).stall_after(0));
    server.serve("/unsaid", Behaviour::bytes(content()).chunked());
    let download = Download { limit: 200_002, ..Download::new() };
    // What is announced as too large is not waited for: it would stall.
    for path in ["/said", "/unsaid"] {
        let (len, came) = download.with(&server.url(path), &[]);
        let error = came.expect_err("an error");
        assert!(matches!(error.kind, HttpErrorKind::TooLarge { limit: 200_002 }), "{error}");
        assert!(len <= 200_002);
        assert_eq!(server.requests_of(path).len(), 1);
    }
    let enough = Download { limit: 200_003, ..Download::new() };
    assert_eq!(enough.of(&server.url("/unsaid")).expect("a file").len(), 200_003);
}

#[test]
fn what_may_pass_is_tried_again() {
    for status in [429, 500, 502, 503, 504] {
        let server = Server::start();
        let failing = Behaviour::status(status);
        server.script("/f", [failing.clone(), failing.clone(), failing, Behaviour::bytes("there")]);
        assert_eq!(Download::new().of(&server.url("/f")).expect("a file"), b"there", "{status}");
        assert_eq!(server.requests().len(), 4);
    }
    let server = Server::start();
    server.serve("/down", Behaviour::status(503));
    let error = Download::new().of(&server.url("/down")).expect_err("an error");
    assert_eq!(server.requests().len(), 5);
    let expected =
        format!("{} says 503: it is overloaded or down, try later ({}, 5 tries)", server.host(), server.url("/down"));
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_does_not_pass_is_not() {
    for (status, words) in
        [(400, "understand"), (401, "password"), (403, "allow"), (404, "nothing is there"), (410, "nothing")]
    {
        let server = Server::start();
        server.serve("/f", Behaviour::status(status));
        let error = Download::new().of(&server.url("/f?token=secret#part")).expect_err("an error").to_string();
        assert!(error.contains(&format!("{status}: ")) && error.contains(words), "{error}");
        assert!(error.contains(&server.url("/f")) && !error.contains("secret"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_server_says_when_to_come_back() {
    let timed = |behaviour: Behaviour| {
        let server = Server::start();
        server.script("/f", [behaviour, Behaviour::bytes("there")]);
        let start = Instant::now();
        assert_eq!(Download::new().of(&server.url("/f")).expect("a file"), b"there");
        start.elapsed()
    };
    let second = Duration::from_secs(1);
    assert!(timed(Behaviour::status(429).header("Retry-After", "1")) >= second);
    let dated = Behaviour::status(503).header("Retry-After", "Sun, 06 Nov 1994 08:49:38 GMT");
    assert!(timed(dated.header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")) >= second);
    assert!(timed(Behaviour::status(503)) < second, "without, it does not wait");

    // Nobody waits for an hour, and to ask before is in vain.
    let server = Server::start();
    server.serve("/f", Behaviour::status(429).header("Retry-After", "3600"));
    let error = Download::new().of(&server.url("/f")).expect_err("an error").to_string();
    assert!(error.contains("says 429: too many requests, try later: retry after 3600 ("), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_stall_ends_and_is_said() {
    let server = Server::start();
    server.serve("/f", Behaviour::bytes("something").without("ETag").stall_after(0));
    let download = Download { http: impatient(Duration::from_millis(60)), ..Download::new() };
    let error = download.of(&server.url("/f")).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Stalled(_)), "{error}");
    assert!(error.to_string().contains("nothing came for 0.06 s"), "{error}");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn an_interrupt_ends_whatever_it_waits_for() {
    let server = Server::start();
    server.serve("/stalled", Behaviour::bytes("something").stall_after(3));
    server.serve("/later", Behaviour::status(503).header("Retry-After", "60"));
    for path in ["/stalled", "/later"] {
        let settings = Settings { timing: Timing::default(), ..Settings::default() };
        let (http, download, interrupt) =
            (Http::new(&settings).expect("a client"), Download::new(), AtomicBool::new(false));
        let mut part = download.part();
        let start = Instant::now();
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                interrupt.store(true, Ordering::Relaxed);
            });
            http.download(&server.url(path), &[], 99, &mut part, &interrupt).expect_err("an error")
        });
        assert!(matches!(error.kind, HttpErrorKind::Interrupted), "{error}");
        assert_eq!(error.to_string(), "interrupted");
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}

#[test]
fn redirects_are_followed() {
    let (server, other) = (Server::start(), Server::start());
    other.serve("/file", Behaviour::bytes("there"));
    server.serve("/file", Behaviour::bytes("here"));
    for (path, status, to, expected) in [
        ("/a/relative", 301, "../file".to_owned(), "here"),
        ("/rooted", 302, "/file?x=1".to_owned(), "here"),
        ("/absolute", 303, other.url("/file"), "there"),
        ("/permanent", 308, "/rooted".to_owned(), "here"),
        ("/temporary", 307, other.url("/file"), "there"),
        ("/scheme-relative", 302, format!("//{}/file", other.host()), "there"),
    ] {
        server.serve(path, Behaviour::redirect(status, to).body("moved"));
        assert_eq!(Download::new().of(&server.url(path)).expect("a file"), expected.as_bytes(), "{path}");
    }
    server.serve("/loop", Behaviour::redirect(302, "/loop"));
    let error = Download::new().of(&server.url("/loop")).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Redirects), "{error}");
    assert_eq!(server.requests_of("/loop").len(), 11);
    for to in ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "\u{0}"] {
        server.serve("/out", Behaviour::redirect(302, to));
        let error = Download::new().of(&server.url("/out")).expect_err("an error");
        assert!(matches!(error.kind, HttpErrorKind::Location | HttpErrorKind::Protocol(_)), "{to}: {error}");
    }
    // Ten are as many as are followed.
    for n in 0..10 {
        server.serve(&format!("/hop{n}"), Behaviour::redirect(302, format!("/hop{}", n + 1)));
    }
    server.serve("/hop10", Behaviour::bytes("far"));
    assert_eq!(Download::new().of(&server.url("/hop0")).expect("a file"), b"far");
}

#[test]
fn a_redirect_takes_no_secret_to_another_host() {
    let (server, other) = (Server::start(), Server::start());
    let back = server.url("/file");
    server.serve("/file", Behaviour::bytes("here"));
    server.serve("/same", Behaviour::redirect(302, "/file"));
    server.serve("/away", Behaviour::redirect(302, other.url("/file").replace("http://", "http://mallory:pw@")));
    server.serve("/round", Behaviour::redirect(302, other.url("/back")));
    other.serve("/file", Behaviour::bytes("there"));
    other.serve("/back", Behaviour::redirect(302, back));
    let secrets = [("Authorization", "Bearer s3cret"), ("Cookie", "c=s3cret"), ("Accept", "a/b")];
    let download = Download::new();
    let get = |path: &str| download.with(&server.url(path), &secrets).1.expect("a file");
    get("/same");
    assert_eq!(
        server.requests().last().and_then(|seen| seen.header("authorization").map(str::to_owned)).as_deref(),
        Some("Bearer s3cret")
    );
    get("/away");
    get("/round");
    let strangers = other.requests();
    assert_eq!(strangers.len(), 2);
    let home = server.requests();
    for seen in strangers.iter().chain(home.last()) {
        assert_eq!(
            (seen.header("authorization"), seen.header("cookie"), seen.header("accept")),
            (None, None, Some("a/b"))
        );
    }
}

#[test]
fn a_url_brings_its_password_and_nobody_sees_it() {
    let server = Server::start();
    server.serve("/f", Behaviour::status(403));
    let url = server.url("/f?sig=hidden").replace("http://", "http://me:s%33cret%2Fx@");
    let error = Download::new().of(&url).expect_err("an error");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("s%33cret") && !shown.contains("hidden"), "{shown}");
    // printf me:s3cret/x | base64
    assert_eq!(server.requests()[0].header("authorization"), Some("Basic bWU6czNjcmV0L3g="));
    for url in ["http://me:s3cret@[::1", "ftp://me:s3cret@host/", "me:s3cret@host", "http://me:s3cret@:80/"] {
        let error = Download::new().of(url).expect_err("an error");
        assert!(matches!(error.kind, HttpErrorKind::Url(_)), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
}

#[test]
fn nobody_there_is_said() {
    let port = crate::support::free_port();
    let error = Download::new().of(&format!("http://127.0.0.1:{port}/f")).expect_err("an error");
    assert_eq!(
        error.to_string(),
        format!("127.0.0.1:{port} does not answer: nobody listens there (http://127.0.0.1:{port}/f, 5 tries)")
    );
    let error = Download::new().of(&format!("http://{}/f", nowhere())).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Resolve { .. }), "{error}");
    assert!(error.to_string().contains(&format!("there is no host {}", nowhere())), "{error}");
}

#[test]
fn a_small_document_is_returned_whatever_its_status() {
    let server = Server::start();
    server.script("/busy", [Behaviour::status(503), Behaviour::status(201).body("made").header("X-Y", "z")]);
    server.serve("/down", Behaviour::status(500).body("oh"));
    server.serve("/gone", Behaviour::status(404).body("gone"));
    server.serve("/large", Behaviour::bytes(content()));
    server.serve("/moved", Behaviour::redirect(307, "/busy"));
    let http = http();
    let get = |path: &str, limit| http.request(&Request::get(&server.url(path), limit), &NEVER);
    let made = get("/busy", 4).expect("an answer");
    assert_eq!((made.status, made.body.as_slice(), made.header("x-y")), (201, b"made".as_slice(), Some("z")));
    let down = get("/down", 99).expect("an answer");
    assert_eq!((down.status, server.requests_of("/down").len()), (500, 5));
    let gone = get("/gone", 2).expect("an answer");
    assert_eq!((gone.status, gone.body.as_slice()), (404, b"go".as_slice()), "a complaint is cut");
    let error = get("/large", 1000).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::TooLarge { limit: 1000 }), "{error}");

    let url = server.url("/large");
    let head = Request { method: Method::Head, ..Request::get(&url, 10) };
    let head = http.request(&head, &NEVER).expect("an answer");
    assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("200003")));

    let url = server.url("/moved");
    let post = Request { method: Method::Post, body: b"a=b", ..Request::get(&url, 10) };
    assert_eq!(http.request(&post, &NEVER).expect("an answer").status, 307, "a body goes nowhere else");
    assert_eq!(
        server.requests().last().map(|seen| (seen.method.clone(), seen.body.clone())),
        Some(("POST".into(), b"a=b".to_vec()))
    );
    let error =
        http.request(&Request { headers: &[("X", "a\nb")], ..Request::get(&url, 10) }, &NEVER).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Header(_)), "{error}");
}

#[test]
fn certificates_are_checked() {
    if !needs(&["openssl"]) {
        return;
    }
    let identity = Identity::new();
    let (server, plain) = (Server::start_tls(&identity), Server::start());
    server.serve("/f", Behaviour::bytes("secure"));
    server.serve("/down", Behaviour::redirect(302, plain.url("/f")));
    plain.serve("/f", Behaviour::bytes("plain"));
    plain.serve("/up", Behaviour::redirect(302, server.url("/f")));

    let stranger = Download::new().of(&server.url("/f")).expect_err("an error");
    assert!(matches!(stranger.kind, HttpErrorKind::Certificate(_) | HttpErrorKind::NoRoots), "{stranger}");
    assert!(stranger.to_string().contains("SSL_CERT_FILE"), "{stranger}");

    let trusting = |settings: Settings| Download { http: Http::new(&settings).expect("a client"), ..Download::new() };
    let by_file = trusting(Settings { cert_file: Some(identity.certificate.clone()), ..hasty() });
    assert_eq!(by_file.of(&server.url("/f")).expect("a file"), b"secure");
    assert_eq!(by_file.of(&plain.url("/up")).expect("a file"), b"secure");
    let error = by_file.of(&server.url("/down")).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Downgrade), "{error}");
    assert_eq!(plain.requests_of("/f").len(), 0);

    let certificates = Work::new();
    certificates.write("a/ca.pem", std::fs::read(&identity.certificate).expect("a certificate"));
    let dirs = std::env::join_paths([certificates.join("a")]).expect("a list");
    let by_dir = trusting(Settings { cert_dir: Some(dirs.into()), ..hasty() });
    assert_eq!(by_dir.of(&server.url("/f")).expect("a file"), b"secure");

    // The right authority, and another host.
    let elsewhere = Identity::named("DNS:example.com");
    let impostor = Server::start_tls(&elsewhere);
    let knows = trusting(Settings { cert_file: Some(elsewhere.certificate.clone()), ..hasty() });
    let error = knows.of(&impostor.url("/f")).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Certificate(_)), "{error}");
    assert!(!error.to_string().contains('\n'), "{error}");

    // Who trusts anybody says so; and no TLS is no certificate.
    let anybody = Download { http: http().trusting_anybody(), ..Download::new() };
    assert_eq!(anybody.of(&server.url("/f")).expect("a file"), b"secure");
    let error = anybody.of(&plain.url("/f").replace("http:", "https:")).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Tls(_) | HttpErrorKind::Broken(_)), "{error}");

    for named in [certificates.join("none.pem"), certificates.write("empty.pem", "")] {
        let error = Http::new(&Settings { cert_file: Some(named.clone()), ..hasty() }).expect_err("an error");
        assert!(error.to_string().contains(named.to_str().expect("a plain path")), "{error}");
    }
}

#[test]
fn a_proxy_is_asked_for_what_is_not_here() {
    let proxy = Server::start();
    proxy.serve("/f", Behaviour::bytes("through"));
    let far = format!("http://{}/f", nowhere());
    let url = proxy.url("").replace("http://", "http://me:s3cret@");
    let through = |settings: Settings| Download { http: Http::new(&settings).expect("a client"), ..Download::new() };
    let by_http = through(Settings { http_proxy: Some(url.clone()), ..hasty() });
    assert_eq!(by_http.of(&far).expect("a file"), b"through");
    let seen = proxy.requests();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("CONNECT", format!("{}:80", nowhere()).as_str()));
    assert_eq!(seen[0].header("proxy-authorization"), Some("Basic bWU6czNjcmV0"));
    assert_eq!(seen[1].header("proxy-authorization"), None);
    let by_all = through(Settings { all_proxy: Some(url.clone()), ..hasty() });
    assert_eq!(by_all.of(&far).expect("a file"), b"through");

    // This machine, and what NO_PROXY names, is reached directly.
    let before = proxy.requests().len();
    let here = Server::start();
    here.serve("/f", Behaviour::bytes("direct"));
    assert_eq!(by_http.of(&here.url("/f")).expect("a file"), b"direct");
    let without =
        through(Settings { http_proxy: Some(url.clone()), no_proxy: Some("x.org,.invalid".into()), ..hasty() });
    let error = without.of(&far).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Resolve { .. }), "{error}");
    let other = through(Settings { https_proxy: Some(url), ..hasty() });
    assert!(other.of(&far).is_err(), "the proxy is for https");
    assert_eq!(proxy.requests().len(), before);
}

/// A proxy that leads to one port, whatever host it is asked for; and what it was asked for.
fn tunnel(to: &Server) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let (address, to) = (listener.local_addr().expect("its address"), to.host());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    thread::spawn(move || {
        for near in listener.incoming() {
            let (Ok(mut near), Ok(mut far)) = (near, TcpStream::connect(&to)) else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && near.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
            heard.lock().expect("what was asked").push(head);
            near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("an answer");
            let (mut back, mut here) = (far.try_clone().expect("a socket"), near.try_clone().expect("a socket"));
            thread::spawn(move || std::io::copy(&mut back, &mut here));
            thread::spawn(move || std::io::copy(&mut near, &mut far));
        }
    });
    (format!("http://{address}"), asked)
}

#[test]
fn tls_is_spoken_through_a_proxy() {
    if !needs(&["openssl"]) {
        return;
    }
    let (there, elsewhere) = (Identity::named("DNS:far.invalid"), Identity::named("DNS:near.invalid"));
    let get = |identity: &Identity| {
        let server = Server::start_tls(identity);
        server.serve("/f", Behaviour::bytes("secure"));
        let (proxy, asked) = tunnel(&server);
        let settings = Settings { https_proxy: Some(proxy), cert_file: Some(identity.certificate.clone()), ..hasty() };
        let download = Download { http: Http::new(&settings).expect("a client"), ..Download::new() };
        let came = download.of("https://far.invalid/f");
        assert_eq!(asked.lock().expect("what was asked")[0], "CONNECT far.invalid:443 HTTP/1.1");
        came
    };
    assert_eq!(get(&there).expect("a file"), b"secure");
    let error = get(&elsewhere).expect_err("an error");
    assert!(matches!(error.kind, HttpErrorKind::Certificate(_)), "{error}");

    // A proxy that speaks TLS itself.
    let identity = Identity::new();
    let proxy = Server::start_tls(&identity);
    proxy.serve("/f", Behaviour::bytes("through"));
    let settings =
        Settings { http_proxy: Some(proxy.url("")), cert_file: Some(identity.certificate.clone()), ..hasty() };
    let download = Download { http: Http::new(&settings).expect("a client"), ..Download::new() };
    assert_eq!(download.of("http://far.invalid/f").expect("a file"), b"through");
}
