//! What `copy`, `extract` and `base` make of inputs. How an input gets here is not their business, so the tests put it
//! there themselves and call the library.

use crate::golden::entries;
use crate::recipes;
use crate::support::{Work, needs, run, sha256, tool};
use rebake::image::{self, Batch, Memory};
use rebake::layout::{Staging, index_json};
use rebake::lock::Pinned;
use rebake::oci::{Descriptor, Digest, Platform};
use rebake::plan::{Context, Plan};
use rebake::recipe::{Diagnostic, Input, Recipe, Syntax, parse};
use rebake::source::disk::{Root, Used};
use rebake::source::{Inputs, Ready};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use tar::EntryType::{Block, Char, Directory, Link, Regular, Symlink};

/// A recipe's folder, and what its inputs are on linux/amd64.
struct Bench {
    work: Work,
    inputs: Inputs,
}

impl Bench {
    fn new() -> Self {
        let work = Work::new();
        work.mkdir("recipe");
        Self { work, inputs: Inputs::default() }
    }

    fn with(mut self, name: &str, ready: Ready) -> Self {
        self.inputs.insert(name, &platform(), ready.into());
        self
    }

    /// A URL's file.
    fn file(self, name: &str, bytes: &[u8]) -> Self {
        let path = self.work.write(format!("store/{name}"), bytes);
        self.with(name, Ready::File(path))
    }

    /// A git tree.
    fn tree(self, name: &str, members: &[Entry]) -> Self {
        let path = self.work.write(format!("store/{name}.tar"), tar(members));
        self.with(name, Ready::Tree(path))
    }

    /// An image of these layers.
    fn image(self, name: &str, layers: &[&[Entry]]) -> Self {
        let ready = blobs(&self.work, name, layers);
        self.with(name, ready)
    }

    fn plan(&self, text: &str) -> Result<Plan, Vec<Diagnostic>> {
        self.plan_in(text, self.work.path())
    }

    /// With `scratch` for what is put aside.
    fn plan_in(&self, text: &str, scratch: &Path) -> Result<Plan, Vec<Diagnostic>> {
        let recipe = pinned(text)?;
        let root = Root::new(&self.work.join("recipe"), None, &self.work.join("rebake-out")).expect("a folder");
        plan(&recipe, &root, &self.inputs, scratch)
    }

    /// A line an entry of the last layer.
    #[track_caller]
    fn last(&self, text: &str) -> Vec<String> {
        let plan = self.plan(text).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let layout = self.work.join("out");
        let (_, layers) = write(&[plan], &layout);
        let last = layers.last().expect("a layer");
        let blob = fs::read(layout.join("blobs").join(last.replace(':', "/"))).expect("a blob");
        // Type, mode, owner, time; path and target.
        entries(&blob)
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.splitn(7, ' ').collect();
                format!("{} {} {} {} {}", fields[0], fields[1], fields[2], fields[3], fields[6])
            })
            .collect()
    }

    /// As [`Bench::last`], without owner and time.
    #[track_caller]
    fn paths(&self, text: &str) -> Vec<String> {
        let short = |line: String| {
            let fields: Vec<&str> = line.splitn(5, ' ').collect();
            format!("{} {} {}", fields[0], fields[1], fields[4])
        };
        self.last(text).into_iter().map(short).collect()
    }

    /// The content of a file of the last layer.
    #[track_caller]
    fn content(&self, text: &str, path: &str) -> String {
        let plan = self.plan(text).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let tree = &plan.layers.last().expect("a layer").tree;
        let (_, entry) = tree.entries().find(|(at, _)| at.to_string() == path).unwrap_or_else(|| panic!("no {path}"));
        let rebake::tree::Kind::File { content, .. } = &entry.kind else { panic!("{path} is no file") };
        let mut reader = rebake::layer::write::Content::open(content).expect("content");
        std::io::read_to_string(&mut reader).expect("content")
    }

    /// The one mistake of a recipe: the text that it points at, its message and its help.
    #[track_caller]
    fn refused(&self, text: &str) -> (String, String, String) {
        let mistakes = self.plan(text).expect_err("a mistake");
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        let mistake = &mistakes[0];
        let span = mistake.labels[0].span;
        (text[span.start..span.end].to_owned(), mistake.message.clone(), mistake.help.clone().unwrap_or_default())
    }
}

fn platform() -> Platform {
    "linux/amd64".parse().expect("a platform")
}

