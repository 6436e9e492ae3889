//! Which images are copied, and under which tags and names they arrive.

use super::cargo::{Cargo, is_list};
use super::{Arrived, CopyError, Order, choose};
use crate::layout::{IMAGE_NAME, REF_NAME};
use crate::oci::{Descriptor, Digest, ImageName, Transport, media_type, split};
use crate::pantry::{TAG, is_pantry};
use crate::source::image::ImageError;
use crate::transport::{Document, Source, TransportError};
use crate::tree::Printable;
use std::collections::BTreeMap;

/// The tag of what has none.
const LATEST: &str = "latest";

/// An image, or what belongs to one, that has names of its own.
#[derive(Debug, Clone)]
pub struct Top {
    /// Its index or manifest.
    pub document: Document,
    /// Its tags; none if its digest is its only name.
    pub tags: Vec<Tagged>,
    /// Whether it comes along because of another image.
    pub is_referrer: bool,
}

/// A tag, and what people call the image beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The tag.
    pub tag: String,
    /// The image's name without tag, where it is known: `example.com/acme/app`.
    pub name: Option<String>,
}

impl Top {
    /// What the user is told of it.
    pub fn arrived(&self) -> Arrived {
        let tags = self.tags.iter().map(|tagged| tagged.tag.clone()).collect();
        Arrived { digest: self.document.descriptor.digest, tags }
    }
}

/// The tag in an `org.opencontainers.image.ref.name`; some tools write the whole name there.
pub fn word(ref_name: &str) -> Option<(Option<String>, String)> {
    if ImageName::is_tag(ref_name) {
        return Some((None, ref_name.to_owned()));
    }
    split(ref_name).filter(|(_, tag)| ImageName::is_tag(tag)).map(|(name, tag)| (Some(name), tag))
}

/// What the source's name stands for, with the tags that it has there.
pub fn tops(source: &Source, order: &Order) -> Result<Vec<Top>, CopyError> {
    let name = &source.name;
    let listed = source.listed()?;
    if order.all && name.tag.is_none() && name.digest.is_none() && source.layout().is_some() {
        return every(source, &listed, order);
    }
    let mut document = source.top()?;
    let index = document.descriptor.digest;
    if let Some(wanted) = order.platform {
        let manifest = choose(source, document.clone(), wanted)?;
        if manifest.digest != index {
            (order.notice)(&format!(
                "only {wanted} of {name} is copied: the index {index} stays behind, and with it the digest people know"
            ));
            document = source.document(&manifest, "manifest")?;
        }
    }
    let known = match (&name.transport, &name.tag) {
        (Transport::Registry(repository), tag) => {
            let tag = match (tag, name.digest) {
                (None, Some(_)) => None,
                (tag, _) => Some(tag.clone().unwrap_or_else(|| LATEST.to_owned())),
            };
            // A pantry is called so wherever it is.
            let called = if is_pantry(&document.json) { TAG } else { repository };
            tag.map(|tag| Tagged { tag, name: Some(called.to_owned()) }).into_iter().collect()
        }
        (Transport::DockerArchive(_), wanted) => {
            let names = source.names().iter().filter_map(|name| split(name));
            let known: Vec<Tagged> = names.map(|(name, tag)| Tagged { tag, name: Some(name) }).collect();
            let is_wanted = |tagged: &Tagged| {
                wanted.as_ref().is_none_or(|wanted| {
                    wanted.ends_with(&format!(":{}", tagged.tag)) || *wanted == tagged.tag || !wanted.contains(':')
                })
            };
            known.into_iter().filter(is_wanted).collect()
        }
        (_, wanted) => {
            let known = tags(&listed, index, order);
            match wanted {
                None => known,
                Some(tag) => {
                    let named = known.iter().find(|tagged| tagged.tag == *tag).or(known.first());
                    vec![Tagged { tag: tag.clone(), name: named.and_then(|tagged| tagged.name.clone()) }]
                }
            }
        }
    };
    Ok(vec![Top { document, tags: known, is_referrer: false }])
}

/// Every image that a layout lists, each once.
fn every(source: &Source, listed: &[Descriptor], order: &Order) -> Result<Vec<Top>, CopyError> {
    let mut tops: Vec<Top> = Vec::new();
    for descriptor in listed {
        let kind = &descriptor.media_type;
        let is_known = tops.iter().any(|top| top.document.descriptor.digest == descriptor.digest);
        let list = descriptor.annotations.get(REF_NAME).is_some_and(|tag| is_list(tag));
        if is_known || list || !(media_type::is_manifest(kind) || media_type::is_index(kind)) {
            continue;
        }
        let mut document = source.document(descriptor, "manifest")?;
        let tags = tags(listed, descriptor.digest, order);
        // What refers to another image and has no tag is listed because of that one.
        let is_referrer = tags.is_empty() && super::cargo::subject(&document.json).is_some();
        if let Some(wanted) = order.platform.filter(|_| !is_referrer) {
            let manifest = choose(source, document.clone(), wanted)?;
            document = source.document(&manifest, "manifest")?;
        }
        tops.push(Top { document, tags, is_referrer });
    }
    match tops.iter().any(|top| !top.is_referrer) {
        true => Ok(tops),
        false => {
            let none = Box::new(ImageError::Choice("it holds no image".to_owned()));
            Err(TransportError::Image { image: source.name.to_string(), source: none }.into())
        }
    }
}

