//! Wrong input: exit status 2, nothing on stdout, one clear message that points at the place, and nothing on disk is
//! other than it was.
//!
//! A case is a recipe with marks: `#!` on the line that the message points at (and, behind it, the text that stands at
//! the column), `#&` on a line that it shows as well. `REBAKE_SHOW=FILE` writes all messages into a file, to be read.

use crate::sandbox::{Run, Sandbox, Snapshot, is_root, names, snapshot, whole_layout};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEAD: &str = "edition = \"2026\"\n[image]\nname = \"acme/app\"\n";

/// A recipe, and what is said of it.
struct Case {
    recipe: String,
    said: String,
}

fn whole(recipe: impl Into<String>, said: &str) -> Case {
    Case { recipe: recipe.into(), said: said.to_owned() }
}

/// The rest of a recipe that is right so far; begins with keys of `[image]`.
fn rest(rest: &str, said: &str) -> Case {
    whole(format!("{HEAD}{rest}\n"), said)
}

/// The rest of a recipe with one layer.
fn layer(statements: &str, said: &str) -> Case {
    rest(&format!("[[layer]]\n{statements}"), said)
}

/// A recipe on the base `oci:...`.
fn base(image: &str, said: &str) -> Case {
    rest(&format!("base = \"b\"\n[inputs.b]\nimage = \"{image}\" #! \"{image}\""), said)
}

/// The lines with a mark, counted from 1, and what stands behind the mark.
fn marks<'a>(recipe: &'a str, mark: &str) -> Vec<(usize, &'a str)> {
    let marked = recipe.lines().enumerate().filter_map(|(n, line)| Some((n + 1, line.split_once(mark)?.1.trim())));
    marked.collect()
}

/// What all cases may name: files, folders, archives, images.
fn larder() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("app", "app");
    sandbox.write("other", "other content");
    sandbox.write("site/index.html", "<p>");
    sandbox.write("site/style.css", "p {}");
    sandbox.write("outside/rebake.toml", HEAD);
    fs::create_dir(sandbox.path("empty")).unwrap();
    for (link, target) in
        [("loop", "loop"), ("dangling", "nowhere"), ("passwd", "/etc/passwd"), ("up", "/"), ("round/a", "b")]
    {
        fs::create_dir_all(sandbox.path(link).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, sandbox.path(link)).unwrap();
    }
    for folder in ["pipes", "sockets"] {
        fs::create_dir(sandbox.path(folder)).unwrap();
    }
    let pipe = sandbox.path("pipes/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    drop(std::os::unix::net::UnixListener::bind(sandbox.path("sockets/socket")).unwrap());
    sandbox.write("bad.ignore", "fine\n[z-a]\n");
    archives(&sandbox);
    images(&sandbox);
    sandbox
}

fn tar(name: &str, kind: tar::EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, content).unwrap();
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

