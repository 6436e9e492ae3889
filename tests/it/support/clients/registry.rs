//! docker-registry: the distribution spec's reference registry, on a free port of this machine.

use crate::support::{Daemon, Work, free_port};
use serde_json::json;
use std::net::TcpStream;

/// A registry without TLS or password. Needs no root.
pub struct Registry {
    // Ends before its folder goes.
    _daemon: Daemon,
    _work: Work,
    port: u16,
}

impl Registry {
    /// Starts one.
    #[track_caller]
    pub fn start() -> Registry {
        let work = Work::new();
        let port = free_port();
        let config = json!({
            "version": 0.1,
            "log": { "level": "warn", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": work.mkdir("data") }, "delete": { "enabled": true } },
            "http": { "addr": format!("127.0.0.1:{port}") },
        });
        // JSON is YAML.
        let config = work.write("config.yml", config.to_string());
        let config = config.to_str().expect("a plain path");
        let mut daemon = Daemon::start_plain("docker-registry", &["serve", config], &work.join("log"));
        daemon.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        Registry { _daemon: daemon, _work: work, port }
    }

    /// The full name of repository and tag `name` here: `localhost:PORT/NAME`.
    pub fn reference(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }
}