/// The tags under which a layout lists something.
fn tags(listed: &[Descriptor], digest: Digest, order: &Order) -> Vec<Tagged> {
    let mut tags: Vec<Tagged> = Vec::new();
    for descriptor in listed.iter().filter(|descriptor| descriptor.digest == digest) {
        let Some(ref_name) = descriptor.annotations.get(REF_NAME) else { continue };
        let Some((name, tag)) = word(ref_name) else {
            let ref_name = Printable(ref_name.as_bytes());
            (order.notice)(&format!("{digest} is called `{ref_name}` in the source, which is no tag, and is left out"));
            continue;
        };
        let image = descriptor.annotations.get(IMAGE_NAME);
        let name = image.map(|image| split(image).map_or_else(|| image.clone(), |(name, _)| name)).or(name);
        if !tags.iter().any(|known| known.tag == tag) {
            tags.push(Tagged { tag, name });
        }
    }
    tags
}

/// The same images with the tags that they are to have at the destination.
pub fn arriving(tops: Vec<Top>, source: &Source, order: &Order, cargo: &Cargo) -> Result<Vec<Top>, CopyError> {
    let Order { destination, .. } = order;
    let count = tops.iter().filter(|top| !top.is_referrer).count();
    if count > 1 {
        if destination.own_tag().is_some() || destination.digest.is_some() || !order.tags.is_empty() {
            let (source_name, destination) = (source.name.to_string(), destination.to_string());
            return Err(CopyError::Several { source_name, count, destination });
        }
        if matches!(destination.transport, Transport::DockerArchive(_)) {
            let what = destination.to_string();
            return Err(CopyError::Unfit { what, why: "a docker-archive takes one image; name one by its tag" });
        }
        return Ok(once(tops, order, cargo));
    }
    let mut tops = tops;
    for top in tops.iter_mut().filter(|top| !top.is_referrer) {
        let found = top.document.descriptor.digest;
        if destination.digest.is_some_and(|wanted| wanted != found) {
            let (destination, source_name) = (destination.to_string(), source.name.to_string());
            return Err(CopyError::Digest { destination, source_name, found });
        }
        let name = top.tags.iter().find_map(|tagged| tagged.name.clone());
        let tagged = |tag: &str| Tagged { tag: tag.to_owned(), name: name.clone() };
        let mut tags = match (destination.saved_as(), destination.own_tag()) {
            (Some((name, tag)), _) => vec![Tagged { tag, name: Some(name) }],
            (None, Some(tag)) => vec![tagged(tag)],
            (None, None) if destination.digest.is_some() => Vec::new(),
            (None, None) if top.tags.is_empty() && order.tags.is_empty() => vec![tagged(LATEST)],
            (None, None) => std::mem::take(&mut top.tags),
        };
        let name = tags.first().and_then(|tagged| tagged.name.clone()).or(name);
        for tag in order.tags {
            if !tags.iter().any(|known| known.tag == *tag) {
                tags.push(Tagged { tag: tag.clone(), name: name.clone() });
            }
        }
        top.tags = tags;
    }
    Ok(tops)
}

/// Every image once, though several tags may have come to mean the same one; a tag once, though several images have it.
fn once(tops: Vec<Top>, order: &Order, cargo: &Cargo) -> Vec<Top> {
    let mut all: Vec<Top> = Vec::new();
    let mut taken: BTreeMap<String, Digest> = BTreeMap::new();
    for mut top in tops {
        let digest = top.document.descriptor.digest;
        let is_tagged = !top.tags.is_empty();
        top.tags.retain(|tagged| match taken.insert(tagged.tag.clone(), digest) {
            None => !cargo.signatures.iter().flat_map(|other| &other.tags).any(|other| other.tag == tagged.tag),
            Some(other) => {
                taken.insert(tagged.tag.clone(), other);
                (order.notice)(&format!(
                    "the tag `{}` stands for several images in the source, and for {other} now, not for {digest}",
                    tagged.tag
                ));
                false
            }
        });
        // It comes along with another image.
        if is_tagged
            && top.tags.is_empty()
            && cargo.signatures.iter().any(|one| one.document.descriptor.digest == digest)
        {
            continue;
        }
        match all.iter_mut().find(|known| known.document.descriptor.digest == digest) {
            Some(known) => known.tags.extend(top.tags),
            None => all.push(top),
        }
    }
    all
}
