//! What goes into a pantry, and what does not.

use super::{Kitchen, NEEDED, copy, files, flip};
use crate::sandbox::snapshot;
use crate::support::{Sample, attempt, needs, run, tool};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn a_pantry_is_the_same_bytes_however_it_was_filled() {
    if !needs(NEEDED) {
        return;
    }
    let kitchen = Kitchen::new();
    let work = &kitchen.work;
    let filled = kitchen.json(&["pantry", "fill", "P", "app"]);
    assert!(filled["added"]["blobs"].as_u64() > Some(5), "{filled}");
    let with_app = snapshot(&work.join("P"));
    let again = kitchen.json(&["pantry", "fill", "P", "app"]);
    assert_eq!((&again["added"]["blobs"], &again["index"]), (&json!(0), &filled["index"]));
    assert_eq!(snapshot(&work.join("P")), with_app);
    kitchen.ok(&["pantry", "fill", "P", "svc"]);
    let with_both = snapshot(&work.join("P"));
    assert_ne!(with_both, with_app);
    let gone = with_app.keys().filter(|path| !with_both.contains_key(*path)).count();
    assert_eq!(gone, 1, "the old index");

    // Elsewhere, in another order, with another umask, another cache, and other dates.
    let elsewhere = work.mkdir("elsewhere/deeper");
    for name in ["app", "svc", "assets", "one.layout", "two.oci.tar", "three.docker.tar"] {
        run(tool("cp").arg("-r").arg(work.join(name)).arg(&elsewhere));
    }
    for recipe in ["svc", "app"] {
        let mut shell =
            kitchen.wrapped(&["sh", "-c", "umask 077; exec \"$0\" \"$@\""], &["pantry", "fill", "new/P", recipe]);
        run(shell.current_dir(&elsewhere).env("REBAKE_CACHE", work.join("other-cache")));
    }
    assert_eq!(snapshot(&elsewhere.join("new/P")), with_both);
    assert_eq!(kitchen.json(&["pantry", "check", "P"])["sound"], true);
}

#[test]
fn a_pantry_alone_is_enough() {
    if !needs(NEEDED) {
        return;
    }
    let kitchen = Kitchen::new();
    let images = ["app", "svc"].map(|name| kitchen.ok(&["build", name, "-o", "built"]));
    kitchen.ok(&["pantry", "fill", "oci:P", "app", "svc"]);
    kitchen.lose_everything();
    assert_eq!(kitchen.work.tree("").iter().filter(|path| !path.starts_with("P/")).count(), 0);
    for (name, image) in ["app", "svc"].into_iter().zip(images) {
        let restored = kitchen.ok(&["pantry", "restore", "P", &format!("example.com/{name}"), "back"]);
        assert!(restored.starts_with("back/rebake."), "{restored}");
        assert!(!kitchen.work.join("back/unused").exists());
        // The positive control: without the pantry, it is not to be had.
        let said = kitchen.ends(2, &["build", "back", "--offline", "-o", "built"]);
        assert!(said.contains("cannot be had"), "{said}");
        let built = kitchen.ok(&["build", "back", "--pantry", "P", "--offline", "-o", "built"]);
        assert_eq!(built, image);
        let said = kitchen.ends(2, &["pantry", "restore", "P", &format!("example.com/{name}"), "back"]);
        assert!(said.contains("back is there already"), "{said}");
        fs::remove_dir_all(kitchen.work.join("back")).expect("gone");
    }
    let said = kitchen.ends(2, &["pantry", "restore", "P", "nothing", "back"]);
    assert!(said.contains("no recipe `nothing`") && said.contains("pantry list"), "{said}");
    assert_eq!(kitchen.work.tree("").iter().filter(|path| path.starts_with(".rebake")).count(), 0);
}

#[test]
fn versions_of_a_recipe_stand_beside_each_other() {
    let kitchen = Kitchen::small();
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    kitchen.recipe("one", &kitchen.url_recipe("one", "2.0.0"));
    kitchen.ok(&["lock", "--record", "one"]);
    let filled = kitchen.json(&["pantry", "fill", "P", "one"]);
    assert_eq!(filled["recipes"], 2);
    let list = kitchen.json(&["pantry", "list", "P"]);
    let digests: Vec<&str> = (0..2).filter_map(|n| list["recipes"][n]["digest"].as_str()).collect();
    let said = kitchen.ends(2, &["pantry", "restore", "P", "example.com/one", "back"]);
    assert!(said.contains("several recipes of that name") && digests.iter().all(|one| said.contains(one)), "{said}");
    let versions = digests.iter().enumerate().map(|(n, digest)| {
        kitchen.ok(&["pantry", "restore", "P", digest, &format!("back{n}")]);
        String::from_utf8(kitchen.work.read(format!("back{n}/rebake.toml"))).expect("text")
    });
    let versions: String = versions.collect();
    assert!(versions.contains("'1.0.0'") && versions.contains("'2.0.0'"), "{versions}");
    assert!(kitchen.ok(&["drill", "--alone", "--pantry", "P"]).matches(" same ").count() == 2);
}

