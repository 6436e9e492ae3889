//! What a commit adds to an image, and that a folder which differs from its commit cannot pass for it.

use crate::support::git::{TIME, cloned, commit_all, done};
use crate::support::{Output, Work, attempt, rebake};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A recipe that takes from git whatever it can.
const RECIPE: &str = r#"edition = "2026"
[image]
name = "example/stamped"
version = "1.4.2"
created = "git"
origin = true
tags = ["{git.commit}", "{git.describe}", "{git.branch}", "{version}", "latest"]
[config.labels]
commit = "{git.commit} {git.branch}"
version = "{version} {version.minor}"
[annotations]
describe = "{git.describe}"
[[layer]]
[[layer.copy]]
from = "file"
to = "/srv/{version}/file"
[[layer.write]]
to = "/etc/motd"
text = """
Two
lines of {version}
"""
"#;

/// A repository with the recipe in `app`, tagged and with a remote.
fn project(work: &Work) -> PathBuf {
    let folder = work.mkdir("project");
    work.write("project/app/rebake.toml", RECIPE);
    work.write("project/app/file", "content\n");
    work.write("project/.gitignore", "*.o\n");
    work.write("project/.gitattributes", "file -text\n");
    commit_all(&folder, "one");
    done(&folder, &["tag", "-a", "v1.4.2", "-m", "release"]);
    done(&folder, &["checkout", "-q", "-b", "feature/x"]);
    done(&folder, &["remote", "add", "origin", "git@example.com:acme/app.git"]);
    folder
}

/// Another clone, which says that it comes from the same place.
fn clone(work: &Work, from: &Path, to: &str, options: &[&str]) -> PathBuf {
    let folder = cloned(work, from, to, options);
    done(&folder, &["remote", "set-url", "origin", "https://me:hunter2@example.com/acme/app/"]);
    folder
}

fn build(recipe: &Path, more: &[&str]) -> Output {
    let mut command = rebake();
    command.arg("build").current_dir(recipe).args(more);
    attempt(
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env_remove("SOURCE_DATE_EPOCH"),
    )
}

#[track_caller]
fn digest(output: Output) -> String {
    output.success().text().split_once('@').expect("a digest").1.to_owned()
}

/// What a build left.
struct Baked {
    tags: Vec<String>,
    manifest: Value,
    config: Value,
}

