//! What can go wrong on the network, in the user's terms and without a secret.

use super::{Response, basic};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub struct HttpError {
    /// The URL that was asked for, as it may be shown: without user, password, query and fragment. Empty if it is not about one.
    pub url: String,
    /// The host that failed; after a redirect not that of the URL.
    pub host: String,
    /// How often it was tried.
    pub tries: u32,
    /// What happened.
    pub kind: HttpErrorKind,
}

/// What happened on the network.
#[derive(Debug)]
pub enum HttpErrorKind {
    /// It is no URL of http or https; a sentence says why.
    Url(String),
    /// A header's name or value cannot be sent.
    Header(String),
    /// The file or folder with trusted certificates cannot be used.
    Roots {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Nothing says which certificates to trust.
    NoRoots,
    /// The proxy refuses, or its URL is none.
    Proxy(String),
    /// The host's name has no address.
    Resolve {
        /// Whether that may pass.
        passing: bool,
    },
    /// Nobody answers.
    Connect(String),
    /// Nobody listens there.
    Refused,
    /// The host's certificate is not trusted.
    Certificate(String),
    /// No TLS is spoken there.
    Plain(String),
    /// Not the TLS that we know is spoken there.
    Tls(String),
    /// No HTTP is spoken there.
    Protocol(String),
    /// The answer is no success.
    Status(Box<Response>),
    /// No byte came for that long.
    Stalled(Duration),
    /// The connection broke; what was left is not known.
    Broken(String),
    /// The answer is larger than it may be.
    TooLarge {
        /// The bound, in bytes.
        limit: u64,
    },
    /// More redirects than anybody means.
    Redirects,
    /// A redirect that leads nowhere, or out of http.
    Location,
    /// A redirect from https to http.
    Downgrade,
    /// The user asked to stop.
    Interrupted,
    /// The file cannot be written.
    Disk(io::Error),
    /// What is to be sent cannot be read.
    Source(io::Error),
}

/// What one hop of a chain of redirects ran into.
pub(super) struct Hop {
    pub(super) host: String,
    pub(super) kind: HttpErrorKind,
}

impl HttpErrorKind {
    /// Whether it looks as if no TLS were spoken where it was tried: nobody listens, something else is answered, or nothing
    /// at all. Not a certificate that is wrong, and not a host that takes long.
    #[must_use]
    pub fn is_without_tls(&self) -> bool {
        matches!(self, Self::Refused | Self::Plain(_) | Self::Protocol(_) | Self::Broken(_))
    }

    /// Whether another try may go better.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Resolve { passing } => *passing,
            Self::Connect(_) | Self::Refused | Self::Stalled(_) | Self::Broken(_) => true,
            Self::Status(response) => super::retry::passing(response.status),
            _ => false,
        }
    }

    /// In the user's terms.
    fn say(&self, host: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "this URL cannot be fetched: {why}"),
            Self::Header(name) => write!(f, "the header `{name}` has a character that cannot be sent"),
            Self::Roots { path, why } => write!(
                f,
                "no certificates to trust in {}: {why}; SSL_CERT_FILE and SSL_CERT_DIR name where they are",
                path.display()
            ),
            Self::NoRoots => write!(
                f,
                "this system has no certificates to trust, so {host} cannot be trusted: install its package \
                 ca-certificates, or name a file of them in SSL_CERT_FILE"
            ),
            Self::Proxy(why) => {
                write!(f, "the proxy does not help: {why}; it comes from HTTPS_PROXY, http_proxy or ALL_PROXY")
            }
            Self::Resolve { .. } => write!(f, "there is no host {host}: its name has no address"),
            Self::Connect(why) => write!(f, "{host} does not answer: {why}"),
            Self::Refused => write!(f, "{host} does not answer: nobody listens there"),
            Self::Certificate(why) if why.contains("CaUsedAsEndEntity") => write!(
                f,
                "{host} cannot be trusted: its certificate is an authority's own, which is trusted only if it is itself named in \
                 SSL_CERT_FILE; name it there, or make one for the host that the authority signs"
            ),
            Self::Certificate(why) => write!(
                f,
                "{host} cannot be trusted: {why}; if its certificate comes from an authority of your own, name that \
                 one's file in SSL_CERT_FILE"
            ),
            Self::Plain(why) => write!(f, "{host} speaks no TLS: {why}"),
            Self::Tls(why) => write!(f, "{host} speaks no TLS that we know: {why}"),
            Self::Protocol(why) => write!(f, "{host} does not speak HTTP: {why}"),
            Self::Status(response) => match meaning(response.status) {
                Some(meaning) => {
                    write!(f, "{host} says {}: {meaning}", response.status)?;
                    // Seconds, or a date.
                    match response.header("retry-after").filter(|after| after.len() < 40) {
                        Some(after) => write!(f, ": retry after {after}"),
                        None => Ok(()),
                    }
                }
                None => write!(f, "{host} says {}", response.status),
            },
            Self::Stalled(idle) => write!(f, "{host} stalled: nothing came for {} s", idle.as_secs_f64()),
            Self::Broken(why) => write!(f, "the connection to {host} broke: {why}"),
            Self::TooLarge { limit } => write!(f, "{host} sends more than the {limit} bytes that it may"),
            Self::Redirects => {
                write!(f, "{host} redirects in circles, or more than {} times", super::follow::REDIRECTS)
            }
            Self::Location => write!(f, "{host} redirects to what is no http or https URL"),
            Self::Downgrade => write!(f, "{host} redirects from https to http, which anybody on the way could change"),
            Self::Interrupted => write!(f, "interrupted"),
            Self::Disk(error) => write!(f, "what came cannot be written: {error}"),
            Self::Source(error) => write!(f, "what is to be sent cannot be read: {error}"),
        }
    }
}

