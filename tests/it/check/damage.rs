//! A sound layout, and ways to damage it: what is edited is hashed again, and so is all that stands above it.

use crate::support::{Output, Work, attempt, rebake, run, sha256};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A layout of one image with two layers that are plain tars, baked by rebake, in a folder `l`.
pub struct Layout {
    pub work: Work,
}

const RECIPE: &str = "
edition = '2026'
[image]
name = 'example.com/check'
tags = ['v1']
compression = 'none'
[config.env]
A = 'b'
[[layer]]
[[layer.write]]
to = '/etc/motd'
text = 'hello'
[[layer.link]]
path = '/lib'
target = 'usr/lib'
[[layer]]
[[layer.write]]
to = '/etc/issue'
text = 'second'
";

impl Layout {
    /// A sound one. It is baked once.
    pub fn new() -> Layout {
        static BAKED: OnceLock<Work> = OnceLock::new();
        let baked = BAKED.get_or_init(|| {
            let work = Work::new();
            work.write("rebake.toml", RECIPE);
            run(rebake().arg("build").arg(work.path()).arg("-o").arg(work.join("l")));
            work
        });
        let work = Work::new();
        for file in baked.tree(".").iter().filter(|file| !file.ends_with('/')) {
            work.write(file, baked.read(file));
        }
        Layout { work }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.work.join("l").join(name)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).expect("a file")).expect("JSON")
    }

    fn blob_path(digest: &Value) -> String {
        format!("blobs/{}", digest.as_str().expect("a digest").replace(':', "/"))
    }

    /// Puts a blob in its place; its digest and size go into the descriptor.
    pub fn store(&self, bytes: &[u8], descriptor: &mut Value) {
        let digest = format!("sha256:{}", sha256(bytes));
        fs::write(self.path(&format!("blobs/sha256/{}", sha256(bytes))), bytes).expect("a blob");
        descriptor["digest"] = digest.into();
        descriptor["size"] = bytes.len().into();
    }

    /// Takes the old bytes away and puts new ones in their place.
    fn replace(&self, bytes: &[u8], descriptor: &mut Value) {
        fs::remove_file(self.path(&Layout::blob_path(&descriptor["digest"]))).expect("the old blob");
        self.store(bytes, descriptor);
    }

    pub fn index(&self, edit: impl FnOnce(&mut Value)) {
        let mut index = self.json("index.json");
        edit(&mut index);
        fs::write(self.path("index.json"), index.to_string()).expect("index.json");
    }

    pub fn manifest(&self, edit: impl FnOnce(&mut Value)) {
        self.index(|index| {
            let descriptor = &mut index["manifests"][0];
            let mut manifest = self.json(&Layout::blob_path(&descriptor["digest"]));
            edit(&mut manifest);
            self.replace(manifest.to_string().as_bytes(), descriptor);
        });
    }

    pub fn config(&self, edit: impl FnOnce(&mut Value)) {
        self.config_text(|mut config| {
            edit(&mut config);
            config.to_string()
        });
    }

    pub fn config_text(&self, edit: impl FnOnce(Value) -> String) {
        self.manifest(|manifest| {
            let descriptor = &mut manifest["config"];
            let config = self.json(&Layout::blob_path(&descriptor["digest"]));
            self.replace(edit(config).as_bytes(), descriptor);
        });
    }

    /// Other layers: the tar, and the blob that it is compressed to.
    pub fn blobs(&self, layers: &[(&[u8], Vec<u8>, &str)]) {
        let kind = "application/vnd.oci.image.layer.v1.tar";
        self.config(|config| {
            let diff_ids = layers.iter().map(|(tar, ..)| format!("sha256:{}", sha256(tar)));
            config["rootfs"]["diff_ids"] = diff_ids.collect();
            config["history"] = Value::Null;
        });
        self.manifest(|manifest| {
            for old in manifest["layers"].as_array().expect("layers") {
                fs::remove_file(self.path(&Layout::blob_path(&old["digest"]))).expect("the old blob");
            }
            let new = layers.iter().map(|(_, blob, suffix)| {
                let mut descriptor = json!({ "mediaType": format!("{kind}{suffix}") });
                self.store(blob, &mut descriptor);
                descriptor
            });
            manifest["layers"] = new.collect();
        });
    }

    /// Other layers, plain tars without the blocks that end them.
    pub fn tars(&self, layers: &[Vec<u8>]) {
        let ended: Vec<Vec<u8>> = layers.iter().map(|tar| [&tar[..], &[0; 1024]].concat()).collect();
        self.blobs(&ended.iter().map(|tar| (&tar[..], tar.clone(), "")).collect::<Vec<_>>());
    }

    /// One layer of exactly these bytes.
    pub fn layer(&self, tar: &[u8]) {
        self.blobs(&[(tar, tar.to_vec(), "")]);
    }

    /// The path of a blob of the manifest: `/config`, `/layers/0`, or the manifest's own: empty.
    pub fn blob(&self, pointer: &str) -> PathBuf {
        let index = self.json("index.json");
        let own = Layout::blob_path(&index["manifests"][0]["digest"]);
        if pointer.is_empty() {
            return self.path(&own);
        }
        let manifest = self.json(&own);
        self.path(&Layout::blob_path(&manifest.pointer(pointer).expect("a descriptor")["digest"]))
    }

    /// The file of a descriptor.
    pub fn blob_of(&self, descriptor: &Value) -> PathBuf {
        self.path(&Layout::blob_path(&descriptor["digest"]))
    }

    /// The images are those of an index that is listed in the place of the manifest.
    pub fn under_index(&self, edit: impl FnOnce(&mut Value)) {
        self.index(|top| {
            let kind = "application/vnd.oci.image.index.v1+json";
            let mut member = top["manifests"][0].clone();
            member["annotations"] = Value::Null;
            member["platform"] = json!({ "os": "linux", "architecture": "amd64" });
            let mut index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [member] });
            edit(&mut index);
            top["manifests"][0]["mediaType"] = kind.into();
            self.store(index.to_string().as_bytes(), &mut top["manifests"][0]);
        });
    }

    pub fn check(&self, args: &[&str]) -> Output {
        attempt(rebake().arg("check").args(args).current_dir(self.work.path()))
    }

    /// The codes of all findings, errors before warnings, each once, and the exit status.
    #[track_caller]
    pub fn codes(&self, image: &str) -> String {
        let out = self.check(&[image, "--json"]);
        let said: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{out}"));
        let sound = said["sound"].as_bool().unwrap_or_else(|| panic!("{out}"));
        assert_eq!(out.code(), Some(i32::from(!sound)), "{out}");
        let mut codes: Vec<String> = Vec::new();
        for finding in said["findings"].as_array().expect("findings") {
            let mark = if finding["severity"] == "error" { "" } else { "~" };
            let code = format!("{mark}{}", finding["code"].as_str().expect("a code"));
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        codes.sort();
        codes.join(" ")
    }
}