impl Baked {
    fn read(recipe: &Path) -> Self {
        let layout = recipe.join("rebake-out/stamped");
        let read = |path: &str| -> Value { serde_json::from_slice(&fs::read(layout.join(path)).unwrap()).unwrap() };
        let blob = |digest: &Value| read(&format!("blobs/sha256/{}", &digest.as_str().unwrap()[7..]));
        let index = read("index.json");
        let tagged = index["manifests"].as_array().unwrap();
        let name =
            |tagged: &Value| tagged["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned();
        let manifest = blob(&tagged[0]["digest"]);
        let config = blob(&manifest["config"]["digest"]);
        Self { tags: tagged.iter().map(name).collect(), manifest, config }
    }
}

#[test]
fn a_commit_is_told_by_annotations_labels_and_tags() {
    let work = Work::new();
    let folder = project(&work);
    let app = folder.join("app");
    work.write("project/app/rebake.lock", "version = 1\n");
    let commit = commit_all(&folder, "lock");
    let describe = done(&folder, &["describe", "--tags", "--abbrev=12"]);
    assert!(describe.starts_with("v1.4.2-1-g"));
    build(&app, &[]).success();
    let baked = Baked::read(&app);
    assert_eq!(baked.tags, [&commit, &describe, "feature-x", "1.4.2", "latest"]);
    let sha256 = |text: &str| format!("sha256:{}", crate::support::sha256(text.as_bytes()));
    assert_eq!(
        baked.manifest["annotations"],
        serde_json::json!({
            "describe": describe,
            "org.opencontainers.image.source": "https://example.com/acme/app",
            "org.opencontainers.image.revision": commit,
            "org.opencontainers.image.version": "1.4.2",
            "dev.rebake.recipe.path": "app/rebake.toml",
            "dev.rebake.recipe.digest": sha256(RECIPE),
            "dev.rebake.lock.digest": sha256("version = 1\n"),
        })
    );
    assert_eq!(baked.config["created"], "2023-11-14T22:13:20Z");
    assert_eq!(TIME, 1_700_000_000);
    let labels = serde_json::json!({ "commit": format!("{commit} feature/x"), "version": "1.4.2 1.4" });
    assert_eq!(baked.config["config"]["Labels"], labels);
}

#[test]
fn what_the_recipe_says_of_its_origin_counts() {
    let work = Work::new();
    let folder = project(&work);
    let app = folder.join("app");
    let own = r#""org.opencontainers.image.source" = "https://example.org/own""#;
    work.write("project/app/rebake.toml", RECIPE.replace("[annotations]", &format!("[annotations]\n{own}")));
    done(&folder, &["remote", "remove", "origin"]);
    commit_all(&folder, "own");
    build(&app, &[]).success();
    let annotations = &Baked::read(&app).manifest["annotations"];
    assert_eq!(annotations["org.opencontainers.image.source"], "https://example.org/own");
    assert_eq!(annotations["dev.rebake.lock.digest"], Value::Null);
}

#[test]
fn two_clones_bake_one_image() {
    let work = Work::new();
    let folder = project(&work);
    let first = digest(build(&folder.join("app"), &[]));
    let other = clone(&work, &folder, "some/where/else", &[]);
    assert_eq!(digest(build(&other.join("app"), &[])), first);
    // The recipe is read with other line ends.
    let crlf = clone(&work, &folder, "crlf", &["-c", "core.autocrlf=true"]);
    assert!(fs::read(crlf.join("app/rebake.toml")).unwrap().windows(2).any(|two| two == b"\r\n"));
    assert_eq!(digest(build(&crlf.join("app"), &[])), first);
    let linked = work.join("linked");
    done(&other, &["worktree", "add", "-q", "-f", linked.to_str().unwrap(), "feature/x"]);
    assert_eq!(digest(build(&linked.join("app"), &[])), first);

    // Another commit is another image, with the same layers.
    work.write("project/README", "more\n");
    commit_all(&folder, "more");
    let layers = Baked::read(&other.join("app")).manifest["layers"].clone();
    assert_ne!(digest(build(&folder.join("app"), &[])), first);
    assert_eq!(Baked::read(&folder.join("app")).manifest["layers"], layers);
}

#[test]
fn a_repository_of_a_hook_leads_nowhere_else() {
    let work = Work::new();
    let folder = project(&work);
    let first = digest(build(&folder.join("app"), &[]));
    let other = work.mkdir("other");
    work.write("other/x", "x");
    commit_all(&other, "other");
    let mut command = rebake();
    command.arg("build").current_dir(folder.join("app")).env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_DIR", other.join(".git")).env("GIT_WORK_TREE", &other);
    command.env("GIT_INDEX_FILE", other.join(".git/index")).env("GIT_OBJECT_DIRECTORY", other.join(".git/objects"));
    assert_eq!(digest(attempt(&mut command)), first);
}

#[test]
fn a_dirty_folder_is_refused_and_said() {
    let work = Work::new();
    let folder = project(&work);
    let app = folder.join("app");
    work.write("project/app/gone", "x");
    commit_all(&folder, "gone");
    let first = digest(build(&app, &[]));

    // None of this can reach the image, or is what a build leaves itself.
    work.write("project/outside", "x");
    work.write("project/app/ignored.o", "x");
    work.write("project/app/rebake-out/other", "x");
    work.write("project/app/.out.rebake-abc/blobs/x", "x");
    assert_eq!(digest(build(&app, &["-o", "out"])), first);
    assert_eq!(digest(build(&app, &["-o", "out"])), first, "what it wrote does not count");
    assert_eq!(build(&app, &[]).code(), Some(2), "but it does for a build to elsewhere");
    fs::remove_dir_all(app.join("out")).unwrap();
    fs::remove_dir_all(app.join(".out.rebake-abc")).unwrap();
    assert_eq!(digest(build(&app, &[])), first);

    work.write("project/app/file", "changed\n");
    work.write("project/app/new", "x");
    work.write("project/app/staged", "x");
    done(&app, &["add", "staged"]);
    fs::remove_file(app.join("gone")).unwrap();
    let said = build(&app, &[]);
    assert_eq!(said.code(), Some(2));
    let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
    let message = "the recipe's folder is not as it was committed: modified: file, deleted: gone, untracked: new, added: staged\n";
    assert!(stderr.contains(message), "{stderr}");
    assert!(stderr.contains("created = \"git\"") && stderr.contains("--allow-dirty"), "{stderr}");
    for n in 0..20 {
        work.write(format!("project/app/many/{n:02}"), "x");
    }
    let stderr = String::from_utf8_lossy(&build(&app, &[]).stderr).into_owned();
    assert!(stderr.contains("untracked: many/00") && stderr.contains(", and 14 more"), "{stderr}");
    assert!(!stderr.contains("many/15"), "{stderr}");

    // A recipe that asks nothing of git does not mind.
    work.write("project/app/rebake.toml", "edition = '2026'\n[image]\nname = 'example/plain'\n");
    build(&app, &[]).success();
}

#[test]
fn a_dirty_image_cannot_pass_for_a_release() {
    let work = Work::new();
    let folder = project(&work);
    let app = folder.join("app");
    let commit = done(&folder, &["rev-parse", "HEAD"]);
    let clean = digest(build(&app, &[]));
    let layers = Baked::read(&app).manifest["layers"].clone();
    assert_eq!(digest(build(&app, &["--allow-dirty"])), clean, "a clean folder is no other with it");

    work.write("project/app/untracked", "x");
    build(&app, &["--allow-dirty"]).success();
    let baked = Baked::read(&app);
    assert_eq!(
        baked.tags,
        [&format!("{commit}-dirty"), "v1.4.2-dirty", "feature-x-dirty", "1.4.2-dirty", "latest-dirty"]
    );
    let annotations = &baked.manifest["annotations"];
    assert_eq!(annotations["describe"], "v1.4.2-dirty");
    assert_eq!(annotations["org.opencontainers.image.revision"], format!("{commit}-dirty"));
    assert_eq!(annotations["org.opencontainers.image.version"], "1.4.2-dirty");
    let labels = &baked.config["config"]["Labels"];
    assert_eq!(labels["commit"], format!("{commit}-dirty feature/x"));
    assert_eq!(labels["version"], "1.4.2-dirty 1.4-dirty");
    assert_eq!(labels["org.opencontainers.image.version"], "1.4.2-dirty");
    assert_eq!(baked.config["created"], "2023-11-14T22:13:20Z");
    assert_eq!(baked.manifest["layers"], layers, "the layers are what they are");

    // Neither does the command line make a release of it, nor a recipe that names none or writes it out.
    let printed = build(&app, &["--allow-dirty", "-o", "oci:rebake-out/stamped:1.4.2"]).success().text();
    assert!(printed.starts_with("example/stamped:1.4.2-dirty@"), "{printed}");
    for (more, version) in [("", "dirty"), ("[annotations]\n\"org.opencontainers.image.version\" = \"7\"", "7-dirty")] {
        let recipe = format!("edition = '2026'\n[image]\nname = 'example/stamped'\ncreated = 'git'\n{more}");
        work.write("project/app/rebake.toml", recipe);
        build(&app, &["--allow-dirty"]).success();
        let baked = Baked::read(&app);
        assert_eq!(baked.tags, ["latest-dirty"]);
        assert_eq!(baked.manifest["annotations"]["org.opencontainers.image.version"], version);
        assert_eq!(baked.config["config"]["Labels"]["org.opencontainers.image.version"], "dirty");
    }
}

#[test]
fn an_index_is_stamped_as_its_manifests_are() {
    let work = Work::new();
    let folder = project(&work);
    let app = folder.join("app");
    let two = r#"platforms = ["linux/amd64", "linux/arm64"]"#;
    work.write("project/app/rebake.toml", RECIPE.replace("origin = true", &format!("origin = true\n{two}")));
    let commit = commit_all(&folder, "two");
    build(&app, &[]).success();
    let layout = app.join("rebake-out/stamped/blobs/sha256");
    let stamped =
        fs::read_dir(layout).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default());
    let wanted = format!("\"org.opencontainers.image.revision\":\"{commit}\"");
    assert_eq!(stamped.filter(|text| text.contains(&wanted)).count(), 3, "two manifests and the index");
}

