//! Which image: the descriptor that a name means in a layout, and the manifest for a platform below an index.

use super::ImageError;
use super::error::broken;
use super::place::checked;
use crate::oci::{Descriptor, Digest, ImageName, Platform, annotation, document, media_type};
use serde_json::Value;
use std::collections::BTreeSet;

/// An index in an index in an index: the specification allows it, nobody needs more.
const DEPTH: usize = 4;

/// Finds the manifest for a platform below `top`, an index or the manifest itself. `read` gives the bytes of documents, or
/// says why not; they are held against their descriptors here.
///
/// # Errors
/// See [`ImageError`].
pub fn manifest_for(
    top: &Descriptor,
    platform: &Platform,
    read: &mut dyn FnMut(&Descriptor) -> Result<Vec<u8>, String>,
) -> Result<Descriptor, ImageError> {
    find(top, platform, &mut |descriptor, what| {
        let bytes = read(descriptor).map_err(|why| broken(format!("{what} {}", descriptor.digest), why))?;
        checked(&bytes, descriptor, what)
    })
}

/// Gives a document as JSON, held against its descriptor.
type Documents<'a> = dyn FnMut(&Descriptor, &str) -> Result<Value, ImageError> + 'a;

pub(super) fn find(top: &Descriptor, platform: &Platform, read: &mut Documents) -> Result<Descriptor, ImageError> {
    let mut found = Seen::default();
    resolve(read, top, platform, DEPTH, &mut found)?.ok_or_else(|| {
        found.platforms.sort();
        found.platforms.dedup();
        ImageError::Platform { wanted: platform.clone(), available: found.platforms }
    })
}

/// The descriptors of an index.
///
/// # Errors
/// [`ImageError::Broken`].
pub fn descriptors(index: &Value, what: &str) -> Result<Vec<Descriptor>, ImageError> {
    document::members(index).map_err(|error| ImageError::of(what, error))
}

/// The descriptor in `index.json` that has the tag; without a tag the only one there is, for the platform at least.
///
/// # Errors
/// [`ImageError::Choice`]: there is none, or more than one; [`ImageError::Broken`].
pub fn choose(index: &Value, name: &ImageName, platform: Option<&Platform>) -> Result<Descriptor, ImageError> {
    let all = descriptors(index, "index.json")?;
    let tag_of = |descriptor: &Descriptor| descriptor.annotations.get(annotation::REF_NAME).cloned();
    let fits = |descriptor: &&Descriptor| match (&name.tag, name.digest) {
        (Some(tag), _) => tag_of(descriptor).is_some_and(|name| {
            // Some tools write the whole name there.
            name == *tag || name.rsplit_once(':').is_some_and(|(_, last)| last == tag)
        }),
        (None, Some(digest)) if all.iter().any(|d| d.digest == digest) => descriptor.digest == digest,
        (None, _) => true,
    };
    let mut candidates: Vec<&Descriptor> = all.iter().filter(fits).collect();
    candidates.dedup_by_key(|descriptor| descriptor.digest);
    let several = candidates.len() > 1;
    if several {
        let fits = |found: &Platform| platform.is_some_and(|wanted| same_platform(found, wanted));
        candidates.retain(|descriptor| descriptor.platform.as_ref().is_some_and(fits));
    }
    let mut tags: Vec<String> = all.iter().filter_map(tag_of).collect();
    tags.sort();
    if let (true, Some(tag)) = (several && candidates.len() != 1, &name.tag) {
        let digests: Vec<String> = all.iter().filter(fits).map(|descriptor| descriptor.digest.to_string()).collect();
        return Err(ImageError::Choice(format!("several images have the tag `{tag}`: {}", digests.join(", "))));
    }
    match (&candidates[..], &name.tag) {
        ([one], _) => Ok((*one).clone()),
        ([], Some(tag)) => {
            let there = if tags.is_empty() {
                "there are none".to_owned()
            } else {
                format!("the tags are: {}", tags.join(", "))
            };
            Err(ImageError::Choice(format!("no image has the tag `{tag}`; {there}")))
        }
        _ if all.is_empty() => Err(ImageError::Choice("it holds no image".to_owned())),
        _ => Err(ImageError::Choice(format!("it holds several images; name one of its tags: {}", tags.join(", ")))),
    }
}

/// What a search for a platform met.
#[derive(Default)]
struct Seen {
    platforms: Vec<String>,
    /// Documents that were read; each is looked at once.
    documents: BTreeSet<Digest>,
}

/// More documents than this to find one platform are an attack, not an image.
const DOCUMENTS: usize = 1000;

/// Follows indexes to the manifest for the platform, noting in `seen` which platforms there are.
fn resolve(
    read: &mut Documents,
    top: &Descriptor,
    platform: &Platform,
    depth: usize,
    seen: &mut Seen,
) -> Result<Option<Descriptor>, ImageError> {
    if media_type::is_manifest(&top.media_type) {
        return Ok(Some(top.clone()));
    }
    if !media_type::is_index(&top.media_type) {
        return Err(broken(format!("{}", top.digest), format!("its media type `{}` is no image", top.media_type)));
    }
    if depth == 0 {
        return Err(broken("index", format!("more than {DEPTH} indexes inside each other")));
    }
    if !seen.documents.insert(top.digest) {
        return Ok(None);
    }
    if seen.documents.len() > DOCUMENTS {
        return Err(broken("index", format!("more than {DOCUMENTS} documents have to be read to find a platform")));
    }
    let index = read(top, "index")?;
    for descriptor in descriptors(&index, "index")? {
        match &descriptor.platform {
            Some(other) if !same_platform(other, platform) => seen.platforms.push(other.to_string()),
            None if media_type::is_manifest(&descriptor.media_type) => {
                if !seen.documents.insert(descriptor.digest) || seen.documents.len() > DOCUMENTS {
                    continue;
                }
                let manifest = read(&descriptor, "manifest")?;
                let config = document::config(&manifest).map_err(|error| ImageError::of("manifest", error))?;
                let config = read(&config, "config")?;
                match platform_of(&config) {
                    Some(other) if same_platform(&other, platform) => return Ok(Some(descriptor)),
                    other => seen.platforms.extend(other.map(|other| other.to_string())),
                }
            }
            _ => {
                if let Some(found) = resolve(read, &descriptor, platform, depth - 1, seen)? {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(None)
}

/// What a config says that the image is for.
#[must_use]
pub fn platform_of(config: &Value) -> Option<Platform> {
    let text = |name| config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Platform { os: text("os")?, architecture: text("architecture")?, variant: text("variant") })
}

/// Whether they mean the same.
#[must_use]
pub fn same_platform(a: &Platform, b: &Platform) -> bool {
    normal(a) == normal(b)
}

/// The one way to write it: arm64 without a variant is v8, arm without one v7 (as containerd normalises them).
#[must_use]
pub fn normal(platform: &Platform) -> Platform {
    let variant = match (platform.architecture.as_str(), platform.variant.as_deref()) {
        ("arm64", None) => Some("v8".to_owned()),
        ("arm", None) => Some("v7".to_owned()),
        ("amd64", Some("v1")) => None,
        (_, variant) => variant.map(str::to_owned),
    };
    Platform { variant, ..platform.clone() }
}