/// As after `rebake lock`.
fn pinned(text: &str) -> Result<Recipe<Pinned>, Vec<Diagnostic>> {
    let syntax = if text.trim_start().starts_with('{') { Syntax::Json } else { Syntax::Toml };
    let Recipe { edition, image, inputs, config, annotations, users, layers, .. } = parse(text, syntax)?;
    Ok(Recipe { edition, image, inputs, config, annotations, users, layers, phase: Pinned::default() })
}

fn plan(recipe: &Recipe<Pinned>, root: &Root, inputs: &Inputs, scratch: &Path) -> Result<Plan, Vec<Diagnostic>> {
    let interrupt = AtomicBool::new(false);
    let context =
        Context { root, inputs, scratch, kept: None, interrupt: &interrupt, stamp: None, source_date_epoch: None };
    Plan::new(recipe, &recipe.image.platforms[0], context)
}

/// Writes an image; its digest and those of the layers of its first platform.
fn write(plans: &[Plan], layout: &Path) -> (Digest, Vec<String>) {
    let staging = Staging::begin(layout).expect("a layout");
    let manner = (&Batch::new(1, 1), &AtomicBool::new(false));
    let image = image::write(plans, &BTreeMap::new(), &staging, &Memory::default(), manner).expect("an image");
    staging.publish(&index_json("x", &["latest".to_owned()], &image.descriptor)).expect("a layout");
    let layers = image.manifests[0].layers.iter().map(|layer| layer.descriptor.digest.to_string()).collect();
    (image.descriptor.digest, layers)
}

/// A member of a tar.
#[derive(Clone, Copy)]
struct Entry {
    path: &'static str,
    kind: tar::EntryType,
    mode: u32,
    owner: u64,
    /// Content, target, or a capability.
    text: &'static str,
    capability: bool,
}

const fn entry(kind: tar::EntryType, path: &'static str, mode: u32, text: &'static str) -> Entry {
    Entry { path, kind, mode, owner: 0, text, capability: false }
}

const fn file(path: &'static str, text: &'static str) -> Entry {
    entry(Regular, path, 0o644, text)
}

const fn program(path: &'static str, text: &'static str) -> Entry {
    entry(Regular, path, 0o755, text)
}

const fn folder(path: &'static str) -> Entry {
    entry(Directory, path, 0o755, "")
}

const fn symlink(path: &'static str, target: &'static str) -> Entry {
    entry(Symlink, path, 0o777, target)
}

const fn link(path: &'static str, target: &'static str) -> Entry {
    entry(Link, path, 0o644, target)
}

impl Entry {
    const fn owned(self, owner: u64) -> Self {
        Self { owner, ..self }
    }

    const fn moded(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    const fn capable(self) -> Self {
        Self { capability: true, ..self }
    }
}

/// `cap_net_bind_service=ep`.
const CAPABILITY: &[u8] = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

fn tar(members: &[Entry]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for member in members {
        if member.capability {
            tar.append_pax_extensions([("SCHILY.xattr.security.capability", CAPABILITY)]).expect("a record");
        }
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(member.kind);
        header.set_mode(member.mode);
        header.set_mtime(1_600_000_000);
        header.set_uid(member.owner);
        header.set_gid(member.owner);
        // As it stands: some of them are not what a path should be.
        header.as_old_mut().name[..member.path.len()].copy_from_slice(member.path.as_bytes());
        let content = if member.kind == Regular { member.text.as_bytes() } else { b"" };
        header.set_size(content.len() as u64);
        if matches!(member.kind, Link | Symlink) {
            header.set_link_name_literal(member.text).expect("a target");
        }
        if matches!(member.kind, Char | Block) {
            header.set_device_major(1).expect("a number");
            header.set_device_minor(3).expect("a number");
        }
        header.set_cksum();
        tar.append(&header, content).expect("a member");
    }
    tar.into_inner().expect("a tar")
}

/// An image whose blobs are files, each layer compressed in another way.
fn blobs(work: &Work, name: &str, layers: &[&[Entry]]) -> Ready {
    let mut blobs = BTreeMap::new();
    let mut blob = |bytes: &[u8], kind: &str| {
        let digest = format!("sha256:{}", sha256(bytes));
        let path = work.write(format!("store/{name}/{}", sha256(bytes)), bytes);
        blobs.insert(digest.parse().expect("a digest"), path);
        json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": bytes.len() })
    };
    let (mut descriptors, mut diff_ids) = (Vec::new(), Vec::new());
    for (n, layer) in layers.iter().enumerate() {
        let tar = tar(layer);
        diff_ids.push(format!("sha256:{}", sha256(&tar)));
        let path = work.write("layer.tar", &tar);
        descriptors.push(match n % 2 {
            0 => blob(&tar, "layer.v1.tar"),
            _ => blob(&run(tool("gzip").arg("-c").arg(path)).stdout, "layer.v1.tar+gzip"),
        });
    }
    let config =
        json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids } });
    let config = blob(config.to_string().as_bytes(), "config.v1+json");
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": descriptors }).to_string();
    let manifest = Descriptor::from_json(&blob(manifest.as_bytes(), "manifest.v1+json")).expect("a descriptor");
    Ready::Blobs { name: format!("example.com/{name}:1"), manifest, blobs }
}

