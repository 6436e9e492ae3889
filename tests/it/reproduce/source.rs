//! The source that is varied: a tree with everything that a host can tell of itself, and what it is to become.

use rebake::oci::Digest;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

pub const RECIPE: &str = include_str!("rebake.toml");

/// What stands at a path of the source.
pub enum Node {
    Folder,
    File { bytes: Vec<u8>, executable: bool },
    Symlink(&'static str),
}

/// The whole source but for its recipe, by path.
pub fn nodes() -> &'static BTreeMap<Vec<u8>, Node> {
    static NODES: OnceLock<BTreeMap<Vec<u8>, Node>> = OnceLock::new();
    NODES.get_or_init(|| {
        let mut nodes = BTreeMap::new();
        let mut file = |path: &[u8], bytes: &[u8], executable| {
            nodes.insert(path.to_vec(), Node::File { bytes: bytes.to_vec(), executable });
        };
        file(b"bin/amd64/app", &noise(1, 90_000), true);
        file(b"bin/arm64/app", &noise(2, 70_000), true);
        for name in ["index.html", "deep/er/page.html", "css/a.css", "css/a.css.map", "img/logo", "notes.txt"] {
            file(format!("site/{name}").as_bytes(), name.repeat(50).as_bytes(), false);
        }
        file(b"site/draft.html", b"not yet", false);
        file(b"site/img/.git", b"never", false);
        file(b"site/.dockerignore", b"# not yet\n**/draft*\n!**/draft-final*\n", false);
        file(b"data/big", &text(3, 3 << 20), false);
        file(b"data/sparse", &[noise(4, 8192), vec![0; 1 << 20], noise(5, 100)].concat(), false);
        file(b"data/twin", b"one of two", false);
        file(b"data/other/twin", b"one of two", false);
        file(b"data/empty", b"", false);
        file(b"data/run", b"#!/bin/sh\n", true);
        for n in 0..400_u32 {
            file(format!("data/small/{n:03}").as_bytes(), &text(n, n as usize * 7), n % 10 == 0);
        }
        // Sorted otherwise by every language, and by paths instead of bytes.
        for name in ["a-b", "a/b", "a.b", "B", "i", "I", "ı", "İ", "größe", "ä", "z", "with space", "-n", "new\nline"]
        {
            file(format!("data/names/{name}").as_bytes(), name.as_bytes(), false);
        }
        file(b"data/names/latin-\xe9\xff", b"no UTF-8", false);
        let long = ["l".repeat(100), "o".repeat(99), "n".repeat(100)].join("/");
        file(format!("data/{long}").as_bytes(), b"300 bytes", false);
        file(b"parts/tool.tar.gz", &tar_gz(), false);
        file(b"parts/tool.zip", &zip(), false);
        nodes.insert(b"data/hollow/hollow".to_vec(), Node::Folder);
        for (path, target) in [("data/link", "big"), ("data/nowhere", "/no/such/file"), ("data/up", "../..")] {
            nodes.insert(path.into(), Node::Symlink(target));
        }
        for path in nodes.keys().cloned().collect::<Vec<_>>() {
            for at in (0..path.len()).filter(|at| path[*at] == b'/') {
                nodes.entry(path[..at].to_vec()).or_insert(Node::Folder);
            }
        }
        nodes
    })
}

/// Bytes that do not compress.
pub fn noise(seed: u32, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Bytes that do.
pub fn text(seed: u32, length: usize) -> Vec<u8> {
    let words = ["wheat ", "rye ", "water ", "salt ", "oven ", "peel\n", "crumb ", "crust "];
    noise(seed, length / 3 + 8).into_iter().flat_map(|n| words[usize::from(n % 8)].bytes()).take(length).collect()
}

/// Made once, as an archive is that somebody else released: mode, owner and time count.
fn tar_gz() -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut add = |kind, path: &str, mode, bytes: &[u8], link: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(1234);
        header.set_gid(99);
        header.set_mtime(1_234_567_890);
        header.set_size(bytes.len() as u64);
        if link.is_empty() {
            tar.append_data(&mut header, path, bytes).unwrap();
        } else {
            tar.append_link(&mut header, path, link).unwrap();
        }
    };
    add(tar::EntryType::Directory, "tool-1.0/", 0o750, b"", "");
    add(tar::EntryType::Regular, "tool-1.0/tool", 0o4711, &noise(6, 5000), "");
    add(tar::EntryType::Link, "tool-1.0/same", 0o4711, b"", "tool-1.0/tool");
    add(tar::EntryType::Symlink, "tool-1.0/link", 0o777, b"", "tool");
    add(tar::EntryType::Regular, "tool-1.0/lib/a", 0o600, b"a", "");
    tar.into_inner().unwrap().finish().unwrap()
}

