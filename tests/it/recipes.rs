//! The recipes in `recipes/` are documentation; here they are built, and what they say of themselves is held.

use crate::clients::web::page_of;
use crate::reproduce::machine::release;
use crate::support::clients::Bundle;
use crate::support::{Image, Work, attempt, attempt_within, free_port, needs, rebake, run, tool};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The repository.
pub const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// The names of all recipes, sorted.
pub fn names() -> Vec<String> {
    let folder = Path::new(REPOSITORY).join("recipes");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("recipes")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| recipe(path).is_some())
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn recipe(folder: &Path) -> Option<PathBuf> {
    ["rebake.toml", "rebake.json"].map(|name| folder.join(name)).into_iter().find(|path| path.is_file())
}

/// A copy of a recipe's folder in `work`, with what the repository does not hold: a stand-in of fixed bytes.
pub fn copy(work: &Work, name: &str) -> PathBuf {
    let (from, to) = (Path::new(REPOSITORY).join("recipes").join(name), work.join(name));
    for entry in walkdir::WalkDir::new(&from) {
        let entry = entry.expect("a file of the recipe");
        let path = to.join(entry.path().strip_prefix(&from).expect("a path below"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(&path).expect("a folder");
        } else if entry.file_type().is_symlink() {
            symlink(fs::read_link(entry.path()).expect("a target"), &path).expect("a symlink");
        } else {
            fs::copy(entry.path(), &path).expect("a file");
        }
    }
    match name {
        "website" => drop(work.write_mode("website/bin/busybox", 0o755, "stands in for busybox\n")),
        "rootfs" => drop(work.write("rootfs/rootfs.tar", stand_in())),
        _ => {}
    }
    to
}

/// A root file system as small as can be.
fn stand_in() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, mode, link: &str, content: &str| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len() as u64);
        if !link.is_empty() {
            header.set_link_name(link).expect("a link name");
        }
        header.set_path(path).expect("a path");
        header.set_cksum();
        tar.append(&header, content.as_bytes()).expect("an entry");
    };
    add("usr/bin/", tar::EntryType::Directory, 0o755, "", "");
    add("bin", tar::EntryType::Symlink, 0o777, "usr/bin", "");
    add("etc/passwd", tar::EntryType::Regular, 0o644, "", "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\n");
    add("dev/console", tar::EntryType::Regular, 0o600, "", "left out");
    tar.into_inner().expect("a tar")
}

#[test]
fn every_recipe_fits_the_schema() {
    let schema = run(rebake().arg("schema")).text();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).expect("JSON")).expect("a schema");
    // Python reads TOML without our help.
    const AS_JSON: &str = "import json, sys, tomllib\n\
        print(json.dumps(tomllib.load(open(sys.argv[1], 'rb')), default=lambda t: t.isoformat()))";
    let names = names();
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let path = recipe(&Path::new(REPOSITORY).join("recipes").join(&name)).expect("a recipe");
        let json = if path.extension().is_some_and(|end| end == "json") {
            fs::read_to_string(&path).expect("a recipe")
        } else {
            run(tool("python3").args(["-c", AS_JSON]).arg(&path)).text()
        };
        let json = serde_json::from_str(&json).expect("JSON");
        let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let wrong = serde_json::json!({ "edition": "2026", "image": { "name": "a", "tagz": [] } });
    assert!(!validator.is_valid(&wrong), "a schema that takes anything shows nothing");
}

#[test]
fn what_init_writes_builds() {
    let work = Work::new();
    let folder = work.join("new");
    run(rebake().arg("init").arg(&folder));
    let printed = run(rebake().arg("build").current_dir(&folder)).text();
    assert!(printed.starts_with("example/hello:0.1.0@sha256:"), "{printed}");
    assert!(folder.join("rebake-out/hello/index.json").is_file());
    let again = attempt(rebake().arg("init").arg(&folder));
    assert_eq!(again.code(), Some(2), "a recipe that is there is not replaced");
}

#[test]
fn the_programs_and_the_base_are_what_their_scripts_write() {
    if !needs(&["python3"]) {
        return;
    }
    let work = Work::new();
    let recipes = Path::new(REPOSITORY).join("recipes");
    for (architecture, programs) in [
        ("amd64", &["hello/bin/hello", "platforms/bin/amd64/hello", "rootfs/hello"][..]),
        ("arm64", &["platforms/bin/arm64/hello"][..]),
    ] {
        let made = work.join(architecture);
        run(tool("python3").arg("-B").arg(recipes.join("hello.py")).arg(architecture).arg(&made));
        for program in programs {
            assert_eq!(
                fs::read(&made).expect("made"),
                fs::read(recipes.join(program)).expect("committed"),
                "{program}"
            );
        }
    }
    // The config names the layers by their tars, so this does not depend on Python's zlib.
    run(tool("python3").arg("-B").arg(recipes.join("on-base/base.py")).arg(work.join("base")));
    let config = fs::read_dir(work.join("base/blobs/sha256"))
        .expect("blobs")
        .map(|blob| blob.expect("a blob").path())
        .find(|path| fs::read(path).expect("a blob").starts_with(b"{\"architecture\""))
        .expect("a config");
    let name = config.file_name().expect("a digest");
    assert!(recipes.join("on-base/base/blobs/sha256").join(name).is_file(), "{name:?}");
}

