//! Two clones in different folders give the same lock and the same image, whatever their host is like.

use super::git::Repository;
use super::{Desk, text};
use crate::support::http::{Behaviour, Server};
use crate::support::{attempt, needs, rebake, run, tool};
use std::fs;

#[test]
fn two_clones_give_the_same_lock_and_image() {
    if !needs(&["git"]) {
        return;
    }
    let server = Server::start();
    server.serve("/tool-amd64", Behaviour::bytes("for amd64"));
    server.serve("/tool-arm64", Behaviour::bytes("for arm64"));
    let desk = Desk::new();
    let source = Repository::new(desk.work.join("source"));
    let assets = Repository::new(desk.work.join("source/assets"));
    assets.commit("näme", "one");
    assets.git(&["update-index", "--chmod=+x", "näme"]);
    assets.git(&["commit", "--quiet", "--message=mode"]);
    let inputs =
        format!("[inputs.tool]\nurl = \"{}\"\n[inputs.assets]\ngit = \"assets\"\n", server.url("/tool-{arch}"));
    fs::write(source.path.join(".gitignore"), "assets\n").expect("a file");
    source.commit("rebake.toml", &text(&["linux/amd64", "linux/arm64"], &inputs));

    let results =
        [("a", "0022", "C", "UTC"), ("some/where else", "0077", "C.UTF-8", "Pacific/Kiritimati")].map(|place| {
            let (folder, umask, locale, zone) = place;
            let folder = desk.work.join(folder);
            fs::create_dir_all(folder.parent().expect("a parent")).expect("folders");
            let clone =
                |from: &str, to| run(tool("git").args(["clone", "--quiet"]).arg(source.path.join(from)).arg(to));
            clone("", folder.clone());
            clone("assets", folder.join("assets"));
            let bake = |args: &str| {
                let mut shell = tool("sh");
                shell.args(["-c", &format!("umask {umask} && exec \"$0\" {args}")]).arg(rebake().get_program());
                shell.current_dir(&folder).env("LC_ALL", locale).env("TZ", zone);
                shell.env("HOME", folder.join("home")).env("REBAKE_CACHE", folder.join("cache"));
                attempt(&mut shell).success().text()
            };
            bake("lock --record");
            let lock = fs::read_to_string(folder.join("rebake.lock")).expect("a lock");
            (lock, bake("build --locked"))
        });
    assert_eq!(results[0], results[1]);
    assert!(results[0].0.contains("[expected]") && results[0].1.contains("@sha256:"), "{results:?}");
}