/// A recipe with three inputs, all of which may be used.
fn recipe(statements: &str) -> String {
    format!(
        "edition = '2026'\n[image]\nname = 'x'\n\
         [inputs.tool]\nurl = 'https://example.com/dl/tool-{{arch}}?v=1/2#x'\n\
         [inputs.assets]\ngit = 'https://example.com/assets.git'\n\
         [inputs.debian]\nimage = 'docker.io/library/debian:12'\n\
         [[layer]]\n{statements}"
    )
}

const TREE: &[Entry] = &[
    file(".dockerignore", "**/*.map\n"),
    program("bin/run", "run\n"),
    symlink("current", "web"),
    symlink("out", "../outside"),
    symlink("absolute", "/etc"),
    symlink("nowhere", "gone"),
    symlink("round", "round"),
    file("web/a.html", "a\n"),
    file("web/a.map", "map\n"),
    file("web/css/b.css", "b\n"),
    symlink("web/latest", "a.html"),
    file("web/README.md", "read\n"),
];

const IMAGE: &[&[Entry]] = &[
    &[
        folder("usr/").moded(0o755),
        folder("usr/bin/"),
        symlink("bin", "usr/bin"),
        program("usr/bin/tool", "tool\n").owned(7).moded(0o4755),
        program("usr/bin/ping", "ping\n").capable(),
        symlink("usr/bin/sh", "/bin/tool"),
        file("etc/old", "old\n"),
        folder("data/").owned(5).moded(0o2770),
        file("data/one", "one\n"),
        file("data/two", "two\n"),
        entry(Char, "dev/null", 0o666, ""),
        file("share/first", "shared\n"),
    ],
    &[
        file("etc/new", "new\n"),
        file("etc/.wh.old", ""),
        // Whiteouts speak of the layers below, wherever they stand.
        file("data/three", "three\n").owned(5),
        file("data/.wh..wh..opq", ""),
        link("share/second", "share/first"),
        // Through the symlink of the layer below.
        program("bin/added", "added\n"),
    ],
];

fn bench() -> Bench {
    Bench::new().file("tool", b"#!/bin/sh\n").tree("assets", TREE).image("debian", IMAGE)
}

#[test]
fn a_url_is_a_file() {
    let bench = bench();
    let copy = |rest: &str| recipe(&format!("[[layer.copy]]\nfrom = {{ input = 'tool' }}\n{rest}"));
    assert_eq!(bench.last(&copy("to = '/t'\nmode = '0755'")), ["- 0755 0:0 315532800 t"]);
    // The last part of the URL, without its query.
    assert_eq!(bench.last(&copy("to = '/opt/'\nowner = '5:6'"))[1], "- 0644 5:6 315532800 opt/tool-amd64");
    let defaults = copy("to = '/t'")
        .replace("[[layer]]\n", "[[layer]]\nmodes = { files = '0600' }\nmtime = 1990-01-01T00:00:00Z\n");
    assert_eq!(bench.last(&defaults), ["- 0600 0:0 631152000 t"]);
    assert_eq!(bench.content(&copy("to = '/t'"), "/t"), "#!/bin/sh\n");

    let (at, message, help) = bench.refused(&copy("to = '/'").replace("dl/tool-{arch}", "dl/"));
    assert_eq!(at, "'/'");
    assert!(message.contains("the input `tool` has no file name") && help.contains("`to`"), "{message} {help}");
    let (at, message, _) = bench.refused(&copy("to = '/t'\ninclude = ['x']"));
    assert_eq!((at.as_str(), message.contains("`from` is a file")), ("'x'", true), "{message}");
    let (at, message, help) = bench.refused(&recipe("[[layer.copy]]\nfrom = { input = 'tool', path = 'x' }\nto = '/'"));
    assert_eq!((at.as_str(), message.contains("`tool` is a single file")), ("'x'", true), "{message}");
    assert!(help.contains("[[layer.extract]]"), "{help}");
}

