//! Into a registry: blobs first, then documents by their digests, tags last. What fails before that leaves no new tag.

use super::called::Top;
use super::cargo::{Cargo, Piece};
use super::{Blobs, CopyError, Moved, Order, each, open, refused};
use crate::oci::Transport;
use crate::registry::{Reference, Repository};
use crate::transport::{Source, TransportError};
use std::io;
use std::sync::Mutex;

pub fn push(cargo: &Cargo, tops: &[Top], source: &Source, end: &Source, order: &Order) -> Result<Blobs, CopyError> {
    let Some((registry, name)) = end.repository() else { return Ok(Blobs::default()) };
    let repository = registry.repository(name);
    let interrupt = order.access.interrupt;
    let near = nearby(cargo, source, name);
    let blobs = each(cargo, order, &|piece| blob(piece, &repository, source, &near, order))?;
    let mut unnoted = Vec::new();
    for document in &cargo.documents {
        let (digest, media_type) = (document.descriptor.digest, &document.descriptor.media_type);
        let pushed = repository.push_manifest(Reference::Digest(digest), media_type, &document.bytes, interrupt);
        let pushed = pushed.map_err(|error| refused(error, source, None))?;
        (order.detail)(&format!("manifest {digest} {} bytes  pushed", document.bytes.len()));
        if let Some(subject) = document.subject.filter(|_| !pushed.has_noted_subject) {
            unnoted.push((subject, document.as_referrer()));
        }
    }
    for (subject, referrer) in unnoted {
        let noted = repository.push_referrer(subject, &referrer, interrupt);
        noted.map_err(|error| refused(error, source, None))?;
    }
    // What belongs to an image is there before the image is.
    let (signatures, images): (Vec<&Top>, Vec<&Top>) = tops.iter().partition(|top| top.is_referrer);
    for top in signatures.into_iter().chain(images) {
        let media_type = &top.document.descriptor.media_type;
        for tagged in &top.tags {
            let tag = Reference::Tag(&tagged.tag);
            let pushed = repository.push_manifest(tag, media_type, &top.document.bytes, interrupt);
            pushed.map_err(|error| refused(error, source, None))?;
            (order.detail)(&format!("tag {} is {}", tagged.tag, top.document.descriptor.digest));
        }
    }
    Ok(blobs)
}

/// Repositories of the same registry, without its name, that may have blobs to take over: the source, and the bases.
fn nearby<'a>(cargo: &'a Cargo, source: &'a Source, end: &str) -> Vec<&'a str> {
    let (host, own) = end.split_once('/').unwrap_or_default();
    let from = match &source.name.transport {
        Transport::Registry(from) => Some(from),
        _ => None,
    };
    let names = from.into_iter().chain(&cargo.bases);
    let mut near: Vec<&str> = names
        .filter_map(|name| name.split_once('/').filter(|(other, _)| *other == host).map(|(_, name)| name))
        .filter(|name| *name != own)
        .collect();
    near.dedup();
    near
}

fn blob(
    piece: &Piece,
    repository: &Repository,
    source: &Source,
    near: &[&str],
    order: &Order,
) -> Result<Moved, CopyError> {
    let (interrupt, descriptor) = (order.access.interrupt, &piece.descriptor);
    let failed = |error| refused(error, source, Some(piece));
    if repository.has_blob(descriptor.digest, interrupt).map_err(failed)? {
        return Ok(Moved::Skipped);
    }
    for from in near {
        if repository.mount(descriptor.digest, from, interrupt).map_err(failed)? {
            return Ok(Moved::Mounted);
        }
    }
    // What is not there is told before anything is sent.
    let first = match open(source, piece, 0) {
        Err(error) if piece.may_lack && error.is_missing() => return Ok(Moved::LeftOut),
        opened => opened?,
    };
    let first = Mutex::new(Some(first));
    let trouble = Mutex::new(None);
    let mut from = |offset: u64| -> io::Result<_> {
        if let Some(first) = first.lock().ok().and_then(|mut first| first.take()).filter(|_| offset == 0) {
            return Ok(first);
        }
        open(source, piece, offset).map_err(|error| {
            let told = io::Error::other(error.to_string());
            if let Ok(mut trouble) = trouble.lock() {
                *trouble = Some(error);
            }
            told
        })
    };
    let pushed = repository.push_blob(descriptor, &mut from, interrupt);
    match (pushed, trouble.into_inner().ok().flatten()) {
        (Ok(()), _) => Ok(Moved::Copied),
        (Err(_), Some(error)) => Err(TransportError::into(error)),
        (Err(error), None) => Err(failed(error)),
    }
}
