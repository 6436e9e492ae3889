//! docker-registry: the distribution spec's reference registry, on a free port of this machine.

use crate::support::http::Identity;
use crate::support::{Daemon, Work, free_port, run, tool};
use serde_json::json;
use std::net::TcpStream;

/// A registry. Needs no root.
pub struct Registry {
    // Ends before its folder goes.
    _daemon: Daemon,
    _work: Work,
    port: u16,
}

impl Registry {
    /// Starts one without TLS or password.
    #[track_caller]
    pub fn start() -> Registry {
        Registry::start_with(None, None)
    }

    /// Starts one that wants a name and a password, speaks TLS, or both.
    #[track_caller]
    pub fn start_with(login: Option<(&str, &str)>, tls: Option<&Identity>) -> Registry {
        let work = Work::new();
        let port = free_port();
        let mut config = json!({
            "version": 0.1,
            "log": { "level": "warn", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": work.mkdir("data") }, "delete": { "enabled": true } },
            "http": { "addr": format!("127.0.0.1:{port}") },
        });
        if let Some((user, password)) = login {
            let file = work.write("htpasswd", run(tool("htpasswd").args(["-Bbn", user, password])).stdout);
            config["auth"] = json!({ "htpasswd": { "realm": "rebake", "path": file } });
        }
        if let Some(Identity { certificate, key, .. }) = tls {
            config["http"]["tls"] = json!({ "certificate": certificate, "key": key });
        }
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