#[test]
fn what_is_damaged_and_needed_comes_in_again() {
    if !needs(NEEDED) {
        return;
    }
    let kitchen = Kitchen::new();
    kitchen.ok(&["pantry", "fill", "P", "app", "svc"]);
    let whole = snapshot(&kitchen.work.join("P"));
    let index = kitchen.json(&["pantry", "list", "P"])["index"].as_str().expect("a digest").to_owned();
    let mut healed = 0;
    for file in files(&kitchen.work.join("P")) {
        copy(&kitchen.work.join("P"), &kitchen.work.join("D"));
        flip(&kitchen.work.join("D").join(&file), 1);
        let damaged = snapshot(&kitchen.work.join("D"));
        assert_ne!(damaged, whole);
        let output = kitchen.attempt(&["pantry", "fill", "D", "app", "svc"]);
        if file.ends_with("index.json") || file.ends_with(index.trim_start_matches("sha256:")) {
            // Nobody knows what is in it.
            assert_eq!((output.code(), snapshot(&kitchen.work.join("D"))), (Some(2), damaged), "{output}");
        } else {
            output.success();
            assert_eq!(snapshot(&kitchen.work.join("D")), whole, "{}", file.display());
            healed += 1;
        }
    }
    assert!(healed > 10);
    // A recipe that is lost, and not filled again, is not forgotten.
    let list = kitchen.json(&["pantry", "list", "P"]);
    let svc = list["recipes"].as_array().expect("recipes").iter().find(|recipe| recipe["name"] == "example.com/svc");
    let svc = svc.and_then(|recipe| recipe["digest"].as_str()).expect("svc").replace(':', "/");
    flip(&kitchen.work.join("P/blobs").join(&svc), 9);
    let said = kitchen.ends(2, &["pantry", "fill", "P", "app"]);
    assert!(said.contains("fill it again with the recipe that needs it"), "{said}");
    kitchen.ok(&["pantry", "fill", "P", "svc"]);
    assert_eq!(snapshot(&kitchen.work.join("P")), whole);
}

#[test]
fn links_that_lead_nowhere_elsewhere_are_refused() {
    let kitchen = Kitchen::small();
    let work = &kitchen.work;
    work.write("abs/real/x", "x");
    work.symlink(work.join("abs/real"), "abs/way");
    let recipe = |from: &str| {
        format!(
            "edition = '2026'\n[image]\nname = 'x'\n[[layer]]\nname = 'x'\n[[layer.copy]]\nfrom = '{from}'\nto = '/x/'\n"
        )
    };
    kitchen.recipe("abs", &recipe("way/x"));
    let before = snapshot(work.path());
    let said = kitchen.ends(2, &["pantry", "fill", "deep/P", "abs"]);
    assert!(said.contains("`way` is a symlink to /") && said.contains("ln -srfn"), "{said}");
    assert_eq!(snapshot(work.path()), before);
    // A link that goes into the image, and points at something there, is as good as any; so is a relative one.
    work.symlink("/etc/passwd", "abs/image/link");
    work.symlink("../real", "abs/image/relative");
    work.mkdir("abs/image/hollow");
    kitchen.recipe("abs", &recipe("image/"));
    kitchen.ok(&["pantry", "fill", "P", "abs"]);
    kitchen.ok(&["pantry", "check", "P"]);
    kitchen.ok(&["pantry", "restore", "P", "x", "back"]);
    assert_eq!(fs::read_link(work.join("back/image/link")).expect("a link").to_str(), Some("/etc/passwd"));
}

