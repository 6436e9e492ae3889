//! HTTP client: downloads that resume, streams, uploads, small documents, retries, redirects, proxies, certificates.
//!
//! Whoever holds an [`Http`] can reach the network, and nobody else can: what is to work without is given none. What the
//! bytes mean, and whether they are the right ones, is left to the caller.

mod download;
mod error;
mod follow;
mod retry;
mod roots;
mod routes;
mod send;
mod stream;
mod tls;
mod wire;

pub use error::{HttpError, HttpErrorKind};
pub use retry::Retry;
pub use stream::Stream;

use base64::Engine;
use retry::Setback;
use routes::{Proxies, Routes};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use ureq::http::HeaderMap;
use url::{Host, Url};

/// What the environment says of the network. The default is a direct connection and the system's certificates.
#[derive(Clone, Default)]
pub struct Settings {
    /// The proxy for `https:` URLs.
    pub https_proxy: Option<String>,
    /// The proxy for `http:` URLs.
    pub http_proxy: Option<String>,
    /// The proxy for URLs that have none by their scheme.
    pub all_proxy: Option<String>,
    /// Hosts, domains and networks that are reached directly, with commas; `*` for all.
    pub no_proxy: Option<String>,
    /// Trusted certificates (PEM), instead of the system's.
    pub cert_file: Option<PathBuf>,
    /// Folders of trusted certificates, with colons, instead of the system's.
    pub cert_dir: Option<PathBuf>,
    /// How long to wait for what.
    pub timing: Timing,
}

/// A proxy may have a password in its URL, so none is shown.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { no_proxy, cert_file, cert_dir, timing, .. } = self;
        let fields = (no_proxy, cert_file, cert_dir, timing);
        f.debug_tuple("Settings").field(&fields).finish()
    }
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the next byte.
    pub idle: Duration,
    /// Before the second try; from try to try it grows, to twenty times that.
    pub delay: Duration,
    /// The longest wait before a try that a server may ask for; if it asks for more, that is an error.
    pub patience: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(30),
            delay: Duration::from_millis(200),
            patience: Duration::from_secs(60),
        }
    }
}

/// The way to the network. Clones share their connections.
#[derive(Clone)]
pub struct Http {
    routes: Arc<Routes>,
    proxies: Arc<Proxies>,
    timing: Timing,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// What to do at a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Fetch it.
    Get,
    /// Fetch its headers.
    Head,
    /// Send it a body.
    Post,
    /// Put a body there.
    Put,
    /// Send it a part.
    Patch,
    /// Take it away.
    Delete,
}

impl Method {
    /// Whether something is sent with it, if only nothing. Such a request is not redirected.
    fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// A request for a small document. It has no `Debug`, as headers and body may be secrets.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What to do.
    pub method: Method,
    /// `http:` or `https:`.
    pub url: &'a str,
    /// Names and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is sent; with [`Method::Post`], [`Method::Put`] and [`Method::Patch`].
    pub body: &'a [u8],
    /// How many bytes the answer may have.
    pub limit: u64,
    /// How often to try.
    pub tries: u32,
}

impl<'a> Request<'a> {
    /// The usual number of tries.
    pub const TRIES: u32 = 5;

    /// Fetches up to `limit` bytes.
    #[must_use]
    pub fn get(url: &'a str, limit: u64) -> Self {
        Self { method: Method::Get, url, headers: &[], body: &[], limit, tries: Self::TRIES }
    }
}

/// What a server answered, whole.
#[derive(Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The body. Of an answer that is no success it may be a part only.
    pub body: Vec<u8>,
    headers: HeaderMap,
}

impl Response {
    /// A header's value, if it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All values of a header that may stand there several times.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }
}

/// Headers and body may be secrets.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Http {
    /// Reads the certificates; no connection is made yet.
    ///
    /// # Errors
    /// [`HttpErrorKind::Roots`] and [`HttpErrorKind::Proxy`]: what the environment names cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, HttpError> {
        let (proxies, timing) = (Proxies::new(settings)?, settings.timing);
        let routes = Routes::new(proxies.clone(), &timing, Some(roots::load(settings)?));
        Ok(Self { routes: Arc::new(routes), proxies: Arc::new(proxies), timing })
    }

    /// The same that trusts whoever answers: for a registry that the user calls insecure.
    #[must_use]
    pub fn trusting_anybody(&self) -> Self {
        let routes = Routes::new((*self.proxies).clone(), &self.timing, None);
        Self { routes: Arc::new(routes), ..self.clone() }
    }

    /// Asks for a small document. Tries again what may pass; the answer may still be of any status. What has a
    /// body is not redirected: it may be a secret.
    ///
    /// # Errors
    /// No answer, or one that is too large.
    pub fn request(&self, request: &Request<'_>, interrupt: &AtomicBool) -> Result<Response, HttpError> {
        let (url, headers) = error::parse(request.url, request.headers)?;
        let answered = retry::persist(&self.timing, request.tries, interrupt, || {
            let answer = self.follow(request.method, &url, &headers, request.body, interrupt)?;
            let whole = answer.collect(request.limit, interrupt)?;
            if retry::passing(whole.1.status) { Err(Setback::status(whole)) } else { Ok(whole.1) }
        });
        answered.or_else(|(hop, tries)| match hop.kind {
            HttpErrorKind::Status(response) => Ok(*response),
            kind => Err(HttpError::new(&url, error::Hop { kind, ..hop }, tries)),
        })
    }
}

/// A URL as it may be shown: without user, password, query and fragment.
#[must_use]
pub fn printable(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "a URL that cannot be read".to_owned(), |url| error::printable(&url))
}

/// The value of an `Authorization` header with name and password (RFC 7617).
#[must_use]
pub fn basic(user: &str, password: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}

/// `HOST` or `HOST:PORT` of a URL.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether a URL leads to this machine itself.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
