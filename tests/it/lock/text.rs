//! The lock as a file under source control: stable, mergeable, and sharp about what does not fit.

use super::git::Repository;
use super::url::{AMD64, BOTH};
use super::{Desk, assert_says, text};
use crate::support::http::{Behaviour, Server};
use crate::support::{attempt, needs, run, tool};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn served() -> Server {
    let server = Server::start();
    for name in ["a", "b", "m", "y", "z"] {
        server.serve(&format!("/{name}"), Behaviour::bytes(format!("the file {name}")));
    }
    server
}

fn urls(server: &Server, names: &[&str]) -> String {
    names.iter().map(|name| format!("[inputs.{name}]\nurl = \"{}\"\n", server.url(&format!("/{name}")))).collect()
}

/// What a file is, so that a rewrite shows.
fn identity(desk: &Desk) -> (u64, i64, i64, String) {
    let file = fs::metadata(desk.lock_path()).expect("a lock");
    (file.ino(), file.mtime(), file.mtime_nsec(), desk.lock())
}

#[test]
fn a_lock_that_fits_is_not_touched() {
    let server = served();
    let desk = Desk::with(BOTH, &urls(&server, &["z", "a", "m"]));
    desk.run(&["lock"]);
    let blocks: Vec<String> = desk.lock().lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect();
    assert_eq!(blocks, ["[inputs.a]", "[inputs.m]", "[inputs.z]"]);
    let before = identity(&desk);
    for args in [&["lock"][..], &["lock", "--update"], &["lock", "--update", "m"], &["lock", "--check"], &["build"]] {
        desk.run(args);
        assert_eq!(identity(&desk), before, "{args:?}");
    }
    // A checkout with other line ends is the same recipe and the same lock.
    let digest = desk.digest(&[]);
    for file in ["recipe/rebake.toml", "recipe/rebake.lock"] {
        let text = String::from_utf8(desk.work.read(file)).expect("UTF-8");
        desk.work.write(file, text.replace('\n', "\r\n"));
    }
    let before = identity(&desk);
    assert_eq!(desk.digest(&["--locked"]), digest);
    desk.run(&["lock", "--check"]);
    desk.run(&["lock"]);
    assert_eq!(identity(&desk), before);

    // A lock that is kept elsewhere, and readable by its owner only, stays so.
    let kept = desk.work.join("kept.lock");
    fs::rename(desk.lock_path(), &kept).expect("a move");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o600)).expect("a mode");
    desk.work.symlink("../kept.lock", "recipe/rebake.lock");
    desk.recipe(BOTH, &urls(&server, &["a"]));
    desk.run(&["lock"]);
    assert!(desk.lock_path().is_symlink());
    let file = fs::metadata(&kept).expect("a lock");
    assert_eq!(
        (file.mode() & 0o777, fs::read_to_string(&kept).expect("a lock").matches("[inputs.").count()),
        (0o600, 1)
    );

    desk.recipe(AMD64, "");
    fs::remove_file(desk.lock_path()).expect("a lock");
    assert_says(&desk.run(&["lock"]), &["rebake.toml: no inputs, so no lock is needed"]);
    desk.run(&["build", "--locked"]);
    assert!(!desk.lock_path().exists());
}

