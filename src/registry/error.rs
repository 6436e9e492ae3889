//! What can go wrong with a registry, in the user's terms and without a secret.

use super::CredentialsError;
use crate::net::{HttpError, HttpErrorKind, Response};
use crate::oci::Digest;
use std::fmt;
use std::path::PathBuf;

/// Why a registry did not give what was asked of it.
#[derive(Debug, thiserror::Error)]
pub struct RegistryError {
    /// The repository, with its registry: `docker.io/library/debian`.
    pub repository: String,
    /// The tag or digest.
    pub reference: String,
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

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repository, reference, kind } = self;
        let host = self.host();
        let colon = if reference.contains(':') { '@' } else { ':' };
        let image = format!("{repository}{colon}{reference}");
        let quote = |said: &Option<String>| said.as_ref().map(|said| format!(" (it says: {said})")).unwrap_or_default();
        match kind {
            RegistryErrorKind::Gone { said } => write!(f, "{host} has no {image}{}", quote(said)),
            RegistryErrorKind::Denied { credentials: None, said } => write!(
                f,
                "{host} gives {image} to nobody unknown{}, and no credentials for it were found: log in with \
                 `podman login {host}` or `docker login {host}`; or it does not exist",
                quote(said)
            ),
            RegistryErrorKind::Denied { credentials: Some(file), said } => write!(
                f,
                "{host} refuses {image}{} to the credentials from {}: they are wrong, expired or not enough; log in \
                 again with `podman login {host}` or `docker login {host}`; or it does not exist",
                quote(said),
                file.display()
            ),
            RegistryErrorKind::TooMany { after } => {
                let after = after.as_ref().map(|after| format!(", it says: retry after {after}")).unwrap_or_default();
                write!(f, "{host} does not give {image}: too many requests{after}; a login often has a higher limit")
            }
            RegistryErrorKind::Server { status, said } => {
                write!(f, "{host} does not give {image}: it fails with {status}{}", quote(said))
            }
            RegistryErrorKind::Digest { expected, found } => {
                write!(
                    f,
                    "{host} gives something else as {image}: it has the digest {found}, and should have {expected}"
                )
            }
            RegistryErrorKind::TooLarge { limit } => write!(f, "{image} is larger than the {limit} bytes it may have"),
            RegistryErrorKind::NotAManifest { what } => write!(f, "{image} is no image: {what}"),
            RegistryErrorKind::Token { why } => write!(f, "{host} does not let us at {image}: {why}"),
            RegistryErrorKind::Credentials(error) => write!(f, "the credentials for {host} cannot be read: {error}"),
            RegistryErrorKind::Disk(error) => write!(f, "{image} came and cannot be written: {error}"),
            RegistryErrorKind::Http(error) => write!(f, "{image} cannot be fetched: {error}"),
        }
    }
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
