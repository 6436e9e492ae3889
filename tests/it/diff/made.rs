//! Images whose every byte a test chooses.

use crate::support::{Work, sha256};
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use tar::EntryType;

/// An entry of a layer.
#[derive(Clone)]
pub struct Entry {
    pub path: String,
    pub kind: EntryType,
    pub mode: u32,
    pub owner: (u64, u64),
    pub names: (String, String),
    pub mtime: u64,
    /// Content or target.
    pub data: Vec<u8>,
    /// PAX records.
    pub records: Vec<(String, Vec<u8>)>,
}

impl Entry {
    fn new(path: &str, kind: EntryType, mode: u32, data: &[u8]) -> Self {
        let path = path.to_owned();
        let names = (String::new(), String::new());
        Self { path, kind, mode, owner: (0, 0), names, mtime: 315_532_800, data: data.to_vec(), records: Vec::new() }
    }

    pub fn file(path: &str, data: impl AsRef<[u8]>) -> Self {
        Self::new(path, EntryType::Regular, 0o644, data.as_ref())
    }

    pub fn folder(path: &str) -> Self {
        Self::new(path, EntryType::Directory, 0o755, b"")
    }

    pub fn symlink(path: &str, target: &str) -> Self {
        Self::new(path, EntryType::Symlink, 0o777, target.as_bytes())
    }

    pub fn hard(path: &str, target: &str) -> Self {
        Self::new(path, EntryType::Link, 0o644, target.as_bytes())
    }

    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub fn xattr(mut self, name: &str, value: &[u8]) -> Self {
        self.records.push((format!("SCHILY.xattr.{name}"), value.to_vec()));
        self
    }
}

/// How blobs are compressed.
#[derive(Clone, Copy, PartialEq)]
pub enum Packing {
    None,
    Gzip,
}

/// An image of one platform.
#[derive(Clone)]
pub struct Made {
    pub layers: Vec<Vec<Entry>>,
    pub config: Value,
    pub annotations: Value,
    pub gnu: bool,
    pub packing: Packing,
    /// Zeros at the end of each tar.
    pub end: usize,
    /// In Docker's media types.
    pub docker: bool,
    pub pretty: bool,
}

