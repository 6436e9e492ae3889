//! The only reader of environment, working directory, processors and terminal; everybody else is handed plain values.
#![allow(clippy::disallowed_methods, reason = "this is the one place that asks the host")]

use std::io::IsTerminal;
use std::path::PathBuf;

/// What the host says.
#[derive(Debug)]
pub struct Env {
    /// The working directory.
    pub cwd: std::io::Result<PathBuf>,
    /// `SOURCE_DATE_EPOCH` as it is set.
    pub source_date_epoch: Option<String>,
    /// The time, in seconds since 1970.
    pub now: i64,
    /// The folder for temporary files.
    pub scratch: PathBuf,
    /// How many processors may be used.
    pub processors: usize,
    /// Whether errors go to a terminal that shows colours.
    pub colors: bool,
    /// The width of the terminal, in columns.
    pub columns: Option<usize>,
    /// The folder of the store: `REBAKE_CACHE`, else as the XDG Base Directory Specification has it.
    pub cache: Option<PathBuf>,
    /// Proxies and certificates.
    pub net: rebake::net::Settings,
    /// Where credentials for registries may be.
    pub credentials: rebake::registry::Credentials,
}

impl Env {
    /// Asks once.
    pub fn read() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            cwd: std::env::current_dir(),
            source_date_epoch: std::env::var_os("SOURCE_DATE_EPOCH").map(|text| text.to_string_lossy().into_owned()),
            now: now(),
            scratch: std::env::temp_dir(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            colors: std::io::stderr().is_terminal() && !set("NO_COLOR") && !dumb,
            columns: std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()),
            cache: cache(),
            net: net(),
            credentials: rebake::registry::Credentials::new(credentials(), std::env::var_os("PATH")),
        }
    }
}

/// Rounded down; a clock before 1970 makes every file a new one.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_secs()).ok()).unwrap_or(i64::MIN)
}

/// The variable, if it is set to something.
fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn cache() -> Option<PathBuf> {
    let home = || Some(path("HOME")?.join(".cache"));
    // "All paths must be absolute; a relative one is to be ignored."
    let xdg = || path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    path("REBAKE_CACHE").or_else(|| Some(xdg().or_else(home)?.join("rebake")))
}

/// Proxies and certificates by the usual variables. As curl has it, the lower-case name of a proxy counts first, and
/// `HTTP_PROXY` not at all: a web server sets it from a request's header.
fn net() -> rebake::net::Settings {
    let text =
        |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    rebake::net::Settings {
        https_proxy: text(&["https_proxy", "HTTPS_PROXY"]),
        http_proxy: text(&["http_proxy"]),
        all_proxy: text(&["all_proxy", "ALL_PROXY"]),
        no_proxy: text(&["no_proxy", "NO_PROXY"]),
        cert_file: path("SSL_CERT_FILE"),
        cert_dir: path("SSL_CERT_DIR"),
        ..rebake::net::Settings::default()
    }
}

/// Files of credentials: podman's before docker's. `REGISTRY_AUTH_FILE` stands for all of them.
fn credentials() -> Vec<PathBuf> {
    if let Some(only) = path("REGISTRY_AUTH_FILE") {
        return vec![only];
    }
    let home = path("HOME");
    let below = |folder: Option<PathBuf>, file: &str| folder.map(|folder| folder.join(file));
    let config = path("XDG_CONFIG_HOME").or_else(|| below(home.clone(), ".config"));
    let docker = path("DOCKER_CONFIG").or_else(|| below(home, ".docker"));
    let files = [
        below(path("XDG_RUNTIME_DIR"), "containers/auth.json"),
        below(config, "containers/auth.json"),
        below(docker, "config.json"),
    ];
    files.into_iter().flatten().collect()
}
