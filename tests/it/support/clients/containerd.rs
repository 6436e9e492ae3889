//! containerd and `ctr`: the runtime below Docker and Kubernetes.

use crate::support::{Daemon, Work, attempt, contained, run, tool};
use std::path::Path;
use std::process::Command;

/// A containerd of its own. Needs root.
pub struct Containerd {
    // Ends before its folder goes.
    _daemon: Daemon,
    work: Work,
}

impl Containerd {
    /// Starts one.
    #[track_caller]
    pub fn start() -> Containerd {
        let work = Work::new();
        let folder = work.path().display();
        let config = format!(
            "version = 2\nroot = '{folder}/root'\nstate = '{folder}/state'\n\
             disabled_plugins = ['io.containerd.grpc.v1.cri']\n[grpc]\naddress = '{folder}/sock'\n"
        );
        let config = work.write("config.toml", config);
        let mut daemon = Daemon::start(contained("containerd").arg("--config").arg(config), &work.join("log"));
        daemon.wait_until(|| attempt(&mut ctr(&work, &["version"])).code() == Some(0));
        Containerd { _daemon: daemon, work }
    }

    /// All that is its own on disk.
    pub fn folder(&self) -> std::path::PathBuf {
        self.work.path().to_owned()
    }

    /// The names under which an archive was imported.
    #[track_caller]
    pub fn import(&self, archive: &Path) -> Vec<String> {
        run(self.ctr(&["image", "import"]).arg(archive));
        run(&mut self.ctr(&["image", "ls", "--quiet"])).text().lines().map(str::to_owned).collect()
    }

    /// Pulls by name from a registry without TLS.
    #[track_caller]
    pub fn pull(&self, reference: &str) {
        run(&mut self.ctr(&["image", "pull", "--plain-http", reference]));
    }

    /// The digest of an image, from the table that `ctr image ls` prints.
    #[track_caller]
    pub fn digest(&self, reference: &str) -> String {
        let table = run(&mut self.ctr(&["image", "ls", &format!("name=={reference}")])).text();
        let row = table.lines().nth(1).unwrap_or_else(|| panic!("no {reference} in\n{table}"));
        row.split_whitespace().nth(2).expect("a digest").to_owned()
    }

    /// Runs `args`, or the image's own command if there are none; standard output.
    #[track_caller]
    pub fn run(&self, reference: &str, args: &[&str]) -> String {
        let mut command = self.ctr(&["run", "--rm", "--fifo-dir"]);
        run(command.arg(self.work.join("fifo")).args([reference, "probe"]).args(args)).text()
    }

    fn ctr(&self, args: &[&str]) -> Command {
        ctr(&self.work, args)
    }
}

fn ctr(work: &Work, args: &[&str]) -> Command {
    let mut command = tool("ctr");
    command.arg("--address").arg(work.join("sock")).args(["--namespace", "test"]).args(args);
    command
}