#[test]
fn an_archive_is_a_url_or_stands_in_another_input() {
    let inner = tar(&[file("app-1/x", "x\n").owned(3), program("app-1/bin/y", "y\n")]);
    let bench = Bench::new().file("tool", &inner);
    let packed = bench.work.write("in/deep/app.tar", &inner);
    run(tool("gzip").arg(packed));
    let tree = bench.work.join("store/assets.tar");
    run(tool("tar").arg("-cf").arg(&tree).arg("-C").arg(bench.work.join("in")).arg("deep"));
    let bench = bench.with("assets", Ready::Tree(tree));
    let extract = |from: &str| recipe(&format!("[[layer.extract]]\nfrom = {{ {from} }}\nto = '/opt'\nstrip = 1"));
    let url = bench.last(&extract("input = 'tool'"));
    assert!(url.contains(&"- 0644 3:3 1600000000 opt/x".to_owned()), "{url:?}");
    assert!(url.contains(&"- 0755 0:0 1600000000 opt/bin/y".to_owned()), "{url:?}");
    assert_eq!(bench.last(&extract("input = 'assets', path = 'deep/app.tar.gz'")), url);
    assert_eq!(bench.last(&extract("input = 'assets', path = '/deep/app.tar.gz'")), url);

    let (at, message, _) = bench.refused(&extract("input = 'tool', path = 'x'"));
    assert_eq!((at.as_str(), message.contains("no paths in it")), ("'x'", true), "{message}");
    let (at, message, _) = bench.refused(&extract("input = 'assets'"));
    assert_eq!((at.as_str(), message.contains("which archive in the input `assets`")), ("'assets'", true), "{message}");
    let (at, message, _) = bench.refused(&extract("input = 'assets', path = 'deep'"));
    assert_eq!(at, "'deep'");
    assert_eq!(message, "`deep` in the input `assets` is a folder, not an archive");
    let (at, message, help) = bench.refused(&extract("input = 'assets', path = 'deep/app.tgz'"));
    assert_eq!((at.as_str(), message.as_str()), ("'deep/app.tgz'", "`deep/app.tgz` is not in the input `assets`"));
    assert_eq!(help, "there is `deep/app.tar.gz`");
}

/// A git tree is copied as if it stood beside the recipe.
#[test]
fn a_git_tree_is_a_folder() {
    let bench = bench();
    let web = bench.work.mkdir("recipe/tree");
    run(tool("tar").arg("-xf").arg(bench.work.join("store/assets.tar")).arg("-C").arg(&web));
    // The root of the input, and the recipe's folder.
    bench.work.write("recipe/.dockerignore", "**/*.map\n");
    let both = |path: &str, rest: &str| {
        let input = match path {
            "" => "{ input = 'assets' }".to_owned(),
            path => format!("{{ input = 'assets', path = '{path}' }}"),
        };
        let statement = |from: &str| recipe(&format!("[[layer.copy]]\nfrom = {from}\n{rest}"));
        let disk = statement(&format!("'tree/{path}'"));
        (bench.last(&statement(&input)), bench.last(&disk))
    };
    for (path, rest, count) in [
        ("", "to = '/srv'\nmodes = { dirs = '0750' }\nowner = '3'", 16),
        ("web", "to = '/srv/www'", 8),
        ("web/", "to = '/'", 6),
        ("current", "to = '/srv'", 7),
        ("current/a.html", "to = '/srv/'", 2),
        ("web/latest", "to = '/srv/'", 2),
        ("web/*.html", "to = '/srv/'", 2),
        ("current/*", "to = '/srv'", 6),
        ("web", "to = '/srv'\ninclude = ['**/*.css', '*.html']", 4),
        ("web", "to = '/srv'\nexclude = ['css']\nignore-file = '.dockerignore'", 4),
        ("", "to = '/srv'\nignore-file = '.dockerignore'", 15),
        ("gone", "to = '/srv'\noptional = true", 0),
        ("gone/*", "to = '/srv'\noptional = true", 0),
    ] {
        let (input, disk) = both(path, rest);
        assert_eq!(input, disk, "{path} {rest}");
        assert_eq!(input.len(), count, "{path} {rest}: {input:#?}");
    }
    let copied = bench.paths(&recipe("[[layer.copy]]\nfrom = { input = 'assets', path = 'bin/run' }\nto = '/r'"));
    assert_eq!(copied, ["- 0755 r"]);
}