#[test]
fn a_stale_lock_says_which_key_changed() {
    if !needs(&["git"]) {
        return;
    }
    let server = served();
    let desk = Desk::new();
    Repository::new(desk.work.join("one")).commit("web/a", "a");
    Repository::new(desk.work.join("two")).commit("web/a", "a");
    let url = |path: &str| format!("[inputs.a]\nurl = \"{}\"\n", server.url(path));
    let git = |rest: &str| format!("[inputs.a]\n{rest}\n");
    let none = "0".repeat(64);
    for (before, after, parts) in [
        (url("/a"), url("/b"), &["another `url` of the input `a`", "/b\" here, and", "/a\" in the lock"][..]),
        (url("/a"), url("/a") + &format!("sha256 = \"{none}\"\n"), &["another `sha256` of the input `a`", &none]),
        (
            git("git = \"../one\""),
            git("git = \"../two\""),
            &["another `git` of", "it is \"../two\" here, and \"../one\" in"],
        ),
        (
            git("git = \"../one\""),
            git("git = \"../one\"\nrev = \"main\""),
            &["another `rev` of", "\"main\" here, and not there in the lock"],
        ),
        (
            git("git = \"../one\"\nsubdir = \"web\""),
            git("git = \"../one\""),
            &["another `subdir` of", "it is not there here, and \"web\" in the lock"],
        ),
        (url("/a"), git("git = \"../one\""), &["for an input `a` of another kind"]),
        (url("/a"), url("/a") + &urls(&server, &["b"]), &["the lock does not have the input `b`", "came later"]),
        (url("/a") + &urls(&server, &["b"]), url("/a"), &["the lock has an input `b`, and the recipe has none"]),
        (
            url("/a"),
            url("/b") + &urls(&server, &["m"]),
            &["another `url`", "does not have the input `m`", "2 mistakes in"],
        ),
    ] {
        desk.recipe(AMD64, &before);
        desk.run(&["lock"]);
        let lock = desk.lock();
        desk.recipe(AMD64, &after);
        let said = desk.ends(2, &["build"]);
        assert_says(&said, parts);
        assert!(said.contains("run `rebake lock`"), "{said}");
        assert!(!said.contains("` is not pinned"), "{said}");
        // A digest that nobody serves cannot even be looked up.
        let code = if after.contains(&none) { 2 } else { 1 };
        desk.ends(code, &["lock", "--check"]);
        assert_eq!(desk.lock(), lock);
        if !after.contains(&none) {
            desk.run(&["lock"]);
            desk.run(&["build"]);
        }
    }
    let two = "[inputs.a]\nurl = \"{}\"".replace("{}", &server.url("/{arch}"));
    server.serve("/amd64", Behaviour::bytes("amd64"));
    server.serve("/arm64", Behaviour::bytes("arm64"));
    desk.recipe(AMD64, &two);
    desk.run(&["lock"]);
    desk.recipe(BOTH, &two);
    assert_says(&desk.ends(2, &["build"]), &["does not have the input `a` for linux/arm64", "the platform came later"]);
    desk.run(&["lock"]);
    assert_eq!(server.requests_of("/amd64").len(), 1, "what is pinned stays");
    desk.run(&["build"]);
}

#[test]
fn a_damaged_lock_is_shown_where_it_is() {
    let server = served();
    let desk = Desk::with(AMD64, &urls(&server, &["a"]));
    desk.run(&["lock"]);
    let lock = desk.lock();
    let conflict = lock.replace("digest = ", "<<<<<<< HEAD\ndigest = ").replace("size", "=======\n>>>>>>> x\nsize");
    for (text, parts) in [
        (conflict, &["the marks of a merge", "rebake.lock:6:1", "keep the blocks of both sides"][..]),
        (lock.replace("sha256:", "sha256:x"), &["rebake.lock:6:", "help: take the file from source control"]),
        (lock.replace("size = ", "size = -"), &["`size` is no number", "rebake.lock:7:"]),
        (lock.replace("size", "length"), &["[inputs.a] has no `size`"]),
        (lock.replace("[inputs.a]", "[inputs.a"), &["the lock cannot be read", "rebake.lock:4:"]),
        (lock.replace("version = 1", "version = 2"), &["version 2", "use a newer rebake"]),
        (lock.replace("version = 1", ""), &["has no `version`"]),
        (lock.clone() + "extra = 1\n", &["unknown key `extra` in [inputs.a]"]),
        ("\u{feff}".to_owned() + &lock.replace("a]", "\0]"), &["rebake.lock:"]),
        (String::new(), &["has no `version`"]),
    ] {
        desk.work.write("recipe/rebake.lock", &text);
        for args in [&["build"][..], &["lock"], &["lock", "--check"], &["cache", "prune", "--keep", "."]] {
            assert_says(&desk.ends(2, args), parts);
        }
        assert_eq!(desk.lock(), text, "nobody repairs it in passing");
    }
    fs::write(desk.lock_path(), b"version = 1\n\xff").expect("a file");
    assert_says(&desk.ends(2, &["build"]), &["the lock is not UTF-8", "rebake.lock:2:1"]);
    // The half of it would be another lock.
    fs::write(desk.lock_path(), [lock.as_bytes(), &vec![b'\n'; 16 << 20]].concat()).expect("a file");
    assert_says(&desk.ends(2, &["build"]), &["rebake.lock has more than 16 MiB", "the lock is not that long"]);
    fs::remove_file(desk.lock_path()).expect("a file");
    fs::create_dir(desk.lock_path()).expect("a folder");
    assert_says(&desk.ends(2, &["build"]), &["cannot read", "rebake.lock"]);
}