#[test]
fn hello_says_hello() {
    if needs(&["umoci", "runc", "root"]) {
        let work = Work::new();
        copy(&work, "hello");
        let image = tagged(&work, "hello", "1.0.0");
        assert_eq!(Bundle::unpack(&image.layout_tag()).run(), "Hello from amd64, baked by rebake.");
    }
}

#[test]
fn the_website_serves_its_page() {
    if !needs(&["busybox", "umoci", "runc", "root"]) {
        return;
    }
    let work = Work::new();
    let recipe = copy(&work, "website");
    fs::copy("/bin/busybox", recipe.join("bin/busybox")).expect("busybox");
    let bundle = Bundle::unpack(&tagged(&work, "website", "real").layout_tag());
    // As the recipe says it, on a port that is free here.
    let mut args = bundle.spec()["process"]["args"].as_array().expect("arguments").clone();
    let address = format!("127.0.0.1:{}", free_port());
    let port = args.iter().position(|arg| arg == "8080").expect("the port");
    args[port] = json!(address);
    let page = page_of(&mut bundle.command(&args), &address);
    assert_eq!(page, fs::read_to_string(recipe.join("site/index.html")).expect("the page"));
    assert!(!bundle.rootfs().join("srv/www/notes.txt").exists());
}

#[test]
fn each_platform_has_its_program() {
    if !needs(&["skopeo", "umoci", "qemu-aarch64", "root"]) {
        return;
    }
    let work = Work::new();
    let layout = work.join("out");
    run(rebake().arg("build").arg(copy(&work, "platforms")).arg("-o").arg(format!("oci:{}:2", layout.display())));
    for (architecture, qemu) in [("amd64", "qemu-x86_64"), ("arm64", "qemu-aarch64")] {
        // skopeo picks the platform; umoci takes what it is given.
        let one = work.join(architecture);
        let from = format!("oci:{}:2", layout.display());
        let to = format!("oci:{}:one", one.display());
        run(tool("skopeo").args(["copy", "-q", "--override-arch", architecture, &from, &to]));
        let bundle = work.join(format!("{architecture}-bundle"));
        run(tool("umoci").args(["unpack", "--image"]).arg(format!("{}:one", one.display())).arg(&bundle));
        let said = run(tool(qemu).arg(bundle.join("rootfs/usr/bin/hello"))).text();
        assert_eq!(said, format!("Hello from {architecture}, baked by rebake."));
    }
}

/// Bakes a recipe of `work` under one tag, into the forms that clients read.
fn tagged(work: &Work, name: &str, tag: &str) -> Image {
    let layout = work.join(format!("{name}.layout"));
    let printed =
        run(rebake().arg("build").arg(work.join(name)).arg("-o").arg(format!("oci:{}:{tag}", layout.display())));
    let (reference, digest) =
        printed.text().split_once('@').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a digest");
    let name_of_image = reference.rsplit_once(':').expect("a tag").0.to_owned();
    Image { layout, ..Image::placed(work, name, &name_of_image, tag, &digest) }
}

#[test]
fn a_debian_root_file_system_bakes_twice_to_the_same_and_runs() {
    if !needs(&["mmdebstrap", "umoci", "runc", "tar", "root"]) {
        return;
    }
    let work = Work::new();
    copy(&work, "rootfs");
    let rootfs = work.join("rootfs/rootfs.tar");
    let mut debian = tool("mmdebstrap");
    debian.args(["--quiet", "--variant=apt", "--include=python3,perl,tzdata", "bookworm"]).arg(&rootfs);
    // It downloads and installs: on a busy machine that takes its time.
    let made = attempt_within(Duration::from_secs(600), debian.env("SOURCE_DATE_EPOCH", "1700000000"));
    assert_eq!(made.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let entries = run(tool("tar").arg("tf").arg(&rootfs)).text().lines().count();
    assert!(entries > 10_000, "{entries} entries");

    let image = tagged(&work, "rootfs", "one");
    // The same tree, compressed and in another place, by the optimised program, which is sooner done.
    run(tool("gzip").arg("-1").arg(&rootfs));
    fs::rename(work.join("rootfs/rootfs.tar.gz"), &rootfs).expect("renamed");
    fs::create_dir(work.join("elsewhere")).expect("a folder");
    fs::rename(work.join("rootfs"), work.join("elsewhere/rootfs")).expect("moved");
    let again = run(std::process::Command::new(release())
        .env("REBAKE_CACHE", crate::support::cache())
        .args(["build", "--jobs", "3"])
        .arg(work.join("elsewhere/rootfs"))
        .args(["-o", &format!("oci:{}:one", work.join("two").display())]));
    assert!(again.text().ends_with(&image.digest), "{} is not {}", again.text(), image.digest);

    let bundle = Bundle::unpack(&image.layout_tag());
    let said = run(&mut bundle.command(&[json!("/bin/hello")])).text();
    assert_eq!(said, "Hello from amd64, baked by rebake.");
    let script = "dpkg --verify >&2; perl -e 'print 6*7' && id -un";
    let said = run(&mut bundle.command(&[json!("/bin/sh"), json!("-c"), json!(script)])).text();
    assert_eq!(said, "42www-data");
    let su = fs::metadata(bundle.rootfs().join("usr/bin/su")).expect("su");
    assert_eq!(su.permissions().mode() & 0o7777, 0o4755);
}
