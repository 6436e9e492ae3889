//! What git knows of a folder.

use super::{open, sample};
use crate::support::Work;
use crate::support::git::{cloned, commit_all, done};
use rebake::git::{Asked, Facts, GitError, Repository};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::AtomicBool;

static GO_ON: AtomicBool = AtomicBool::new(false);

fn facts(folder: &Path) -> Result<Facts, GitError> {
    let asked = Asked {
        folder,
        describe: true,
        committed: &[OsStr::new("page.txt")],
        excluded: &|path| path.ends_with("rebake-out/x"),
        interrupt: &GO_ON,
    };
    Repository::discover(folder)?.facts(&asked)
}

#[test]
fn a_folder_knows_its_commit() {
    let work = Work::new();
    let folder = sample(&work, "a");
    let web = folder.join("web");
    let head = done(&folder, &["rev-parse", "HEAD"]);
    let known = Facts {
        commit: head.clone(),
        time: 1_700_000_000,
        describe: Some("v1.0".to_owned()),
        branch: Some("main".to_owned()),
        source: None,
        dirty: Vec::new(),
        prefix: "web/".to_owned(),
    };
    assert_eq!(facts(&web).unwrap(), known);
    assert_eq!(open(&folder).facts_at("main", true).unwrap(), Facts { prefix: String::new(), ..known.clone() });
    assert_eq!(open(&folder).facts_at("v1.0", true).unwrap().branch, None);

    // A path of this host is nobody's source; a single remote of any name is.
    done(&folder, &["remote", "add", "origin", "/srv/secret"]);
    assert_eq!(facts(&web).unwrap().source, None);
    done(&folder, &["remote", "set-url", "origin", "https://me:secret@example.com/a.git"]);
    assert_eq!(facts(&web).unwrap().source.as_deref(), Some("https://example.com/a"));
    done(&folder, &["remote", "rename", "origin", "up.stream"]);
    done(&folder, &["config", "url.ssh://elsewhere/.insteadOf", "https://me:secret@example.com/"]);
    assert_eq!(facts(&web).unwrap().source.as_deref(), Some("https://example.com/a"));
    done(&folder, &["remote", "add", "other", "https://example.com/b"]);
    assert_eq!(facts(&web).unwrap().source, None, "one of two");

    work.write("a/more", "more");
    commit_all(&folder, "more");
    assert!(facts(&web).unwrap().describe.unwrap().starts_with("v1.0-1-g"));
    done(&folder, &["tag", "main"]);
    assert_eq!(facts(&web).unwrap().branch.as_deref(), Some("main"), "a tag of that name");
    done(&folder, &["checkout", "-q", "--detach"]);
    assert_eq!(facts(&web).unwrap().branch, None);

    let shallow = cloned(&work, &folder, "shallow", &["--depth=1", "--branch=v1.0", "-c", "advice.detachedHead=false"]);
    assert!(matches!(facts(&shallow.join("web")), Err(GitError::Shallow)));
    let error = open(&shallow).resolve("light").unwrap_err();
    assert!(error.help().unwrap().contains("--unshallow"), "{error}");
}

#[test]
fn only_what_differs_in_the_folder_is_dirty() {
    let work = Work::new();
    let folder = sample(&work, "a");
    let web = folder.join("web");
    let dirty = || facts(&web).unwrap().dirty;
    work.write("a/.gitignore", "*.o\n");
    work.write("a/web/deep/x", "x");
    work.write("a/web/gone", "x");
    work.write("a/web/hidden", "x");
    work.write("a/web/skipped", "x");
    commit_all(&folder, "more");
    assert_eq!(dirty(), [""; 0]);

    work.write("a/elsewhere", "not in the folder");
    work.write("a/web/ignored.o", "ignored");
    work.write("a/web/rebake-out/x", "our own");
    // Touched, and the same.
    work.write("a/web/page.txt", "one\ntwo\n");
    assert_eq!(dirty(), [""; 0]);

    work.write("a/web/page.txt", "changed");
    work.write("a/web/staged", "new");
    done(&folder, &["add", "web/staged"]);
    work.write("a/web/deep/new file", "new");
    std::fs::remove_file(web.join("gone")).unwrap();
    done(&folder, &["update-index", "--assume-unchanged", "web/hidden"]);
    done(&folder, &["update-index", "--skip-worktree", "web/skipped"]);
    let mut expected = vec![
        "untracked: deep/new file",
        "deleted: gone",
        "marked assume-unchanged: hidden",
        "modified: page.txt",
        "marked skip-worktree: skipped",
        "added: staged",
    ];
    expected.sort_by_key(|line| line.split(": ").nth(1));
    assert_eq!(dirty(), expected);

    // What must be committed, and is not, is dirty though it is ignored.
    done(&folder, &["reset", "-q", "--hard"]);
    done(&folder, &["rm", "-q", "--cached", "web/page.txt"]);
    work.write("a/.gitignore", "*.o\n/web/*\n");
    commit_all(&folder, "ignored");
    assert!(dirty().contains(&"ignored: page.txt".to_owned()), "{:?}", dirty());
}
