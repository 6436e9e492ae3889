//! URLs: mirrors, digests, lengths, resuming, proxies, certificates, passwords.

use super::{Desk, assert_says, ended};
use crate::support::http::{Behaviour, Identity, Server};
use crate::support::{Work, attempt, needs, sha256};
use rebake::recipe::{Syntax, parse};
use rebake::registry::Credentials;
use rebake::store::Store;
use rebake::supply::{Online, Reach, Supply};
use std::fs;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

pub const AMD64: &[&str] = &["linux/amd64"];
pub const BOTH: &[&str] = &["linux/amd64", "linux/arm64"];

fn input(name: &str, rest: &str) -> String {
    format!("[inputs.{name}]\n{rest}\n")
}

#[test]
fn a_file_for_each_platform_is_pinned_and_fetched_once() {
    let server = Server::start();
    server.serve("/tool-amd64", Behaviour::bytes("for amd64"));
    server.serve("/tool-arm64", Behaviour::redirect(302, "/moved?signed=s3cret"));
    server.serve("/moved", Behaviour::bytes("for arm64"));
    let desk = Desk::with(BOTH, &input("tool", &format!("url = \"{}\"", server.url("/tool-{arch}"))));
    let said = desk.ends(2, &["build"]);
    assert_says(&said, &["the input `tool` is not pinned", "rebake.toml:", "a URL", "`rebake lock` pins it"]);

    desk.run(&["lock"]);
    let block = format!(
        "[inputs.tool]\nurl = \"{}\"\n\"linux/amd64\" = {{ digest = \"sha256:{}\", size = 9 }}\n\
         \"linux/arm64\" = {{ digest = \"sha256:{}\", size = 9 }}\n",
        server.url("/tool-{arch}"),
        sha256(b"for amd64"),
        sha256(b"for arm64")
    );
    assert!(desk.lock().ends_with(&block), "{}", desk.lock());
    let digest = desk.digest(&[]);
    assert_eq!((desk.content(0, "tool"), desk.content(1, "tool")), ("for amd64".into(), "for arm64".into()));
    assert_eq!(server.requests().len(), 3, "each once, and the redirect");

    // Nothing is asked any more, not even when it is gone.
    drop(server);
    assert_eq!(desk.digest(&["--offline"]), digest);
    assert_eq!(desk.digest(&[]), digest);
}

#[test]
fn a_digest_is_given_once_by_architecture_or_not() {
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("the same"));
    let (url, hex) = (server.url("/a"), sha256(b"the same"));
    for given in [
        String::new(),
        format!("sha256 = \"{hex}\""),
        format!("sha256 = {{ amd64 = \"{hex}\", arm64 = \"{hex}\" }}"),
        format!("sha256 = {{ amd64 = \"{hex}\" }}"),
    ] {
        let desk = Desk::with(BOTH, &input("a", &format!("url = \"{url}\"\n{given}")));
        desk.run(&["lock"]);
        let block = format!("[inputs.a]\nurl = \"{url}\"\ndigest = \"sha256:{hex}\"\nsize = 8\n");
        assert!(desk.lock().ends_with(&block), "{given}: {}", desk.lock());
    }
    // What the recipe pins for all its platforms needs no lock.
    let desk = Desk::with(AMD64, &input("a", &format!("url = \"{url}\"\nsha256 = {{ amd64 = \"{hex}\" }}")));
    desk.run(&["build"]);
    assert!(!desk.lock_path().exists());
}

#[test]
fn mirrors_are_tried_in_order() {
    let server = Server::start();
    let body = vec![b'x'; 300_000];
    server.serve("/wrong", Behaviour::bytes("something else"));
    server.serve("/cut", Behaviour::bytes(&body[..]).without("ETag").close_after(100_000));
    server.serve("/good", Behaviour::bytes(&body[..]));
    let recipe = format!(
        "url = \"{}\"\nsha256 = \"{}\"\nmirrors = [\"{}\", \"{}\", \"{}\"]",
        server.url("/gone"),
        sha256(&body),
        server.url("/wrong"),
        server.url("/cut"),
        server.url("/good")
    );
    let desk = Desk::with(AMD64, &input("a", &recipe));
    let said = desk.ends(0, &["lock"]);
    let [gone, wrong, cut, good] = ["/gone", "/wrong", "/cut", "/good"].map(|path| server.url(path));
    let (host, found) = (server.host(), sha256(b"something else"));
    assert_says(
        &said,
        &[
            &format!("note: {host} says 404: nothing is there ({gone}); {good} has it"),
            &format!("note: {wrong} gives another file: its digest is sha256:{found}, and sha256:"),
            &format!("note: the connection to {host} broke"),
            &cut,
        ],
    );
    let mut order: Vec<String> = server.requests().into_iter().map(|seen| seen.path).collect();
    order.dedup();
    assert_eq!(order, ["/gone", "/wrong", "/cut", "/good"]);
    assert_eq!(desk.kept(), [sha256(&body)]);
}