/// What is wrong with a path of a git tree, and where it is said.
#[test]
fn paths_of_a_git_tree_are_judged() {
    let bench = bench();
    for (path, rest, pointed, message, help) in [
        ("webb", "", "'webb'", "`webb` is not in the input `assets`", "did you mean `web`?"),
        ("web/b.html", "", "'web/b.html'", "`web/b.html` is not in the input `assets`", "did you mean `web/a.html`?"),
        ("current/css/x", "", "'current/css/x'", "is not in the input", "there is `current/css/b.css`"),
        ("out/x", "", "'out/x'", "`out/x` in the input `assets`: a symlink leads out", "only the input is pinned"),
        ("absolute", "", "'absolute'", "a symlink leads out", "pinned"),
        ("nowhere", "", "'nowhere'", "is a symlink to `gone`, which is not there", ""),
        ("round", "", "'round'", "a loop of symlinks is in the way", ""),
        ("bin/run/", "", "'bin/run/'", "`bin/run/` in the input `assets` is a file, not a folder", "drop the slash"),
        ("../x", "", "'../x'", "contains `..`", ""),
        ("*.x", "", "'*.x'", "the pattern `*.x` matches nothing in the input `assets`", "the root of the input"),
        ("a/**", "", "'a/**'", "`**` in `path`", "with `include"),
        (
            "web",
            "mode = '0644'",
            "'0644'",
            "`mode` is for a single file, and `web` in the input `assets` is a folder",
            "modes",
        ),
        ("web", "include = ['*.x']", "'*.x'", "matches nothing in `web` in the input `assets`", "optional"),
        ("web/a.html", "exclude = ['x']", "'x'", "`path` is a file", "name the folder in `path`"),
        ("web", "ignore-file = 'none'", "'none'", "`none` is not in the input `assets`", "looked for in `web` first"),
    ] {
        let text =
            recipe(&format!("[[layer.copy]]\nfrom = {{ input = 'assets', path = '{path}' }}\nto = '/x/'\n{rest}"));
        let (at, said, advice) = bench.refused(&text);
        assert_eq!(at, pointed, "{path}: {said}");
        assert!(said.contains(message), "{path}: {said}");
        assert!(advice.contains(help), "{path}: {advice}");
    }
}

#[test]
fn an_image_is_what_its_layers_hold_together() {
    let bench = bench();
    let copy = |path: &str, rest: &str| {
        recipe(&format!("[[layer.copy]]\nfrom = {{ input = 'debian', path = '{path}' }}\n{rest}"))
    };
    let whole = bench.last(&recipe("[[layer.copy]]\nfrom = { input = 'debian' }\nto = '/'"));
    let capability: String = CAPABILITY.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        whole,
        [
            "l 0777 0:0 1600000000 bin -> usr/bin",
            "d 2770 5:5 1600000000 data/",
            "- 0644 5:5 1600000000 data/three",
            "d 0755 0:0 315532800 dev/",
            "c 0666 0:0 1600000000 dev/null",
            "d 0755 0:0 315532800 etc/",
            "- 0644 0:0 1600000000 etc/new",
            "d 0755 0:0 315532800 share/",
            "- 0644 0:0 1600000000 share/first",
            "h 0644 0:0 1600000000 share/second -> share/first",
            "d 0755 0:0 1600000000 usr/",
            "d 0755 0:0 1600000000 usr/bin/",
            "- 0755 0:0 1600000000 usr/bin/added",
            &format!("- 0755 0:0 1600000000 usr/bin/ping security.capability={capability}"),
            "l 0777 0:0 1600000000 usr/bin/sh -> /bin/tool",
            "- 4755 7:7 1600000000 usr/bin/tool",
        ]
    );
    // Followed inside the image: `sh` to `/bin/tool`, and `/bin` to `usr/bin`.
    assert_eq!(bench.last(&copy("bin/sh", "to = '/t'")), ["- 4755 7:7 1600000000 t"]);
    assert_eq!(bench.content(&copy("/bin/sh", "to = '/t'"), "/t"), "tool\n");
    assert_eq!(bench.content(&copy("share/second", "to = '/t'"), "/t"), "shared\n");
    // The statement's own word counts, a layer's or an image's does not.
    let other = copy("bin/sh", "to = '/t'\nmode = '0700'\nowner = '1:2'\ncapabilities = 'cap_net_raw=p'");
    let other =
        bench.last(&other.replace(
            "[[layer]]\n",
            "[[layer]]\nowner = '9'\nmodes = { files = '0111' }\nmtime = 2001-01-01T00:00:00Z\n",
        ));
    assert!(other[0].starts_with("- 0700 1:2 1600000000 t security.capability="), "{other:?}");
    let defaults =
        copy("data", "to = '/d'").replace("[[layer]]\n", "[[layer]]\nowner = '9'\nmodes = { files = '0111' }\n");
    assert_eq!(bench.last(&defaults), ["d 2770 5:5 1600000000 d/", "- 0644 5:5 1600000000 d/three"]);
    let modes = copy("data", "to = '/d'\nmodes = { files = '0600', dirs = '0700' }\nowner = '4'");
    assert_eq!(bench.last(&modes), ["d 0700 4:4 1600000000 d/", "- 0600 4:4 1600000000 d/three"]);
    // Patterns, and the folders on the way as the image has them.
    assert_eq!(bench.paths(&copy("bin/t*", "to = '/o/'")), ["d 0755 o/", "- 4755 o/tool"]);
    let some = recipe("[[layer.copy]]\nfrom = { input = 'debian' }\nto = '/o'\ninclude = ['data/t*']");
    assert_eq!(bench.paths(&some), ["d 0755 o/", "d 2770 o/data/", "- 0644 o/data/three"]);
    assert_eq!(bench.paths(&copy("dev/null", "to = '/n'")), ["c 0666 n"]);

    let (at, message, help) = bench.refused(&copy("etc/old", "to = '/t'"));
    assert_eq!((at.as_str(), message.as_str()), ("'etc/old'", "`etc/old` is not in the input `debian`"));
    assert_eq!(help, "there is `etc/new`");
}

