//! An image is good when the clients people have take it, run it, and report the digest that we printed.
//!
//! Each question is asked of two images: the control, in which rebake had no hand, shows that the question is fair; then of
//! ours.

mod files;
pub mod probe;
pub mod web;
mod zstd;

use crate::support::clients::{Bundle, Containerd, Docker, Podman, Registry, skopeo};
use crate::support::{Image, Work};
use probe::{REPORT, REPORT_ON_ARGUMENTS};

/// One question a line, each a test for the control and one for ours.
macro_rules! ask {
    ($($question:ident needs $($tool:literal)+;)+) => {
        mod control {
            $(#[test]
            fn $question() {
                if crate::support::needs(&["busybox", "skopeo", $($tool),+]) {
                    super::$question(&super::probe::control(&crate::support::Work::new()));
                }
            })+
        }

        mod ours {
            $(#[test]
            fn $question() {
                if crate::support::needs(&["busybox", "skopeo", $($tool),+]) {
                    super::$question(&super::probe::ours(&crate::support::Work::new()));
                }
            })+
        }
    };
}

ask! {
    skopeo_reads_the_same_bytes needs "skopeo";
    umoci_unpacks_and_runc_runs needs "umoci" "runc" "root";
    podman_pulls_loads_and_runs needs "podman" "runc" "root";
    containerd_imports_and_runs needs "containerd" "ctr" "root";
    docker_loads_runs_and_is_healthy needs "docker" "dockerd" "root";
    a_registry_gives_back_the_same_image needs "docker-registry";
    clients_pull_it_from_a_registry needs "docker-registry" "docker" "dockerd" "podman" "runc" "containerd" "ctr" "root";
}

fn skopeo_reads_the_same_bytes(image: &Image) {
    let work = Work::new();
    let layout = format!("oci:{}", image.layout_tag());
    let archive = format!("oci-archive:{}", image.oci_archive.display());
    assert_eq!(skopeo::manifest_digest(&layout), image.digest);
    assert_eq!(skopeo::manifest_digest(&archive), image.digest);
    let docker = format!("docker-archive:{}:{}", image.docker_archive.display(), image.reference());
    assert_eq!(skopeo::config_digest(&docker), skopeo::config_digest(&layout));

    let copy = format!("oci:{}:copy", work.join("copy").display());
    skopeo::copy(&archive, &copy, &[]);
    assert_eq!(skopeo::manifest_digest(&copy), image.digest);
}

fn umoci_unpacks_and_runc_runs(image: &Image) {
    assert!(Bundle::stat(&image.layout_tag())["history"].is_array());
    let bundle = Bundle::unpack(&image.layout_tag());
    assert_eq!(bundle.run(), REPORT);
}

fn podman_pulls_loads_and_runs(image: &Image) {
    let podman = Podman::new();
    let config_digest = skopeo::config_digest(&format!("oci:{}", image.layout_tag()));
    for source in [format!("oci:{}", image.layout_tag()), format!("oci-archive:{}", image.oci_archive.display())] {
        let id = podman.pull(&source);
        assert_eq!(podman.digest(&id), image.digest, "{source}");
        assert_eq!(format!("sha256:{id}"), config_digest, "{source}");
        assert_eq!(podman.run(&id, &[]), REPORT, "{source}");
        podman.forget();
    }
    for archive in [&image.oci_archive, &image.docker_archive] {
        let id = podman.load(archive, image);
        assert_eq!(format!("sha256:{id}"), config_digest, "{}", archive.display());
        assert_eq!(podman.run(&image.reference(), &["on", "arguments"]), REPORT_ON_ARGUMENTS, "{}", archive.display());
        podman.forget();
    }
}

fn containerd_imports_and_runs(image: &Image) {
    let containerd = Containerd::start();
    assert_eq!(containerd.import(&image.oci_archive), [image.reference()]);
    assert_eq!(containerd.digest(&image.reference()), image.digest);
    assert_eq!(containerd.run(&image.reference(), &[]), REPORT);
}

fn docker_loads_runs_and_is_healthy(image: &Image) {
    let docker = Docker::start();
    let config_digest = skopeo::config_digest(&format!("oci:{}", image.layout_tag()));
    for archive in [&image.oci_archive, &image.docker_archive] {
        assert_eq!(docker.load(archive, image), config_digest, "{}", archive.display());
        assert_eq!(docker.run(&image.reference(), &[]), REPORT, "{}", archive.display());
        assert_eq!(docker.run(&image.reference(), &["on", "arguments"]), REPORT_ON_ARGUMENTS);
        assert_eq!(docker.health(&image.reference(), &["sleep"]), "healthy", "{}", archive.display());
    }
    let settings = "{{.Config.User}} {{.Config.WorkingDir}} {{.Config.StopSignal}} {{.Config.ExposedPorts}} \
                    {{.Config.Volumes}} {{.Config.Labels}}";
    let expected = "app /srv SIGTERM map[8080/tcp:{}] map[/data:{}] map[org.opencontainers.image.title:probe]";
    assert_eq!(docker.inspect(&image.reference(), settings), expected);
}

fn a_registry_gives_back_the_same_image(image: &Image) {
    let registry = Registry::start();
    let work = Work::new();
    let remote = format!("docker://{}", registry.reference("acme/probe:1"));
    let back = format!("oci:{}:back", work.join("back").display());
    skopeo::copy(&format!("oci:{}", image.layout_tag()), &remote, &["--dest-tls-verify=false"]);
    assert_eq!(skopeo::manifest_digest(&remote), image.digest);
    skopeo::copy(&remote, &back, &["--src-tls-verify=false"]);
    assert_eq!(skopeo::manifest_digest(&back), image.digest);
}

fn clients_pull_it_from_a_registry(image: &Image) {
    let registry = Registry::start();
    let reference = registry.reference("acme/probe:1");
    let layout = format!("oci:{}", image.layout_tag());
    skopeo::copy(&layout, &format!("docker://{reference}"), &["--dest-tls-verify=false"]);

    let docker = Docker::start();
    assert_eq!(docker.pull(&reference), image.digest);
    assert_eq!(docker.run(&reference, &[]), REPORT);
    drop(docker);

    let podman = Podman::new();
    let id = podman.pull(&reference);
    assert_eq!(podman.digest(&id), image.digest);
    assert_eq!(podman.run(&id, &[]), REPORT);

    let containerd = Containerd::start();
    containerd.pull(&reference);
    assert_eq!(containerd.digest(&reference), image.digest);
    assert_eq!(containerd.run(&reference, &[]), REPORT);
}