#[test]
fn a_mirror_that_stalls_gives_way_and_what_it_gave_is_kept() {
    let server = Server::start();
    let body = vec![b'x'; 300_000];
    server.serve("/stalls", Behaviour::bytes(&body[..]).without("ETag").whole().stall_after(100_000));
    server.serve("/good", Behaviour::bytes(&body[..]));
    let (slow, good) = (server.url("/stalls"), server.url("/good"));
    let recipe = format!("url = \"{slow}\"\nmirrors = [\"{good}\"]\nsha256 = \"{}\"", sha256(&body));
    let recipe = super::text(AMD64, &input("a", &recipe));
    let recipe = parse(&recipe, Syntax::Toml).and_then(|recipe| recipe.pin(None)).expect("a pinned recipe");
    // The program waits for half a minute, which a test cannot.
    let mut settings = crate::net::hasty();
    settings.timing.idle = Duration::from_millis(300);
    let online = Online {
        net: settings,
        http: std::sync::OnceLock::new(),
        credentials: Credentials::default(),
        insecure: false,
        git: rebake::git::Online::new(),
    };
    let work = Work::new();
    let (store, said) = (Store::new(work.join("cache")), Mutex::new(String::new()));
    let notice = |text: &str| said.lock().expect("words").push_str(text);
    let supply = Supply {
        pantries: &[],
        store: Some(&store),
        reach: Reach::Network(&online),
        folder: work.path(),
        shared: None,
        scratch: work.path(),
        interrupt: &AtomicBool::new(false),
        notice: &notice,
    };
    supply.ready(&recipe).expect("inputs");
    assert_says(&said.lock().expect("words"), &["stalled: nothing came for 0.3 s", &slow, &good, "has it"]);
    assert_eq!(server.requests_of("/good")[0].header("range"), Some("bytes=100000-"));
}

#[test]
fn a_wrong_digest_names_both_and_who_gave_it() {
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("one"));
    server.serve("/b", Behaviour::bytes("two"));
    let wanted = sha256(b"wanted");
    let recipe = format!("url = \"{}\"\nmirrors = [\"{}\"]\nsha256 = \"{wanted}\"", server.url("/a"), server.url("/b"));
    let desk = Desk::with(AMD64, &input("tool", &recipe));
    for command in ["lock", "build"] {
        let said = desk.ends(2, &[command]);
        let one = format!(
            "- {} gives another file: its digest is sha256:{}, and sha256:{wanted} is pinned",
            server.url("/a"),
            sha256(b"one")
        );
        let two = format!("- {} gives another file: its digest is sha256:{}, and", server.url("/b"), sha256(b"two"));
        assert_says(&said, &["the input `tool` (url http://", "each of its URLs fails", &one, &two, "= help: "]);
    }
    assert_eq!(desk.kept(), [""; 0]);
    assert_eq!(desk.work.tree("cache/partial"), [""; 0]);
    assert!(!desk.lock_path().exists());
}

#[test]
fn a_file_that_changed_behind_its_lock_is_refused() {
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("as it was"));
    let desk = Desk::with(AMD64, &input("a", &format!("url = \"{}\"", server.url("/a"))));
    desk.run(&["lock"]);
    let digest = desk.digest(&[]);
    let before = fs::read(desk.work.join("recipe/rebake-out/probe/index.json")).expect("an index");
    desk.run(&["cache", "prune"]);

    let longer = "as it was, and then some";
    for chunked in [false, true] {
        let answer = Behaviour::bytes(longer);
        server.serve("/a", if chunked { answer.chunked() } else { answer });
        let said = desk.ends(2, &["build"]);
        assert_says(
            &said,
            &[
                "the input `a` (url ",
                "it is longer than it should be, more than 9 bytes",
                "`rebake lock --update a` pins it",
            ],
        );
    }
    server.serve("/a", Behaviour::bytes("as it is!"));
    let said = desk.ends(2, &["build"]);
    assert_says(&said, &[&sha256(b"as it is!"), &sha256(b"as it was")]);
    assert_eq!(desk.kept(), [""; 0]);
    assert_eq!(desk.work.tree("cache/partial"), [""; 0]);
    assert_eq!(before, fs::read(desk.work.join("recipe/rebake-out/probe/index.json")).expect("an index"));

    let said = desk.ends(1, &["lock", "--check"]);
    assert_says(&said, &["a moved from sha256:", &sha256(b"as it was"), " to sha256:", &sha256(b"as it is!")]);
    desk.run(&["lock", "--update", "a"]);
    assert_ne!(desk.digest(&[]), digest);
    assert_eq!(desk.content(0, "a"), "as it is!");
}

