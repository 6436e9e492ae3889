//! A tree as a tar: one tree, one tar, whatever the repository.

use super::{open, sample};
use crate::support::git::{cloned, commit_all, done, git, tried};
use crate::support::{Work, run, tool};
use rebake::git::{GitError, Repository};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;

pub fn tar(repository: &Repository, revision: &str, subdir: Option<&str>) -> Result<Vec<u8>, GitError> {
    let mut tar = Vec::new();
    repository.export(revision, subdir, &mut tar, &AtomicBool::new(false)).map(|_| tar)
}

#[test]
fn one_tree_gives_one_tar_in_every_kind_of_repository() {
    let work = Work::new();
    let folder = sample(&work, "loose");
    let plain = tar(&open(&folder), "v1.0", None).unwrap();
    assert_ne!(tar(&open(&folder), "light", None).unwrap(), plain, "another tree");

    let shallow = cloned(&work, &folder, "shallow", &["--depth=1"]);
    let bare = cloned(&work, &folder, "bare", &["--bare"]);
    let crlf = cloned(&work, &folder, "crlf", &["-c", "core.autocrlf=true", "-c", "core.fileMode=false"]);
    assert!(std::fs::read(crlf.join("web/page.txt")).unwrap().contains(&b'\r'), "the checkout is another");
    let packed = cloned(&work, &folder, "packed", &[]);
    done(&packed, &["gc", "-q", "--prune=now"]);
    assert!(!packed.join(".git/objects/big").exists());
    let linked = work.join("linked");
    done(&folder, &["worktree", "add", "-q", "--detach", linked.to_str().unwrap(), "v1.0"]);
    // What is not committed does not count, and neither does the index.
    let touched = cloned(&work, &folder, "touched", &[]);
    work.write("touched/web/page.txt", "other");
    work.write("touched/more", "more");
    done(&touched, &["add", "more"]);
    done(&touched, &["rm", "-q", "--cached", "empty"]);
    for path in [shallow, bare, crlf, packed, linked, touched] {
        assert!(tar(&open(&path), "HEAD", None).unwrap() == plain, "{}", path.display());
    }

    // The same files committed with other ids.
    let sha256 = cloned(&work, &folder, "other", &[]);
    std::fs::remove_dir_all(sha256.join(".git")).unwrap();
    done(&sha256, &["init", "-q", "--object-format=sha256"]);
    commit_all(&sha256, "one");
    assert_eq!(open(&sha256).resolve("HEAD").unwrap().id.len(), 64);
    assert!(tar(&open(&sha256), "HEAD", None).unwrap() == plain, "sha256");
}

#[test]
fn the_tar_holds_what_was_committed() {
    let work = Work::new();
    let folder = sample(&work, "a");
    std::fs::write(work.join("a.tar"), tar(&open(&folder), "HEAD", None).unwrap()).unwrap();
    let listed =
        run(tool("tar").args(["--numeric-owner", "--full-time", "--utc", "-tvf"]).arg(work.join("a.tar"))).text();
    let lines: Vec<String> = listed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").replace(" 1980-01-01 00:00:00", ""))
        .collect();
    assert_eq!(
        lines,
        [
            "-rw-r--r-- 0/0 63 .gitattributes",
            "drwxr-xr-x 0/0 0 a/",
            "-rw-r--r-- 0/0 1 a-b",
            "-rw-r--r-- 0/0 1 a.b",
            "-rw-r--r-- 0/0 1 a/b",
            "-rw-r--r-- 0/0 1600000 big",
            "drwxr-xr-x 0/0 0 bin/",
            "lrwxrwxrwx 0/0 0 bin/link -> ../web/page.txt",
            "-rwxr-xr-x 0/0 10 bin/run",
            "lrwxrwxrwx 0/0 0 dangling -> /nowhere",
            "-rw-r--r-- 0/0 0 empty",
            r"-rw-r--r-- 0/0 9 latin-\351",
            "-rw-r--r-- 0/0 20 secret",
            "-rw-r--r-- 0/0 17 version",
            "drwxr-xr-x 0/0 0 web/",
            "-rw-r--r-- 0/0 6 web/new.txt",
            "-rw-r--r-- 0/0 8 web/page.txt",
        ]
    );
    let content = |name: &str| run(tool("tar").arg("-xOf").arg(work.join("a.tar")).arg(name)).stdout;
    assert_eq!(content("version"), b"$Format:%H$ $Id$\n");
    assert_eq!(content("web/page.txt"), b"one\ntwo\n");
    assert_eq!(content("big"), "0123456789abcdef".repeat(100_000).as_bytes());
}

