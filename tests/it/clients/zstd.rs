//! Layers in zstd, for the clients that know it: podman, containerd and skopeo do; umoci 0.4.7 and docker 20.10 do not.

use super::probe;
use crate::support::clients::{Containerd, Podman, skopeo};
use crate::support::{Image, Work, needs};

#[test]
fn control_runs_from_zstd() {
    if needs(&["busybox", "skopeo", "zstd", "podman", "runc", "containerd", "ctr", "root"]) {
        runs_from_zstd(&probe::packed(&Work::new(), "zstd"));
    }
}

#[test]
fn ours_runs_from_zstd() {
    if needs(&["busybox", "skopeo", "podman", "runc", "containerd", "ctr", "root"]) {
        runs_from_zstd(&probe::baked(&Work::new(), "zstd"));
    }
}

fn runs_from_zstd(image: &Image) {
    let layout = format!("oci:{}", image.layout_tag());
    assert_eq!(skopeo::manifest_digest(&layout), image.digest);

    let podman = Podman::new();
    let id = podman.pull(&layout);
    assert_eq!(podman.digest(&id), image.digest);
    assert_eq!(podman.run(&id, &[]), probe::REPORT);

    let containerd = Containerd::start();
    containerd.import(&image.oci_archive);
    assert_eq!(containerd.digest(&image.reference()), image.digest);
    assert_eq!(containerd.run(&image.reference(), &[]), probe::REPORT);
}
