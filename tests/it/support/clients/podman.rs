//! podman, with storage of its own and no daemon. Each call has its own namespaces, so that no container and no mount is left.

use crate::support::{Image, Work, contained, run};
use std::process::Command;

/// Needed where rlimits cannot be raised: podman's own are higher.
const LIMITS: [&str; 4] = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:1024"];

/// An empty image store. Needs root.
pub struct Podman {
    work: Work,
}

impl Podman {
    /// A new, empty one.
    pub fn new() -> Podman {
        Podman { work: Work::new() }
    }

    /// `podman ARGS`, to be run, or kept as a daemon.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = contained("podman");
        for (option, folder) in [("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(option).arg(self.work.join(folder));
        }
        command.args(["--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]).args(args);
        command
    }

    /// The id of the image at `source`: `oci:DIR:TAG`, `oci-archive:FILE`, `localhost:PORT/NAME:TAG`.
    #[track_caller]
    pub fn pull(&self, source: &str) -> String {
        run(&mut self.command(&["pull", "--quiet", "--tls-verify=false", source])).text()
    }

    /// Loads an archive of `image`, and finds it under its name; its id.
    #[track_caller]
    pub fn load(&self, archive: &std::path::Path, image: &Image) -> String {
        run(&mut self.command(&["load", "--quiet", "--input", archive.to_str().expect("a plain path")]));
        self.inspect(&image.reference(), "{{.Id}}")
    }

    /// The digest of the manifest, as podman keeps it.
    #[track_caller]
    pub fn digest(&self, image: &str) -> String {
        self.inspect(image, "{{.Digest}}")
    }

    /// One thing of an image, by template.
    #[track_caller]
    pub fn inspect(&self, image: &str, template: &str) -> String {
        run(&mut self.command(&["image", "inspect", "--format", template, image])).text()
    }

    /// Runs the image's own command with `args`; its standard output.
    #[track_caller]
    pub fn run(&self, image: &str, args: &[&str]) -> String {
        run(&mut self.run_command(image, "none", args)).text()
    }

    /// `podman run` in a network: `none` or `host`.
    pub fn run_command(&self, image: &str, network: &str, args: &[&str]) -> Command {
        let mut command = self.command(&["run", "--rm", "--network", network]);
        command.args(LIMITS).arg(image).args(args);
        command
    }

    /// Forgets all images.
    #[track_caller]
    pub fn forget(&self) {
        run(&mut self.command(&["rmi", "--all", "--force"]));
    }
}