#[test]
fn an_input_is_not_there_for_a_platform_or_broken() {
    let text = recipe("[[layer.copy]]\nfrom = { input = 'tool' }\nto = '/t'");
    let (at, message, help) = Bench::new().refused(&text);
    assert_eq!((at.as_str(), message.as_str()), ("'tool'", "the input `tool` is not there for linux/amd64"));
    assert!(help.contains("rebake lock"));

    let copy = recipe(
        "[[layer.copy]]\nfrom = { input = 'debian' }\nto = '/'\n[[layer.copy]]\nfrom = { input = 'debian' }\nto = '/x'",
    );
    for (layers, wanted) in [
        (&[&[file("a", ""), file("a/b", "")][..]][..], "/a/b, which is below /a, and that is no folder"),
        (&[&[file("../a", "")][..]][..], "contains `..`"),
        (&[&[link("a", "gone")][..]][..], "is a hard link to `gone`"),
        (&[&[symlink("a", "a"), file("a/b", "")][..]][..], "a loop of symlinks"),
    ] {
        let mistakes = Bench::new().image("debian", layers).plan(&copy).expect_err("a mistake");
        assert_eq!(mistakes.len(), 2, "each statement says it: {mistakes:#?}");
        assert!(mistakes[0].message.starts_with("the input `debian`"), "{}", mistakes[0].message);
        assert!(mistakes[0].message.contains(wanted), "{}", mistakes[0].message);
    }
    let bench = bench();
    let Some(Ready::Blobs { blobs, .. }) = bench.inputs.get("debian", &platform()).map(|found| &found.ready) else {
        panic!("blobs")
    };
    for path in blobs.values() {
        let bytes = fs::read(path).expect("a blob");
        let mut other = bytes.clone();
        other[bytes.len() / 2] ^= 1;
        fs::write(path, other).expect("a blob");
        let mistakes = bench.plan(&copy).expect_err("a mistake");
        assert!(mistakes[0].message.contains("the input `debian` cannot be used"), "{mistakes:?}");
        fs::write(path, bytes).expect("a blob");
    }
    bench.plan(&copy).expect("all is well again");
}

/// The content of an image that nobody asks for takes no room.
#[test]
fn only_what_is_wanted_is_put_aside() {
    let bench = bench();
    let copy =
        |path: &str| recipe(&format!("[[layer.copy]]\nfrom = {{ input = 'debian', path = '{path}' }}\nto = '/x'"));
    let nowhere = bench.work.join("no-such-folder");
    bench.plan_in(&copy("dev"), &nowhere).expect("nothing to put aside");
    let mistakes = bench.plan_in(&copy("etc"), &nowhere).expect_err("nowhere to put it");
    let said = &mistakes[0].message;
    assert!(said.contains("its member `etc/new`") && said.contains("cannot be put aside in /"), "{said}");
    assert!(mistakes[0].help.as_ref().is_some_and(|help| help.contains("TMPDIR")), "{mistakes:?}");
}

