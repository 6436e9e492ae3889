//! Pulling: manifests by tag or digest, blobs by digest.

use super::auth::Access;
use super::error::{Action, RegistryError, RegistryErrorKind};
use super::{Repository, Way};
use crate::net::{HttpError, HttpErrorKind, Request};
use crate::oci::{Descriptor, Digest, document, json, media_type};
use crate::store::Part;
use std::fmt;
use std::sync::atomic::AtomicBool;

/// What a manifest may be.
pub(super) const MANIFESTS: [&str; 4] =
    [media_type::MANIFEST, media_type::INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_INDEX];

/// Which manifest of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference<'a> {
    /// The one that a tag names now.
    Tag(&'a str),
    /// The one with this digest.
    Digest(Digest),
}

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl Repository<'_> {
    pub(super) fn failed(
        &self,
        action: Action,
        reference: &dyn fmt::Display,
        kind: RegistryErrorKind,
    ) -> RegistryError {
        let repository = self.full_name();
        RegistryError { repository, reference: reference.to_string().into(), action, kind }
    }

    /// A manifest or index, with its bytes as they are.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists.
    pub fn manifest(
        &self,
        reference: Reference<'_>,
        interrupt: &AtomicBool,
    ) -> Result<(Descriptor, Vec<u8>), RegistryError> {
        self.fetch_manifest(reference, interrupt).map_err(|kind| self.failed(Action::Pull, &reference, kind))
    }

    pub(super) fn fetch_manifest(
        &self,
        reference: Reference<'_>,
        interrupt: &AtomicBool,
    ) -> Result<(Descriptor, Vec<u8>), RegistryErrorKind> {
        let way = self.registry.way(&self.host, interrupt)?;
        let url = format!("{}/v2/{}/manifests/{reference}", way.base, self.name);
        let accept = MANIFESTS.join(", ");
        let headers = [("accept", accept.as_str())];
        let request = Request { headers: &headers, ..Request::get(&url, document::LIMIT) };
        let reply = self.call(&way, Access::Pull, &request, interrupt)?;
        if reply.response.status != 200 {
            return Err(reply.error());
        }
        let response = reply.response;
        let found = Digest::of(&response.body);
        let expected = match reference {
            Reference::Digest(digest) => Some(digest),
            Reference::Tag(_) => response.header("docker-content-digest").and_then(|digest| digest.parse().ok()),
        };
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(RegistryErrorKind::Digest { expected, found });
        }
        let kind = document(&response.body, response.header("content-type"))?;
        Ok((Descriptor::new(&kind, found, response.body.len() as u64), response.body))
    }

    /// Fetches a blob behind what `part` has of it. Whoever keeps the part checks the digest.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists.
    pub fn blob(
        &self,
        digest: Digest,
        size: u64,
        part: &mut Part,
        interrupt: &AtomicBool,
    ) -> Result<(), RegistryError> {
        if part.len() == size && part.digest() == digest {
            return Ok(());
        }
        // As long as the blob and another: the registry would say that nothing is missing.
        if part.len() >= size {
            let restarted = part.restart();
            restarted.map_err(|error| self.failed(Action::Pull, &digest, RegistryErrorKind::Disk(error)))?;
        }
        let fetched = self
            .registry
            .way(&self.host, interrupt)
            .and_then(|way| self.fetch_blob(&way, digest, size, part, interrupt));
        fetched.map_err(|kind| self.failed(Action::Pull, &digest, kind))
    }

    fn fetch_blob(
        &self,
        way: &Way,
        digest: Digest,
        size: u64,
        part: &mut Part,
        interrupt: &AtomicBool,
    ) -> Result<(), RegistryErrorKind> {
        let url = format!("{}/v2/{}/blobs/{digest}", way.base, self.name);
        let mut pass = self.pass(Access::Pull);
        let mut renewed_at = None;
        loop {
            match way.http.download(&url, &pass.headers(), size, part, interrupt) {
                Ok(()) => return Ok(()),
                Err(HttpError { kind: HttpErrorKind::Status(refused), .. }) => {
                    // A token may expire while a large blob comes; one that brought nothing will not do it the next time.
                    if refused.status != 401 || renewed_at == Some(part.len()) {
                        return Err(RegistryErrorKind::of(&refused, pass.file));
                    }
                    renewed_at = Some(part.len());
                    pass = self.authorize(way, Access::Pull, &pass, &refused, interrupt)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The media type of a manifest or index: what it says itself, else what the registry says.
fn document(bytes: &[u8], content_type: Option<&str>) -> Result<String, RegistryErrorKind> {
    let not = |what: String| RegistryErrorKind::NotAManifest { what };
    let value = json::parse(bytes).map_err(|error| not(format!("it cannot be read: {error}")))?;
    let said = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    let kind = value.get("mediaType").and_then(serde_json::Value::as_str).or(said).unwrap_or_default();
    if !value.is_object() || !(media_type::is_manifest(kind) || media_type::is_index(kind)) {
        let kind = super::error::line(kind);
        return Err(not(match kind.as_str() {
            "" => "it does not say what it is".to_owned(),
            kind if kind.contains(".v1+prettyjws") => format!(
                "it is of the old format {kind}, which has no digest to hold on to; push it again with a newer tool"
            ),
            kind => format!("it is {kind}"),
        }));
    }
    Ok(kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_itself_what_it_is() {
        let index = format!(r#"{{"mediaType":"{}"}}"#, media_type::INDEX);
        assert_eq!(document(index.as_bytes(), Some(media_type::MANIFEST)).ok().as_deref(), Some(media_type::INDEX));
        let said = format!("{}; charset=utf-8", media_type::MANIFEST);
        assert_eq!(document(b"{}", Some(&said)).ok().as_deref(), Some(media_type::MANIFEST));
        for (bytes, said) in
            [("{}", "text/plain"), ("{}", ""), ("[]", media_type::MANIFEST), ("<html>", media_type::MANIFEST)]
        {
            assert!(document(bytes.as_bytes(), Some(said)).is_err(), "{bytes} {said}");
        }
        assert!(document(b"{}", None).is_err());
    }
}
