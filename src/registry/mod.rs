//! Client of the distribution specification: manifests, blobs, tags and referrers of a registry, by name, there and back.
//!
//! Nothing is read without a bound. What a manifest says is left to others; redirects and the waits between tries to `net`.

mod auth;
mod credentials;
mod error;
mod pages;
mod pull;
mod push;
mod reader;
mod referrers;
mod upload;
mod words;

pub use credentials::{Credentials, CredentialsError};
pub use error::{Action, RegistryError, RegistryErrorKind};
pub use pull::Reference;
pub use push::Pushed;
pub use reader::BlobReader;

use crate::net::{Http, Request, is_loopback};
use auth::Pass;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use url::Url;

/// Registries, with what was learnt of them: how each is reached, and the tokens it gave.
pub struct Registry {
    http: Http,
    credentials: Credentials,
    insecure: bool,
    pieces: Pieces,
    ways: Mutex<BTreeMap<String, Way>>,
    passes: Mutex<BTreeMap<String, Pass>>,
}

impl Repository<'_> {
    /// With its registry: `docker.io/library/debian`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.host, self.name)
    }
}

/// When a blob is uploaded in pieces, so that a connection that breaks costs one of them.
#[derive(Debug, Clone, Copy)]
pub struct Pieces {
    /// If it has more bytes than this.
    pub above: u64,
    /// How large they are; a registry may want larger ones.
    pub size: u64,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { above: 64 << 20, size: 16 << 20 }
    }
}

/// How a host is reached.
#[derive(Clone)]
struct Way {
    http: Http,
    /// `https://HOST`, or `http://HOST`.
    base: String,
}

/// A repository of a registry.
#[derive(Clone)]
pub struct Repository<'a> {
    registry: &'a Registry,
    host: String,
    name: String,
}

/// The tokens are secret.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

impl fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({}/{})", self.host, self.name)
    }
}

impl Registry {
    /// With `insecure`, certificates are not checked, and registries without TLS are spoken to.
    #[must_use]
    pub fn new(http: &Http, credentials: &Credentials, insecure: bool) -> Self {
        let (ways, passes) = Default::default();
        let http = if insecure { http.trusting_anybody() } else { http.clone() };
        Self { http, credentials: credentials.clone(), insecure, pieces: Pieces::default(), ways, passes }
    }

    /// The same with other pieces.
    #[must_use]
    pub fn with_pieces(self, pieces: Pieces) -> Self {
        Self { pieces, ..self }
    }

    /// A repository by its full name, as [`crate::oci::Transport::Registry`] has it: `docker.io/library/debian`.
    #[must_use]
    pub fn repository(&self, name: &str) -> Repository<'_> {
        let (host, name) = name.split_once('/').unwrap_or(("docker.io", name));
        Repository { registry: self, host: host.to_owned(), name: name.to_owned() }
    }

    /// How to reach a host: by TLS; on this machine, and where the user calls it insecure, without if none is spoken there.
    fn way(&self, host: &str, interrupt: &AtomicBool) -> Result<Way, RegistryErrorKind> {
        let mut ways = lock(&self.ways);
        if let Some(way) = ways.get(host) {
            return Ok(way.clone());
        }
        // The name that people use is not where its API is.
        let api = if matches!(host, "docker.io" | "index.docker.io") { "registry-1.docker.io" } else { host };
        let mut way = Way { http: self.http.clone(), base: format!("https://{api}") };
        if self.insecure || Url::parse(&way.base).is_ok_and(|url| is_loopback(&url)) {
            let ping = format!("{}/v2/", way.base);
            match way.http.request(&Request { tries: 1, ..Request::get(&ping, auth::TOKEN) }, interrupt) {
                Ok(_) => {}
                Err(error) if error.kind.is_without_tls() => way.base = format!("http://{api}"),
                Err(error) => return Err(RegistryErrorKind::Http(Box::new(error))),
            }
        }
        ways.insert(host.to_owned(), way.clone());
        Ok(way)
    }
}

/// Nothing here is left half-done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