/// An entry of a tar, byte by byte; names and targets are not looked at.
pub fn entry(name: &str, flag: u8, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, if flag == b'5' { b"0000755\0" } else { b"0000644\0" });
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000144\0");
    put(148, b"        ");
    put(156, &[flag]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    let sum: u64 = header.iter().map(|&b| u64::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = [&header[..], content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub fn file(name: &str) -> Vec<u8> {
    entry(name, b'0', "", b"x")
}

pub fn empty(name: &str) -> Vec<u8> {
    entry(name, b'0', "", b"")
}

pub fn dir(name: &str) -> Vec<u8> {
    entry(name, b'5', "", b"")
}

pub fn symlink(name: &str, target: &str) -> Vec<u8> {
    entry(name, b'2', target, b"")
}

pub fn link(name: &str, target: &str) -> Vec<u8> {
    entry(name, b'1', target, b"")
}

/// What is damaged, how, and the codes of what must be found.
pub type Case = (&'static str, fn(&Layout), &'static str);

/// Holds what is found against what must be, one layout a case.
#[track_caller]
pub fn hold(cases: &[Case]) {
    let mut wrong = Vec::new();
    for (what, damage, wanted) in cases {
        let layout = Layout::new();
        damage(&layout);
        let found = layout.codes("l");
        if found != *wanted {
            wrong.push(format!("{what}: wanted `{wanted}`, found\n{}", layout.check(&["l"])));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