impl Made {
    pub fn new(entries: Vec<Entry>) -> Self {
        let config = json!({ "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/x"] } });
        Self {
            layers: vec![entries],
            config,
            annotations: json!({}),
            gnu: false,
            packing: Packing::Gzip,
            end: 1024,
            docker: false,
            pretty: false,
        }
    }

    /// An image with some of everything.
    pub fn usual() -> Self {
        Self::new(vec![
            Entry::folder("bin/"),
            Entry::file("bin/tool", b"\x7f binary \0 tool").mode(0o755),
            Entry::folder("etc/"),
            Entry::file("etc/motd", "hello\nworld\n"),
            Entry::file("etc/passwd", "root:x:0:0::/:/bin/sh\n"),
            Entry::symlink("etc/link", "motd"),
        ])
    }

    /// The same with other entries in the last layer.
    pub fn with(mut self, change: impl FnOnce(&mut Vec<Entry>)) -> Self {
        change(self.layers.last_mut().expect("a layer"));
        self
    }

    /// The same with every entry of the last layer changed.
    pub fn each(self, change: impl FnMut(&mut Entry)) -> Self {
        self.with(|entries| entries.iter_mut().for_each(change))
    }

    /// The same with one entry changed.
    pub fn at(self, path: &str, change: impl FnOnce(&mut Entry)) -> Self {
        self.with(|entries| change(entries.iter_mut().find(|entry| entry.path == path).expect("the entry")))
    }

    /// The same with another config.
    pub fn configured(mut self, pointer: &str, name: &str, value: Value) -> Self {
        self.config.pointer_mut(pointer).expect("an object")[name] = value;
        self
    }

    /// The tar of a layer.
    pub fn tar(&self, entries: &[Entry]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in entries {
            if !entry.records.is_empty() {
                let records: Vec<u8> = entry.records.iter().flat_map(|(key, value)| record(key, value)).collect();
                let mut header = tar::Header::new_ustar();
                header.set_entry_type(EntryType::XHeader);
                header.set_path("PaxHeader").expect("a path");
                put(&mut bytes, &mut header, &records);
            }
            let mut header = if self.gnu { tar::Header::new_gnu() } else { tar::Header::new_ustar() };
            header.set_entry_type(entry.kind);
            // As it stands, leading `./` too.
            header.as_mut_bytes()[..entry.path.len()].copy_from_slice(entry.path.as_bytes());
            header.set_mode(entry.mode);
            header.set_uid(entry.owner.0);
            header.set_gid(entry.owner.1);
            header.set_username(&entry.names.0).expect("a name");
            header.set_groupname(&entry.names.1).expect("a name");
            header.set_mtime(entry.mtime);
            match entry.kind {
                EntryType::Symlink | EntryType::Link => {
                    header.set_link_name(std::str::from_utf8(&entry.data).expect("a target")).expect("a target");
                    put(&mut bytes, &mut header, b"");
                }
                _ => put(&mut bytes, &mut header, &entry.data),
            }
        }
        bytes.resize(bytes.len() + self.end, 0);
        bytes
    }

    /// Writes a layout `name`; the digests of its blobs of layers.
    pub fn write(&self, work: &Work, name: &str) -> Vec<String> {
        let (manifest, layers) = self.manifest(work, name);
        index(work, name, &[manifest]);
        layers
    }

    /// Writes all blobs; the descriptor of the manifest, and the digests of the layers.
    pub fn manifest(&self, work: &Work, name: &str) -> (Value, Vec<String>) {
        let kind = |oci: &str, docker: &str| {
            if self.docker {
                format!("application/vnd.docker.{docker}")
            } else {
                format!("application/vnd.oci.image.{oci}")
            }
        };
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for entries in &self.layers {
            let tar = self.tar(entries);
            diff_ids.push(format!("sha256:{}", sha256(&tar)));
            layers.push(match self.packing {
                Packing::None => blob(work, name, &kind("layer.v1.tar", "image.rootfs.diff.tar"), &tar),
                Packing::Gzip => {
                    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::new(6));
                    gzip.write_all(&tar).expect("memory");
                    let packed = gzip.finish().expect("memory");
                    blob(work, name, &kind("layer.v1.tar+gzip", "image.rootfs.diff.tar.gzip"), &packed)
                }
            });
        }
        let mut config = self.config.clone();
        config["rootfs"] = json!({ "type": "layers", "diff_ids": diff_ids });
        let config = if self.pretty { format!("{config:#}") } else { config.to_string() };
        let config = blob(work, name, &kind("config.v1+json", "container.image.v1+json"), config.as_bytes());
        let media_type = kind("manifest.v1+json", "distribution.manifest.v2+json");
        let mut manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers });
        if self.annotations != json!({}) {
            manifest["annotations"] = self.annotations.clone();
        }
        let digests = layers.iter().map(|layer| layer["digest"].as_str().expect("a digest").to_owned()).collect();
        (blob(work, name, &media_type, manifest.to_string().as_bytes()), digests)
    }
}

/// A PAX record: its length counts its own digits.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (rest..).find(|length| rest + length.to_string().len() == *length).expect("a length");
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

fn put(bytes: &mut Vec<u8>, header: &mut tar::Header, data: &[u8]) {
    header.set_size(data.len() as u64);
    header.set_cksum();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}

/// Writes a blob into the layout `name`; its descriptor.
pub fn blob(work: &Work, name: &str, media_type: &str, bytes: &[u8]) -> Value {
    work.write(format!("{name}/blobs/sha256/{}", sha256(bytes)), bytes);
    json!({ "mediaType": media_type, "digest": format!("sha256:{}", sha256(bytes)), "size": bytes.len() })
}

/// Writes `oci-layout` and `index.json`.
pub fn index(work: &Work, name: &str, manifests: &[Value]) {
    work.write(format!("{name}/oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
    work.write(format!("{name}/index.json"), json!({ "schemaVersion": 2, "manifests": manifests }).to_string());
}

/// A layout of one image index.
pub fn platforms(work: &Work, name: &str, images: &[(&str, Made)], extra: Value) {
    let manifests: Vec<Value> = images
        .iter()
        .map(|(architecture, made)| {
            let made = made.clone().configured("", "architecture", json!(architecture));
            let (mut descriptor, _) = made.manifest(work, name);
            descriptor["platform"] = json!({ "os": "linux", "architecture": architecture });
            descriptor
        })
        .chain(extra["manifests"].as_array().cloned().unwrap_or_default())
        .collect();
    let media_type = "application/vnd.oci.image.index.v1+json";
    let mut top = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests });
    if let Some(annotations) = extra.get("annotations") {
        top["annotations"] = annotations.clone();
    }
    let top = blob(work, name, media_type, top.to_string().as_bytes());
    index(work, name, &[top]);
}
