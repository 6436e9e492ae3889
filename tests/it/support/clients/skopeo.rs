//! skopeo: carries images from one transport to another, and shows manifest and config as they are.

use crate::support::{run, sha256, tool};

/// Copies an image with its bytes unchanged where both sides can hold them. `options` come before the two names.
#[track_caller]
pub fn copy(from: &str, to: &str, options: &[&str]) {
    let mut command = tool("skopeo");
    command.args(["copy", "--quiet"]).args(options);
    // A docker-archive knows no other manifest than its own.
    if !to.starts_with("docker-archive:") {
        command.arg("--preserve-digests");
    }
    run(command.args([from, to]));
}

/// The digest of the manifest (or index) of `image`, e.g. `oci:DIR:TAG`, computed here from the bytes skopeo shows.
#[track_caller]
pub fn manifest_digest(image: &str) -> String {
    let raw = run(tool("skopeo").args(["inspect", "--raw", "--tls-verify=false", image])).stdout;
    format!("sha256:{}", sha256(&raw))
}

/// The digest of the image config: what docker and podman call the image's id.
#[track_caller]
pub fn config_digest(image: &str) -> String {
    let raw = run(tool("skopeo").args(["inspect", "--config", "--raw", "--tls-verify=false", image])).stdout;
    format!("sha256:{}", sha256(&raw))
}