fn archives(sandbox: &Sandbox) {
    use tar::EntryType;
    // Nothing that compresses, so that half of the archive is half of the content.
    let noise: Vec<u8> = (0_u32..2000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let good = tar("file", EntryType::Regular, "", &noise);
    sandbox.write("good.tar", &good);
    sandbox.write("short.tar", &good[..3000]);
    let mut corrupt = good.clone();
    corrupt[3] ^= 1;
    sandbox.write("corrupt.tar", [tar("first", EntryType::Regular, "", b"1")[..1024].to_vec(), corrupt].concat());
    let zipped = gzip(&good);
    sandbox.write("short.tar.gz", &zipped[..zipped.len() / 2]);
    let mut corrupt = zipped.clone();
    let at = corrupt.len() - 6;
    corrupt[at] ^= 1;
    sandbox.write("corrupt.tar.gz", corrupt);
    let xz = include_bytes!("../../src/layer/decompress/text.xz");
    sandbox.write("short.tar.xz", &xz[..40]);
    sandbox.write("text.xz", xz);
    let good_zip = zip("file", &noise);
    sandbox.write("short.zip", &good_zip[..good_zip.len() / 2]);
    let mut corrupt = good_zip.clone();
    corrupt[200] ^= 1;
    sandbox.write("corrupt.zip", corrupt);
    sandbox.write("dotdot.zip", zip("a/../../b", b""));
    for (archive, name) in [("dotdot.tar", "a/../../b"), ("absolute.tar", "/etc/a"), ("whiteout.tar", "a/.wh.b")] {
        sandbox.write(archive, tar(name, EntryType::Regular, "", b"x"));
    }
    sandbox.write("dangling.tar", tar("link", EntryType::Link, "nothing", b""));
    sandbox.write("escaping.tar", tar("link", EntryType::Link, "../../etc/passwd", b""));
}

/// Image layouts: good ones, built by the program itself, and what can be wrong with one.
fn images(sandbox: &Sandbox) {
    sandbox.write(
        "base.toml",
        format!(
            "{HEAD}tags = [\"one\", \"two\"]\n[[layer]]\n[[layer.write]]\nto = \"/usr/share/doc\"\ntext = \"file\"\n\
             [[layer.write]]\nto = \"/etc/passwd\"\ntext = \"root:x:0:0::/:/bin/sh\\napp:x:1:1::/:/bin/sh\\n\"\n\
             [[layer.write]]\nto = \"/etc/group\"\ntext = \"root:x:0:\\nstaff:x:50:\\n\"\n\
             [[layer.mkdir]]\npath = \"/opt/full/inner\"\n[[layer.link]]\npath = \"/l1\"\ntarget = \"l2\"\n\
             [[layer.link]]\npath = \"/l2\"\ntarget = \"l1\"\n"
        ),
    );
    sandbox.write("good.toml", format!("{HEAD}[[layer]]\n[[layer.write]]\nto = \"/a\"\ntext = \"good\"\n"));
    for arguments in [
        ["build", "base.toml", "-o", "base"],
        ["build", "base.toml", "-o", "oci-archive:base.tar"],
        ["build", "base.toml", "-o", "docker-archive:docker.tar"],
        ["build", "good.toml", "-o", "good"],
    ] {
        let run = sandbox.run(&arguments);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
    let copy = |name: &str| {
        for (path, _) in snapshot(&sandbox.path("base")) {
            let (from, to) = (sandbox.path("base").join(&path), sandbox.path(name).join(&path));
            if from.is_dir() { fs::create_dir_all(to).unwrap() } else { assert!(fs::copy(from, to).is_ok()) }
        }
    };
    let index = |name: &str, change: &dyn Fn(&mut Value)| {
        copy(name);
        let path = sandbox.path(name).join("index.json");
        let mut index = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut index);
        fs::write(path, index.to_string()).unwrap();
    };
    index("no-image", &|index| index["manifests"] = json!([]));
    index("no-list", &|index| index["manifests"] = json!("x"));
    index("artifact", &|index| index["manifests"][0]["mediaType"] = json!("text/plain"));
    index("two-images", &|index| {
        index["manifests"][1]["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
    });
    index("wrong-size", &|index| {
        index["manifests"][0]["size"] = json!(1);
        index["manifests"][1]["size"] = json!(1);
    });
    copy("no-json");
    sandbox.write("no-json/index.json", "{");
    copy("no-index");
    fs::remove_file(sandbox.path("no-index/index.json")).unwrap();
    for (name, hash) in blobs(sandbox) {
        for (kind, change) in [("flipped", 0), ("short", 1), ("lost", 2)] {
            let layout = format!("{kind}-{name}");
            copy(&layout);
            let path = sandbox.path(&layout).join("blobs/sha256").join(&hash);
            let mut bytes = fs::read(&path).unwrap();
            match change {
                0 => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 1;
                    fs::write(path, bytes).unwrap();
                }
                1 => fs::write(path, &bytes[..bytes.len() - 1]).unwrap(),
                _ => fs::remove_file(path).unwrap(),
            }
        }
    }
}

/// The blobs of the good base, by what they are.
fn blobs(sandbox: &Sandbox) -> [(&'static str, String); 3] {
    let hash = |value: &Value| value["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    let json = |path: &str| -> Value { serde_json::from_slice(&fs::read(sandbox.path(path)).unwrap()).unwrap() };
    let manifest = hash(&json("base/index.json")["manifests"][0]);
    let document = json(&format!("base/blobs/sha256/{manifest}"));
    let (config, layer) = (hash(&document["config"]), hash(&document["layers"][0]));
    [("manifest", manifest), ("config", config), ("layer", layer)]
}

/// Runs one case to each of `places` (a good layout stands at `good`, nothing at `new`). Gives what is wrong with it.
fn check(sandbox: &Sandbox, case: &Case, places: &[&str], show: &mut String) -> Vec<String> {
    let mut wrong = Vec::new();
    sandbox.write("rebake.toml", &case.recipe);
    let before = sandbox.snapshot();
    for place in places {
        let arguments = ["build", "-o", place];
        let run = Run::from(sandbox.command(&arguments).output().unwrap());
        let mut hold = |right: bool, what: &str| {
            if !right {
                wrong.push(format!("{what}\n{arguments:?}\n{}\n{}", case.recipe, run.stderr));
            }
        };
        hold(run.code == Some(2), "the exit status is another");
        hold(run.stdout.is_empty(), "something is on stdout");
        hold(run.stderr.contains(&case.said), &format!("not said: {}", case.said));
        hold(!run.stderr.contains("panicked"), "a panic");
        let marked = marks(&case.recipe, "#!");
        for (line, at) in &marked {
            let text = case.recipe.lines().nth(line - 1).unwrap();
            let column = text.find(at).filter(|_| !at.is_empty()).map(|byte| text[..byte].chars().count() + 1);
            let place = format!("rebake.toml:{line}:{}", column.map_or(String::new(), |column| format!("{column}\n")));
            hold(run.stderr.contains(&place), &format!("not at {place}"));
        }
        for (line, _) in marks(&case.recipe, "#&") {
            let shown = run.stderr.lines().any(|shown| shown.trim_start().starts_with(&format!("{line} |")));
            hold(shown, &format!("line {line} is not shown"));
        }
        let errors = run.stderr.lines().filter(|line| line.starts_with("error")).count();
        hold(errors == marked.len().max(1), &format!("{errors} mistakes"));
        let after = sandbox.snapshot();
        hold(after == before, &format!("the folder has changed: {:?}", differences(&before, &after)));
        if *place == "good" {
            let shown = case.recipe.strip_prefix(HEAD).unwrap_or(&case.recipe);
            writeln!(show, "=====\n{shown}\n-----\n{}", run.stderr).unwrap();
        }
    }
    wrong
}

fn differences<'a>(before: &'a Snapshot, after: &'a Snapshot) -> Vec<&'a PathBuf> {
    let one = before.iter().filter(|(path, what)| after.get(*path) != Some(what));
    let other = after.iter().filter(|(path, _)| !before.contains_key(*path));
    one.chain(other).map(|(path, _)| path).collect()
}

fn show_as(name: &str, show: String) {
    if let Some(folder) = std::env::var_os("REBAKE_SHOW") {
        fs::write(Path::new(&folder).join(name), show).unwrap();
    }
}

fn check_all(sandbox: &Sandbox, name: &str, places: &[&str], cases: &[Case]) {
    let mut show = String::new();
    let wrong: Vec<String> = cases.iter().flat_map(|case| check(sandbox, case, places, &mut show)).collect();
    show_as(name, show);
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n~~~~~~~~\n"));
}

/// Whatever a key is told that it does not take, its own line is named.
#[test]
fn keys() {
    let sandbox = Sandbox::new();
    sandbox.write("good.toml", HEAD);
    assert_eq!(sandbox.run(&["build", "good.toml", "-o", "good"]).code, Some(0));
    let mut cases = vec![
        whole("# mine #!\n[image]\nname = \"a\"\n", "missing `edition`"),
        whole("edition = \"2027\" #! \"2027\"\n[image]\nname = \"a\"\n", "unknown edition \"2027\""),
        whole("edition = 2026 #! 2026\n[image]\nname = \"a\"\n", "put it in quotes: \"2026\""),
        whole("edition = \"2026\" #! edition\n", "missing `image`"),
        whole("edition = \"2026\"\n[image] #! [image]\n", "missing `name` in [image]"),
        whole("edition = \"2026\"\n[[image]] #! [[image]]\nname = \"a\"\n", "[image] is one table, not an array"),
        whole("edition = \"2026\"\n[imgae] #! imgae\nname = \"a\"\n", "did you mean `image`?"),
        whole("edition = \"2026\"\nimage = \"a\" #! \"a\"\n", "expected a table"),
        whole("edition = \"2026\"\n[image]\nname = \"a #!\n", ""),
        whole("edition = \"2026\"\n[image #!\nname = \"a\"\n", ""),
        whole("edition = \"2026\"\n[image]\nname = #!\n", ""),
        whole("edition = \"2026\"\n[image]\nname = acme #! acme\n", ""),
        whole("edition = \"2026\"\n[image]\nname = \"a\"\nname = \"b\" #! name\n", "duplicate key `name`"),
        whole("edition = \"2026\"\n[image]\nname = \"a\"\n[image] #!\n", ""),
        rest("colour = \"red\" #! colour", "unknown key `colour` in [image]"),
    ];
    // `KEY = VALUE`: the value is named.
    for (table, lines) in [
        (
            "",
            &[
                ("name2", "1", "unknown key `name2`"),
                ("version", "1.4", "put it in quotes: \"1.4\""),
                ("version", "\"a b\"", "cannot be a version"),
                ("version", "[\"1\"]", "expected a string"),
                ("tags", "\"latest\"", "write [\"latest\"]"),
                ("tags", "[1]", "expected a string"),
                ("tags", "[\"a b\"]", "is no tag"),
                ("tags", "[\"{version}\"]", "needs a version"),
                ("tags", "[\"a\", \"a\"]", "the tag `a` stands twice"),
                ("platforms", "\"linux/amd64\"", "expected an array"),
                ("platforms", "[]", "`platforms` is empty"),
                ("platforms", "[\"linux/x86_64\"]", "images call it `amd64`"),
                ("platforms", "[\"amd64\"]", "amd64"),
                ("platforms", "[\"linux/arm64\", \"linux/arm64\"]", "stands twice"),
                ("base", "\"debian\"", "add [inputs.debian]"),
                ("base", "7", "expected a string"),
                ("created", "\"yesterday\"", "RFC 3339"),
                ("created", "0", "expected an instant"),
                ("created", "2026-11-20", "RFC 3339"),
                ("created", "2026-11-20T00:00:00", "offset from UTC"),
                ("created", "\"git\"", "there is no git repository at /"),
                ("mtime", "\"git\"", "is no instant"),
                ("mtime", "false", "expected an instant"),
                ("compression", "\"zip\"", "unknown compression `zip`"),
                ("compression", "9", "expected a string"),
                ("compression", "{ gzip = \"best\" }", "unknown level of gzip `best`"),
                ("compression", "{ gzip = 6 }", "expected a string"),
                ("compression", "{ gzip = \"fast\", zstd = 3 }", "unknown key `zstd`"),
                ("compression", "{}", "gzip"),
                ("owner", "true", "expected a user's name or number"),
                ("owner", "4294967295", "out of range"),
                ("owner", "\"a b\"", "is no name of a user or group"),
                ("modes", "\"0755\"", "expected a table"),
                ("modes", "{ files = 644 }", "put its octal digits in quotes"),
                ("modes", "{ file = \"0644\" }", "did you mean `files`?"),
                ("origin", "true", "there is no git repository at /"),
            ][..],
        ),
        (
            "[config]\n",
            &[
                ("entrypoint", "\"/bin/app --port 1\"", "write [\"/bin/app\", \"--port\", \"1\"]"),
                ("cmd", "[8080]", "put it in quotes"),
                ("cmd", "{ a = 1 }", "expected an array"),
                ("user", "true", "expected a user"),
                ("user", "\"nobody2\"", "the image has no user `nobody2`"),
                ("user", "\"0:wheel\"", "the image has no group `wheel`"),
                ("workdir", "\"srv\"", "does not start with `/`"),
                ("workdir", "1", "expected a string"),
                ("workdir", "\"/a/../..\"", "`..`"),
                ("ports", "[70000]", "port 70000 is out of range (1 to 65535)"),
                ("ports", "[\"70000/udp\"]", "port 70000 is out of range (1 to 65535)"),
                ("ports", "[0]", "port 0 is out of range"),
                ("ports", "[-1]", "port -1 is out of range"),
                ("ports", "[99999999999999999999]", "64 bits"),
                ("ports", "[\"80/icmp\"]", "unknown protocol `icmp`"),
                ("ports", "[\"http\"]", "`http` is no port"),
                ("ports", "[8080.5]", "expected a port"),
                ("ports", "8080", "expected an array"),
                ("ports", "[80, \"80/tcp\"]", "stands twice"),
                ("volumes", "[\"data\"]", "does not start with `/`"),
                ("volumes", "\"/data\"", "expected an array"),
                ("stop-signal", "\"SIGTREM\"", "did you mean `SIGTERM`?"),
                ("stop-signal", "99", "out of range"),
                ("env", "[\"A=1\"]", "expected a table"),
                ("env", "{ PORT = 8080 }", "put it in quotes: \"8080\""),
                ("env", "{ \"A=B\" = \"\" }", "no name of an environment variable"),
                ("labels", "{ a = 1 }", "put it in quotes: \"1\""),
                ("labels", "{ a = true }", "put it in quotes: \"true\""),
                ("labels", "{ a = { b = \"c\" } }", "expected a string"),
                ("labels", "[\"a\"]", "expected a table"),
                ("healthcheck", "\"curl\"", "expected a table"),
                ("healthcheck", "{ test = [\"curl\"] }", "starts with `CMD`"),
                ("healthcheck", "{ test = \"curl\" }", "expected an array"),
                ("healthcheck", "{ test = [\"NONE\"], interval = \"soon\" }", "soon"),
                ("healthcheck", "{ test = [\"NONE\"], interval = 30 }", "write it with its unit: \"30s\""),
                ("healthcheck", "{ test = [\"NONE\"], retries = -1 }", "out of range"),
                ("healthcheck", "{ test = [\"NONE\"], retry = 1 }", "unknown key `retry`"),
                ("stop_signal", "15", "did you mean `stop-signal`?"),
            ],
        ),
        ("[config.env]\n", &[("PORT", "8080", "put it in quotes"), ("A", "[\"x\"]", "expected a string")]),
        ("[config.labels]\n", &[("a", "2026-01-01", "put it in quotes"), ("b", "\"{archh}\"", "did you mean {arch}?")]),
        ("[annotations]\n", &[("a", "1.5", "put it in quotes"), ("b", "{}", "expected a string")]),
        (
            "[users.app]\nuid = 7\n",
            &[
                ("gid", "\"7\"", "expected an integer"),
                ("gid", "-1", "out of range"),
                ("home", "\"srv\"", "does not start with `/`"),
                ("shell", "\"/a:b\"", "holds no `:`"),
                ("comment", "1", "expected a string"),
                ("groups", "[\"a\"]", "unknown key `groups`"),
            ],
        ),
        ("[users.app]\n", &[("uid", "\"7\"", "expected an integer"), ("uid", "4294967295", "out of range")]),
        (
            "[inputs.a]\n",
            &[
                ("image", "7", "expected a string"),
                ("image", "\"A:\"", "no image reference"),
                ("image", "\"oci:\"", "names no path"),
                ("image", "\"docker.io/library/debian:12\"", "the input `a` is not pinned"),
                ("url", "\"ftp://a/b\"", "no http or https address"),
                ("url", "\"https://a/b\"", "the input `a` is not pinned"),
                ("git", "\"https://a/b.git\"", "the input `a` is not pinned"),
            ],
        ),
        (
            "[inputs.a]\nurl = \"https://a/b\"\n",
            &[
                ("sha256", "\"93dc\"", "is no sha256 digest"),
                ("mirrors", "\"x\"", "expected an array"),
                ("rev", "\"x\"", "is a key of `git` inputs"),
            ],
        ),
        (
            "[inputs.a]\ngit = \"https://a/b\"\n",
            &[("rev", "1", "put it in quotes"), ("subdir", "\"../x\"", "leads outside")],
        ),
        (
            "[[layer]]\n",
            &[
                ("name", "\"\"", "the name of a layer is empty"),
                ("name", "1", "put it in quotes"),
                ("mtime", "1", "expected an instant"),
                ("compression", "\"xz\"", "unknown compression `xz`"),
                ("copy", "\"app\"", "expected an array of tables"),
                ("copy", "{ from = \"a\", to = \"/a\" }", "array of tables"),
                ("copi", "[]", "did you mean `copy`?"),
                ("run", "\"apt-get install\"", "unknown key `run`"),
            ],
        ),
        (
            "[[layer]]\n[[layer.copy]]\nfrom = \"good.toml\"\nto = \"/a\"\n",
            &[
                ("mode", "755", "put its octal digits in quotes: \"0755\""),
                ("mode", "0o755", "put its octal digits in quotes: \"0755\""),
                ("mode", "\"rwx\"", "is no mode"),
                ("mode", "\"99\"", "is no mode"),
                ("mode", "\"17777\"", "out of range"),
                ("owner", "\"nobody2\"", "there is no user `nobody2`"),
                ("owner", "\"0:nobody2\"", "there is no group `nobody2`"),
                ("owner", "\":\"", "is empty"),
                ("include", "\"*\"", "expected an array"),
                ("include", "[\"[\"]", "is no pattern"),
                ("exclude", "[1]", "expected a string"),
                ("ignore-file", "\"../x\"", "leads outside"),
                ("capabilities", "\"cap_kil=ep\"", "did you mean `cap_kill`?"),
                ("capabilities", "[\"cap_kill\"]", "expected a string"),
                ("optional", "\"yes\"", "expected true or false"),
            ],
        ),
        (
            "[[layer]]\n[[layer.copy]]\nto = \"/a\"\n",
            &[
                ("from", "\"/etc/passwd\"", "is absolute"),
                ("from", "\"../a\"", "leads outside"),
                ("from", "\"a/../../b\"", "leads outside"),
                ("from", "\"\"", "the string is empty"),
                ("from", "3", "expected a path"),
                ("from", "{ input = \"nothing\" }", "unknown input `nothing`"),
                ("from", "{ inputs = \"nothing\" }", "did you mean `input`?"),
                ("from", "{}", "missing `input`"),
            ],
        ),
        (
            "[[layer]]\n[[layer.copy]]\nfrom = \"good.toml\"\n",
            &[
                ("to", "\"a\"", "a path in the image is absolute: \"/a\""),
                ("to", "\"/../a\"", "contains `..`"),
                ("to", "\"/\\u0000\"", "NUL"),
                ("to", "\"/.wh.a\"", "an image layer reads as a removal"),
                ("to", "1", "expected a string"),
            ],
        ),
        (
            "[[layer]]\n[[layer.write]]\nto = \"/a\"\n",
            &[("text", "1", "expected a string"), ("text", "\"{nothing}\"", "unknown placeholder {nothing}")],
        ),
        (
            "[[layer]]\n[[layer.write]]\ntext = \"\"\n",
            &[("to", "\"/\"", "names the root itself"), ("to", "\"x\"", "absolute")],
        ),
        ("[[layer]]\n[[layer.mkdir]]\n", &[("path", "\"/\"", "names the root itself"), ("path", "\"a\"", "absolute")]),
        (
            "[[layer]]\n[[layer.link]]\npath = \"/a\"\n",
            &[("target", "\"\"", "is empty"), ("target", "1", "expected a string")],
        ),
        ("[[layer]]\n[[layer.link]]\npath = \"/a\"\ntarget = \"/b\"\n", &[("hard", "1", "expected true or false")]),
        (
            "[[layer]]\n[[layer.extract]]\nfrom = \"a.tar\"\n",
            &[
                ("to", "\"x\"", "absolute"),
                ("strip", "-1", "out of range"),
                ("strip", "\"1\"", "expected an integer"),
                ("mode", "\"1\"", "unknown key `mode`"),
            ],
        ),
        ("[[layer]]\n[[layer.remove]]\n", &[("path", "\"/\"", "names the root itself"), ("path", "\"/..\"", "`..`")]),
    ] {
        for (key, value, said) in lines {
            cases.push(rest(&format!("{table}{key} = {value} #!"), said));
        }
    }
    for (header, said) in [
        ("[inputs.A]\nurl = \"https://a/b\"", "`A` is no name of an input"),
        ("[inputs.a]", "does not say where it comes from"),
        ("[users.App]\nuid = 1", "`App` is no user name"),
        ("[users.a]", "missing `uid`"),
        ("[config.healthcheck]", "missing `test`"),
        ("[config.foo]", "unknown key `foo`"),
        ("[unknown]", "unknown key `unknown`"),
        ("[layer]", "double the brackets: [[layer]]"),
        ("[[users]]", "expected a table"),
        ("[[config]]", "[config] is one table"),
        ("[[layer]]\n[layer.copy]", "double the brackets: [[layer.copy]]"),
        ("[[layer]]\n[[layer.mkdir]]", "missing `path`"),
        ("[[layer]]\n[[layer.link]]\npath = \"/a\"", "missing `target`"),
        ("[[layer]]\n[[layer.write]]\nto = \"/a\"", "missing `text`"),
    ] {
        // The mark goes to the end of the last header.
        let at = header.rfind('[').map_or(0, |at| at + header[at..].find('\n').unwrap_or(header.len() - at));
        cases.push(rest(&format!("{} #!{}", &header[..at], &header[at..]), said));
    }
    check_all(&sandbox, "keys", &["good"], &cases);
}

/// What only the files, archives and images show that a recipe names.
#[test]
fn meaning() {
    let sandbox = larder();
    let copy = |from: &str, said| layer(&format!("[[layer.copy]]\nfrom = \"{from}\" #! \"{from}\"\nto = \"/a\""), said);
    let extract = |from: &str, said| layer(&format!("[[layer.extract]]\nfrom = \"{from}\" #! \"{from}\""), said);
    let on_base = |statements: &str, said| {
        rest(&format!("base = \"b\"\n[inputs.b]\nimage = \"oci:base:one\"\n[[layer]]\n{statements}"), said)
    };
    let pinned = format!("oci:base:one@sha256:{}", "0".repeat(64));
    let mut cases = vec![
        copy("nothing", "`nothing` is not there"),
        copy("app/", "`app/` is a file, not a folder"),
        copy("app/x", "`app/x` is not there"),
        copy("no*thing", "the pattern `no*thing` matches nothing"),
        copy("nothing/*", "the pattern `nothing/*` matches nothing"),
        copy("loop", "a loop of symlinks"),
        copy("loop/x", "a loop of symlinks"),
        copy("dangling", "`dangling` is a symlink to `nowhere`, which is not there"),
        copy("passwd", "outside the recipe's folder"),
        copy("up", "outside the recipe's folder"),
        copy("up/etc/passwd", "outside the recipe's folder"),
        copy("pipes/pipe", "a named pipe"),
        copy("pipes", "`pipes/pipe` is a named pipe"),
        copy("sockets", "`sockets/socket` is a socket"),
        copy("pipes/*", "a named pipe"),
        copy("outside/../../x", "leads outside"),
        layer(
            "[[layer.copy]]\nfrom = \"site\" #&\nto = \"/a\"\nmode = \"0755\" #! \"0755\"",
            "`mode` is for a single file",
        ),
        layer(
            "[[layer.copy]]\nfrom = \"site\" #&\nto = \"/a\"\ncapabilities = \"cap_kill=ep\" #! \"cap",
            "`capabilities` is for a single file",
        ),
        layer("[[layer.copy]]\nfrom = \"app\" #&\nto = \"/a\"\ninclude = [\"*\"] #! \"*\"", "choose from a folder"),
        layer(
            "[[layer.copy]]\nfrom = \"site\"\nto = \"/a\"\ninclude = [\"*.js\"] #! \"*.js\"",
            "`*.js` matches nothing",
        ),
        layer(
            "[[layer.copy]]\nfrom = \"site\"\nto = \"/a\"\nignore-file = \"no.ignore\" #! \"no.ignore\"",
            "no.ignore",
        ),
        layer(
            "[[layer.copy]]\nfrom = \"site\"\nto = \"/a\"\nignore-file = \"bad.ignore\" #! \"bad.ignore\"",
            "line 2 of `bad.ignore`",
        ),
        layer(
            "[[layer.copy]]\nfrom = \"app\"\nto = \"/a\"\nmode = \"1\" #&\nmodes = {} #! modes",
            "`mode` and `modes` together",
        ),
        layer(
            "[[layer.copy]]\nfrom = \"app\"\nto = \"/{arch}x\"\nowner = \"nobody2\" #! \"nobody2\"",
            "there is no user `nobody2`",
        ),
        // Two statements of one path.
        layer(
            "[[layer.copy]]\nfrom = \"app\"\nto = \"/a\" #& \n[[layer.copy]]\nfrom = \"other\"\nto = \"/a\" #! \"/a\"",
            "two statements disagree about /a: each brings another content",
        ),
        layer(
            "[[layer.write]]\nto = \"/a\" #&\ntext = \"x\"\n[[layer.mkdir]]\npath = \"/a\" #! \"/a\"",
            "two statements disagree about /a: a file and a folder",
        ),
        layer(
            "[[layer.mkdir]]\npath = \"/a\" #&\nmode = \"0700\"\n[[layer.mkdir]]\npath = \"/a/\" #! \"/a/\"\nmode = \"0750\"",
            "modes 0700 and 0750",
        ),
        layer(
            "[[layer.mkdir]]\npath = \"/a\" #&\nowner = 1\n[[layer.mkdir]]\npath = \"/a\" #! \"/a\"\nowner = 2",
            "owners 1:1 and 2:2",
        ),
        layer(
            "[[layer.link]]\npath = \"/a\" #&\ntarget = \"b\"\n[[layer.link]]\npath = \"/a\" #! \"/a\"\ntarget = \"c\"",
            "targets `b` and `c`",
        ),
        layer(
            "[[layer.write]]\nto = \"/a\" #&\ntext = \"\"\n[[layer.write]]\nto = \"/a/b\" #! \"/a/b\"\ntext = \"\"",
            "/a",
        ),
        layer(
            "[[layer.copy]]\nfrom = \"site\"\nto = \"/a\" #&\n[[layer.write]]\nto = \"/a/index.html\" #! \"/a\ntext = \"\"",
            "two statements disagree about /a/index.html",
        ),
        layer(
            "[[layer.link]]\npath = \"/a\"\ntarget = \"/b\" #! \"/b\"\nhard = true",
            "the hard link /a has no file /b",
        ),
        layer(
            "[[layer.mkdir]]\npath = \"/b\"\n[[layer.link]]\npath = \"/a\"\ntarget = \"/b\" #! \"/b\"\nhard = true",
            "/b",
        ),
        layer("[[layer.remove]]\npath = \"/x\" #! \"/x\"", "there is no /x to remove"),
        layer(
            "[[layer.link]]\npath = \"/x\"\ntarget = \"y\"\n[[layer.link]]\npath = \"/y\"\ntarget = \"x\"\n[[layer.write]]\nto = \"/x/z\" #! \"/x/z\"\ntext = \"\"",
            "a loop of symlinks",
        ),
        // What stands below.
        on_base("[[layer.remove]]\npath = \"/nothing\" #! \"/nothing\"", "there is no /nothing to remove"),
        on_base("[[layer.write]]\nto = \"/opt/full\" #! \"/opt/full\"\ntext = \"\"", "would replace a folder"),
        on_base("[[layer.mkdir]]\npath = \"/usr/share/doc\" #! \"/usr", "would replace a file"),
        on_base(
            "[[layer.write]]\nto = \"/usr/share/doc/x\" #! \"/usr\ntext = \"\"",
            "/usr/share/doc is a file of the base",
        ),
        on_base("[[layer.write]]\nto = \"/l1/x\" #! \"/l1/x\"\ntext = \"\"", "a loop of symlinks"),
        on_base(
            "[[layer.copy]]\nfrom = \"site\"\nto = \"/usr/share/doc\" #! \"/usr",
            "/usr/share/doc/index.html cannot be: /usr/share/doc is a file of the base",
        ),
        on_base("[[layer.mkdir]]\npath = \"/a\"\nowner = \"staff\" #! \"staff\"", "there is no user `staff`"),
        on_base("[users.app]\nuid = 8080 #! 8080", "the image already has a user `app`, with the uid 1"),
        on_base("[users.new]\nuid = 1 #! 1", "the image already has the uid 1: it is `app`"),
        on_base("[users.staff]\nuid = 9 #! 9", "the image already has a group `staff`, with the gid 50"),
        on_base("[config]\nuser = \"staff\" #! \"staff\"", "the image has no user `staff`"),
        rest("[users.a]\nuid = 7 #&\n[users.b]\nuid = 7 #! 7", "two users have the uid 7"),
        rest("[users.a]\nuid = 7\n[users.a] #! a\nuid = 8 #! uid", "duplicate key `a`"),
        rest("[[layer]]\nname = \"a\" #&\n[[layer]]\nname = \"a\" #! \"a\"", "two layers have the name `a`"),
        // Archives.
        extract("nothing.tar", "`nothing.tar` is not there"),
        extract("site", "`site` is a folder"),
        extract("app", "no tar or zip archive"),
        extract("text.xz", "no tar or zip archive"),
        extract("short.tar", "truncated"),
        extract("corrupt.tar", "corrupt"),
        extract("short.tar.gz", "the gzip stream is truncated"),
        extract("corrupt.tar.gz", "the gzip stream is corrupt"),
        extract("short.tar.xz", "the xz stream is truncated"),
        extract("short.zip", "short.zip"),
        extract("corrupt.zip", "corrupt"),
        extract("dotdot.tar", "contains `..`"),
        extract("dotdot.zip", "contains `..`"),
        extract("absolute.tar", "absolute"),
        extract("whiteout.tar", "`.wh.`"),
        extract("dangling.tar", "a hard link to `nothing`"),
        extract("escaping.tar", "a hard link to `../../etc/passwd`"),
        extract("passwd", "outside the recipe's folder"),
        extract("pipes/pipe", "a named pipe"),
        layer("[[layer.extract]]\nfrom = \"good.tar\"\ninclude = [\"x\"] #! \"x\"", "the pattern `x` matches nothing"),
        layer(
            "[[layer.extract]]\nfrom = \"good.tar\"\nto = \"/a\" #&\n[[layer.write]]\nto = \"/a/file\" #! \"/a/file\"\ntext = \"\"",
            "two statements disagree about /a/file",
        ),
        // Bases.
        base("oci:nothing", "there is no folder `nothing`"),
        base("oci:app", "an archive is oci-archive:app"),
        base("oci:site", "`site` is no image layout"),
        base("oci:empty", "`empty` is no image layout"),
        base("oci:base:three", "no image has the tag `three`; the tags are: one, two"),
        base("oci:two-images", "name one of its tags: one, two"),
        base("oci:no-image", "it holds no image"),
        base("oci:no-list", "no list `manifests`"),
        base("oci:no-json", "index.json"),
        base("oci:no-index", "index.json"),
        base("oci:artifact:one", "text/plain"),
        base("oci:wrong-size:one", "its descriptor says 1"),
        base("oci-archive:nothing.tar", "nothing.tar"),
        base("oci-archive:app", "no tar or zip archive"),
        base("oci-archive:docker.tar", "holds no image layout"),
        base("docker-archive:good.tar", "no archive of `docker save`"),
        base("docker-archive:docker.tar:three", "three"),
        base(&pinned, "its digest is sha256:"),
        rest(
            "platforms = [\"linux/arm64\"]\nbase = \"b\"\n[inputs.b]\nimage = \"oci:base:one\" #! \"oci",
            "not there for linux/arm64; it is there for linux/amd64",
        ),
        rest("base = \"b\" #! \"b\"\n[inputs.b] #&\nurl = \"https://a/b\"", "the input `b` is no image"),
    ];
    for (name, hash) in blobs(&sandbox) {
        for kind in ["flipped", "short", "lost"] {
            cases.push(base(&format!("oci:{kind}-{name}:one"), &hash));
        }
    }
    check_all(&sandbox, "meaning", &["good", "new"], &cases);
}

/// What is wrong with the command, not with the recipe.
#[test]
fn arguments() {
    let sandbox = Sandbox::new();
    let good = format!("{HEAD}[[layer]]\n[[layer.write]]\nto = \"/a\"\ntext = \"a\"\n");
    sandbox.write("good/rebake.toml", &good);
    sandbox.write("same/rebake.toml", &good);
    sandbox.write("bad/rebake.toml", good.replace("2026", "2027"));
    sandbox.write(
        "two/rebake.toml",
        good.replace("[[layer]]\n", "platforms = [\"linux/amd64\", \"linux/arm64\"]\n[[layer]]\n"),
    );
    sandbox.write("both/rebake.toml", &good);
    sandbox.write("both/rebake.json", "{}");
    sandbox.write("latin/rebake.toml", b"edition = \"2026\"\n[image]\nname = \"\xe9\"\n");
    sandbox.write("json/rebake.json", "{\n  \"edition\": \"2026\",\n  \"image\": { \"name\": 7 }\n}\n");
    sandbox.write("broken/rebake.json", "{\n  \"edition\": \"2026\",\n}\n");
    sandbox.write("foreign/important", "mine");
    sandbox.write("nolayout/index.json", "{}");
    sandbox.write("layoutplus/oci-layout", "{}");
    sandbox.write("layoutplus/important", "mine");
    sandbox.write("file", "");
    sandbox.write("notes.txt", "Call them at nine.\n");
    sandbox.write("folder/x", "");
    std::os::unix::fs::symlink("folder", sandbox.path("link")).unwrap();
    fs::create_dir(sandbox.path("none")).unwrap();
    let before = sandbox.snapshot();
    let mut show = String::new();
    let digest = format!("oci:new@sha256:{}", "0".repeat(64));
    let cases: &[(&[&str], &str)] = &[
        (&["good", "-o", "docker://example.com/a", "--offline"], "is in a registry, and --offline"),
        (&["good", "-o", "oci:"], "names no path"),
        (&["good", "-o", ""], "-o names no place"),
        (&["good", "-o", "oci:new:a b"], "`a b` is no tag"),
        (&["good", "-o", &digest], "a digest cannot be chosen"),
        (&["two", "-o", "docker-archive:new.tar"], "a docker-archive holds one platform"),
        (&["good", "-o", "foreign"], "the folder holds `important`"),
        (&["good", "-o", "layoutplus"], "the folder holds `important`"),
        (&["good", "-o", "nolayout"], "the folder is no image layout"),
        (&["good", "-o", "file"], "a file stands there"),
        (&["good", "-o", "file/new"], "/file is no folder"),
        (&["good", "-o", "file/a/b/new"], "/file is no folder"),
        (&["good", "-o", "link"], "it is a symlink"),
        (&["good", "-o", "/"], "oci:/"),
        (&["good", "-o", "oci-archive:folder"], "a folder stands there"),
        (&["good", "-o", "oci-archive:notes.txt"], "is no image archive; name another, or remove it first"),
        (&["good", "-o", "docker-archive:notes.txt"], "is no image archive; name another, or remove it first"),
        (&["good", "-o", "oci-archive:file/x.tar"], "/file is no folder"),
        (&["good", "same", "-o", "new"], "-o is the place of one image"),
        (&["good", "same"], "both write rebake-out/app"),
        (&["good", "good"], "good/rebake.toml is named twice"),
        (&["good", "bad"], "bad/rebake.toml:1:11"),
        (&["good", "none"], "there is no rebake.toml in none"),
        (&["nothing.toml"], "cannot read nothing.toml"),
        (&["nothing/rebake.toml"], "cannot read nothing/rebake.toml"),
        (&["none"], "there is no rebake.toml in none"),
        (&["both"], "has a rebake.toml and a rebake.json"),
        (&["latin"], "latin/rebake.toml:3:9"),
        (&["json"], "json/rebake.json:3:22"),
        (&["broken"], "broken/rebake.json:"),
        (&[], "there is no rebake.toml in"),
        (&["good", "--jobs", "0"], "--jobs"),
        (&["good", "--banana"], "--banana"),
        (&["good", "-q", "-v"], "--verbose"),
    ];
    for (arguments, said) in cases {
        let run = sandbox.run(&[&["build"], *arguments].concat());
        writeln!(show, "===== {arguments:?}\n{}", run.stderr).unwrap();
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?} {}", run.stderr);
        assert!(run.stderr.contains(said) && !run.stderr.contains("panicked"), "{arguments:?} {}", run.stderr);
        assert_eq!(differences(&before, &sandbox.snapshot()), Vec::<&PathBuf>::new(), "{arguments:?}");
    }
    for epoch in ["abc", "-1", "1.5", "99999999999999999999"] {
        let output = sandbox.command(&["build", "good"]).env("SOURCE_DATE_EPOCH", epoch).output().unwrap();
        let run = Run::from(output);
        writeln!(show, "===== {epoch}\n{}", run.stderr).unwrap();
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains(&format!("SOURCE_DATE_EPOCH is `{epoch}`")), "{}", run.stderr);
        assert_eq!(sandbox.snapshot(), before);
    }
    show_as("arguments", show);
}

#[test]
fn errors_as_json_are_one_document() {
    let sandbox = Sandbox::new();
    sandbox.write("rebake.toml", format!("{HEAD}[config]\nports = [70000]\ncolour = 1\n"));
    let run = sandbox.run(&["build", "--json"]);
    assert_eq!(run.code, Some(2));
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    show_as("json", run.stdout);
    assert_eq!(document["error"]["recipe"], "rebake.toml");
    let mistakes = document["error"]["mistakes"].as_array().unwrap();
    assert_eq!(mistakes.len(), 2);
    assert_eq!(mistakes[0]["message"], "port 70000 is out of range (1 to 65535)");
    assert_eq!(mistakes[0]["places"], json!([{ "line": 5, "column": 10, "text": "" }]));
    assert_eq!(mistakes[1]["places"][0]["line"], 6);
    assert!(mistakes[1]["help"].as_str().unwrap().starts_with("the keys of [config] are"));
    assert!(document["error"]["others"].is_null());

    // Of several recipes each that is wrong is told, whether its text is or what it takes is not there.
    let gone = format!(
        "[inputs.a]\nurl = \"https://gone.example/a\"\nsha256 = \"{}\"\n\
         [[layer]]\n[[layer.copy]]\nfrom = {{ input = \"a\" }}\nto = \"/a\"\n",
        "0".repeat(64)
    );
    for (wrong, said) in [("[config]\ncolour = 1\n", "unknown key `colour`"), (&*gone, "gone.example")] {
        for (name, rest) in [("one", wrong), ("two", ""), ("three", wrong)] {
            sandbox.write(&format!("{name}.toml"), format!("{}{rest}", HEAD.replace("acme/app", name)));
        }
        let run = sandbox.run(&["build", "one.toml", "two.toml", "three.toml", "--json", "--offline"]);
        assert_eq!(run.code, Some(2));
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let error = &document["error"];
        for (told, name) in [(error, "one.toml"), (&error["others"][0], "three.toml")] {
            assert_eq!(told["recipe"], name);
            assert!(told["mistakes"][0]["message"].as_str().unwrap().contains(said), "{document:#}");
            assert!(run.stderr.contains(&format!("{name}:")), "{}", run.stderr);
        }
        assert_eq!(error["others"].as_array().unwrap().len(), 1);
    }

    for arguments in [&["build", "nothing", "--json"][..], &["build", "--json", "-o", "rebake.toml/x"]] {
        sandbox.write("rebake.toml", HEAD);
        let run = sandbox.run(arguments);
        assert_eq!(run.code, Some(2));
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let message = document["error"]["message"].as_str().unwrap();
        assert!(run.stderr.contains(message), "{message} {}", run.stderr);
    }
}

#[test]
fn several_mistakes_are_said_in_one_run() {
    let sandbox = Sandbox::new();
    sandbox.write("good.toml", HEAD);
    assert_eq!(sandbox.run(&["build", "good.toml", "-o", "good"]).code, Some(0));
    let cases = [
        rest(
            "version = 1 #! 1\n[config]\nports = [70000, #! 70000\n\"x\"] #! \"x\"\nstop-signal = 99 #! 99\n[config.labels]\na = 1 #! 1\n\
             [users.a]\nuid = \"1\" #! \"1\"\n[[layer]]\n[[layer.write]]\nto = \"a\" #! \"a\"\ntext = 1 #! 1\nmod = \"1\" #! mod",
            "9 mistakes in rebake.toml",
        ),
        layer(
            "[[layer.copy]]\nfrom = \"a\" #! \"a\"\nto = \"/a\"\n[[layer.copy]]\nfrom = \"b\" #! \"b\"\nto = \"/b\"\n\
             [[layer.remove]]\npath = \"/c\" #! \"/c\"\n[[layer.mkdir]]\npath = \"/d\"\nowner = \"e\" #! \"e\"\n\
             [[layer]]\n[[layer.extract]]\nfrom = \"f.tar\" #! \"f.tar\"",
            "5 mistakes in rebake.toml",
        ),
    ];
    check_all(&sandbox, "several", &["good"], &cases);
}

/// Root reads everything, so this is built by somebody else.
#[test]
fn what_cannot_be_read() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    sandbox.write("secret", "s");
    sandbox.write("site/inner/secret", "s");
    sandbox.write("closed/file", "s");
    sandbox.write("tar/x.tar", tar("a", tar::EntryType::Regular, "", b""));
    for (path, mode) in [("secret", 0), ("site/inner/secret", 0), ("closed", 0), ("tar/x.tar", 0), ("", 0o777)] {
        fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut show = String::new();
    for (statement, line, said) in [
        ("copy", "from = \"secret\"", "cannot read `secret`: Permission denied"),
        ("copy", "from = \"site\"", "cannot read `site/inner/secret`: Permission denied"),
        ("copy", "from = \"closed\"", "cannot read `closed`: Permission denied"),
        ("copy", "from = \"closed/*\"", "cannot read `closed`: Permission denied"),
        ("copy", "from = \"closed/file\"", "cannot read `closed/file`: Permission denied"),
        ("extract", "from = \"tar/x.tar\"", "cannot extract `tar/x.tar`: it cannot be opened: Permission denied"),
    ] {
        sandbox.write("rebake.toml", format!("{HEAD}[[layer]]\n[[layer.{statement}]]\n{line}\nto = \"/a\"\n"));
        let before = sandbox.snapshot();
        let run = Run::from(sandbox.wrapped(&nobody, &["build"]).output().unwrap());
        writeln!(show, "{}", run.stderr).unwrap();
        assert_eq!(run.code, Some(2), "{line} {}", run.stderr);
        assert!(run.stderr.contains(said) && run.stderr.contains("rebake.toml:6:8\n"), "{line} {}", run.stderr);
        assert_eq!(differences(&before, &sandbox.snapshot()), Vec::<&PathBuf>::new(), "{line}");
    }
    fs::set_permissions(sandbox.path("rebake.toml"), fs::Permissions::from_mode(0o000)).unwrap();
    let run = Run::from(sandbox.wrapped(&nobody, &["build", "rebake.toml"]).output().unwrap());
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("cannot read rebake.toml: Permission denied"), "{}", run.stderr);
    show_as("unreadable", show);
}

