//! Onto this disk: into a layout, beside what it holds, or into an archive of its own.

use super::called::Top;
use super::cargo::{Cargo, Piece};
use super::{Blobs, CopyError, Moved, Order, each, open, pour};
use crate::archive::{self, Contents, Format, Loadable};
use crate::image::Layer;
use crate::layout::{self, Adding, Held, REF_NAME, Staging, is_layout, tagged, untagged};
use crate::oci::{Descriptor, Digest, Sink, Transport, json};
use crate::pantry::Pantry;
use crate::store::hash;
use crate::transport::{Manifest, Source, TransportError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

pub fn keep(cargo: &Cargo, tops: &[Top], source: &Source, order: &Order) -> Result<Blobs, CopyError> {
    match &order.destination.transport {
        Transport::Layout(path) => layout(cargo, tops, source, &order.access.folder.join(path), order),
        Transport::OciArchive(path) => {
            archive(Format::Oci, cargo, tops, source, &order.access.folder.join(path), order)
        }
        Transport::DockerArchive(path) => {
            archive(Format::Docker, cargo, tops, source, &order.access.folder.join(path), order)
        }
        Transport::Registry(_) => Ok(Blobs::default()),
    }
}

/// What the disk reports, in the user's terms.
fn cannot_write<'o>(order: &'o Order) -> impl Fn(io::Error) -> CopyError + Sync + 'o {
    |source| match order.access.interrupt.load(Ordering::Relaxed) && source.kind() == io::ErrorKind::Interrupted {
        true => CopyError::Interrupted,
        false => CopyError::Disk { destination: order.destination.to_string(), source: plain(source) },
    }
}

/// `tempfile` names the hidden file that it failed on, which is gone by the time a user looks for it.
fn plain(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path \"") {
        Some((why, _)) => io::Error::new(error.kind(), why),
        None => error,
    }
}

fn layout(cargo: &Cargo, tops: &[Top], source: &Source, path: &Path, order: &Order) -> Result<Blobs, CopyError> {
    let failed = cannot_write(order);
    let taken = |why| CopyError::Taken { destination: order.destination.to_string(), why };
    if path.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(taken("is a file, and an image layout is a folder; an archive is oci-archive:FILE"));
    }
    let held = Held::wait(path, order.access.interrupt).map_err(&failed)?;
    let entries = entries(cargo, tops);
    if !is_layout(path) {
        let staging = Staging::begin(path).map_err(&failed)?;
        let blobs = bring(cargo, source, &staging, staging.path(), order)?;
        let all = entries.iter().map(Descriptor::to_json).collect();
        staging.publish(&layout::index_of(all)).map_err(&failed)?;
        drop(held);
        return Ok(blobs);
    }
    if Pantry::open(path)
        .is_ok_and(|pantry| !cargo.documents.iter().any(|one| one.descriptor.digest == pantry.index.digest))
    {
        return Err(taken("is a pantry, which holds what `rebake pantry fill` puts there and nothing else"));
    }
    let index = read_index(path).map_err(&failed)?;
    let adding = Adding::begin(path, held).map_err(&failed)?;
    let blobs = bring(cargo, source, &adding, path, order)?;
    match joined(&index, &entries, order) {
        Some(index) => adding.publish(&index).map_err(&failed)?,
        None => {
            adding.keep();
            (order.detail)(&format!("{} lists it already", order.destination));
        }
    }
    Ok(blobs)
}

fn read_index(folder: &Path) -> io::Result<Value> {
    let bytes = crate::source::image::read_document(&folder.join("index.json"))?;
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("its index.json is malformed: {why}"));
    let index = json::parse(&bytes).map_err(wrong)?;
    match index.get("manifests").is_some_and(Value::is_array) {
        true => Ok(index),
        false => Err(wrong("it has no list `manifests`".to_owned())),
    }
}

/// What `index.json` is to list.
fn entries(cargo: &Cargo, tops: &[Top]) -> Vec<Descriptor> {
    let mut entries = Vec::new();
    for top in tops {
        let descriptor = &top.document.descriptor;
        if top.tags.is_empty() {
            let listed =
                cargo.documents.iter().find(|one| top.is_referrer && one.descriptor.digest == descriptor.digest);
            entries.push(listed.map_or_else(|| untagged(descriptor), |referrer| referrer.as_referrer()));
        }
        entries.extend(top.tags.iter().map(|one| tagged(descriptor, &one.tag, one.name.as_deref())));
    }
    entries.extend(cargo.referrers.iter().map(untagged));
    entries
}

/// An index with these entries beside its own; `None` if it has them all.
fn joined(index: &Value, entries: &[Descriptor], order: &Order) -> Option<Vec<u8>> {
    let mut joined = index.clone();
    let listed = joined.get_mut("manifests").and_then(Value::as_array_mut)?;
    let tag_of = |json: &Value| json.pointer("/annotations")?.get(REF_NAME)?.as_str().map(str::to_owned);
    let digest_of = |json: &Value| json.get("digest").and_then(Value::as_str).map(str::to_owned);
    for entry in entries {
        let digest = entry.digest.to_string();
        let Some(tag) = entry.annotations.get(REF_NAME) else {
            // It is listed, under whatever name.
            if !listed.iter().any(|other| digest_of(other).as_deref() == Some(&digest)) {
                listed.push(entry.to_json());
            }
            continue;
        };
        let is_same_tag = |other: &Value| tag_of(other).as_deref() == Some(tag);
        let place = listed.iter().position(is_same_tag);
        match place.and_then(|place| listed.get_mut(place)) {
            Some(other) => {
                if let Some(moved) = digest_of(other).filter(|other| *other != digest) {
                    let destination = order.destination;
                    (order.notice)(&format!("the tag `{tag}` in {destination} moves: it was {moved}, and is {digest}"));
                }
                *other = entry.to_json();
            }
            None => listed.push(entry.to_json()),
        }
    }
    (joined != *index).then(|| json::canonical(&joined))
}

