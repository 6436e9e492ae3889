//! A folder of its own for a test, the built binary run in it, and what a judge of its state needs.

use crate::support::cache;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program under test.
pub const REBAKE: &str = env!("CARGO_BIN_EXE_rebake");

/// What is in a folder: path, and mode and content in one word.
pub type Snapshot = BTreeMap<PathBuf, String>;

/// A folder that vanishes with it.
pub struct Sandbox(tempfile::TempDir);

/// What a run of the program left behind.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("rebake-it-").tempdir().unwrap();
        // Other users look into it too.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The program, to be run in the folder, in an environment that says nothing.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.wrapped(&[], arguments)
    }

    /// The same below another program: `strace`, `setpriv`.
    pub fn wrapped(&self, around: &[&str], arguments: &[&str]) -> Command {
        let mut words = around.iter().chain(&[REBAKE]).chain(arguments);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).current_dir(self.0.path()).env("REBAKE_CACHE", cache()).stdin(Stdio::null());
        for name in ["SOURCE_DATE_EPOCH", "NO_COLOR", "COLUMNS", "TMPDIR"] {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.command(arguments).output().unwrap().into()
    }

    /// Everything in the folder: path, kind, mode, content.
    pub fn snapshot(&self) -> Snapshot {
        snapshot(self.0.path())
    }
}

/// Everything below a folder: path, kind, mode, content.
pub fn snapshot(folder: &Path) -> Snapshot {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let content = if metadata.is_file() {
            hex(&fs::read(entry.path()).unwrap_or_default())
        } else if metadata.is_symlink() {
            fs::read_link(entry.path()).unwrap().display().to_string()
        } else {
            String::new()
        };
        let what = format!("{:o} {content}", metadata.permissions().mode());
        all.insert(entry.path().strip_prefix(folder).unwrap().to_owned(), what);
    }
    all
}

/// The sha256 of some bytes.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Holds a layout against itself: every file is named by a descriptor and has its digest and size, and there is nothing
/// else. Gives the digest in `index.json`.
pub fn whole_layout(layout: &Path) -> Result<String, String> {
    let read = |name: &str| fs::read(layout.join(name)).map_err(|error| format!("{name}: {error}"));
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).map_err(|error| error.to_string());
    if json(&read("oci-layout")?)?["imageLayoutVersion"] != "1.0.0" {
        return Err("oci-layout".to_owned());
    }
    let index = json(&read("index.json")?)?;
    let mut seen = BTreeMap::new();
    let mut todo = index["manifests"].as_array().cloned().unwrap_or_default();
    let digest = todo.first().map(|first| first["digest"].as_str().unwrap_or_default().to_owned());
    while let Some(descriptor) = todo.pop() {
        let hash = descriptor["digest"].as_str().and_then(|text| text.strip_prefix("sha256:"));
        let hash = hash.ok_or_else(|| format!("no digest in {descriptor}"))?.to_owned();
        let bytes = read(&format!("blobs/sha256/{hash}"))?;
        if hex(&bytes) != hash || descriptor["size"] != bytes.len() {
            return Err(format!("the blob {hash} is not what it should be"));
        }
        let media_type = descriptor["mediaType"].as_str().unwrap_or_default();
        if media_type.contains("index") || media_type.contains("manifest") {
            let document = json(&bytes)?;
            for key in ["manifests", "layers"] {
                todo.extend(document[key].as_array().cloned().unwrap_or_default());
            }
            todo.extend(document.get("config").cloned());
        }
        seen.insert(hash, ());
    }
    let mut names: Vec<String> = names(&layout.join("blobs/sha256"));
    names.retain(|name| !seen.contains_key(name));
    let mut top = self::names(layout);
    top.retain(|name| !["oci-layout", "index.json", "blobs"].contains(&name.as_str()));
    match (names.is_empty() && top.is_empty(), digest) {
        (true, Some(digest)) => Ok(digest),
        (true, None) => Err("no image".to_owned()),
        _ => Err(format!("strangers: {names:?} {top:?}")),
    }
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| String::from_utf8_lossy(entry.unwrap().file_name().as_bytes()).into_owned())
        .collect();
    names.sort();
    names
}

/// Whether mounts and other users can be had; says so if not.
pub fn is_root() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    if !root {
        println!("skipped: needs root");
    }
    root
}