/// A file that grows or shrinks while it is read is never half in an image.
#[test]
fn a_file_that_changes_while_it_is_read() {
    let sandbox = Sandbox::new();
    sandbox.write("rebake.toml", format!("{HEAD}[[layer]]\n[[layer.copy]]\nfrom = \"logs\"\nto = \"/logs\"\n"));
    let mut show = String::new();
    for kind in ["grows", "shrinks"] {
        sandbox.write("logs/current", vec![7; 8 << 20]);
        let done = std::sync::atomic::AtomicBool::new(false);
        let path = sandbox.path("logs/current");
        let run = std::thread::scope(|scope| {
            let changer = scope.spawn(|| {
                let mut file = fs::File::options().append(true).open(&path).unwrap();
                for size in (0_u64..).map(|n| (8 << 20) - n % 1000) {
                    if done.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    match kind {
                        "grows" => file.write_all(b"one more line\n").unwrap(),
                        _ => file.set_len(size).unwrap(),
                    }
                    std::thread::sleep(std::time::Duration::from_micros(200));
                }
            });
            let run = sandbox.run(&["build", "-o", "new"]);
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            changer.join().unwrap();
            run
        });
        writeln!(show, "{}", run.stderr).unwrap();
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{kind} {}", run.stderr);
        let said = run.stderr.contains("`logs/current` changed while the image was built");
        assert!(said && run.stderr.contains("rebake.toml:6:8\n"), "{kind} {}", run.stderr);
        assert!(!sandbox.path("new").exists());
        assert_eq!(names(&sandbox.path("")), ["logs", "rebake.toml"]);
    }
    show_as("changing", show);
}

