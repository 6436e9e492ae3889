//! dockerd and docker, with neither bridge nor firewall rules.

use crate::support::{Daemon, Image, Work, attempt, contained, run, tool};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a container may take to become healthy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A dockerd of its own. Needs root.
pub struct Docker {
    // Ends before its folder goes.
    _daemon: Daemon,
    work: Work,
}

impl Docker {
    /// Starts one. It takes a registry at localhost without TLS, as every docker does.
    #[track_caller]
    pub fn start() -> Docker {
        let work = Work::new();
        let config = json!({
            "data-root": work.join("data"),
            "exec-root": work.join("exec"),
            "pidfile": work.join("pid"),
            "hosts": [format!("unix://{}", work.join("sock").display())],
            "storage-driver": "overlay2",
            "iptables": false,
            "ip6tables": false,
            "bridge": "none",
        });
        let config = work.write("config.json", config.to_string());
        let mut daemon = Daemon::start(contained("dockerd").arg("--config-file").arg(config), &work.join("log"));
        daemon.wait_until(|| attempt(&mut docker(&work, &["version"])).code() == Some(0));
        Docker { _daemon: daemon, work }
    }

    /// Loads an archive of `image`, and finds it under its name; its id. What was there before is forgotten first, as docker
    /// does not read a layer that it believes to have.
    #[track_caller]
    pub fn load(&self, archive: &Path, image: &Image) -> String {
        run(&mut self.docker(&["system", "prune", "--all", "--force"]));
        run(self.docker(&["load", "--quiet", "--input"]).arg(archive));
        self.inspect(&image.reference(), "{{.Id}}")
    }

    /// Pulls by name; the digest that docker remembers for it.
    #[track_caller]
    pub fn pull(&self, reference: &str) -> String {
        run(&mut self.docker(&["pull", "--quiet", reference]));
        let names = self.inspect(reference, "{{range .RepoDigests}}{{println .}}{{end}}");
        let digest = names.trim_end().rsplit_once('@').unwrap_or_else(|| panic!("no digest in {names:?}")).1;
        digest.to_owned()
    }

    /// One thing of an image, by template.
    #[track_caller]
    pub fn inspect(&self, image: &str, template: &str) -> String {
        run(&mut self.docker(&["image", "inspect", "--format", template, image])).text()
    }

    /// Runs the image's own command with `args`; its standard output.
    #[track_caller]
    pub fn run(&self, image: &str, args: &[&str]) -> String {
        run(self.docker(&["run", "--rm", "--network", "none", image]).args(args)).text()
    }

    /// Starts a container and waits until its health is known: `healthy` or `unhealthy`. It is gone afterwards.
    #[track_caller]
    pub fn health(&self, image: &str, args: &[&str]) -> String {
        let id = run(self.docker(&["run", "--detach", "--network", "none", image]).args(args)).text();
        let end = Instant::now() + PATIENCE;
        let health = loop {
            let template = "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}";
            let health = run(&mut self.docker(&["container", "inspect", "--format", template, &id])).text();
            if health != "starting" || Instant::now() > end {
                break health;
            }
            sleep(Duration::from_millis(100));
        };
        run(&mut self.docker(&["rm", "--force", "--volumes", &id]));
        health
    }

    fn docker(&self, args: &[&str]) -> Command {
        docker(&self.work, args)
    }
}

fn docker(work: &Work, args: &[&str]) -> Command {
    let mut command = tool("docker");
    command.arg("--host").arg(format!("unix://{}", work.join("sock").display())).args(args);
    command.env("DOCKER_CONFIG", work.path());
    command
}