/// A status in plain words.
fn meaning(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "it does not understand the request",
        401 => "it wants a name and a password",
        403 => "it does not allow that",
        404 | 410 => "nothing is there",
        407 => "the proxy wants a name and a password",
        408 | 504 => "it took too long",
        416 => "it cannot send the rest of the file",
        429 => "too many requests, try later",
        500 | 502 => "it failed",
        503 => "it is overloaded or down, try later",
        _ => return None,
    })
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.say(&self.host, f)?;
        match (self.url.is_empty() || matches!(self.kind, HttpErrorKind::Interrupted), self.tries) {
            (true, _) => Ok(()),
            (false, 0 | 1) => write!(f, " ({})", self.url),
            (false, tries) => write!(f, " ({}, {tries} tries)", self.url),
        }
    }
}

impl HttpError {
    pub(super) fn new(url: &Url, hop: Hop, tries: u32) -> Self {
        Self { url: printable(url), host: hop.host, tries, kind: hop.kind }
    }

    /// About no URL.
    pub(super) fn setup(kind: HttpErrorKind) -> Self {
        Self { url: String::new(), host: String::new(), tries: 0, kind }
    }
}

/// A URL as it may be shown.
pub(super) fn printable(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// URL and headers as they are sent: user and password of the URL become a header.
pub(super) fn parse(url: &str, headers: &[(&str, &str)]) -> Result<(Url, HeaderMap), HttpError> {
    let wrong = |why: &str| HttpError::setup(HttpErrorKind::Url(why.to_owned()));
    // The text may hold a password, so the message does not repeat it.
    let mut url = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it starts neither with http: nor with https:"));
    }
    let mut map = HeaderMap::new();
    if !url.username().is_empty() || url.password().is_some() {
        let plain = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let value = basic(&plain(url.username()), &plain(url.password().unwrap_or_default()));
        insert(&mut map, "authorization", &value)?;
        let _ = (url.set_username(""), url.set_password(None));
    }
    url.set_fragment(None);
    for (name, value) in headers {
        insert(&mut map, name, value)?;
    }
    Ok((url, map))
}

fn insert(map: &mut HeaderMap, name: &str, value: &str) -> Result<(), HttpError> {
    match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        (Ok(name), Ok(mut value)) => {
            value.set_sensitive(name == header::AUTHORIZATION);
            map.insert(name, value);
            Ok(())
        }
        _ => Err(HttpError::setup(HttpErrorKind::Header(name.to_owned()))),
    }
}

/// What ureq reports.
pub(super) fn kind(error: ureq::Error, timing: &super::Timing) -> HttpErrorKind {
    use io::ErrorKind as Io;
    match error {
        ureq::Error::HostNotFound => HttpErrorKind::Resolve { passing: false },
        ureq::Error::Timeout(ureq::Timeout::Resolve) => HttpErrorKind::Resolve { passing: true },
        ureq::Error::Timeout(ureq::Timeout::Connect) => {
            HttpErrorKind::Connect(format!("no connection within {} s", timing.connect.as_secs_f64()))
        }
        ureq::Error::Timeout(_) => HttpErrorKind::Stalled(timing.idle),
        ureq::Error::Tls(why) => HttpErrorKind::Tls(why.to_owned()),
        ureq::Error::Protocol(error) => HttpErrorKind::Protocol(error.to_string()),
        ureq::Error::LargeResponseHeader(..) => HttpErrorKind::Protocol("its headers have no end".to_owned()),
        ureq::Error::ConnectProxyFailed(why) => HttpErrorKind::Proxy(why),
        // These name the whole URL.
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            HttpErrorKind::Url("it has characters that no URL has".to_owned())
        }
        ureq::Error::Io(error) => {
            if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return tls(error);
            }
            let text = error.to_string();
            match error.kind() {
                // The standard library has no kind of its own for what the resolver says.
                _ if text.starts_with("failed to lookup address") => {
                    HttpErrorKind::Resolve { passing: text.contains("emporary") }
                }
                Io::ConnectionRefused => HttpErrorKind::Refused,
                Io::HostUnreachable | Io::NetworkUnreachable | Io::AddrNotAvailable | Io::NetworkDown => {
                    HttpErrorKind::Connect("no route leads there".to_owned())
                }
                Io::TimedOut | Io::WouldBlock => HttpErrorKind::Stalled(timing.idle),
                _ => HttpErrorKind::Broken(text),
            }
        }
        error => HttpErrorKind::Broken(error.to_string()),
    }
}

fn tls(error: &rustls::Error) -> HttpErrorKind {
    match error {
        rustls::Error::InvalidCertificate(why) => HttpErrorKind::Certificate(why.to_string()),
        rustls::Error::NoCertificatesPresented => HttpErrorKind::Certificate("it shows no certificate".to_owned()),
        rustls::Error::InvalidMessage(why) => HttpErrorKind::Plain(format!("{why:?}")),
        error => HttpErrorKind::Tls(error.to_string()),
    }
}