/// A file system that goes when it is dropped.
struct Mount(PathBuf);

impl Mount {
    fn tmpfs(place: PathBuf, options: &str) -> Self {
        fs::create_dir_all(&place).unwrap();
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&place).status();
        assert!(status.unwrap().success());
        Self(place)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn disks_that_are_full_or_read_only() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let disk = Mount::tmpfs(sandbox.path("disk"), "size=1m");
    let noise: Vec<u8> = (0_u32..500_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    sandbox.write("noise", &noise);
    sandbox.write("noise.tar.gz", gzip(&tar("noise", tar::EntryType::Regular, "", &noise)));
    sandbox.write("small.toml", format!("{HEAD}[[layer]]\n[[layer.write]]\nto = \"/a\"\ntext = \"a\"\n"));
    let copy = format!("{HEAD}[[layer]]\ncompression = \"none\"\n[[layer.copy]]\nfrom = \"noise\"\nto = \"/noise\"\n");
    sandbox.write("copy.toml", copy);
    sandbox.write("extract.toml", format!("{HEAD}[[layer]]\n[[layer.extract]]\nfrom = \"noise.tar.gz\"\n"));
    for destination in ["disk/old", "oci-archive:disk/old.tar"] {
        assert_eq!(sandbox.run(&["build", "small.toml", "-o", destination]).code, Some(0));
    }
    let before = sandbox.snapshot();
    let mut show = String::new();
    let mut fails = |command: &mut Command, said: &str| {
        let run = Run::from(command.output().unwrap());
        writeln!(show, "{}", run.stderr).unwrap();
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{}", run.stderr);
        assert!(run.stderr.contains(said), "not said: {said}\n{}", run.stderr);
        assert_eq!(differences(&before, &sandbox.snapshot()), Vec::<&PathBuf>::new(), "{}", run.stderr);
    };
    for place in
        ["oci:disk/new", "oci:disk/old", "oci:disk/a/b/new", "oci-archive:disk/old.tar", "oci-archive:disk/new.tar"]
    {
        let said = format!("cannot write {place}: No space left on device");
        fails(&mut sandbox.command(&["build", "copy.toml", "-o", place]), &said);
    }
    let mut extract = sandbox.command(&["build", "extract.toml", "-o", "new"]);
    let said = format!("put aside in {}: No space left on device", disk.0.display());
    fails(extract.env("TMPDIR", &disk.0), &said);
    let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status().unwrap();
    assert!(status.success());
    for place in
        ["oci:disk/new", "oci:disk/old", "oci:disk/a/b/new", "oci-archive:disk/old.tar", "oci-archive:disk/new.tar"]
    {
        let said = format!("cannot write {place}: Read-only file system");
        // A layout that has the image already would be left as it is.
        fails(&mut sandbox.command(&["build", "--no-cache", "small.toml", "-o", place]), &said);
    }
    whole_layout(&sandbox.path("disk/old")).unwrap();
    show_as("disks", show);
}

/// Whatever a recipe is changed to, the program ends with status 0 or 2 and without a panic.
#[test]
fn mutated_recipes() {
    const RECIPE: &str = r#"edition = "2026"
[image]
name = "acme/app"
version = "1.4.2"
tags = ["{version}", "latest"]
platforms = ["linux/amd64", "linux/arm64"]
created = "2026-11-20T00:00:00Z"
[config]
entrypoint = ["/app"]
user = "app"
ports = [8080, "9090/udp"]
[config.env]
PORT = "8080"
[config.healthcheck]
test = ["CMD", "/app"]
interval = "30s"
[users.app]
uid = 8080
[[layer]]
name = "app"
[[layer.copy]]
from = "site/"
to = "/srv/{arch}"
include = ["**/*.html"]
owner = "app"
modes = { dirs = "0750", files = "0640" }
[[layer.copy]]
from = "f*"
to = "/opt/"
[[layer.write]]
to = "/etc/motd"
text = "hello\n"
mode = "0600"
capabilities = "cap_kill=ep"
[[layer.mkdir]]
path = "/data"
[[layer.link]]
path = "/bin/sh"
target = "/etc/motd"
hard = true
[[layer.extract]]
from = "x.tar"
to = "/x"
[[layer]]
[[layer.remove]]
path = "/data"
"#;
    let scraps =
        ["", "\"", "[", "]", "{", "}", "=", "\n", "..", "/", "*", "[z-a]", "{arch}", "0", "-1", "é", "\u{1b}", "."];
    std::thread::scope(|scope| {
        for seed in 0..2_u64 {
            scope.spawn(move || {
                let sandbox = Sandbox::new();
                sandbox.write("site/index.html", "");
                sandbox.write("file", "");
                sandbox.write("x.tar", tar("a", tar::EntryType::Regular, "", b"x"));
                sandbox.write("rebake.toml", RECIPE);
                assert_eq!(sandbox.run(&["build"]).code, Some(0), "{}", sandbox.run(&["build"]).stderr);
                let mut state = 0x9E37_79B9_7F4A_7C15_u64 + seed;
                let mut random = move |below: usize| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    usize::try_from(state >> 33).unwrap() % below
                };
                for _ in 0..250 {
                    let mut lines: Vec<String> = RECIPE.lines().map(str::to_owned).collect();
                    for _ in 0..=random(2) {
                        let (at, other) = (random(lines.len()), random(lines.len()));
                        match random(5) {
                            0 => drop(lines.remove(at)),
                            1 => lines.swap(at, other),
                            2 => lines.insert(at, lines[other].clone()),
                            _ => {
                                let line = &mut lines[at];
                                let start = line.floor_char_boundary(random(line.len() + 1));
                                let end = line.ceil_char_boundary((start + random(4)).min(line.len()));
                                line.replace_range(start..end, scraps[random(scraps.len())]);
                            }
                        }
                    }
                    let mutant = lines.join("\n");
                    sandbox.write("rebake.toml", &mutant);
                    let run = sandbox.run(&["build"]);
                    assert!(matches!(run.code, Some(0 | 2)), "{:?} {}\n{mutant}", run.code, run.stderr);
                    assert!(!run.stderr.contains("panicked"), "{}\n{mutant}", run.stderr);
                    let placed = run.stderr.contains("rebake.toml:");
                    assert!(run.code == Some(0) || placed, "{}\n{mutant}", run.stderr);
                }
            });
        }
    });
}
