//! The errors of a registry in words: what happened, and what to do.

use super::error::{Action, RegistryError, RegistryErrorKind};
use std::fmt;

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
