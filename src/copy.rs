//! Images from one place to another, byte for byte: whatever a name stands for arrives with the digest that it left with.
//!
//! `cargo` collects the documents of what is copied, and the blobs that they name; `called` decides under which tags it
//! arrives; `push` brings it into a registry, `keep` into a layout or an archive. Nothing here builds anything.

mod called;
mod cargo;
mod error;
mod keep;
mod push;

pub use error::CopyError;

use crate::net::HttpErrorKind;
use crate::oci::{Descriptor, Digest, ImageName, Platform, Transport};
use crate::registry::{RegistryError, RegistryErrorKind};
use crate::source::image::{Verified, same_platform};
use crate::together::side_by_side;
use crate::transport::{Access, Source, TransportError};
use called::Top;
use cargo::{Cargo, Piece};
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// How many blobs are on their way at a time.
const AT_ONCE: usize = 4;

/// What is to be copied where.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// From here.
    pub source: &'a ImageName,
    /// To here.
    pub destination: &'a ImageName,
    /// Tags to be had there beside those that the names say.
    pub tags: &'a [String],
    /// One platform's image of several.
    pub platform: Option<&'a Platform>,
    /// What refers to the image too; and all images of a layout, if its name says no tag.
    pub all: bool,
    /// What both ends need of the world.
    pub access: Access<'a>,
    /// Is told what a user may want to know though it is no failure.
    pub notice: &'a (dyn Fn(&str) + Sync),
    /// Is told what goes on.
    pub detail: &'a (dyn Fn(&str) + Sync),
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The images, at least one.
    pub images: Vec<Arrived>,
    /// Manifests and indexes that refer to them.
    pub referrers: usize,
    /// How their blobs came there.
    pub blobs: Blobs,
}

/// An image at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Of its index or manifest.
    pub digest: Digest,
    /// By which it can be had there; perhaps none but its digest.
    pub tags: Vec<String>,
}

/// How blobs came to a destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Blobs {
    /// Over the wire, or from disk to disk.
    pub copied: usize,
    /// They were there.
    pub skipped: usize,
    /// The registry took them over from another repository.
    pub mounted: usize,
    /// Left out: they are to be had elsewhere (`urls`), and not in the source.
    pub left_out: usize,
    /// The bytes of those that were copied.
    pub bytes: u64,
}

/// Copies.
///
/// # Errors
/// See [`CopyError`].
pub fn copy(order: &Order) -> Result<Copied, CopyError> {
    let Order { destination, access, .. } = *order;
    if let Some(path) = destination.path()
        && !matches!(destination.transport, Transport::Layout(_))
        && let Some(from) = order.source.path()
        && let (Ok(from), Ok(to)) = (access.folder.join(from).canonicalize(), access.folder.join(path).canonicalize())
        && from == to
    {
        let why = "is the source too, which would be replaced; copy it to another file";
        return Err(CopyError::Taken { destination: destination.to_string(), why });
    }
    // A destination that cannot be is said before a source is read that may take hours.
    let is_registry = matches!(destination.transport, Transport::Registry(_));
    let end = is_registry.then(|| Source::open(destination, &access)).transpose().map_err(CopyError::Unreachable)?;
    let source = Source::open(order.source, &access)?;
    if matches!(source.name.transport, Transport::DockerArchive(_)) {
        let digest = source.top()?.descriptor.digest;
        (order.notice)(&format!("{} has no manifest; the one that is made for it is {digest}", source.name));
    }
    let tops = called::tops(&source, order)?;
    let cargo = Cargo::collect(&source, &tops, order)?;
    let mut tops = called::arriving(tops, &source, order, &cargo)?;
    tops.extend(cargo.signatures.iter().cloned());
    let blobs = match &end {
        Some(end) => push::push(&cargo, &tops, &source, end, order)?,
        None => keep::keep(&cargo, &tops, &source, order)?,
    };
    let images = tops.iter().filter(|top| !top.is_referrer).map(Top::arrived).collect();
    Ok(Copied { images, referrers: cargo.referrers.len() + cargo.signatures.len(), blobs })
}

