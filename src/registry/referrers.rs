//! Manifests that refer to another one: signatures, SBOMs (distribution-spec, "Listing Referrers"). Registries that do not
//! list them have an index under a tag named for the digest, which clients keep ("Referrers Tag Schema").

use super::auth::Reply;
use super::error::{Action, RegistryError, RegistryErrorKind};
use super::pages::listing;
use super::pull::Reference;
use super::{Repository, Way};
use crate::oci::{Descriptor, Digest, document, json, media_type};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;

/// How often the index is written again, if somebody else writes it at the same time.
const WRITES: u32 = 5;

impl Repository<'_> {
    /// The descriptors of all manifests that refer to one; none, if the registry does not even know that one.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists.
    pub fn referrers(&self, digest: Digest, interrupt: &AtomicBool) -> Result<Vec<Descriptor>, RegistryError> {
        let listed = self.registry.way(&self.host, interrupt).and_then(|way| {
            match self.list_referrers(&way, digest, interrupt)? {
                Some(listed) => Ok(listed),
                None => descriptors(&self.kept_index(digest, interrupt)?.unwrap_or_else(|| json!({}))),
            }
        });
        listed.map_err(|kind| self.failed(Action::Pull, &digest, kind))
    }

    /// What the registry lists itself; `None` if it does not.
    fn list_referrers(
        &self,
        way: &Way,
        digest: Digest,
        interrupt: &AtomicBool,
    ) -> Result<Option<Vec<Descriptor>>, RegistryErrorKind> {
        let first = format!("{}/v2/{}/referrers/{digest}", way.base, self.name);
        let mut found = None;
        self.pages(way, &first, media_type::INDEX, interrupt, &mut |reply| {
            if found.is_none() && !lists(reply) {
                return Ok(0);
            }
            if reply.response.status != 200 {
                return Err(reply.error());
            }
            let all = found.get_or_insert_with(Vec::new);
            let page = json::parse(&reply.response.body).map_err(|_| listing("it is no JSON"))?;
            all.extend(descriptors(&page)?);
            Ok(all.len())
        })?;
        Ok(found)
    }

    /// The index that clients keep.
    fn kept_index(&self, digest: Digest, interrupt: &AtomicBool) -> Result<Option<Value>, RegistryErrorKind> {
        match self.fetch_manifest(Reference::Tag(&tag(digest)), interrupt) {
            Ok((descriptor, bytes)) if media_type::is_index(&descriptor.media_type) => {
                json::parse(&bytes).map(Some).map_err(|_| listing("it is no JSON"))
            }
            Ok(_) => Err(listing(&format!("its tag {} names no index", tag(digest)))),
            Err(RegistryErrorKind::Gone { .. }) => Ok(None),
            Err(kind) => Err(kind),
        }
    }

    /// Notes that a manifest refers to `subject`, in the index that clients keep: for a registry that did not say it noted
    /// that itself ([`super::Pushed`]). `referrer` has the manifest's `artifactType` and annotations.
    ///
    /// # Errors
    /// All that [`RegistryErrorKind`] lists.
    pub fn push_referrer(
        &self,
        subject: Digest,
        referrer: &Descriptor,
        interrupt: &AtomicBool,
    ) -> Result<(), RegistryError> {
        let failed = |kind| self.failed(Action::Push, &tag(subject), kind);
        // Two that write at once see each other's index only afterwards, so each looks whether its own entry is there.
        for _ in 0..WRITES {
            let kept = self.kept_index(subject, interrupt).map_err(failed)?;
            let mut index =
                kept.unwrap_or_else(|| json!({ "schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": [] }));
            let Some(manifests) = index.get_mut("manifests").and_then(Value::as_array_mut) else {
                return Err(failed(listing("its index has no manifests")));
            };
            let digest = Value::from(referrer.digest.to_string());
            if manifests.iter().any(|known| known.get("digest") == Some(&digest)) {
                return Ok(());
            }
            manifests.push(referrer.to_json());
            let bytes = json::canonical(&index);
            if bytes.len() as u64 > document::LIMIT {
                return Err(failed(RegistryErrorKind::TooLarge { limit: document::LIMIT }));
            }
            self.push_manifest(Reference::Tag(&tag(subject)), media_type::INDEX, &bytes, interrupt)?;
        }
        Err(failed(listing("others write its index at the same time")))
    }
}

/// The tag of the index that clients keep.
fn tag(digest: Digest) -> String {
    digest.to_string().replace(':', "-")
}

/// Whether an answer is one of a registry that lists referrers: others say 404, or something of their own.
fn lists(reply: &Reply) -> bool {
    let kind = reply.response.header("content-type").and_then(|kind| kind.split(';').next()).map(str::trim);
    match reply.response.status {
        200 => kind == Some(media_type::INDEX),
        status => !matches!(status, 400 | 404 | 405 | 406 | 501),
    }
}

fn descriptors(index: &Value) -> Result<Vec<Descriptor>, RegistryErrorKind> {
    let manifests = index.get("manifests").and_then(Value::as_array);
    let read = |json| Descriptor::from_json(json).map_err(|why| listing(&why));
    manifests.into_iter().flatten().map(read).collect()
}
