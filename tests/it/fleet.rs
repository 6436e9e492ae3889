//! Many recipes in one command: side by side, and told as if one by one.

mod share;

use crate::support::{Work, attempt, rebake};
use serde_json::Value;
use std::path::Path;

/// The layers of an image layout of one image, by their digests in hex.
fn digests(layout: &Path) -> Vec<String> {
    let json = |path: String| -> Value {
        serde_json::from_slice(&std::fs::read(layout.join(path)).expect("a document")).expect("JSON")
    };
    let hex = |value: &Value| value["digest"].as_str().expect("a digest").replace("sha256:", "");
    let index = json("index.json".to_owned());
    let manifest = json(format!("blobs/sha256/{}", hex(&index["manifests"][0])));
    manifest["layers"].as_array().expect("layers").iter().map(hex).collect()
}

/// Recipes `r0`, `r1`, ... each with a file of its own and one that all have.
fn fleet(work: &Work, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|n| format!("r{n}")).collect();
    for name in &names {
        work.write(format!("{name}/shared"), "the same everywhere\n".repeat(1000));
        work.write(format!("{name}/own"), name);
        let layers = "[[layer]]\ncopy = [{ from = 'shared', to = '/shared' }]\n[[layer]]\ncopy = [{ from = 'own', to = '/own' }]\n";
        work.write(
            format!("{name}/rebake.toml"),
            format!("edition = '2026'\n[image]\nname = 'example/{name}'\n{layers}"),
        );
    }
    names
}

#[test]
fn the_images_and_their_order_do_not_depend_on_the_workers() {
    let mut said = Vec::new();
    for jobs in ["1", "2", "7"] {
        let work = Work::new();
        let names = fleet(&work, 6);
        let mut build = rebake();
        build.args(["build", "--jobs", jobs]).args(&names).current_dir(work.path());
        let text = attempt(&mut build).success().text();
        let told: Vec<&str> = text.lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(told, (0..6).map(|n| format!("example/r{n}")).collect::<Vec<_>>());
        said.push((text, Work::tree_of(&work.join("rebake-out"))));
    }
    assert!(said.iter().all(|one| *one == said[0]));
}

#[test]
fn one_that_fails_is_told_and_what_was_baked_is_said() {
    let work = Work::new();
    let names = fleet(&work, 4);
    // Found out only when its image is written: the recipe itself is right.
    work.write("rebake-out/r2", "no layout stands here");
    for jobs in ["1", "4"] {
        let mut build = rebake();
        build.args(["build", "--jobs", jobs]).args(&names).current_dir(work.path());
        let output = attempt(&mut build);
        assert_eq!(output.code(), Some(2));
        let (out, error) = (output.text(), String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(error.contains("rebake-out/r2"), "{error}");
        assert!(out.contains("example/r0:") && !out.contains("example/r2:"), "{out}");
        for line in out.lines() {
            let name = line.split([':', '/']).nth(1).expect("a name");
            assert!(work.join(format!("rebake-out/{name}/oci-layout")).is_file(), "{line}");
        }
    }
}

#[test]
fn who_takes_what_another_one_writes_is_not_built_beside_it() {
    let work = Work::new();
    let mut names = fleet(&work, 2);
    work.write(
        "app/rebake.toml",
        "edition = '2026'\n[image]\nname = 'app'\nbase = 'b'\n[inputs.b]\nimage = 'oci:../rebake-out/r1'\n",
    );
    names.push("app".to_owned());
    let build = |names: &[String]| {
        let mut build = rebake();
        attempt(build.arg("build").args(names).current_dir(work.path()))
    };
    for _ in 0..2 {
        let refused = build(&names);
        assert_eq!(refused.code(), Some(2));
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(error.contains("takes from rebake-out/r1, which r1/rebake.toml writes"), "{error}");
        // Also where there is something already, which may be the old or the new one.
        build(&names[..2]).success();
    }
    build(&names[2..]).success();
    build(&[names[0].clone(), names[2].clone()]).success();
}
