//! Git trees, from a server and from a folder.

use super::{Desk, assert_says};
use crate::support::{Daemon, Work, free_port, needs, run, tool};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

const AMD64: &[&str] = super::url::AMD64;

/// A repository in a folder of its own.
pub struct Repository {
    pub path: PathBuf,
}

impl Repository {
    #[track_caller]
    pub fn new(path: PathBuf) -> Repository {
        std::fs::create_dir_all(&path).expect("folders");
        let repository = Repository { path };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        let mut git = tool("git");
        git.arg("-C").arg(&self.path).args(["-c", "user.name=A", "-c", "user.email=a@example.com"]);
        git.args(["-c", "protocol.file.allow=always"]);
        run(git.args(args)).text()
    }

    /// Commits a file; the commit's id.
    #[track_caller]
    pub fn commit(&self, path: &str, content: &str) -> String {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, content).expect("a file");
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message=more"]);
        self.git(&["rev-parse", "HEAD"])
    }
}

/// Serves every repository below a folder.
#[track_caller]
fn daemon(work: &Work, folder: &Path) -> (Daemon, String) {
    let port = free_port();
    // `git daemon` would leave it behind.
    let program = PathBuf::from(run(tool("git").arg("--exec-path")).text()).join("git-daemon");
    let (base, listen) = (format!("--base-path={}", folder.display()), format!("--port={port}"));
    let args = ["--export-all", "--reuseaddr", "--listen=127.0.0.1", &base, &listen];
    let mut daemon = Daemon::start_plain(program.to_str().expect("a path"), &args, &work.join("daemon.log"));
    daemon.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    (daemon, format!("git://127.0.0.1:{port}"))
}

fn input(git: &str, rest: &str) -> String {
    format!("[inputs.assets]\ngit = \"{git}\"\n{rest}\n")
}

#[test]
fn a_remote_tree_is_pinned_by_tag_branch_id_or_head() {
    if !needs(&["git"]) {
        return;
    }
    let desk = Desk::new();
    let repository = Repository::new(desk.work.join("served/assets"));
    let first = repository.commit("web/index.html", "one");
    repository.git(&["tag", "--annotate", "--message=v1", "v1"]);
    let second = repository.commit("web/index.html", "two");
    let (daemon, url) = daemon(&desk.work, &desk.work.join("served"));
    let url = format!("{url}/assets");
    let expect = [
        ("rev = \"v1\"", &first, "one"),
        ("rev = \"main\"", &second, "two"),
        ("", &second, "two"),
        (&format!("rev = \"{first}\""), &first, "one"),
    ];
    for (rev, commit, content) in expect {
        desk.recipe(AMD64, &input(&url, &format!("{rev}\nsubdir = \"web\"")));
        desk.run(&["lock"]);
        assert_says(&desk.lock(), &["subdir = \"web\"", &format!("commit = \"{commit}\""), "tree = \"", "digest = "]);
        desk.run(&["build"]);
        assert_eq!(desk.content(0, "assets/index.html"), content, "{rev}");
    }

    // A branch moves: a build does not, until it is told.
    desk.recipe(AMD64, &input(&url, "rev = \"main\""));
    desk.run(&["lock"]);
    let digest = desk.digest(&[]);
    let third = repository.commit("web/index.html", "three");
    assert_eq!(desk.digest(&[]), digest);
    let lock = desk.lock();
    assert_says(
        &desk.ends(1, &["lock", "--check"]),
        &[&format!("assets moved from {second} to {third}"), "rebake.lock would change"],
    );
    assert_eq!(desk.lock(), lock);
    desk.run(&["lock"]);
    assert_eq!(desk.lock(), lock, "without --update nothing moves");
    assert_says(&desk.run(&["lock", "--update", "assets"]), &[&format!("assets moved from {second} to {third}")]);
    assert_ne!(desk.digest(&[]), digest);
    desk.run(&["lock", "--check"]);

    // An older commit is still fetched by its id.
    desk.work.write("recipe/rebake.lock", lock);
    desk.run(&["cache", "prune"]);
    assert_eq!(desk.digest(&[]), digest);
    drop(daemon);
    assert_eq!(desk.digest(&[]), digest);
    desk.run(&["cache", "prune"]);
    let said = desk.ends(2, &["build"]);
    assert_says(
        &said,
        &[&format!("the input `assets` (git {url}) cannot be had: {url} cannot be reached"), "--pantry DIR"],
    );
    let said = desk.ends(2, &["build", "--offline"]);
    assert_says(&said, &["it is not in the store (", "`--offline` forbids"]);
}