#[test]
fn without_a_commit_nothing_is_stamped() {
    let work = Work::new();
    let folder = project(&work);
    let app = folder.join("app");
    let refused = |recipe: &Path, words: &[&str]| {
        let said = build(recipe, &["--allow-dirty"]);
        let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.code(), Some(2), "{stderr}");
        words.iter().for_each(|word| assert!(stderr.contains(word), "{word}: {stderr}"));
    };
    done(&folder, &["checkout", "-q", "--detach"]);
    refused(&app, &["HEAD is detached", "{git.branch}", "check out a branch"]);
    work.write("project/app/rebake.toml", RECIPE.replace(", \"{git.branch}\"", "").replace(" {git.branch}", ""));
    commit_all(&folder, "no branch");
    build(&app, &[]).success();

    let shallow = clone(&work, &folder, "shallow", &["--depth=1", "--branch=feature/x"]);
    refused(&shallow.join("app"), &["the clone is shallow", "git fetch --unshallow"]);
    work.write("bare/rebake.toml", RECIPE);
    work.write("bare/file", "content\n");
    refused(&work.join("bare"), &["there is no git repository at", "created = \"git\""]);
    done(&work.join("bare"), &["init", "-q"]);
    refused(&work.join("bare"), &["no commit yet"]);

    let mut command = rebake();
    let said = attempt(command.arg("build").current_dir(&app).env("PATH", "/nonexistent"));
    assert!(String::from_utf8_lossy(&said.stderr).contains("git is not installed"), "{said}");
    let ignored = work.mkdir("ignored");
    work.write("ignored/.gitignore", "rebake.toml\n");
    work.write("ignored/rebake.toml", "edition = '2026'\n[image]\nname = 'a'\ncreated = 'git'\n");
    commit_all(&ignored, "ignored");
    assert!(String::from_utf8_lossy(&build(&ignored, &[]).stderr).contains("committed: ignored: rebake.toml"));
}

