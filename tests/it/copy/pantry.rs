//! Pantries in registries.

use super::registry::tags_of;
use crate::pantry::{Kitchen, NEEDED};
use crate::support::clients::Registry;
use crate::support::http::Behaviour;
use crate::support::needs;
use std::fs;

#[test]
fn a_pantry_lives_in_a_registry() {
    if !needs(&[NEEDED, &["docker-registry"]].concat()) {
        return;
    }
    let (kitchen, real) = (Kitchen::small(), Registry::start());
    let name = real.reference("stock");
    let there = format!("docker://{name}");
    let filled = kitchen.json(&["pantry", "fill", &there, "one"]);
    assert_eq!((&filled["pantry"], &filled["recipes"]), (&there.clone().into(), &1.into()), "{filled}");
    assert!(filled["added"]["blobs"].as_u64() > Some(3), "{filled}");
    assert_eq!(tags_of(&name), ["pantry"]);
    // The same as on disk; again, nothing is new.
    let on_disk = kitchen.json(&["pantry", "fill", "P", "one"]);
    assert_eq!(on_disk["index"], filled["index"]);
    let again = kitchen.json(&["pantry", "fill", &there, "one"]);
    assert_eq!((&again["index"], &again["added"]["blobs"]), (&filled["index"], &0.into()), "{again}");

    // A second recipe comes beside it, from a machine that has nothing of the first.
    fs::remove_dir_all(kitchen.work.join("cache")).expect("a cache");
    kitchen.server.serve("/file", Behaviour::status(404));
    kitchen.recipe("two", "edition = '2026'\n[image]\nname = 'example.com/two'\n[[layer]]\nname = 'x'\n[[layer.write]]\nto = '/x'\ntext = 'x'\n");
    kitchen.ok(&["lock", "--record", "two"]);
    let both = kitchen.json(&["pantry", "fill", &there, "two"]);
    assert_eq!(both["recipes"], 2, "{both}");
    let cached = |kitchen: &Kitchen| fs::read_dir(kitchen.work.join("cache/blobs/sha256")).map_or(0, Iterator::count);
    let before = cached(&kitchen);
    let listed = kitchen.ok(&["pantry", "list", &there]);
    assert!(listed.contains("example.com/one sha256:") && listed.contains("example.com/two sha256:"), "{listed}");
    kitchen.ok(&["pantry", "restore", &there, "example.com/one", "restored"]);
    assert_eq!(kitchen.work.read("restored/rebake.toml"), kitchen.work.read("one/rebake.toml"));
    assert!(cached(&kitchen) > before, "what is asked for comes through the store");

    // Its upstream is gone: the pantry alone gives the image.
    let error = kitchen.ends(2, &["build", "one", "-o", "oci:no"]);
    assert!(error.contains("the input"), "{error}");
    kitchen.ok(&["build", "one", "--locked", "--pantry", &there, "-o", "oci:built"]);
    assert!(kitchen.work.join("built/index.json").is_file());
    let offline = kitchen.ends(2, &["build", "one", "--offline", "--pantry", &there]);
    assert!(offline.contains("--offline asks none"), "{offline}");

    fs::remove_dir_all(kitchen.work.join("cache")).expect("a cache");
    let checked = kitchen.ok(&["pantry", "check", &there]);
    assert!(checked.ends_with(&format!("{there}: sound and complete")), "{checked}");
    let drilled = kitchen.ok(&["drill", "--alone", "--pantry", &there]);
    assert!(drilled.contains(&format!("example.com/one in {there}")) && drilled.contains("same"), "{drilled}");
    // By copy it comes home whole, and nothing else comes into it.
    kitchen.ok(&["copy", &format!("{there}:pantry"), "oci:home"]);
    kitchen.ok(&["pantry", "check", "home"]);
    let refused = kitchen.ends(2, &["copy", "built", "home"]);
    assert!(refused.contains("is a pantry"), "{refused}");
    let none = kitchen.ends(2, &["pantry", "list", &format!("docker://{}", real.reference("none"))]);
    assert!(none.contains("there is no pantry docker://"), "{none}");
    // Nothing is left in the folder for temporary files.
    let other =
        kitchen.ends(2, &["pantry", "fill", &format!("{there}@{}", "sha256:".to_owned() + &"0".repeat(64)), "one"]);
    assert!(other.contains("a digest cannot be chosen"), "{other}");
}
