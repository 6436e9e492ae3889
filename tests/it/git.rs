//! What git is asked, on real repositories of every kind.

mod export;
mod facts;
mod remote;

use crate::support::Work;
use crate::support::git::{commit_all, done};
use rebake::git::{GitError, Repository};
use std::path::{Path, PathBuf};

/// The repository of a folder.
#[track_caller]
pub fn open(path: &Path) -> Repository {
    Repository::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A repository of two commits with everything that a checkout changes: attributes, modes, names.
pub fn sample(work: &Work, name: &str) -> PathBuf {
    let folder = work.mkdir(name);
    let path = |file: &str| format!("{name}/{file}");
    let attributes = "*.txt eol=crlf\nsecret export-ignore\nversion export-subst ident\n";
    work.write(path(".gitattributes"), attributes);
    work.write(path("web/page.txt"), "one\ntwo\n");
    work.write(path("secret"), "not for git archive\n");
    work.write(path("version"), "$Format:%H$ $Id$\n");
    work.write(path("big"), "0123456789abcdef".repeat(100_000));
    work.write(path("empty"), "");
    work.write_mode(path("bin/run"), 0o755, "#!/bin/sh\n");
    work.symlink("../web/page.txt", path("bin/link"));
    work.symlink("/nowhere", path("dangling"));
    use std::os::unix::ffi::OsStrExt;
    let latin = Path::new(name).join(std::ffi::OsStr::from_bytes(b"latin-\xe9"));
    work.write(latin, "no UTF-8\n");
    work.write(path("a-b"), "1");
    work.write(path("a.b"), "2");
    work.write(path("a/b"), "3");
    commit_all(&folder, "one");
    done(&folder, &["tag", "light"]);
    work.write(path("web/new.txt"), "three\n");
    commit_all(&folder, "two");
    done(&folder, &["tag", "-a", "v1.0", "-m", "a tag"]);
    folder
}

#[test]
fn a_revision_is_a_commit_whatever_its_name() {
    let work = Work::new();
    let folder = sample(&work, "a");
    let repository = open(&folder);
    let head = done(&folder, &["rev-parse", "HEAD"]);
    let tree = done(&folder, &["rev-parse", "HEAD^{tree}"]);
    for name in ["HEAD", "main", "v1.0", "refs/tags/v1.0", "refs/heads/main", "v1.0~0", &head[..10], &head] {
        let commit = repository.resolve(name).unwrap();
        assert_eq!((&commit.id, &commit.tree, commit.time), (&head, &tree, 1_700_000_000), "{name}");
    }
    let first = done(&folder, &["rev-parse", "light"]);
    assert_eq!(repository.resolve("v1.0~1").unwrap().id, first);
    assert_ne!(first, head);
}

#[test]
fn a_revision_that_is_none_or_two_is_said() {
    let work = Work::new();
    let folder = sample(&work, "a");
    let repository = open(&folder);
    let error = repository.resolve("v1.O").unwrap_err();
    assert!(error.to_string().starts_with("there is no revision `v1.O` in "), "{error}");
    assert_eq!(error.help().as_deref(), Some("there is v1.0"));
    assert_eq!(repository.resolve("banana").unwrap_err().help(), None);
    // A blob has no commit.
    assert!(matches!(repository.resolve("HEAD:empty"), Err(GitError::UnknownRevision { .. })));
    for text in ["", "--all", "-h", "a\nb"] {
        assert!(matches!(repository.resolve(text), Err(GitError::Argument { .. })), "{text}");
    }
    done(&folder, &["branch", "v1.0", "light"]);
    done(&folder, &["config", "core.warnAmbiguousRefs", "false"]);
    assert!(matches!(repository.resolve("v1.0"), Err(GitError::AmbiguousRevision { .. })));
    assert!(repository.resolve("refs/heads/v1.0").is_ok());
    let empty = work.mkdir("empty");
    done(&empty, &["init", "-q"]);
    assert!(matches!(open(&empty).resolve("HEAD"), Err(GitError::NoCommit)));
}

#[test]
fn a_repository_stands_where_it_is_named() {
    let work = Work::new();
    let folder = sample(&work, "a");
    assert!(Repository::discover(&folder.join("web")).is_ok());
    assert!(Repository::open(&folder.join(".git")).is_ok());
    let error = Repository::open(&folder.join("web")).unwrap_err();
    assert!(error.help().unwrap().ends_with("/a"), "{error}");
    for folder in [work.path().to_owned(), work.join("absent")] {
        assert!(matches!(Repository::discover(&folder), Err(GitError::NoRepository { .. })));
        assert!(matches!(Repository::open(&folder), Err(GitError::NoRepository { .. })));
    }
    assert!(matches!(Repository::discover(&folder.join(".git")), Err(GitError::NoRepository { .. })));
}

#[test]
fn the_repository_of_another_user_is_not_read() {
    if !crate::support::needs(&["root"]) {
        return;
    }
    let work = Work::new();
    let folder = sample(&work, "a");
    for path in [&folder, &folder.join(".git")] {
        std::os::unix::fs::chown(path, Some(4711), None).unwrap();
    }
    let error = Repository::open(&folder).unwrap_err();
    assert!(matches!(error, GitError::Ownership { .. }), "{error}");
    assert!(error.help().unwrap().contains("git config --global --add safe.directory"));
}