fn zip() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let time = zip::DateTime::from_date_and_time(2011, 12, 13, 14, 15, 16).unwrap();
    for (path, mode) in [("run", 0o755), ("doc/read", 0o640)] {
        let options = zip::write::SimpleFileOptions::default().last_modified_time(time).unix_permissions(mode);
        zip.start_file(path, options).unwrap();
        zip.write_all(&text(7, 3000)).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The source on disk; any two are the same to tar, until one is varied.
pub struct Twin {
    home: TempDir,
}

impl Twin {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("rebake-test-").tempdir().unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let twin = Self { home };
        write(&twin.source(), RECIPE);
        twin
    }

    /// The folder of everything; other users may enter it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn source(&self) -> PathBuf {
        self.home.path().join("source")
    }

    /// A path of the source by its bytes.
    pub fn at(&self, path: &[u8]) -> PathBuf {
        self.source().join(OsStr::from_bytes(path))
    }

    pub fn recipe(&self) -> PathBuf {
        self.source().join("rebake.toml")
    }

    /// Where the layout goes.
    pub fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    /// `WRAPPER... rebake build RECIPE -o oci:OUT`, which makes everything again.
    pub fn build(&self, wrapper: &[&str]) -> Command {
        let mut command = rebake(wrapper);
        command.args(["build", "--no-cache"]).arg(self.recipe()).arg("-o").arg(destination("oci", &self.out()));
        command
    }

    /// Builds, and holds the result against what every other build gave.
    #[track_caller]
    pub fn hold(&self, wrapper: &[&str]) {
        hold(self.build(wrapper), &self.out());
    }
}

/// Writes source and recipe to a new folder.
pub fn write(to: &Path, recipe: &str) {
    fs::create_dir_all(to).unwrap();
    for (path, node) in nodes() {
        let at = to.join(OsStr::from_bytes(path));
        match node {
            Node::Folder => fs::create_dir(&at).unwrap(),
            Node::File { bytes, .. } => fs::write(&at, bytes).unwrap(),
            Node::Symlink(target) => std::os::unix::fs::symlink(target, &at).unwrap(),
        }
    }
    fs::write(to.join("rebake.toml"), recipe).unwrap();
    settle(to);
}

/// Gives everything its usual mode and one time.
pub fn settle(top: &Path) {
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let time = |path: &Path| {
        let time = filetime::FileTime::from_unix_time(1_700_000_000, 0);
        filetime::set_symlink_file_times(path, time, time).unwrap();
    };
    for (path, node) in nodes().iter().rev() {
        let at = top.join(OsStr::from_bytes(path));
        match node {
            Node::Folder => mode(&at, 0o755),
            Node::File { executable, .. } => mode(&at, if *executable { 0o755 } else { 0o644 }),
            Node::Symlink(_) => {}
        }
        time(&at);
    }
    mode(&top.join("rebake.toml"), 0o644);
    mode(top, 0o755);
    time(&top.join("rebake.toml"));
    time(top);
}

/// `WRAPPER... rebake`, in an environment that says nothing of time.
pub fn rebake(wrapper: &[&str]) -> Command {
    wrapped(wrapper, OsStr::new(env!("CARGO_BIN_EXE_rebake")))
}

pub fn wrapped(wrapper: &[&str], program: &OsStr) -> Command {
    let mut command = match wrapper {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.env_remove("SOURCE_DATE_EPOCH").env("REBAKE_CACHE", crate::support::cache()).stdin(Stdio::null());
    command
}

pub fn destination(transport: &str, path: &Path) -> std::ffi::OsString {
    let mut destination = std::ffi::OsString::from(format!("{transport}:"));
    destination.push(path);
    destination
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub fn output(mut command: Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    output.stdout
}

/// An image on disk: what was printed, and every file of the layout with its mode and digest.
#[derive(Debug, PartialEq, Eq)]
pub struct Baked {
    pub printed: String,
    pub files: BTreeMap<PathBuf, (u32, Digest)>,
}

impl Baked {
    /// Runs the command and reads the layout that it wrote.
    #[track_caller]
    pub fn new(command: Command, layout: &Path) -> Self {
        let printed = String::from_utf8(output(command)).unwrap();
        let mut files = BTreeMap::new();
        for entry in walkdir::WalkDir::new(layout) {
            let entry = entry.unwrap();
            let bytes = if entry.file_type().is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            let path = entry.path().strip_prefix(layout).unwrap().to_owned();
            files.insert(path, (entry.metadata().unwrap().mode(), Digest::of(&bytes)));
        }
        Self { printed, files }
    }
}

/// What every build of the source gives.
pub fn expected() -> &'static Baked {
    static EXPECTED: OnceLock<Baked> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let twin = Twin::new();
        Baked::new(twin.build(&[]), &twin.out())
    })
}

#[track_caller]
pub fn hold(command: Command, layout: &Path) {
    let said = format!("{command:?}");
    assert_eq!(&Baked::new(command, layout), expected(), "{said}");
}

/// The digest of what GNU tar, which knows no shame, makes of a folder.
#[track_caller]
pub fn tarred(folder: &Path, options: &[&str]) -> Digest {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--file=-", "--sort=name"]).args(options).arg("--directory").arg(folder).arg(".");
    Digest::of(&output(tar))
}

/// A control: fails unless `plain` and `varied` differ, because then nothing was varied and the test says nothing.
#[track_caller]
pub fn differs<T: PartialEq + std::fmt::Debug>(what: &str, plain: &T, varied: &T) {
    if plain == varied {
        let shown: String = format!("{plain:?}").chars().take(300).collect();
        panic!("the control does not differ, so nothing was tested: {what} is {shown}");
    }
}