#[test]
fn a_length_that_is_a_lie_is_no_file() {
    let server = Server::start();
    let desk = Desk::with(AMD64, &input("a", &format!("url = \"{}\"", server.url("/a"))));
    server.serve("/a", Behaviour::bytes("short").lying(1000).without("ETag"));
    let said = desk.ends(2, &["lock"]);
    assert_says(&said, &["the input `a` (url ", "cannot be pinned: the connection to", "broke"]);
    assert_eq!((desk.kept().len(), desk.lock_path().exists()), (0, false));
    server.serve("/a", Behaviour::bytes("short"));
    desk.run(&["lock"]);
}

#[test]
fn a_download_goes_on_after_a_cut_and_after_a_kill() {
    let server = Server::start();
    let body: Vec<u8> = (0..2_000_000u32).map(|n| (n % 251) as u8).collect();
    server.serve("/a", Behaviour::bytes(&body[..]));
    let desk = Desk::with(AMD64, &input("a", &format!("url = \"{}\"", server.url("/a"))));
    desk.run(&["lock"]);
    let digest = desk.digest(&[]);

    desk.run(&["cache", "prune"]);
    server.script("/a", [Behaviour::bytes(&body[..]).close_after(700_000), Behaviour::bytes(&body[..])]);
    let seen = server.requests_of("/a").len();
    assert_eq!(desk.digest(&[]), digest);
    let asked = server.requests_of("/a");
    assert_eq!(
        asked[seen..].iter().map(|seen| seen.header("range")).collect::<Vec<_>>(),
        [None, Some("bytes=700000-")]
    );

    desk.run(&["cache", "prune"]);
    server.serve("/a", Behaviour::bytes(&body[..]).stall_after(1_200_000));
    let mut child = desk.command(&["build"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rebake");
    let part = desk.cache().join("partial").join(sha256(&body));
    let end = Instant::now() + Duration::from_secs(60);
    while fs::metadata(&part).map_or(0, |part| part.len()) < 1_200_000 {
        assert!(Instant::now() < end, "nothing comes");
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("a kill");
    child.wait().expect("an end");
    assert_eq!(desk.kept(), [""; 0]);
    server.serve("/a", Behaviour::bytes(&body[..]));
    assert_eq!(desk.digest(&[]), digest);
    let asked = server.requests_of("/a");
    assert_eq!(asked.last().and_then(|seen| seen.header("range")), Some("bytes=1200000-"));
    assert!(!part.exists());
}

#[test]
fn a_proxy_is_asked() {
    let proxy = Server::start();
    proxy.serve("/a", Behaviour::bytes("through the proxy"));
    let desk = Desk::with(AMD64, &input("a", "url = \"http://files.rebake.invalid/a\""));
    let output = attempt(desk.command(&["lock"]).env("http_proxy", format!("http://me:s3cret@{}", proxy.host())));
    output.success();
    let asked: Vec<String> =
        proxy.requests().into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(asked, ["CONNECT files.rebake.invalid:80", "GET /a"]);
    // Without it there is no such host.
    desk.run(&["cache", "prune"]);
    let said = desk.ends(2, &["build"]);
    assert_says(&said, &["there is no host files.rebake.invalid"]);
    let dead = desk.command(&["build"]).env("http_proxy", "http://me:s3cret@127.0.0.1:9").output().expect("rebake");
    let said = String::from_utf8_lossy(&dead.stderr).into_owned();
    assert!(dead.status.code() == Some(2) && !said.contains("s3cret"), "{said}");
}

#[test]
fn an_authority_of_ones_own_is_named() {
    if !needs(&["openssl"]) {
        return;
    }
    let identity = Identity::new();
    let server = Server::start_tls(&identity);
    server.serve("/a", Behaviour::bytes("sealed"));
    let desk = Desk::with(AMD64, &input("a", &format!("url = \"{}\"", server.url("/a"))));
    let said = desk.ends(2, &["lock"]);
    assert_says(&said, &[&format!("{} cannot be trusted", server.host()), "SSL_CERT_FILE"]);
    attempt(desk.command(&["lock"]).env("SSL_CERT_FILE", &identity.certificate)).success();
    let none = desk.work.join("none.pem");
    let output = attempt(desk.command(&["lock", "--update"]).env("SSL_CERT_FILE", &none));
    assert_says(&ended(2, &output), &["no certificates to trust in", "none.pem"]);
}

#[test]
fn a_password_is_used_and_never_shown() {
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("for members"));
    let url = server.url("/a?token=t0ken").replace("http://", "http://me:s3cret@");
    let desk = Desk::with(AMD64, &input("a", &format!("url = \"{url}\"")));
    let mut all = desk.ends(2, &["build"]);
    all += &desk.ends(2, &["build", "--json"]);
    all += &desk.ends(0, &["lock", "-v"]);
    assert_eq!(server.requests_of("/a")[0].header("authorization"), Some("Basic bWU6czNjcmV0"));
    desk.recipe(AMD64, &input("a", &format!("url = \"{}\"", url.replace("s3cret", "an0ther"))));
    let stale = desk.ends(2, &["build"]);
    assert_says(&stale, &["another `url` of the input `a`", "in the lock"]);
    all += &stale;
    all += &desk.ends(2, &["build", "--json"]);
    all += &desk.ends(0, &["lock"]);
    desk.run(&["cache", "prune"]);
    server.serve("/a", Behaviour::status(403));
    let refused = desk.ends(2, &["build", "-v"]);
    assert_says(&refused, &["the input `a` (url http://", "says 403: it does not allow that"]);
    all += &refused;
    all += &desk.ends(2, &["build", "--json"]);
    all += &desk.ends(2, &["build", "--offline"]);
    all += &desk.ends(2, &["lock", "--update"]);
    for secret in ["s3cret", "an0ther", "t0ken", "bWU6"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn an_answer_that_is_no_file_is_said_in_plain_words() {
    let cases = [
        (401, "it wants a name and a password"),
        (403, "it does not allow that"),
        (404, "nothing is there"),
        (410, "nothing is there"),
        (429, "too many requests, try later"),
        (500, "it failed"),
        (503, "it is overloaded or down, try later"),
    ];
    let server = Server::start();
    thread::scope(|scope| {
        for (status, words) in cases {
            let server = &server;
            scope.spawn(move || {
                let path = format!("/{status}");
                server.serve(&path, Behaviour::status(status));
                let desk = Desk::with(BOTH, &input("a", &format!("url = \"{}\"", server.url(&path))));
                let said = desk.ends(2, &["lock"]);
                let words = format!("{} says {status}: {words} ({}", server.host(), server.url(&path));
                assert_says(&said, &["the input `a` (url ", "cannot be pinned: ", &words]);
                assert_eq!(said.matches("error").count(), 1, "{said}");
                // What may pass is tried again.
                let tries = server.requests_of(&path).len();
                assert_eq!(tries, if status == 429 || status >= 500 { 5 } else { 1 }, "{status}");
            });
        }
    });
}

#[test]
fn platforms_that_lack_a_file_are_one_mistake() {
    let server = Server::start();
    for name in ["/tool-amd64", "/tool-arm64"] {
        server.serve(name, Behaviour::bytes(name));
    }
    let desk = Desk::with(BOTH, &input("tool", &format!("url = \"{}\"", server.url("/tool-{arch}"))));
    desk.run(&["lock"]);
    desk.run(&["cache", "prune"]);
    server.serve("/tool-arm64", Behaviour::status(404));
    let said = desk.ends(2, &["build"]);
    let arm64 = server.url("/tool-arm64");
    assert_says(&said, &["cannot be had for linux/arm64: ", &arm64]);
    server.serve("/tool-amd64", Behaviour::status(410));
    desk.run(&["cache", "prune"]);
    let said = desk.ends(2, &["build"]);
    assert_says(&said, &["cannot be had\n", "- for linux/amd64: ", "/tool-amd64)", "- for linux/arm64: ", &arm64]);
    assert_eq!(said.matches("error").count(), 1, "{said}");
}

#[test]
fn what_lacks_is_said_once_and_with_advice_that_fits() {
    let server = Server::start();
    server.serve("/tool", Behaviour::bytes("tool"));
    let desk = Desk::with(BOTH, &input("tool", &format!("url = \"{}\"", server.url("/tool"))));
    let said = desk.ends(2, &["lock", "--offline"]);
    assert_says(&said, &["the input `tool` (url ", "cannot be pinned: ", "leave `--offline` out"]);
    desk.run(&["lock"]);
    desk.run(&["cache", "prune"]);
    let said = desk.ends(2, &["build", "--offline"]);
    let store = format!("it is not in the store ({})", desk.cache().display());
    assert_says(
        &said,
        &[
            "the input `tool` (url ",
            &store,
            "`--offline` forbids to fetch it",
            "url = ",
            "= help: leave `--offline` out",
        ],
    );
    assert_eq!(said.matches("error").count(), 1, "{said}");
    let host = server.host();
    drop(server);
    let said = desk.ends(2, &["build"]);
    assert_says(
        &said,
        &["the input `tool` (url ", &host, "nobody listens there", "a pantry may have it: `--pantry DIR`"],
    );
    assert_eq!(said.matches("error").count(), 1, "{said}");
}
