//! `rebake pantry check` finds everything.

use super::{Kitchen, NEEDED, copy, files, flip};
use crate::support::needs;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Harms a copy of the pantry; the check has to end with 1 and name the file.
#[track_caller]
fn finds(kitchen: &Kitchen, file: &Path, what: &str, harm: impl FnOnce(&Path)) {
    copy(&kitchen.work.join("P"), &kitchen.work.join("D"));
    harm(&kitchen.work.join("D").join(file));
    let said = kitchen.ends(1, &["pantry", "check", "D"]);
    assert!(said.contains(file.to_str().expect("a plain name")), "{what} {}: {said}", file.display());
}

#[test]
fn every_harm_to_every_file_is_found() {
    if !needs(NEEDED) {
        return;
    }
    let kitchen = Kitchen::new();
    kitchen.ok(&["pantry", "fill", "P", "app", "svc"]);
    assert!(kitchen.ok(&["pantry", "check", "P"]).ends_with("P: sound and complete"));
    let files = files(&kitchen.work.join("P"));
    assert!(files.len() > 20);
    for file in &files {
        let length = fs::metadata(kitchen.work.join("P").join(file)).expect("a file").len() as usize;
        for at in [0, length / 2, length - 1] {
            finds(&kitchen, file, "flipped", |path| flip(path, at));
        }
        finds(&kitchen, file, "truncated", |path| {
            OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|file| file.set_len(length as u64 - 1))
                .expect("shorter");
        });
        for tail in ["x", " ", "\n", "\0"] {
            finds(&kitchen, file, "appended", |path| {
                let mut file = OpenOptions::new().append(true).open(path).expect("a file");
                file.write_all(tail.as_bytes()).expect("longer");
            });
        }
        finds(&kitchen, file, "missing", |path| fs::remove_file(path).expect("gone"));
        finds(&kitchen, file, "emptied", |path| fs::write(path, "").expect("empty"));
        finds(&kitchen, file, "a folder", |path| {
            fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("a folder");
        });
        finds(&kitchen, file, "a symlink", |path| {
            let aside = path.with_extension("aside");
            fs::rename(path, &aside).expect("aside");
            std::os::unix::fs::symlink(aside, path).expect("a symlink");
        });
    }
}

/// Every single byte of the two files that no digest holds.
#[test]
fn every_byte_of_the_index_is_held() {
    let kitchen = Kitchen::small();
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    for name in ["index.json", "oci-layout"] {
        let file = Path::new(name);
        for at in 0..fs::metadata(kitchen.work.join("P").join(file)).expect("a file").len() as usize {
            finds(&kitchen, file, "flipped", |path| flip(path, at));
        }
    }
}

#[test]
fn what_does_not_belong_there_is_found() {
    let kitchen = Kitchen::small();
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    for file in ["extra", "blobs/extra", "blobs/sha256/extra", "blobs/sha512/x", &format!("blobs/sha256/{:064}", 0)] {
        finds(&kitchen, Path::new(file), "foreign", |path| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(path, "x").expect("a file");
        });
    }
    finds(&kitchen, Path::new("hollow"), "foreign", |path| fs::create_dir(path).expect("a folder"));
    finds(&kitchen, Path::new("pipe"), "foreign", |path| {
        crate::support::run(crate::support::tool("mkfifo").arg(path));
    });
}

#[test]
fn what_is_no_pantry_is_wrong_input() {
    let kitchen = Kitchen::small();
    kitchen.work.write("file", "a file");
    kitchen.work.write("folder/x", "x");
    kitchen.work.mkdir("empty");
    kitchen.ok(&["build", "one", "-o", "oci:layout"]);
    for (name, word) in [
        ("nothing", "there is no such folder"),
        ("file", "is a file"),
        ("folder", "no image layout"),
        ("empty", "no image layout"),
        ("layout", "no index with the tag `pantry`"),
    ] {
        for command in [&["pantry", "check", name][..], &["pantry", "list", name], &["drill", "one", "--pantry", name]]
        {
            let said = kitchen.ends(2, command);
            assert!(said.contains(word), "{command:?}: {said}");
        }
    }
}

#[test]
fn several_harms_are_found_at_once() {
    let kitchen = Kitchen::small();
    kitchen.ok(&["pantry", "fill", "P", "one"]);
    let list = kitchen.json(&["pantry", "list", "P"]);
    let blob =
        |digest: &serde_json::Value| PathBuf::from("P/blobs").join(digest.as_str().expect("one").replace(':', "/"));
    let input = blob(&list["recipes"][0]["inputs"][0]["digest"]);
    let files = blob(&list["recipes"][0]["files"]);
    flip(&kitchen.work.join(&input), 0);
    fs::remove_file(kitchen.work.join(&files)).expect("gone");
    kitchen.work.write("P/more", "");
    let found = kitchen.json(&["pantry", "check", "P"]);
    assert_eq!((&found["sound"], &found["recipes"][0]["complete"]), (&false.into(), &false.into()));
    let faults: Vec<&str> = found["faults"].as_array().expect("faults").iter().filter_map(|f| f.as_str()).collect();
    assert_eq!(faults.len(), 3, "{faults:?}");
    kitchen.ok(&["pantry", "fill", "Q", "one"]);
    assert_eq!(kitchen.json(&["pantry", "check", "Q"])["sound"], true);
}
