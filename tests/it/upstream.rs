//! `recipes/inputs` names addresses that never answered. What they would have given is made here, so that its lock and the
//! pantry beside it can be made anew: `REBAKE_BLESS=1 cargo test --test it upstream`.

use crate::recipes::{REPOSITORY, copy};
use crate::support::git::{commit_all, done};
use crate::support::{Work, attempt, rebake, run};
use rebake::git::Repository;
use rebake::lock::{Files, Lock, Locked, Pin};
use rebake::oci::{Digest, Platform};
use rebake::store::Store;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// How the recipe is built where nothing else is left.
pub fn from_pantry() -> [String; 3] {
    ["--offline".to_owned(), "--pantry".to_owned(), pantry().display().to_string()]
}

fn pantry() -> PathBuf {
    Path::new(REPOSITORY).join("recipes/pantry")
}

fn platforms() -> [Platform; 2] {
    ["linux/amd64", "linux/arm64"].map(|name| name.parse().expect("a platform"))
}

/// A file goes into the store, and is pinned.
fn keep(store: &Store, bytes: &[u8]) -> Pin {
    let (digest, _) = store.add(bytes, &AtomicBool::new(false)).expect("kept");
    Pin { digest, size: bytes.len() as u64 }
}

/// The base image.
fn tiny(work: &Work, store: &Store) -> Locked {
    let recipe = "edition = '2026'\n[image]\nname = 'base/tiny'\nplatforms = ['linux/amd64', 'linux/arm64']\n[[layer]]\n\
                  [[layer.write]]\nto = '/etc/tiny-release'\ntext = \"tiny 1 ({arch})\\n\"\n[[layer.mkdir]]\npath = '/srv/www'\n";
    work.write("tiny/rebake.toml", recipe);
    let printed = run(rebake().arg("build").arg(work.join("tiny")).arg("-o").arg(work.join("tiny.oci"))).text();
    let top: Digest = printed.split_once('@').expect("a digest").1.parse().expect("a digest");
    let mut pins = BTreeMap::new();
    for entry in fs::read_dir(work.join("tiny.oci/blobs/sha256")).expect("blobs") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a blob");
        let pin = keep(store, &bytes);
        pins.insert(pin.digest, pin);
    }
    let index = fs::read(work.join("tiny.oci/blobs/sha256").join(top.hex())).expect("the index");
    let index: serde_json::Value = serde_json::from_slice(&index).expect("JSON");
    let manifest = |n: usize| pins[&index["manifests"][n]["digest"].as_str().expect("text").parse().expect("a digest")];
    let platforms = platforms().into_iter().enumerate().map(|(n, platform)| (platform, manifest(n))).collect();
    Locked::Image { image: "registry.example.com/base/tiny:1".to_owned(), top: pins[&top], platforms }
}

/// The programs, which are those of another recipe.
fn hello(store: &Store) -> Locked {
    let file = |platform: Platform| {
        let path = Path::new(REPOSITORY).join("recipes/platforms/bin").join(&platform.architecture).join("hello");
        (platform, keep(store, &fs::read(path).expect("a program")))
    };
    let files = Files::Each(platforms().map(file).into());
    Locked::Url { url: "https://downloads.example.com/hello-{arch}".to_owned(), files }
}

/// The git tree.
fn site(work: &Work, store: &Store) -> Locked {
    let folder = work.join("site");
    work.write("site/README", "not below public\n");
    work.write("site/public/index.html", "<!doctype html>\n<title>tiny</title>\n<p>Baked again.\n");
    work.write("site/public/app.js.map", "{}\n");
    let commit = commit_all(&folder, "v2");
    done(&folder, &["tag", "v2"]);
    let mut tar = Vec::new();
    let repository = Repository::open(&folder).expect("a repository");
    let exported = repository.export(&commit, Some("public"), &mut tar, &AtomicBool::new(false)).expect("a tree");
    Locked::Git {
        git: "https://git.example.com/acme/site.git".to_owned(),
        rev: Some("v2".to_owned()),
        subdir: Some("public".to_owned()),
        commit,
        tree: exported.tree,
        tar: keep(store, &tar),
    }
}

#[test]
fn the_lock_and_the_pantry_are_as_they_were_made() {
    let work = Work::new();
    let cache = work.join("cache");
    let store = Store::new(cache.clone());
    let inputs = [("tiny", tiny(&work, &store)), ("hello", hello(&store)), ("site", site(&work, &store))];
    let inputs = inputs.into_iter().map(|(name, locked)| (name.to_owned(), locked)).collect();
    let lock = Lock { inputs, ..Lock::default() };
    work.write("inputs/rebake.lock", lock.to_string());
    let from = Path::new(REPOSITORY).join("recipes/inputs");
    fs::copy(from.join("rebake.toml"), work.join("inputs/rebake.toml")).expect("the recipe");
    let rebake = |args: &[&str]| run(rebake().args(args).current_dir(work.path()).env("REBAKE_CACHE", &cache));
    rebake(&["lock", "inputs", "--record", "--offline"]);
    rebake(&["pantry", "fill", "pantry", "inputs", "--offline"]);

    let made = fs::read_to_string(work.join("inputs/rebake.lock")).expect("a lock");
    if std::env::var_os("REBAKE_BLESS").is_some() {
        fs::write(from.join("rebake.lock"), &made).expect("written");
        let _ = fs::remove_dir_all(pantry());
        run(crate::support::tool("cp").arg("-r").arg(work.join("pantry")).arg(pantry()));
    }
    assert_eq!(fs::read_to_string(from.join("rebake.lock")).expect("a lock"), made);
    let tree = Work::tree_of(&work.join("pantry"));
    assert_eq!(Work::tree_of(&pantry()), tree);
    for file in tree.iter().filter(|file| !file.ends_with('/')) {
        let read = |folder: PathBuf| fs::read(folder.join(file)).expect("a file");
        assert!(read(pantry()) == read(work.join("pantry")), "{file}");
    }
}

#[test]
fn the_pantry_is_all_that_is_needed() {
    let work = Work::new();
    let recipe = copy(&work, "inputs");
    let cache = work.join("cache");
    let rebake = |args: &[&str]| attempt(rebake().args(args).current_dir(work.path()).env("REBAKE_CACHE", &cache));
    let (pantry, recipe) = (pantry().display().to_string(), recipe.display().to_string());
    rebake(&["pantry", "check", &pantry]).success();
    rebake(&["drill", &recipe, "--pantry", &pantry]).success();
    rebake(&["build", &recipe, "--offline", "--pantry", &pantry, "--locked"]).success();
    // Without it nothing is to be had: the addresses lead nowhere.
    let refused = rebake(&["build", &recipe, "--offline"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
}
