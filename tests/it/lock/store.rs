//! The store: shared, damaged, full, read-only, killed.

use super::git::Repository;
use super::url::AMD64;
use super::{Desk, assert_says, ended};
use crate::support::http::{Behaviour, Server};
use crate::support::{attempt, contained, needs, rebake, run, sha256, signal, tool};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn desk(server: &Server, names: &[&str]) -> Desk {
    let inputs: String =
        names.iter().map(|name| format!("[inputs.{name}]\nurl = \"{}\"\n", server.url(&format!("/{name}")))).collect();
    let desk = Desk::with(AMD64, &inputs);
    desk.run(&["lock"]);
    desk
}

#[test]
fn many_at_once_fetch_each_file_once() {
    let server = Server::start();
    let names = ["a", "b", "c"];
    for name in names {
        server.serve(&format!("/{name}"), Behaviour::bytes(name.repeat(400_000)));
    }
    let desk = desk(&server, &names);
    for count in [2, 8] {
        desk.run(&["cache", "prune"]);
        let before = server.requests().len();
        let children: Vec<_> = (0..count)
            .map(|n| {
                let out = format!("oci:../out-{n}");
                let mut command = desk.command(&["build", "-o", &out]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("rebake")
            })
            .collect();
        let told: Vec<_> = children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().expect("an end");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                output.stdout
            })
            .collect();
        assert!(told.iter().all(|one| *one == told[0]));
        assert_eq!(server.requests().len() - before, names.len());
        assert_eq!(desk.work.tree("cache/partial"), [""; 0]);
    }
    // Several that pin: each asks, and all agree.
    fs::remove_file(desk.lock_path()).expect("a lock");
    desk.run(&["cache", "prune"]);
    let children: Vec<_> =
        (0..4).map(|_| desk.command(&["lock"]).stdout(Stdio::null()).spawn().expect("rebake")).collect();
    for mut child in children {
        assert!(child.wait().expect("an end").success());
    }
    desk.run(&["build", "--offline"]);
}

#[test]
fn a_flipped_byte_is_found_said_and_fetched_again() {
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("precious"));
    let desk = desk(&server, &["a"]);
    let digest = desk.digest(&[]);
    let entry = desk.cache().join("blobs/sha256").join(sha256(b"precious"));
    let flip = || {
        fs::set_permissions(&entry, fs::Permissions::from_mode(0o644)).expect("a mode");
        fs::write(&entry, "precIous").expect("an entry");
    };
    flip();
    let said = desk.ends(0, &["build"]);
    assert_says(&said, &[&format!("the copy of sha256:{} in the store (", sha256(b"precious")), "was damaged"]);
    assert_eq!(fs::read(&entry).expect("an entry"), b"precious");
    assert_eq!(server.requests_of("/a").len(), 2);
    assert_eq!(desk.digest(&["--offline"]), digest);

    flip();
    let said = desk.ends(2, &["build", "--offline"]);
    // Who cannot fetch it again takes nothing away.
    assert_says(&said, &["is damaged", "the input `a` (url ", "`--offline` forbids"]);
    assert!(entry.exists());
    assert_eq!(desk.digest(&[]), digest);
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    if !needs(&["root", "unshare", "git"]) {
        return;
    }
    let server = Server::start();
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n % 253) as u8).collect();
    server.serve("/small", Behaviour::bytes("small"));
    let desk = desk(&server, &["small"]);
    let lock = desk.lock();
    server.serve("/large", Behaviour::bytes(&large[..]));
    desk.work.mkdir("full");
    let script = "mount -t tmpfs -o size=1m none \"$REBAKE_CACHE\" && { \"$@\"; code=$?; find \"$REBAKE_CACHE\" -type f; exit $code; }";
    let repository = Repository::new(desk.work.join("repository"));
    repository.commit("large", &"x".repeat(3_000_000));
    let url = format!("url = \"{}\"", server.url("/large"));
    let git = "git = \"../repository\"";
    for (args, large) in [(&["lock"][..], &*url), (&["build"], &url), (&["lock"], git), (&["build"], git)] {
        desk.work.write("recipe/rebake.lock", &lock);
        desk.recipe(AMD64, &format!("[inputs.large]\n{large}\n"));
        let mut command = contained("sh");
        command.args(["-c", script, "sh"]).arg(rebake().get_program()).args(args);
        command.current_dir(desk.work.join("recipe")).env("HOME", desk.work.join("home"));
        command.env("REBAKE_CACHE", desk.work.join("full"));
        if args == ["build"] {
            desk.run(&["lock"]);
        }
        let said = ended(2, &attempt(&mut command));
        let full = desk.work.join("full");
        assert_says(
            &said,
            &[
                "the input `large` (",
                &format!("the store {} cannot be written: ", full.display()),
                "No space left",
                "REBAKE_CACHE names another folder",
            ],
        );
        assert!(!said.contains("/blobs/sha256/"), "{said}");
        if args == ["lock"] {
            assert_eq!(desk.lock(), lock);
        }
    }
    assert!(!desk.work.join("recipe/rebake-out").exists());
}