/// The manifest for a platform of an image.
fn choose(source: &Source, top: crate::transport::Document, wanted: &Platform) -> Result<Descriptor, CopyError> {
    let image = source.image_of(top)?;
    let platforms = |manifest: &crate::transport::Manifest| manifest.platform.clone();
    let fits = |found: &Platform| same_platform(found, wanted);
    match image.manifests.iter().find(|manifest| platforms(manifest).as_ref().is_some_and(fits)) {
        Some(manifest) => Ok(manifest.document.descriptor.clone()),
        None => Err(CopyError::Platform {
            why: format!("there is none for {wanted}"),
            source_name: source.name.to_string(),
            there: image.manifests.iter().filter_map(platforms).map(|platform| platform.to_string()).collect(),
        }),
    }
}

/// How one blob came to the destination.
enum Moved {
    Copied,
    Skipped,
    Mounted,
    LeftOut,
}

/// Moves all blobs, several at a time.
fn each(
    cargo: &Cargo,
    order: &Order,
    work: &(dyn Fn(&Piece) -> Result<Moved, CopyError> + Sync),
) -> Result<Blobs, CopyError> {
    let pieces: Vec<&Piece> = cargo.blobs.values().collect();
    let moved = side_by_side(&pieces, AT_ONCE, |_, piece| {
        if order.access.interrupt.load(Ordering::Relaxed) {
            return Err(CopyError::Interrupted);
        }
        let moved = work(piece)?;
        let (Descriptor { digest, size, .. }, what) = (&piece.descriptor, piece.what);
        let word = match moved {
            Moved::Copied => "copied",
            Moved::Skipped => "is there",
            Moved::Mounted => "mounted",
            Moved::LeftOut => {
                (order.notice)(&format!(
                    "the {what} {digest} is left out: the source does not have it, as it is to be had elsewhere"
                ));
                "left out"
            }
        };
        (order.detail)(&format!("{what} {digest} {size} bytes  {word}"));
        Ok((moved, *size))
    });
    let mut counts = Blobs::default();
    for moved in moved.into_iter().flatten() {
        let (moved, size) = moved?;
        let count = match moved {
            Moved::Copied => {
                counts.bytes += size;
                &mut counts.copied
            }
            Moved::Skipped => &mut counts.skipped,
            Moved::Mounted => &mut counts.mounted,
            Moved::LeftOut => &mut counts.left_out,
        };
        *count += 1;
    }
    Ok(counts)
}

/// A blob of the source, from byte `offset` on; by the time its last byte comes it is held against its digest.
fn open<'s>(source: &'s Source, piece: &Piece, offset: u64) -> Result<Box<dyn Read + Send + 's>, TransportError> {
    let Piece { descriptor, what, .. } = piece;
    let failed = |source_error| TransportError::Blob {
        image: source.name.to_string(),
        what,
        digest: descriptor.digest,
        source: source_error,
    };
    let mut blob = Verified::new(source.blob(descriptor, what)?, descriptor.digest, descriptor.size);
    io::copy(&mut blob.by_ref().take(offset), &mut io::sink()).map_err(failed)?;
    Ok(Box::new(blob))
}

/// Copies a reader into a writer; which of the two failed is told by the two errors.
fn pour(
    reader: &mut dyn Read,
    writer: &mut dyn Write,
    interrupt: &AtomicBool,
    (failed, cannot_write): (&dyn Fn(io::Error) -> CopyError, &dyn Fn(io::Error) -> CopyError),
) -> Result<(), CopyError> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        if interrupt.load(Ordering::Relaxed) {
            return Err(CopyError::Interrupted);
        }
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => writer.write_all(buffer.get(..n).unwrap_or_default()).map_err(cannot_write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// What a registry says when something is pushed to it; a body that could not be read is the source's fault.
fn refused(error: RegistryError, source: &Source, piece: Option<&Piece>) -> CopyError {
    match (error.kind, piece) {
        (RegistryErrorKind::Http(http), piece) => match (http.kind, piece) {
            (HttpErrorKind::Interrupted, _) => CopyError::Interrupted,
            (HttpErrorKind::Source(why), Some(Piece { descriptor, what, .. })) => {
                let (image, digest) = (source.name.to_string(), descriptor.digest);
                CopyError::Source(TransportError::Blob { image, what, digest, source: why })
            }
            (kind, _) => {
                let kind = RegistryErrorKind::Http(Box::new(crate::net::HttpError { kind, ..*http }));
                CopyError::Registry(Box::new(RegistryError { kind, ..error }))
            }
        },
        (kind, _) => CopyError::Registry(Box::new(RegistryError { kind, ..error })),
    }
}
