//! What can go wrong with a registry, in the user's terms and without a secret.

use super::CredentialsError;
use crate::net::{HttpError, HttpErrorKind, Response};
use crate::oci::Digest;
use std::fmt;
use std::path::PathBuf;

/// What a registry was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To give something.
    Pull,
    /// To take something.
    Push,
}

/// Why a registry did not do what was asked of it.
#[derive(Debug, thiserror::Error)]
pub struct RegistryError {
    /// The repository, with its registry: `docker.io/library/debian`.
    pub repository: String,
    /// The tag or digest; empty if it is about the whole repository.
    pub reference: Box<str>,
    /// What was asked.
    pub action: Action,
    /// What happened.
    pub kind: RegistryErrorKind,
}

/// What happened at a registry. `said` is the first line of the registry's own message.
#[derive(Debug)]
pub enum RegistryErrorKind {
    /// There is no such repository, manifest or blob.
    Gone {
        /// The registry's message.
        said: Option<String>,
    },
    /// Who asks must not have it.
    Denied {
        /// The file that the credentials came from; none were sent otherwise.
        credentials: Option<PathBuf>,
        /// The registry's message.
        said: Option<String>,
    },
    /// It does not take that, whoever asks.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The registry's name for the reason (distribution-spec, "Error Codes"): `UNSUPPORTED`.
        code: Option<String>,
        /// The registry's message.
        said: Option<String>,
    },
    /// Too many requests.
    TooMany {
        /// When to come back, as the registry says it: seconds, or a date.
        after: Option<String>,
    },
    /// The registry fails.
    Server {
        /// The HTTP status.
        status: u16,
        /// The registry's message.
        said: Option<String>,
    },
    /// What came is not what was asked for.
    Digest {
        /// Asked for, or announced.
        expected: Digest,
        /// Received.
        found: Digest,
    },
    /// A blob is longer or shorter than its descriptor says.
    Size {
        /// By the descriptor.
        expected: u64,
        /// By the registry.
        found: u64,
    },
    /// It does not say where to send a blob to.
    Location,
    /// A list that is none.
    Listing {
        /// What is wrong with it.
        why: String,
    },
    /// A manifest of more bytes than any has.
    TooLarge {
        /// The bound.
        limit: u64,
    },
    /// Something else than an image manifest or index.
    NotAManifest {
        /// What it is, as far as can be told.
        what: String,
    },
    /// The token that the registry wants cannot be had.
    Token {
        /// Why.
        why: String,
    },
    /// The user's credentials cannot be read.
    Credentials(CredentialsError),
    /// No answer.
    Http(Box<HttpError>),
    /// The file cannot be written.
    Disk(std::io::Error),
}

impl From<HttpError> for RegistryErrorKind {
    fn from(error: HttpError) -> Self {
        match error.kind {
            HttpErrorKind::TooLarge { limit } => Self::TooLarge { limit },
            _ => Self::Http(Box::new(error)),
        }
    }
}

impl RegistryErrorKind {
    /// An answer that is no success, as it reads in general.
    pub(super) fn of(response: &Response, credentials: Option<PathBuf>) -> Self {
        let said = said(&response.body);
        match response.status {
            401 | 403 => Self::Denied { credentials, said },
            404 | 410 => Self::Gone { said },
            429 => Self::TooMany { after: response.header("retry-after").map(line) },
            400..=499 | 501 | 507 => Self::Refused { status: response.status, code: code(&response.body), said },
            status => Self::Server { status, said },
        }
    }
}

impl RegistryError {
    /// The registry: `docker.io`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.repository.split('/').next().unwrap_or_default()
    }
}

impl RegistryError {
    /// What it is about, with the registry's name.
    fn image(&self) -> String {
        let Self { repository, reference, .. } = self;
        match &**reference {
            "" => repository.clone(),
            digest if digest.contains(':') => format!("{repository}@{digest}"),
            tag => format!("{repository}:{tag}"),
        }
    }