#[test]
fn a_folder_of_the_tree_is_a_tree_of_its_own() {
    let work = Work::new();
    let folder = sample(&work, "a");
    let repository = open(&folder);
    let mut out = Vec::new();
    let exported = repository.export("HEAD", Some("web"), &mut out, &AtomicBool::new(false)).unwrap();
    assert_eq!(exported.tree, done(&folder, &["rev-parse", "HEAD:web"]));
    let again = sample(&work, "b");
    std::fs::remove_dir_all(again.join("bin")).unwrap();
    commit_all(&again, "less");
    assert!(tar(&open(&again), "HEAD", Some("./web/")).unwrap() == out);
    for whole in [".", "", "/"] {
        assert!(tar(&repository, "HEAD", Some(whole)).unwrap() == tar(&repository, "HEAD", None).unwrap());
    }

    let error = tar(&repository, "HEAD", Some("web/absent")).unwrap_err();
    assert_eq!(error.to_string(), "there is no `web/absent` in the git tree");
    assert_eq!(error.help().unwrap(), "there is new.txt, page.txt");
    let error = tar(&repository, "HEAD", Some("bin/run")).unwrap_err();
    assert_eq!(error.to_string(), "`bin/run` is no folder of the git tree");
    assert!(matches!(tar(&repository, "HEAD", Some("../x")), Err(GitError::Argument { .. })));

    let empty = work.mkdir("empty");
    commit_all(&empty, "nothing");
    assert_eq!(tar(&open(&empty), "HEAD", None).unwrap(), [0; 1024]);
}

#[test]
fn what_is_not_in_the_repository_is_said() {
    let work = Work::new();
    let folder = sample(&work, "a");
    let other = sample(&work, "other");
    done(&folder, &["-c", "protocol.file.allow=always", "submodule", "add", "-q", other.to_str().unwrap(), "web/sub"]);
    commit_all(&folder, "submodule");
    let error = tar(&open(&folder), "HEAD", None).unwrap_err();
    assert_eq!(error.to_string(), "`web/sub` is a submodule, whose content is not in this repository");
    assert!(tar(&open(&folder), "HEAD", Some("bin")).is_ok(), "elsewhere");

    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    work.write("other/web/film", pointer);
    commit_all(&other, "lfs");
    let error = tar(&open(&other), "HEAD", None).unwrap_err();
    assert_eq!(error.to_string(), "`web/film` is a git-lfs pointer, whose content is not in this repository");
    // A longer text is no pointer.
    work.write("other/web/film", pointer.repeat(30));
    commit_all(&other, "prose");
    assert!(tar(&open(&other), "HEAD", None).is_ok());
}

#[test]
fn an_object_that_is_missing_is_not_fetched() {
    let work = Work::new();
    let folder = sample(&work, "a");
    done(&folder, &["config", "uploadpack.allowFilter", "true"]);
    let partial = cloned(&work, &folder, "partial", &["--filter=blob:none", "--no-checkout"]);
    done(&partial, &["config", "protocol.file.allow", "always"]);
    let error = tar(&open(&partial), "HEAD", None).unwrap_err();
    assert!(matches!(error, GitError::Object { .. }), "{error}");
    // Git itself fetches it.
    done(&partial, &["cat-file", "-p", "HEAD:empty"]);

    let damaged = done(&folder, &["rev-parse", "HEAD:big"]);
    std::fs::remove_file(folder.join(format!(".git/objects/{}/{}", &damaged[..2], &damaged[2..]))).unwrap();
    let error = tar(&open(&folder), "HEAD", None).unwrap_err();
    assert!(error.to_string().contains("big"), "{error}");
}

/// Writes a tree object that no honest git would.
fn tree(folder: &Path, entries: &[(&str, &str, &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        write!(bytes, "{mode} {name}\0").unwrap();
        bytes.extend(
            id.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()),
        );
    }
    let mut child = git(folder)
        .args(["hash-object", "-t", "tree", "-w", "--literally", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let id = child.wait_with_output().unwrap().stdout;
    String::from_utf8(id).unwrap().trim().to_owned()
}

#[test]
fn a_hostile_tree_is_refused() {
    let work = Work::new();
    let folder = sample(&work, "a");
    let blob = &*done(&folder, &["rev-parse", "HEAD:web/page.txt"]);
    let link = &*done(&folder, &["rev-parse", "HEAD:dangling"]);
    let good = &*tree(&folder, &[("100644", "fine", blob)]);
    let long = &*"x".repeat(256);
    let cases = [
        ("", vec![("40000", "good", good), ("100664", "old", blob)]),
        ("contains `..`", vec![("100644", "..", blob)]),
        ("contains `..`", vec![("40000", "..", good)]),
        ("names the root itself", vec![("40000", ".", good)]),
        ("contains `.git`", vec![("40000", ".git", good)]),
        ("contains `.git`", vec![("40000", ".GIT", good)]),
        ("stands twice", vec![("100644", "a", blob), ("100644", "a", blob)]),
        ("stands twice", vec![("120000", "a", link), ("40000", "a", good)]),
        ("stands below what is no folder", vec![("120000", "a", link), ("100644", "a/b", blob)]),
        ("has empty parts or `.`", vec![("100644", "/etc", blob)]),
        ("255 bytes", vec![("100644", long, blob)]),
        ("`.wh.`", vec![("100644", ".wh.a", blob)]),
    ];
    for (why, entries) in cases {
        let tree = tree(&folder, &entries);
        let commit = done(&folder, &["commit-tree", "-m", "x", &tree]);
        match tar(&open(&folder), &commit, None) {
            Ok(_) => assert_eq!(why, "", "{entries:?}"),
            Err(error) => {
                assert!(matches!(error, GitError::Hostile { .. }), "{error}");
                assert!(!why.is_empty() && error.to_string().contains(why), "{error} {entries:?}");
            }
        }
    }
    assert!(tried(&folder, &["fsck"]).code() != Some(0), "git minds as well");
}