#[test]
fn a_base_is_made_of_blobs() {
    let bench = bench();
    let text =
        recipe("[[layer.write]]\nto = '/bin/x'\ntext = ''").replace("name = 'x'\n", "name = 'x'\nbase = 'debian'\n");
    assert_eq!(bench.paths(&text), ["d 0755 usr/", "d 0755 usr/bin/", "- 0644 usr/bin/x"]);
    let plan = bench.plan(&text).expect("a plan");
    let base = plan.base.as_ref().expect("a base");
    let Some(Ready::Blobs { manifest, .. }) = bench.inputs.get("debian", &platform()).map(|found| &found.ready) else {
        panic!("blobs")
    };
    assert_eq!((base.name.as_str(), base.digest), ("example.com/debian:1", Some(manifest.digest)));

    let (at, message, _) = Bench::new().refused(&text);
    assert_eq!((at.as_str(), message.as_str()), ("'debian'", "the input `debian` is not there for linux/amd64"));
    let arm = text.replace("name = 'x'\n", "name = 'x'\nplatforms = ['linux/arm64']\n");
    let Some(ready) = bench.inputs.get("debian", &platform()) else { panic!("an input") };
    let mut inputs = Inputs::default();
    inputs.insert("debian", &"linux/arm64".parse().expect("a platform"), ready.clone());
    let (at, message, _) = Bench { inputs, ..Bench::new() }.refused(&arm);
    assert_eq!(at, "'docker.io/library/debian:12'");
    assert!(message.contains("is not there for linux/arm64; it is there for linux/amd64"), "{message}");
}

/// A real image, changed by a real tool.
#[test]
fn an_image_of_umoci_is_read() {
    if !needs(&["umoci", "root"]) {
        return;
    }
    let bench = Bench::new();
    let layout = bench.work.join("recipe/um");
    let image = format!("{}:1", layout.display());
    run(tool("umoci").args(["init", "--layout"]).arg(&layout));
    run(tool("umoci").args(["new", "--image", &image]));
    let bundle = bench.work.join("bundle");
    run(tool("umoci").args(["unpack", "--image", &image]).arg(&bundle));
    let repack = || run(tool("umoci").args(["repack", "--refresh-bundle", "--image", &image]).arg(&bundle));
    for file in ["a/one", "a/two", "b/three", "c/four"] {
        bench.work.write(format!("bundle/rootfs/{file}"), file);
    }
    fs::hard_link(bundle.join("rootfs/c/four"), bundle.join("rootfs/c/five")).expect("a link");
    repack();
    fs::remove_file(bundle.join("rootfs/a/one")).expect("removed");
    fs::remove_dir_all(bundle.join("rootfs/b")).expect("removed");
    bench.work.symlink("../a", "bundle/rootfs/b/a");
    repack();
    let text = recipe("[[layer.copy]]\nfrom = { input = 'debian' }\nto = '/o'")
        .replace("docker.io/library/debian:12", "oci:um:1");
    let name = "oci:um:1".parse().expect("a name");
    let bench = bench.with("debian", Ready::Image(name));
    let files: Vec<String> = bench.paths(&text).into_iter().filter(|line| !line.starts_with('d')).collect();
    assert_eq!(files, ["- 0644 o/a/two", "l 0777 o/b/a -> ../a", "- 0644 o/c/five", "h 0644 o/c/four -> o/c/five"]);
    let followed = text.replace("'debian' }", "'debian', path = 'b/a/two' }");
    assert_eq!(bench.content(&followed, "/o"), "a/two");
}

/// A copy of the paths that a plan used is enough to build the same.
#[test]
fn what_was_used_is_enough() {
    let mut seen = BTreeSet::new();
    // What one with inputs uses is held by the pantry beside the recipes.
    for name in recipes::names().into_iter().filter(|name| name != "inputs") {
        let work = Work::new();
        let folder = recipes::copy(&work, &name);
        work.write(format!("{name}/never-used"), "");
        let text = ["rebake.toml", "rebake.json"].iter().find_map(|file| fs::read_to_string(folder.join(file)).ok());
        let used = same_with_used(&work, &folder, &text.expect("a recipe"));
        assert!(!used.contains_key(Path::new("never-used")), "{name}: {used:?}");
        seen.extend(used.into_values().map(|used| format!("{used:?}")));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["File", "Folder"]);
}