#[test]
fn a_whole_folder_with_its_recipe_comes_back() {
    let kitchen = Kitchen::small();
    // Line ends of a checkout on Windows: they count in the image, and not in the recipe.
    let text = "edition = '2026'\r\n[image]\r\nname = 'x'\r\n[[layer]]\r\nname = 'x'\r\n[[layer.copy]]\r\nfrom = '.'\r\nto = '/x'\r\n";
    kitchen.recipe("all", text);
    kitchen.work.write("all/rebake-out/old", "");
    let built = kitchen.ok(&["build", "all", "-o", "built"]);
    kitchen.ok(&["pantry", "fill", "P", "all"]);
    kitchen.ok(&["pantry", "check", "P"]);
    kitchen.ok(&["pantry", "restore", "P", "x", "back"]);
    assert_eq!(kitchen.work.read("back/rebake.toml"), text.as_bytes());
    assert_eq!(kitchen.ok(&["build", "back", "-o", "built"]), built);
    kitchen.work.write("elsewhere.toml", text);
    fs::remove_file(kitchen.work.join("all/rebake.toml")).expect("gone");
    kitchen.work.symlink("../elsewhere.toml", "all/rebake.toml");
    let said = kitchen.ends(2, &["pantry", "fill", "Q", "all"]);
    assert!(said.contains("the recipe `rebake.toml` is a symlink"), "{said}");
}

#[test]
fn other_things_are_refused_and_untouched() {
    let kitchen = Kitchen::small();
    let work = &kitchen.work;
    work.write("file", "a file");
    work.write("folder/precious", "mine");
    kitchen.ok(&["build", "one", "-o", "oci:layout"]);
    kitchen.ok(&["pantry", "fill", "real", "one"]);
    work.symlink("real", "link");
    let before = snapshot(work.path());
    for (dest, word) in [
        ("file", "file is no pantry: a pantry is a folder"),
        ("folder", "`precious`"),
        ("layout", "no index with the tag `pantry`"),
        ("link", "it is a symlink"),
        ("file/below", "file is no folder"),
    ] {
        let said = kitchen.ends(2, &["pantry", "fill", dest, "one"]);
        assert!(said.contains(word), "{dest}: {said}");
        assert!(!said.contains("os error"), "{dest}: {said}");
        assert!(snapshot(work.path()) == before, "{dest}");
    }
    // An empty folder is fine, and a recipe that is wrong leaves it.
    work.mkdir("empty");
    kitchen.recipe("wrong", "edition = 3");
    kitchen.ends(2, &["pantry", "fill", "empty", "wrong"]);
    kitchen.ends(2, &["pantry", "fill", "not/there", "wrong"]);
    assert!(work.join("empty").is_dir() && !work.join("not").exists());
    kitchen.ok(&["pantry", "fill", "empty", "one"]);
    kitchen.ok(&["pantry", "check", "empty"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    if !needs(&["root", "setpriv"]) {
        return;
    }
    let kitchen = Kitchen::small();
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    let whole = snapshot(&kitchen.work.join("P"));
    kitchen.recipe("two", &kitchen.url_recipe("two", "1.0.0"));
    kitchen.ok(&["lock", "two"]);
    run(tool("chmod").args(["-R", "a+rwX"]).arg(kitchen.work.join("cache")));
    fs::set_permissions(kitchen.work.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
    for dest in ["P", "Q"] {
        let output = attempt(&mut kitchen.wrapped(&nobody, &["pantry", "fill", dest, "two"]));
        assert_eq!(output.code(), Some(2), "{output}");
        assert!(output.said().contains("Permission denied"), "{output}");
    }
    assert_eq!(snapshot(&kitchen.work.join("P")), whole);
    assert!(!kitchen.work.join("Q").exists());
    // The scratch folder of the tests may be root's alone.
    let check = |scratch: &Path| attempt(kitchen.wrapped(&nobody, &["pantry", "check", "P"]).env("TMPDIR", scratch));
    let scratch = kitchen.work.mkdir("scratch");
    fs::set_permissions(&scratch, fs::Permissions::from_mode(0o777)).expect("a mode");
    check(&scratch).success();
    // That there is none is no fault of the pantry's.
    fs::set_permissions(&scratch, fs::Permissions::from_mode(0o700)).expect("a mode");
    let output = check(&scratch);
    assert!(output.code() == Some(2) && output.said().contains("temporary files"), "{output}");
}

#[test]
fn an_input_that_is_not_pinned_is_refused() {
    if !needs(NEEDED) {
        return;
    }
    let kitchen = Kitchen::small();
    kitchen.work.write("base/etc/x", "x");
    Sample { name: "x", tag: "1", config: json!({}), compression: "gzip" }.write(&kitchen.work, "base");
    kitchen.recipe(
        "loose",
        "edition = '2026'\n[image]\nname = 'x'\nbase = 'b'\n[inputs.b]\nimage = 'oci:../base.layout'\n",
    );
    kitchen.ok(&["build", "loose", "-o", "built"]);
    let said = kitchen.ends(2, &["pantry", "fill", "P", "loose"]);
    assert!(said.contains("`b` is not pinned") && said.contains("rebake lock"), "{said}");
    assert!(!kitchen.work.join("P").exists());
}