#[test]
fn the_locks_of_two_branches_merge() {
    if !needs(&["git"]) {
        return;
    }
    let server = served();
    let desk = Desk::with(AMD64, &urls(&server, &["b", "m", "y"]));
    desk.run(&["lock"]);
    let repository = Repository::new(desk.work.join("recipe"));
    repository.git(&["add", "--all"]);
    repository.git(&["commit", "--quiet", "--message=start"]);
    for (branch, names) in [("left", ["a", "b", "m", "y"]), ("right", ["b", "m", "y", "z"])] {
        repository.git(&["checkout", "--quiet", "-b", branch, "main"]);
        desk.recipe(AMD64, &urls(&server, &names));
        desk.run(&["lock"]);
        repository.git(&["commit", "--quiet", "--all", &format!("--message={branch}")]);
    }
    // The recipe is a person's to merge; here its text does not matter.
    run(tool("git").arg("-C").arg(&repository.path).args([
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@b",
        "merge",
        "--quiet",
        "-X",
        "ours",
        "left",
    ]));
    let merged = desk.lock();
    desk.recipe(AMD64, &urls(&server, &["a", "b", "m", "y", "z"]));
    desk.run(&["lock", "--check"]);
    desk.run(&["build"]);
    fs::remove_file(desk.lock_path()).expect("a lock");
    desk.run(&["lock"]);
    assert_eq!(desk.lock(), merged);
}

#[test]
fn what_is_recorded_is_held() {
    let server = served();
    let desk = Desk::with(BOTH, &urls(&server, &["a"]));
    assert_says(&desk.ends(2, &["build", "--locked"]), &["is not pinned"]);
    desk.run(&["lock"]);
    desk.run(&["build", "--locked"]);
    let said = desk.run(&["lock", "--record"]);
    let digest = desk.digest(&["--locked"]);
    assert_says(&said, &[&format!("the image is expected to be {digest}")]);
    assert_says(&desk.lock(), &[&format!("[expected]\nimage = \"{digest}\"\n\"linux/amd64\" = \"sha256:")]);

    let tree = desk.work.tree("recipe/rebake-out");
    let recipe = text(BOTH, &urls(&server, &["a"]));
    desk.work.write("recipe/rebake.toml", recipe.replace("\"here\"", "\"there\""));
    let said = desk.ends(1, &["build", "--locked"]);
    assert_says(&said, &["the image is sha256:", &format!("rebake.lock expects {digest}; nothing was written")]);
    assert_eq!(desk.work.tree("recipe/rebake-out"), tree);
    let said = desk.ends(1, &["build", "--locked", "-o", "oci:elsewhere", "--json"]);
    assert_says(&said, &["\"error\"", &digest]);
    assert!(!desk.work.join("recipe/elsewhere").exists());
    // Without `--locked` it is only built; recorded, it is expected.
    assert_ne!(desk.digest(&[]), digest);
    desk.run(&["lock", "--record"]);
    desk.run(&["build", "--locked"]);

    // Other inputs make another image: what was recorded says nothing any more.
    server.serve("/a", Behaviour::bytes("another"));
    assert_says(&desk.run(&["lock", "--update"]), &["a moved from", "was recorded with other inputs", "--record"]);
    assert!(!desk.lock().contains("[expected]"));
}

#[test]
fn several_recipes_and_json() {
    let server = served();
    let desk = Desk::new();
    desk.work.write("recipe/one/rebake.toml", text(AMD64, &urls(&server, &["a"])));
    let json = format!(
        "{{\"edition\":\"2026\",\"image\":{{\"name\":\"acme/two\"}},\"inputs\":{{\"b\":{{\"url\":\"{}\"}}}},\
         \"layer\":[{{\"copy\":[{{\"from\":{{\"input\":\"b\"}},\"to\":\"/b\"}}]}}]}}",
        server.url("/b")
    );
    desk.work.write("recipe/two/rebake.json", json);
    desk.work.write("recipe/other.toml", text(AMD64, &urls(&server, &["m"])));
    let said = desk.run(&["lock", "one", "two", "other.toml"]);
    assert_says(
        &said,
        &["one/rebake.lock\n  a is sha256:", "two/rebake.lock\n  b is sha256:", "other.lock\n  m is sha256:"],
    );
    desk.run(&["build", "--locked", "one", "two"]);
    server.serve("/b", Behaviour::bytes("moved"));
    assert_says(
        &desk.ends(1, &["lock", "--check", "one", "two"]),
        &["b moved from", "note: two/rebake.lock would change"],
    );
    assert_says(
        &desk.ends(2, &["lock", "--update", "c", "--", "one", "two"]),
        &["--update c: there is no such input; the inputs are a, b"],
    );
    desk.run(&["lock", "--update", "b", "--", "two"]);
    let output = attempt(&mut desk.command(&["lock", "--json", "one", "two"])).success();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["locks"][1]["inputs"][0]["change"], "kept");
    // A mistake in one recipe stops before anything of it is written.
    desk.work.write("recipe/two/rebake.json", "{");
    assert_says(&desk.ends(2, &["lock", "one", "two"]), &["two/rebake.json:1:"]);
}