    /// Why it gives nothing.
    fn say_pull(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, image) = (self.host(), self.image());
        match &self.kind {
            RegistryErrorKind::Gone { said } => write!(f, "{host} has no {image}{}", Quote(said)),
            RegistryErrorKind::Denied { credentials: None, said } => write!(
                f,
                "{host} gives {image} to nobody unknown{}, and no credentials for it were found: log in with \
                 `podman login {host}` or `docker login {host}`; or it does not exist",
                Quote(said)
            ),
            RegistryErrorKind::Denied { credentials: Some(file), said } => write!(
                f,
                "{host} refuses {image}{} to the credentials from {}: they are wrong, expired or not enough; log in \
                 again with `podman login {host}` or `docker login {host}`; or it does not exist",
                Quote(said),
                file.display()
            ),
            RegistryErrorKind::TooMany { after } => {
                write!(
                    f,
                    "{host} does not give {image}: too many requests{}; a login often has a higher limit",
                    After(after)
                )
            }
            RegistryErrorKind::Server { status, said } => {
                write!(f, "{host} does not give {image}: it fails with {status}{}", Quote(said))
            }
            RegistryErrorKind::Refused { status, said, .. } => {
                write!(f, "{host} does not give {image}: it answers {status}{}", Quote(said))
            }
            RegistryErrorKind::Digest { expected, found } => write!(
                f,
                "{host} gives something else as {image}: it has the digest {found}, and should have {expected}"
            ),
            RegistryErrorKind::Http(error) => write!(f, "{image} cannot be fetched: {error}"),
            _ => self.say_all(f),
        }
    }

    /// Why it takes nothing.
    fn say_push(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, image, repository) = (self.host(), self.image(), &self.repository);
        match &self.kind {
            RegistryErrorKind::Gone { said } => write!(
                f,
                "{host} has no repository {repository}{}, and does not make it when something is pushed: make it there \
                 first, or check the name",
                Quote(said)
            ),
            RegistryErrorKind::Denied { credentials: None, said } => write!(
                f,
                "{host} lets nobody unknown push to {repository}{}, and no credentials for it were found: log in with \
                 `podman login {host}` or `docker login {host}`",
                Quote(said)
            ),
            RegistryErrorKind::Denied { credentials: Some(file), said } => write!(
                f,
                "{host} does not let the credentials from {} push to {repository}{}: they are wrong, expired, or may only \
                 pull; log in with others by `podman login {host}` or `docker login {host}`; or there is no such \
                 repository yet",
                file.display(),
                Quote(said)
            ),
            RegistryErrorKind::TooMany { after } => {
                write!(f, "{host} does not take {image}: too many requests{}", After(after))
            }
            RegistryErrorKind::Server { status, said } => {
                write!(f, "{host} does not take {image}: it fails with {status}{}", Quote(said))
            }
            RegistryErrorKind::Refused { status, code, said } => {
                let why = match (status, code.as_deref()) {
                    (_, Some("MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN")) => {
                        "it names what the registry does not have; push that first"
                    }
                    (_, Some("DIGEST_INVALID")) => "what came there has another digest; try again",
                    (405, _) => "the registry is read-only, or takes pushes at another address",
                    (413, _) => "it is too large for the registry, or for a proxy before it",
                    (507, _) => "no room is left there",
                    (415, _) | (_, Some("UNSUPPORTED" | "MANIFEST_INVALID")) => {
                        "the registry does not know this kind of manifest, or what it asks for"
                    }
                    _ => "the registry refuses it",
                };
                write!(f, "{host} does not take {image}: {why} ({status}){}", Quote(said))
            }
            RegistryErrorKind::Digest { expected, found } => write!(
                f,
                "{host} made something else of {image}: it has the digest {found} there, and should have {expected}"
            ),
            RegistryErrorKind::Location => {
                write!(f, "{host} does not take {image}: it opens an upload and does not say where to send it to")
            }
            RegistryErrorKind::Http(error) => write!(f, "{image} cannot be pushed: {error}"),
            _ => self.say_all(f),
        }
    }

    /// What reads the same both ways.
    fn say_all(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, image) = (self.host(), self.image());
        match &self.kind {
            RegistryErrorKind::TooLarge { limit } => write!(f, "{image} is larger than the {limit} bytes it may have"),
            RegistryErrorKind::Size { expected, found } => {
                write!(f, "{host} has {found} bytes of {image}, and should have {expected}")
            }
            RegistryErrorKind::NotAManifest { what } => write!(f, "{image} is no image: {what}"),
            RegistryErrorKind::Listing { why } => write!(f, "{host} gives no list for {image} that can be read: {why}"),
            RegistryErrorKind::Token { why } => write!(f, "{host} does not let us at {image}: {why}"),
            RegistryErrorKind::Credentials(error) => write!(f, "the credentials for {host} cannot be read: {error}"),
            RegistryErrorKind::Disk(error) => write!(f, "{image} came and cannot be written: {error}"),
            kind => write!(f, "{host} fails with {image}: {kind:?}"),
        }
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Pull => self.say_pull(f),
            Action::Push => self.say_push(f),
        }
    }
}

/// The registry's own words.
struct Quote<'a>(&'a Option<String>);

impl fmt::Display for Quote<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |said| write!(f, " (it says: {said})"))
    }
}

/// When to come back.
struct After<'a>(&'a Option<String>);

impl fmt::Display for After<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |after| write!(f, ", it says: retry after {after}"))
    }
}

/// The code in an error document.
fn code(body: &[u8]) -> Option<String> {
    let json = crate::oci::json::parse(body).ok()?;
    json.get("errors")?.get(0)?.get("code")?.as_str().map(line)
}

/// The message in an error document (distribution-spec, "Error Codes"; or that of a token server), fit to be shown.
pub(super) fn said(body: &[u8]) -> Option<String> {
    let json = crate::oci::json::parse(body).ok()?;
    let text =
        |json: &serde_json::Value, name: &str| json.get(name)?.as_str().map(line).filter(|text| !text.is_empty());
    let first = json.get("errors").and_then(|errors| errors.get(0)).unwrap_or(&json);
    text(first, "message").or_else(|| text(first, "details")).or_else(|| text(first, "code"))
}

/// The first line of what a server says, printable and short.
pub(super) fn line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_short_printable_line() {
        let long = "x".repeat(300);
        let body = format!(r#"{{"errors":[{{"code":"DENIED","message":"\u001b[31mno\u0007 way\nsecond {long}"}}]}}"#);
        assert_eq!(said(body.as_bytes()).as_deref(), Some("[31mno way"));
        let body = format!(r#"{{"errors":[{{"code":"DENIED","message":"{long}"}}]}}"#);
        assert_eq!(said(body.as_bytes()).map(|text| text.len()), Some(200));
        assert_eq!(
            said(br#"{"details":"incorrect username or password"}"#).as_deref(),
            Some("incorrect username or password")
        );
        assert_eq!(said(br#"{"errors":[{"code":"DENIED","message":""}]}"#).as_deref(), Some("DENIED"));
        for other in ["<html>", "[]", "{}", r#"{"errors":[]}"#, r#"{"errors":7}"#] {
            assert_eq!(said(other.as_bytes()), None, "{other}");
        }
    }
}