/// Brings every blob and document into a sink whose blobs stand in `folder`.
fn bring(cargo: &Cargo, source: &Source, sink: &dyn Sink, folder: &Path, order: &Order) -> Result<Blobs, CopyError> {
    let interrupt = order.access.interrupt;
    let failed = cannot_write(order);
    let is_there = |digest: Digest, size: u64| {
        let path = folder.join("blobs/sha256").join(digest.hex());
        // A blob that was damaged where it is would make the copy unsound.
        path.symlink_metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
            && hash(&path, interrupt).is_ok_and(|(found, _)| found == digest)
    };
    let one = |piece: &Piece| -> Result<Moved, CopyError> {
        let Descriptor { digest, size, .. } = piece.descriptor;
        if is_there(digest, size) {
            return Ok(Moved::Skipped);
        }
        let mut reader = match open(source, piece, 0) {
            Err(error) if piece.may_lack && error.is_missing() => return Ok(Moved::LeftOut),
            opened => opened?,
        };
        let broken = |source_error: io::Error| {
            let (image, what) = (source.name.to_string(), piece.what);
            CopyError::Source(TransportError::Blob { image, what, digest, source: source_error })
        };
        let mut blob = sink.blob().map_err(&failed)?;
        pour(&mut reader, &mut blob, interrupt, (&broken, &failed))?;
        blob.commit(digest).map_err(&failed)?;
        Ok(Moved::Copied)
    };
    let blobs = each(cargo, order, &one)?;
    for document in &cargo.documents {
        if !is_there(document.descriptor.digest, document.descriptor.size) {
            let mut blob = sink.blob().map_err(&failed)?;
            blob.write_all(&document.bytes).and_then(|()| blob.commit(document.descriptor.digest)).map_err(&failed)?;
        }
    }
    Ok(blobs)
}

fn archive(
    format: Format,
    cargo: &Cargo,
    tops: &[Top],
    source: &Source,
    path: &Path,
    order: &Order,
) -> Result<Blobs, CopyError> {
    let failed = cannot_write(order);
    let loadable = loadable(format, cargo, tops, source, order)?;
    if format == Format::Docker {
        for top in tops.iter().filter(|top| !top.is_referrer) {
            let digest = top.document.descriptor.digest;
            (order.notice)(&format!("a docker-archive holds no manifest: the digest {digest} is not in it"));
        }
    }
    let staging = archive::begin(path).map_err(&failed)?;
    let blobs = bring(cargo, source, &staging, staging.path(), order)?;
    let entries = entries(cargo, tops).iter().map(Descriptor::to_json).collect();
    let pieces = cargo.blobs.values().map(|piece| &piece.descriptor);
    let mut all: BTreeMap<Digest, u64> = pieces
        .chain(cargo.documents.iter().map(|document| &document.descriptor))
        .map(|descriptor| (descriptor.digest, descriptor.size))
        .collect();
    if blobs.left_out > 0 {
        let folder = staging.path().join("blobs/sha256");
        all.retain(|digest, _| folder.join(digest.hex()).is_file());
    }
    let contents = Contents { index: layout::index_of(entries), blobs: all, loadable };
    let file = archive::write(format, staging.path(), &contents, order.access.interrupt).map_err(&failed)?;
    staging.publish_file(&file).map_err(&failed)?;
    Ok(blobs)
}

/// What docker is to find of the images: each one's first platform. A docker-archive must have just one.
fn loadable(
    format: Format,
    cargo: &Cargo,
    tops: &[Top],
    source: &Source,
    order: &Order,
) -> Result<Vec<Loadable>, CopyError> {
    let mut all = Vec::new();
    for top in tops.iter().filter(|top| !top.is_referrer) {
        let what = || source.name.to_string();
        // What is no image, docker cannot load; an archive may hold it all the same.
        if !cargo.is_image(top.document.descriptor.digest) {
            match format {
                Format::Oci => continue,
                Format::Docker => {
                    let why = "it is an artifact, not an image, and a docker-archive holds images";
                    return Err(CopyError::Unfit { what: what(), why });
                }
            }
        }
        let image = source.image_of(top.document.clone())?;
        let platform = |manifest: &Manifest| manifest.platform.as_ref().map(ToString::to_string);
        if format == Format::Docker && image.manifests.len() > 1 {
            return Err(CopyError::Platform {
                why: "a docker-archive holds one platform; choose it with --platform".to_owned(),
                source_name: order.source.to_string(),
                there: image.manifests.iter().filter_map(platform).collect(),
            });
        }
        let Some(first) = image.manifests.first() else { continue };
        let layers = first.layers.iter().map(|layer| Layer {
            name: None,
            descriptor: layer.descriptor.clone(),
            diff_id: layer.diff_id,
            tar_size: None,
        });
        let names = top.tags.iter().filter_map(|one| Some(format!("{}:{}", one.name.as_ref()?, one.tag)));
        let (names, config) = (names.collect(), first.config.descriptor.clone());
        all.push(Loadable { names, config, layers: layers.collect() });
    }
    Ok(all)
}