#[test]
fn a_kill_leaves_a_store_that_works() {
    let server = Server::start();
    let names = ["a", "b", "c", "d"];
    for name in names {
        server.serve(&format!("/{name}"), Behaviour::bytes(name.repeat(300_000)));
    }
    let desk = desk(&server, &names);
    let digest = desk.digest(&[]);
    for n in 0..12 {
        desk.run(&["cache", "prune"]);
        let args: &[&str] = if n % 2 == 0 { &["build"] } else { &["lock", "--update"] };
        let mut child = desk.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rebake");
        thread::sleep(Duration::from_millis(n * 12));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        for name in desk.kept() {
            let path = desk.cache().join("blobs/sha256").join(&name);
            assert_eq!(sha256(&fs::read(path).expect("an entry")), name);
        }
        assert_eq!(desk.digest(&[]), digest);
    }
    desk.run(&["cache", "prune"]);
    assert_eq!(desk.work.tree("cache/partial"), [""; 0], "prune takes what was left half received");
}

#[test]
fn a_signal_stops_a_lock_and_leaves_the_old_one() {
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("slowly"));
    let desk = desk(&server, &["a"]);
    let lock = desk.lock();
    for args in [&["lock", "--update"][..], &["build"]] {
        desk.run(&["cache", "prune"]);
        let asked = server.requests().len();
        server.serve("/a", Behaviour::bytes("slowly").stall_after(3));
        let mut command = desk.command(args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("rebake");
        while server.requests().len() == asked {
            assert!(child.try_wait().expect("a child").is_none(), "it did not wait for the server");
            thread::sleep(Duration::from_millis(10));
        }
        let started = Instant::now();
        signal("INT", &child.id().to_string());
        let output = child.wait_with_output().expect("an end");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(started.elapsed() < Duration::from_secs(10), "{said}");
        let what = match args {
            ["build"] => "what stood at the destination still does",
            _ => "rebake.lock is as it was",
        };
        assert_eq!(said.trim_end(), format!("error: interrupted; {what}"));
        assert_eq!(desk.lock(), lock);
    }
}

