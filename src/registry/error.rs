//! What can go wrong with a registry, in the user's terms and without a secret.

use super::CredentialsError;
use crate::net::{HttpError, HttpErrorKind, Response};
use crate::oci::Digest;
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
