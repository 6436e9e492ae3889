//! umoci unpacks an image to a runtime bundle, and runc runs that: the strictest reader of descriptors and diff_ids.

use crate::support::{Work, contained, run, tool};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// An image unpacked to an OCI runtime bundle.
pub struct Bundle {
    work: Work,
}

impl Bundle {
    /// Unpacks `DIR:TAG`, owners and all. Needs root.
    #[track_caller]
    pub fn unpack(layout_tag: &str) -> Bundle {
        let work = Work::new();
        run(tool("umoci").args(["unpack", "--image", layout_tag]).arg(work.join("b")));
        Bundle { work }
    }

    /// What `umoci stat` says of `DIR:TAG`: `{"history": [...]}`.
    #[track_caller]
    pub fn stat(layout_tag: &str) -> Value {
        let out = run(tool("umoci").args(["stat", "--json", "--image", layout_tag]));
        serde_json::from_slice(&out.stdout).expect("JSON")
    }

    /// The root file system.
    pub fn rootfs(&self) -> PathBuf {
        self.work.join("b/rootfs")
    }

    /// What runc is told: the image config as umoci translates it.
    pub fn spec(&self) -> Value {
        serde_json::from_slice(&self.work.read("b/config.json")).expect("JSON")
    }

    /// Runs the image's own command; its standard output.
    #[track_caller]
    pub fn run(&self) -> String {
        let args = self.spec()["process"]["args"].as_array().expect("arguments").clone();
        run(&mut self.command(&args)).text()
    }

    /// `runc run` of `args` as the image's user, in the network of the host: to be run, or kept as a daemon.
    pub fn command(&self, args: &[Value]) -> Command {
        let mut spec = self.spec();
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = json!(args);
        // As `contained` processes cannot raise their limits, they ask for none.
        spec["process"]["rlimits"] = json!([]);
        let namespaces = spec["linux"]["namespaces"].as_array_mut().expect("namespaces");
        namespaces.retain(|namespace| namespace["type"] != "network");
        self.work.write("b/config.json", spec.to_string());
        let mut command = contained("runc");
        command.arg("--root").arg(self.work.join("runc")).arg("run").arg("--bundle").arg(self.work.join("b"));
        command.arg(self.work.path().file_name().expect("a name"));
        command
    }
}
