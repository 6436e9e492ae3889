//! Repositories behind a network: git's own daemon on this machine.

use super::export::tar;
use super::{open, sample};
use crate::support::git::{commit_all, done};
use crate::support::{Daemon, Work, free_port, run, tool};
use rebake::git::{Commit, GitError, Location, Online, Remote, Repository, fetch, ls_remote};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static GO_ON: AtomicBool = AtomicBool::new(false);

fn remote(address: &str) -> Remote {
    match Location::parse(address, Path::new("/")) {
        Ok(Location::Remote(remote)) => remote,
        other => panic!("{address}: {other:?}"),
    }
}

/// git's own server of the repositories in a folder.
struct Server {
    work: Work,
    port: u16,
    _daemon: Daemon,
}

impl Server {
    fn start() -> Self {
        let (work, port) = (Work::new(), free_port());
        let program = run(tool("git").arg("--exec-path")).text() + "/git-daemon";
        let (to, base) = (format!("--port={port}"), format!("--base-path={}", work.path().display()));
        let args = ["--reuseaddr", "--export-all", "--listen=127.0.0.1", &to, &base];
        let mut daemon = Daemon::start_plain(&program, &args, &work.join("log"));
        daemon.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { work, port, _daemon: daemon }
    }

    fn remote(&self, name: &str) -> Remote {
        remote(&format!("git://127.0.0.1:{}/{name}", self.port))
    }

    fn fetch(&self, name: &str, revision: &str) -> Result<(Repository, Commit), GitError> {
        let scratch = self.work.mkdir("scratch");
        fetch(&self.remote(name), revision, &scratch, &Online::new(), &GO_ON)
    }

    fn ls_remote(&self, name: &str, revision: &str) -> Result<Option<String>, GitError> {
        ls_remote(&self.remote(name), revision, &Online::new(), &GO_ON)
    }
}

#[test]
fn a_revision_comes_over_the_network() {
    let server = Server::start();
    let folder = sample(&server.work, "a");
    done(&folder, &["checkout", "-q", "-b", "feature/x", "light"]);
    server.work.write("a/x", "x");
    let side = commit_all(&folder, "x");
    done(&folder, &["checkout", "-q", "main"]);
    let head = done(&folder, &["rev-parse", "HEAD"]);
    let first = done(&folder, &["rev-parse", "light"]);
    let plain = tar(&open(&folder), "HEAD", None).unwrap();
    for (revision, id, known) in [
        ("HEAD", &head, true),
        ("main", &head, true),
        ("v1.0", &head, true),
        ("refs/tags/v1.0", &head, true),
        ("feature/x", &side, true),
        ("light", &first, true),
        (&head, &head, true),
        (&first, &first, true),
        (&head[..12], &head, false),
        ("v1.0~1", &first, false),
        ("HEAD^", &first, false),
        ("feature/x~1", &first, false),
    ] {
        let told = server.ls_remote("a", revision).unwrap();
        assert_eq!(told.as_ref(), known.then_some(id), "{revision}");
        let (repository, commit) = server.fetch("a", revision).unwrap();
        assert_eq!(commit.id, *id, "{revision}");
        assert_eq!(tar(&repository, id, None).unwrap() == plain, *id == head, "{revision}");
    }
    assert_eq!(server.work.tree("scratch"), [""; 0], "all gone");

    // A tag that moves is found elsewhere, and the commit that it left is still there by its id.
    done(&folder, &["tag", "-f", "light", "v1.0"]);
    assert_eq!(server.ls_remote("a", "light").unwrap(), Some(head));
    assert_eq!(server.fetch("a", "light").unwrap().1.id, server.ls_remote("a", "light").unwrap().unwrap());
}

#[test]
fn a_repository_with_other_ids_comes_too() {
    let server = Server::start();
    let folder = server.work.mkdir("sha256");
    done(&folder, &["init", "-q", "--object-format=sha256"]);
    server.work.write("sha256/a", "a");
    let id = commit_all(&folder, "one");
    assert_eq!(id.len(), 64);
    for revision in ["main", &id, &id[..10], "main~0"] {
        assert_eq!(server.fetch("sha256", revision).unwrap().1.id, id, "{revision}");
    }
}

#[test]
fn what_a_server_does_not_have_is_said() {
    let server = Server::start();
    let folder = sample(&server.work, "a");
    for revision in ["v1", "v2~1", "refs/heads/absent", "0123456789", &"1".repeat(40)] {
        let error = server.fetch("a", revision).unwrap_err();
        let place = format!("git://127.0.0.1:{}/a", server.port);
        assert_eq!(error.to_string(), format!("there is no revision `{revision}` in {place}"));
    }
    assert!(matches!(server.ls_remote("a", "v1"), Err(GitError::UnknownRevision { .. })));
    assert!(matches!(server.ls_remote("a", "--x"), Err(GitError::Argument { .. })));
    done(&folder, &["branch", "v1.0", "light"]);
    assert!(matches!(server.ls_remote("a", "v1.0"), Err(GitError::AmbiguousRevision { .. })));
    assert!(matches!(server.fetch("a", "v1.0"), Err(GitError::AmbiguousRevision { .. })));
    let error = server.fetch("absent", "HEAD").unwrap_err();
    assert!(matches!(error, GitError::NotFound { .. }), "{error}");
}

#[test]
fn nobody_at_home_is_said() {
    let address = format!("git://127.0.0.1:{}/a", free_port());
    let error = ls_remote(&remote(&address), "HEAD", &Online::new(), &GO_ON).unwrap_err();
    assert!(matches!(error, GitError::Unreachable { .. }), "{error}");
}

/// A web server that gives one answer to everybody.
fn answering(status: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let challenge = "WWW-Authenticate: Basic realm=\"x\"";
            let _ =
                write!(stream, "HTTP/1.1 {status}\r\n{challenge}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

#[test]
fn refused_credentials_are_said_and_not_shown() {
    for (status, wanted) in [
        ("401 Unauthorized", "refuses the credentials"),
        ("403 Forbidden", "refuses the credentials"),
        ("404 Not Found", "is not found"),
        ("500 Internal Server Error", "could not ask"),
    ] {
        let address = format!("http://me:hunter2@127.0.0.1:{}/a?key=s3cret", answering(status));
        for error in [
            ls_remote(&remote(&address), "HEAD", &Online::new(), &GO_ON).unwrap_err(),
            fetch(&remote(&address), "HEAD", Work::new().path(), &Online::new(), &GO_ON).unwrap_err(),
        ] {
            let shown = format!("{error} {error:?} {:?}", error.help());
            assert!(shown.contains(wanted), "{shown}");
            for secret in ["me:", "hunter2", "s3cret"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}

#[test]
fn a_silent_server_does_not_outlast_the_user() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://127.0.0.1:{}/a", listener.local_addr().unwrap().port());
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let held = listener.accept().unwrap();
            std::thread::sleep(Duration::from_millis(200));
            stop.store(true, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(500));
            drop(held);
        });
        let error = ls_remote(&remote(&address), "HEAD", &Online::new(), &stop).unwrap_err();
        assert!(matches!(error, GitError::Interrupted), "{error}");
    });
    assert!(begun.elapsed() < Duration::from_secs(10));
}
