//! What a layer costs, in instructions as callgrind counts them: the same on a busy machine and an idle one. A change that
//! makes the tar writer or an encoder dearer fails here, and either mends that or says why with a new number.
//!
//! valgrind knows no instructions for SHA-256, so that hashing is dearer here than anywhere else; it is in all numbers.

use crate::reproduce::machine::release;
use crate::support::needs;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Text with words that come again, 2 MB of it in 200 files.
fn content(folder: &Path) {
    let mut state = 2026_u64;
    for file in 0..200 {
        let mut text = String::new();
        while text.len() < 10_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += ["word", "line", "file", "=", " "][(state >> 40) as usize % 5];
            text += &((state >> 33) % 400).to_string();
        }
        fs::write(folder.join(format!("file-{file}")), text).unwrap();
    }
}

/// Instructions of a build of the folder, in millions.
fn millions(home: &Path, compression: &str) -> u64 {
    let recipe = format!(
        "edition = \"2026\"\n[image]\nname = \"x/cost\"\ncompression = {compression}\n\
         [[layer]]\n[[layer.copy]]\nfrom = \"content\"\nto = \"/\"\n"
    );
    fs::write(home.join("rebake.toml"), recipe).unwrap();
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(release()).current_dir(home);
    let output = command.args(["build", "--no-cache", "--jobs", "1", "-o", "out"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let count = said.lines().find_map(|line| line.split_once("Collected : ")).expect("a count").1;
    count.trim().parse::<u64>().expect("a number") / 1_000_000
}

#[test]
fn instructions() {
    if !needs(&["valgrind"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("content")).unwrap();
    content(&home.path().join("content"));
    let plain = millions(home.path(), "\"none\"");
    let default = millions(home.path(), "\"gzip\"").saturating_sub(plain);
    let fast = millions(home.path(), "{ gzip = \"fast\" }").saturating_sub(plain);
    eprintln!("{plain} million instructions for 2 MB, {default} more for gzip, {fast} for the fast level");
    for (what, is, was) in [("tar and hashes", plain, 120), ("gzip", default, 261), ("gzip, fast", fast, 196)] {
        assert!(is < was + was / 5, "{what}: {is} million instructions, they were {was}");
        assert!(is > was - was / 3, "{what}: {is} million instructions, they were {was}: well done, note it here");
    }
}