#[test]
fn a_repository_beside_the_recipe_is_read_where_it_is() {
    if !needs(&["git"]) {
        return;
    }
    let desk = Desk::with(AMD64, &input("../assets", "rev = \"v1\""));
    let repository = Repository::new(desk.work.join("assets"));
    repository.commit("a.txt", "one\r\n");
    repository.commit(".gitattributes", "* text=auto eol=crlf export-subst\n*.txt export-ignore\n");
    repository.git(&["tag", "v1"]);
    desk.run(&["lock"]);
    let (digest, lock) = (desk.digest(&[]), desk.lock());
    assert_eq!(desk.content(0, "assets/a.txt"), "one\r\n");

    // Neither what lies in the work tree nor what is configured there is looked at.
    repository.git(&["config", "core.autocrlf", "true"]);
    std::fs::write(repository.path.join("a.txt"), "edited").expect("a file");
    std::fs::write(repository.path.join("new"), "new").expect("a file");
    desk.run(&["cache", "prune"]);
    assert_eq!((desk.digest(&["--offline"]), desk.lock()), (digest.clone(), lock));

    // Moved away: the store has it. Gone: it is said.
    repository.git(&["checkout", "--quiet", "--force", "--orphan", "fresh"]);
    repository.commit("b.txt", "two");
    repository.git(&["tag", "--force", "v1"]);
    repository.git(&["branch", "--quiet", "-D", "main"]);
    repository.git(&["reflog", "expire", "--expire=now", "--all"]);
    repository.git(&["gc", "--quiet", "--prune=now"]);
    assert_eq!(desk.digest(&[]), digest);
    assert_says(&desk.ends(1, &["lock", "--check"]), &["assets moved from "]);
    desk.run(&["cache", "prune"]);
    let said = desk.ends(2, &["build"]);
    assert_says(
        &said,
        &[
            "the input `assets` (git ../assets) cannot be had: ",
            "does not have the pinned commit",
            "no pantry is given",
            "`rebake lock --update assets`",
        ],
    );
}

#[test]
fn what_a_tree_cannot_give_is_an_error_of_the_lock() {
    if !needs(&["git"]) {
        return;
    }
    let desk = Desk::new();
    let repository = Repository::new(desk.work.join("assets"));
    repository.commit("a", "a");
    repository.git(&["tag", "v1.0"]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    repository.commit("big.bin", pointer);
    repository.git(&["tag", "lfs"]);
    repository.git(&["reset", "--quiet", "--hard", "v1.0"]);
    let other = Repository::new(desk.work.join("other"));
    other.commit("x", "x");
    repository.git(&["submodule", "--quiet", "add", "../other", "vendor/other"]);
    repository.git(&["commit", "--quiet", "--message=submodule"]);
    repository.git(&["tag", "submodule"]);
    for (rest, parts) in [
        ("rev = \"lfs\"", &["`big.bin` is a git-lfs pointer", "help: commit the file itself"][..]),
        ("rev = \"submodule\"", &["`vendor/other` is a submodule", "help: vendor its files"]),
        ("rev = \"v1\"", &["there is no revision `v1` in ", "help: there is v1.0"]),
        ("rev = \"v1.0\"\nsubdir = \"web\"", &["there is no `web` in the git tree"]),
    ] {
        desk.recipe(AMD64, &input("../assets", rest));
        let said = desk.ends(2, &["lock"]);
        assert_says(&said, &[&["the input `assets` (git ../assets) cannot be pinned: "], parts].concat());
        assert!(!desk.lock_path().exists());
    }
    desk.recipe(AMD64, &input("../nowhere", ""));
    assert_says(&desk.ends(2, &["lock"]), &["cannot be pinned: there is no git repository at ", "nowhere"]);
}