#[test]
fn links_empty_folders_patterns_and_ignore_files_are_used() {
    let work = Work::new();
    for file in ["real/deep/x", "real/y", "conf/a.toml", "conf/b.txt", "tree/keep", "tree/drop.log", "other/z"] {
        work.write(format!("recipe/{file}"), file);
    }
    work.write("recipe/ignore", "**/*.log\n");
    work.mkdir("recipe/tree/empty");
    work.mkdir("recipe/hollow");
    for (path, target) in [("way", "hop/deep"), ("hop", "./real"), ("tree/link", "keep"), ("up", "other/../real/y")] {
        work.symlink(target, format!("recipe/{path}"));
    }
    let copies = ["'way/x'", "'conf/*.toml'", "'hollow'", "'up'", "'other/../real/y'"];
    let copies = copies.iter().enumerate().map(|(n, from)| format!("[[layer.copy]]\nfrom = {from}\nto = '/{n}/x'\n"));
    let text = format!(
        "edition = '2026'\n[image]\nname = 'x'\n[[layer]]\n{}[[layer.copy]]\nfrom = 'tree'\nto = '/t'\nignore-file = 'ignore'\n\
         [[layer.copy]]\nfrom = 'gone'\nto = '/g'\noptional = true\n",
        copies.collect::<String>()
    );
    let used = same_with_used(&work, &work.join("recipe"), &text);
    let used: Vec<String> = used.iter().map(|(path, used)| format!("{used:?} {}", path.display())).collect();
    assert_eq!(
        used,
        [
            "Folder conf",
            "File conf/a.toml",
            "Folder hollow",
            "Symlink hop",
            "File ignore",
            "Folder other",
            "Folder real",
            "Folder real/deep",
            "File real/deep/x",
            "File real/y",
            "Folder tree",
            "Folder tree/empty",
            "File tree/keep",
            "Symlink tree/link",
            "Symlink up",
            "Symlink way",
        ]
    );
}

/// Builds a recipe, and again in a folder that has only what was used; what that is.
#[track_caller]
fn same_with_used(work: &Work, folder: &Path, text: &str) -> BTreeMap<PathBuf, Used> {
    let (used, digest) = build(work, folder, folder, text);
    let copy = work.mkdir("copy-of-used");
    for (path, used) in &used {
        let (from, to) = (folder.join(path), copy.join(path));
        fs::create_dir_all(to.parent().expect("a parent")).expect("folders");
        match used {
            Used::Folder => fs::create_dir_all(to).expect("a folder"),
            Used::File => drop(fs::copy(from, to).expect("a file")),
            Used::Symlink => drop(work.symlink(fs::read_link(from).expect("a target"), to)),
        }
    }
    let (again, same) = build(work, &copy, folder, text);
    assert_eq!(same, digest);
    assert_eq!(again, used);
    // And nothing of it is too much, so that this can fail.
    for (path, _) in used.iter().filter(|(_, used)| **used != Used::Folder) {
        let path = copy.join(path);
        let aside = work.join("aside");
        fs::rename(&path, &aside).expect("a path to leave out");
        assert_ne!(
            attempt_build(work, &copy, folder, text).map(|(_, digest)| digest),
            Ok(digest),
            "{}",
            path.display()
        );
        fs::rename(&aside, &path).expect("a path to put back");
    }
    used
}

/// Builds in `folder`, with images from `images`.
#[track_caller]
fn build(work: &Work, folder: &Path, images: &Path, text: &str) -> (BTreeMap<PathBuf, Used>, Digest) {
    attempt_build(work, folder, images, text).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn attempt_build(
    work: &Work,
    folder: &Path,
    images: &Path,
    text: &str,
) -> Result<(BTreeMap<PathBuf, Used>, Digest), Vec<Diagnostic>> {
    let recipe = pinned(text).expect("a recipe");
    let root = Root::new(folder, None, &work.join("rebake-out")).expect("a folder");
    let mut inputs = Inputs::default();
    let mut plans = Vec::new();
    for platform in &recipe.image.platforms {
        for (name, input) in &recipe.inputs {
            let Input::Image { image } = &input.value else { panic!("an input that is no image") };
            let text = image.to_string();
            let (transport, path) = text.split_once(':').expect("a transport");
            let name_there = format!("{transport}:{}/{path}", images.display());
            inputs.insert(name, platform, Ready::Image(name_there.parse().expect("a name")).into());
        }
        let interrupt = AtomicBool::new(false);
        let context = Context {
            kept: None,
            root: &root,
            inputs: &inputs,
            scratch: work.path(),
            interrupt: &interrupt,
            source_date_epoch: None,
            stamp: None,
        };
        plans.push(Plan::new(&recipe, platform, context)?);
    }
    // The base's name is where it is, which is the same for both.
    let (digest, _) = write(&plans, &work.join("out"));
    Ok((root.used(), digest))
}