#[test]
fn a_pantry_keeps_what_git_knew() {
    let work = Work::new();
    let folder = project(&work);
    let app = folder.join("app");
    let digest = |out: Output| out.success().text();
    let released = digest(build(&app, &[]));
    let pantry = work.join("pantry").display().to_string();
    let call = |folder: &Path, args: &[&str]| attempt(rebake().args(args).current_dir(folder));
    call(&app, &["pantry", "fill", &pantry]).success();
    let name = released.split_once(':').expect("a tag").0.to_owned();

    // Outside of any repository, and inside of one that knows nothing of it.
    let strange = work.mkdir("strange");
    commit_all(&strange, "something else");
    for place in [work.path(), strange.as_path()] {
        call(place, &["pantry", "restore", &pantry, &name, "back"]).success();
        let back = place.join("back");
        assert_eq!(digest(build(&back, &[])), released);
        // What is not as it came is no release.
        let recipe = fs::read_to_string(back.join("rebake.toml")).expect("a recipe");
        fs::write(back.join("rebake.toml"), format!("{recipe}\n# changed\n")).expect("written");
        assert_eq!(build(&back, &[]).code(), Some(2));
    }
}

#[test]
fn a_lock_expects_all_of_a_stamped_image_but_its_commit() {
    let work = Work::new();
    let folder = project(&work);
    let app = folder.join("app");
    let call = |args: &[&str]| attempt(rebake().args(args).current_dir(&app)).code();
    assert_eq!(call(&["lock", "--record"]), Some(0));
    commit_all(&folder, "lock");
    assert_eq!((build(&app, &["--locked"]).code(), call(&["drill"])), (Some(0), Some(0)));
    // Another commit is the same image but for what it says of it.
    commit_all(&folder, "nothing");
    assert_eq!((build(&app, &["--locked"]).code(), call(&["drill"])), (Some(0), Some(0)));
    let recipe = fs::read_to_string(app.join("rebake.toml")).expect("a recipe");
    fs::write(app.join("rebake.toml"), format!("{recipe}\n[config]\nentrypoint = ['/evil']\n")).expect("written");
    commit_all(&folder, "another program");
    assert_eq!((build(&app, &["--locked"]).code(), call(&["drill"])), (Some(1), Some(1)));
}