/// rebake as somebody who is not root.
fn nobody(desk: &Desk, args: &[&str]) -> Command {
    let mut command = tool("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(rebake().get_program()).args(args);
    command.current_dir(desk.work.join("recipe")).env("HOME", desk.work.join("home"));
    command.env_remove("XDG_CACHE_HOME").env_remove("REBAKE_CACHE");
    command
}

#[test]
fn a_store_that_cannot_be_written_still_gives_what_it_has() {
    if !needs(&["root", "setpriv"]) {
        return;
    }
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("a"));
    let desk = desk(&server, &["a"]);
    let out = desk.work.mkdir("out");
    fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).expect("a mode");
    let out = format!("oci:{}", out.join("image").display());
    attempt(nobody(&desk, &["build", "-o", &out]).env("REBAKE_CACHE", desk.cache())).success();

    desk.run(&["cache", "prune"]);
    let output = attempt(nobody(&desk, &["build", "-o", &out]).env("REBAKE_CACHE", desk.cache()));
    let said = ended(2, &output);
    let cache = desk.cache();
    assert_says(
        &said,
        &[
            "the input `a` (url ",
            &format!("the store {} cannot be used: Permission denied", cache.display()),
            "REBAKE_CACHE names another folder",
        ],
    );
    // A home that cannot be written, and none at all.
    let said = ended(2, &attempt(&mut nobody(&desk, &["build", "-o", &out])));
    assert_says(&said, &["the store ", "home/.cache/rebake cannot be used: Permission denied"]);
    let said = ended(2, &attempt(nobody(&desk, &["build", "-o", &out]).env_remove("HOME")));
    assert_says(&said, &["there is no place for a store (set REBAKE_CACHE or HOME)"]);
    // Nor a recipe's folder.
    fs::remove_file(desk.lock_path()).expect("a lock");
    let fresh = desk.work.mkdir("fresh");
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o777)).expect("a mode");
    let said = ended(2, &attempt(nobody(&desk, &["lock"]).env("REBAKE_CACHE", &fresh)));
    assert_says(&said, &["cannot write rebake.lock: permission denied\n"]);
}

#[test]
fn the_place_of_the_store() {
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("a"));
    let desk = desk(&server, &["a"]);
    let hex = sha256(b"a");
    let at = |variables: &[(&str, &str)]| {
        let mut command = desk.command(&["build"]);
        command.env_remove("REBAKE_CACHE");
        command.envs(
            variables
                .iter()
                .map(|(name, path)| (name, if path.starts_with('.') { path.into() } else { desk.work.join(path) })),
        );
        attempt(&mut command).success();
    };
    let there = |folder: &str| desk.work.join(folder).join("blobs/sha256").join(&hex).exists();
    at(&[]);
    assert!(there("home/.cache/rebake"));
    at(&[("XDG_CACHE_HOME", "xdg")]);
    assert!(there("xdg/rebake"));
    at(&[("XDG_CACHE_HOME", "xdg"), ("REBAKE_CACHE", "own")]);
    assert!(there("own") && !there("xdg/own"));
    // A relative one is none.
    run(tool("rm").arg("-rf").arg(desk.work.join("home/.cache")));
    at(&[("XDG_CACHE_HOME", "./relative")]);
    assert!(there("home/.cache/rebake") && !desk.work.join("recipe/relative").exists());
}

#[test]
fn prune_keeps_what_recipes_pin() {
    let server = Server::start();
    server.serve("/a", Behaviour::bytes("a"));
    server.serve("/b", Behaviour::bytes("bb"));
    let desk = desk(&server, &["a", "b"]);
    let [a, b] = ["a", "bb"].map(|text| sha256(text.as_bytes()));
    let list = desk.run(&["cache", "list"]);
    assert_says(&list, &[&format!("2 files with 3 bytes in {}", desk.cache().display())]);
    assert!(list.contains(&format!("sha256:{b} 2\n")), "{list}");

    desk.run(&["cache", "prune", "--keep", "."]);
    assert_eq!(desk.kept().len(), 2);
    desk.recipe(AMD64, &format!("[inputs.a]\nurl = \"{}\"\n", server.url("/a")));
    desk.run(&["lock"]);
    let said = desk.run(&["cache", "prune", "--keep", "rebake.toml", "--json"]);
    assert_says(&said, &["\"bytes\": 2", "\"removed\"", &b]);
    assert_eq!(desk.kept(), [a]);
    assert_says(
        &desk.ends(2, &["cache", "prune", "--keep", "nowhere.toml"]),
        &["cannot read nowhere.toml: there is no such file"],
    );
    assert_eq!(desk.kept().len(), 1, "a slip removes nothing");
    assert_says(&desk.run(&["cache", "prune"]), &["1 file with 1 byte removed from"]);
    assert_says(&desk.run(&["cache", "list"]), &["0 files with 0 bytes in"]);
}
