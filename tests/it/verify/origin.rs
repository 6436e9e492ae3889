//! An image that names its origin is verified by that alone: a clone, or a pantry, gives the recipe.

use super::{RECIPE, command, judged, published};
use crate::support::git::{cloned, commit_all, done};
use crate::support::{Work, clients::registry::Registry, needs};
use std::fs;
use std::path::PathBuf;

/// The recipe as a stamped one, committed in `published/app`, its image in `image`; gives the repository and the commit.
fn released(work: &Work) -> (PathBuf, String) {
    let folder = published(work);
    let app = work.mkdir("published/app");
    for name in ["rebake.toml", "site", "tool"] {
        fs::rename(folder.join(name), app.join(name)).expect("a move");
    }
    let stamped = RECIPE
        .replace(
            "version = \"1.0.0\"",
            "version = \"1.0.0\"\ncreated = \"git\"\norigin = true\ntags = [\"{git.branch}\", \"{version}\"]",
        )
        .replace("\"red\"", "\"{git.describe}\"");
    work.write("published/app/rebake.toml", stamped);
    let commit = commit_all(&folder, "release");
    done(&folder, &["tag", "-a", "v1.0.0", "-m", "one"]);
    done(&folder, &["remote", "add", "origin", "https://example.com/acme/app.git"]);
    let image = work.join("image");
    command(&app, &["build", "-o", &format!("oci:{}", image.display())]).success();
    (folder, commit)
}

#[test]
fn a_clone_gives_the_recipe_and_its_work_tree_is_not_touched() {
    if !needs(&["git"]) {
        return;
    }
    let work = Work::new();
    let (folder, commit) = released(&work);
    // Time goes on: the branch moves, the work tree is dirty, the recipe is gone.
    work.write("published/app/site/index.html", "<p>newer</p>\n");
    commit_all(&folder, "newer");
    work.write("published/app/tool", "#!/bin/sh\necho other\n");
    fs::remove_file(folder.join("app/rebake.toml")).expect("a file");
    let status = done(&folder, &["status", "--porcelain"]);
    // A clone has its remote from where it was made; the image has it from another one.
    let clone = cloned(&work, &folder, "clone", &["--no-checkout"]);
    let bare = cloned(&work, &folder, "bare", &["--bare"]);
    for source in [&folder, &clone, &bare] {
        let (said, code) = judged(work.path(), &["oci:image:1.0.0", "--source", source.to_str().expect("UTF-8")]);
        assert_eq!((said["rung"].as_str(), code), (Some("identical"), Some(0)), "{said:#}");
        assert!(said["recipe"].as_str().expect("a name").contains(&commit[..12]), "{said:#}");
    }
    assert_eq!(done(&folder, &["status", "--porcelain"]), status);
    assert_eq!(Work::tree_of(&clone).iter().filter(|path| !path.starts_with(".git/")).count(), 0);
    // Whoever stands in a clone need not name it.
    assert_eq!(judged(&clone, &["oci:../image:1.0.0"]).1, Some(0));
    // The recipe of another commit gives another image, and says why.
    let (other, code) = judged(&folder, &["oci:../image:1.0.0", "app/rebake.toml", "--rev", "HEAD"]);
    assert_eq!((other["rung"].as_str(), code), (Some("different"), Some(1)));
    assert!(other.to_string().contains("revision"), "{other:#}");
    let (same, code) = judged(&folder, &["oci:../image:1.0.0", "app/rebake.toml", "--rev", "v1.0.0"]);
    assert_eq!((same["rung"].as_str(), code), (Some("identical"), Some(0)), "{same:#}");
}

#[test]
fn a_pantry_gives_the_recipe() {
    if !needs(&["git"]) {
        return;
    }
    let work = Work::new();
    let (folder, _) = released(&work);
    command(&folder.join("app"), &["pantry", "fill", "../../pantry", "."]).success();
    fs::remove_dir_all(&folder).expect("a folder");
    let (said, code) = judged(work.path(), &["oci:image:1.0.0", "--pantry", "pantry", "--offline"]);
    assert_eq!((said["rung"].as_str(), code), (Some("identical"), Some(0)), "{said:#}");
}

#[test]
fn from_a_registry_too() {
    if !needs(&["git", "skopeo", "docker-registry"]) {
        return;
    }
    let work = Work::new();
    let (folder, _) = released(&work);
    let registry = Registry::start();
    let name = format!("docker://{}", registry.reference("acme/app:1"));
    crate::support::clients::skopeo::copy(
        &format!("oci:{}:1.0.0", work.join("image").display()),
        &name,
        &["--dest-tls-verify=false"],
    );
    let (said, code) = judged(work.path(), &[&name, "--source", folder.to_str().expect("UTF-8")]);
    assert_eq!((said["rung"].as_str(), code), (Some("identical"), Some(0)), "{said:#}");
}

#[test]
fn an_origin_that_leads_nowhere_says_so() {
    if !needs(&["git"]) {
        return;
    }
    let work = Work::new();
    let (folder, commit) = released(&work);
    let refused = |arguments: &[&str]| {
        let output = command(work.path(), &[&["verify", "oci:image:1.0.0"], arguments].concat());
        assert_eq!(output.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // No clone at hand.
    let said = refused(&[]);
    assert!(
        said.contains(&commit) && said.contains("--source") && said.contains("https://example.com/acme/app"),
        "{said}"
    );
    // A clone without the commit.
    let other = work.mkdir("other");
    work.write("other/file", "x");
    commit_all(&other, "unrelated");
    let said = refused(&["--source", "other"]);
    assert!(said.contains("git fetch"), "{said}");
    // A hostile path, and a revision that is an option.
    let app = folder.join("app");
    for (from, to, wanted) in [
        ("app/rebake.toml", "../rebake.toml", "leads out"),
        (commit.as_str(), "--upload-pack=x", "no commit's id"),
        (commit.as_str(), &format!("{commit}-dirty"), "nobody has those files"),
    ] {
        let manifest = fs::read_to_string(work.join("image/index.json")).expect("an index");
        let digest = manifest.split("sha256:").nth(1).expect("a digest")[..64].to_owned();
        let path = work.join(format!("image/blobs/sha256/{digest}"));
        let text = fs::read_to_string(&path).expect("a manifest").replace(from, to);
        let new = crate::support::sha256(text.as_bytes());
        work.write(format!("hostile/blobs/sha256/{new}"), &text);
        let config = text.split("\"config\":{\"digest\":\"sha256:").nth(1).expect("a digest")[..64].to_owned();
        work.write(format!("hostile/blobs/sha256/{config}"), work.read(format!("image/blobs/sha256/{config}")));
        work.write("hostile/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{new}","size":{}}}]}}"#,
            text.len()
        );
        work.write("hostile/index.json", index);
        let output = command(work.path(), &["verify", "hostile", "--source", app.to_str().expect("UTF-8")]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.code(), Some(2), "{said}");
        assert!(said.contains(wanted), "{to}: {said}");
    }
}
