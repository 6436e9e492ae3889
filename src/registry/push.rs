//! Pushing: whether something is there, blobs taken over from other repositories, manifests. Blobs are uploaded next door.

use super::auth::{Access, Reply, TOKEN};
use super::error::{Action, RegistryError, RegistryErrorKind};
use super::pull::Reference;
use super::{Repository, Way};
use crate::net::{Method, Request};
use crate::oci::{Digest, document};
use std::sync::atomic::AtomicBool;
use url::{Url, form_urlencoded};

/// A manifest that the registry took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of its bytes, here and there.
    pub digest: Digest,
    /// Whether the registry noted by itself which manifest this one refers to (`OCI-Subject`). If it did not, and there is
    /// one, [`Repository::push_referrer`] does.
    pub has_noted_subject: bool,
}

impl Repository<'_> {
    /// Whether a blob is there. It is asked with the right to push, as this is what a push asks first: a repository that is
    /// only made by the push could not be pulled from.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists.
    pub fn has_blob(&self, digest: Digest, interrupt: &AtomicBool) -> Result<bool, RegistryError> {
        self.has(digest, interrupt).map_err(|kind| self.failed(Action::Push, &digest, kind))
    }

    pub(super) fn has(&self, digest: Digest, interrupt: &AtomicBool) -> Result<bool, RegistryErrorKind> {
        let way = self.registry.way(&self.host, interrupt)?;
        let url = format!("{}/v2/{}/blobs/{digest}", way.base, self.name);
        let head = Request { method: Method::Head, headers: &[("accept", "*/*")], ..Request::get(&url, 0) };
        let reply = self.call(&way, Access::Push, &head, interrupt)?;
        match reply.response.status {
            200 => Ok(true),
            404 | 410 => Ok(false),
            _ => Err(reply.error()),
        }
    }

    /// Asks the registry to take a blob over from its repository `from` (a name without host). `false`: it would not, and
    /// the blob is to be uploaded.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists, but for a refusal: a push says better what it is about.
    pub fn mount(&self, digest: Digest, from: &str, interrupt: &AtomicBool) -> Result<bool, RegistryError> {
        match self.try_mount(digest, from, interrupt) {
            Err(RegistryErrorKind::Gone { .. } | RegistryErrorKind::Denied { .. }) => Ok(false),
            mounted => mounted.map_err(|kind| self.failed(Action::Push, &digest, kind)),
        }
    }

    fn try_mount(&self, digest: Digest, from: &str, interrupt: &AtomicBool) -> Result<bool, RegistryErrorKind> {
        let way = self.registry.way(&self.host, interrupt)?;
        let digest = digest.to_string();
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("mount", &digest).append_pair("from", from).finish();
        let url = format!("{}/v2/{}/blobs/uploads/?{query}", way.base, self.name);
        let post = Request { method: Method::Post, ..Request::get(&url, TOKEN) };
        let reply = self.call(&way, Access::Mount(from), &post, interrupt)?;
        match reply.response.status {
            201 => Ok(true),
            // It opened an upload instead, which nobody is going to use.
            202 => {
                let at = Url::parse(&url).map_err(|_| RegistryErrorKind::Location)?;
                if let Ok(location) = way.location(&at, &reply.response) {
                    self.cancel(&way, &location, interrupt);
                }
                Ok(false)
            }
            400 | 405 | 415 | 501 => Ok(false),
            _ => Err(reply.error()),
        }
    }

    /// Puts a manifest or index there, byte for byte, and holds its digest against the registry's.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists.
    pub fn push_manifest(
        &self,
        reference: Reference<'_>,
        media_type: &str,
        bytes: &[u8],
        interrupt: &AtomicBool,
    ) -> Result<Pushed, RegistryError> {
        let put = self
            .registry
            .way(&self.host, interrupt)
            .and_then(|way| self.put_manifest(&way, reference, media_type, bytes, interrupt));
        put.map_err(|kind| self.failed(Action::Push, &reference, kind))
    }

    fn put_manifest(
        &self,
        way: &Way,
        reference: Reference<'_>,
        media_type: &str,
        bytes: &[u8],
        interrupt: &AtomicBool,
    ) -> Result<Pushed, RegistryErrorKind> {
        let digest = Digest::of(bytes);
        if let Reference::Digest(expected) = reference
            && expected != digest
        {
            return Err(RegistryErrorKind::Digest { expected, found: digest });
        }
        let url = format!("{}/v2/{}/manifests/{reference}", way.base, self.name);
        let headers = [("content-type", media_type)];
        let put =
            Request { method: Method::Put, headers: &headers, body: bytes, ..Request::get(&url, document::LIMIT) };
        let Reply { response, pass } = self.call(way, Access::Push, &put, interrupt)?;
        if !(200..300).contains(&response.status) {
            return Err(RegistryErrorKind::of(&response, pass.file));
        }
        let found = match response.header("docker-content-digest").and_then(|digest| digest.parse().ok()) {
            Some(found) => found,
            // It says nothing, or a digest of another kind.
            None => {
                let request = Request { headers: &[("accept", media_type)], ..Request::get(&url, document::LIMIT) };
                let reply = self.call(way, Access::Push, &request, interrupt)?;
                if reply.response.status != 200 {
                    return Err(reply.error());
                }
                Digest::of(&reply.response.body)
            }
        };
        if found != digest {
            return Err(RegistryErrorKind::Digest { expected: digest, found });
        }
        Ok(Pushed { digest, has_noted_subject: response.header("oci-subject").is_some() })
    }
}
