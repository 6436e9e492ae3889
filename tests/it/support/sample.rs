//! An image that rebake had no hand in: tar(1), gzip or zstd, and JSON written here.
//!
//! It shows that the clients accept what they should before they are asked about ours, and it serves as a base image.

use super::clients::skopeo;
use super::{Image, Work, run, tool};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// The image that [`Sample::write`] makes of the folder `rootfs` of a [`Work`].
pub struct Sample<'a> {
    /// The name without tag.
    pub name: &'a str,
    /// The tag.
    pub tag: &'a str,
    /// `config` of the image config: `Env`, `Cmd` and so on.
    pub config: Value,
    /// `gzip` or `zstd`: the program, and the end of the layer's media type.
    pub compression: &'a str,
}

impl Sample<'_> {
    /// One layer of all that is in `rootfs`, all owned by root unless the files are owned by others; modes, hard links and
    /// file capabilities as they are on disk. In the three forms, beside `rootfs`; no docker-archive of zstd, as skopeo makes
    /// none.
    pub fn write(&self, work: &Work, rootfs: &str) -> Image {
        let tar = work.join(format!("{rootfs}.layer"));
        let mut pack = tool("tar");
        pack.arg("--create").arg("--file").arg(&tar).arg("--directory").arg(work.join(rootfs));
        pack.args(["--format=pax", "--sort=name", "--numeric-owner", "--mtime=@315532800"]);
        run(pack.args(["--xattrs", "--xattrs-include=security.capability", "."]));
        let diff_id = format!("sha256:{}", sha256(&fs::read(&tar).expect("a layer")));
        let packed = run(tool(self.compression).arg("-c").arg(&tar)).stdout;

        let layout = work.mkdir(format!("{rootfs}.layout"));
        let layer = blob(&layout, &format!("application/vnd.oci.image.layer.v1.tar+{}", self.compression), &packed);
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": self.config,
            "history": [{ "created_by": "tar" }],
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        });
        let config = blob(&layout, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
        });
        let mut top = blob(&layout, "application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes());
        let digest = top["digest"].as_str().expect("a digest").to_owned();
        top["annotations"] = json!({
            "org.opencontainers.image.ref.name": self.tag,
            "io.containerd.image.name": format!("{}:{}", self.name, self.tag),
        });
        json_file(&layout.join("oci-layout"), &json!({ "imageLayoutVersion": "1.0.0" }));
        json_file(&layout.join("index.json"), &json!({ "schemaVersion": 2, "manifests": [top] }));

        let image = Image::placed(work, rootfs, self.name, self.tag, &digest);
        self.archive(&image, &config, &layer);
        if self.compression != "zstd" {
            let dest = format!("docker-archive:{}:{}", image.docker_archive.display(), image.reference());
            skopeo::copy(&format!("oci:{}", image.layout_tag()), &dest, &[]);
        }
        image
    }

    /// The layout as one tar, with the `manifest.json` that docker looks for.
    fn archive(&self, image: &Image, config: &Value, layer: &Value) {
        let path = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().expect("a digest");
            format!("blobs/{}", digest.replace(':', "/"))
        };
        let list = json!([{ "Config": path(config), "RepoTags": [image.reference()], "Layers": [path(layer)] }]);
        let extra = image.layout.join("manifest.json");
        json_file(&extra, &list);
        let mut pack = tool("tar");
        pack.arg("--create").arg("--file").arg(&image.oci_archive).arg("--directory").arg(&image.layout);
        run(pack.args(["oci-layout", "index.json", "manifest.json", "blobs"]));
        fs::remove_file(extra).expect("a file to remove");
    }
}

/// The SHA-256 of `bytes`, in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a blob; its descriptor.
fn blob(layout: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let hex = sha256(bytes);
    let folder = layout.join("blobs/sha256");
    fs::create_dir_all(&folder).expect("folders");
    fs::write(folder.join(&hex), bytes).expect("a blob");
    json!({ "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len() })
}

fn json_file(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).expect("a file");
}
