//! Blobs, each read once: its bytes held against its digest, and those of a layer unpacked and judged on the way.

use super::entries::entries;
use super::fault::Fault;
use super::fields::shortened;
use super::finding::{Findings, Place, Subject};
use super::name::{Hash, Name};
use super::origin::{Opened, Origin};
use super::shape::Shape;
use crate::layer::decompress::{BOMB, Compression, Decoder, RATIO, Sniffed, is_bomb, sniff_decoder};
use crate::oci::{Sha256, media_type};
use crate::transport::TransportError;
use std::cell::Cell;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};

/// Something that names a blob.
#[derive(Debug, Clone)]
pub(super) struct Use {
    /// The descriptor.
    pub(super) place: Place,
    pub(super) what: &'static str,
    pub(super) size: u64,
    pub(super) media_type: String,
    /// The blob may be missing.
    pub(super) elsewhere: bool,
    /// The diff_id that a layer must have, and the config that says so.
    pub(super) diff_id: Option<(Name, String)>,
}

/// A blob to be read.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: Name,
    pub(super) uses: Vec<Use>,
    /// Whether it is to be unpacked.
    pub(super) layer: bool,
}

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) findings: Findings,
    /// What the layer does, if all of it could be read.
    pub(super) shape: Option<Shape>,
    pub(super) entries: u64,
}

impl Job {
    /// What findings are about.
    pub(super) fn subject(&self) -> Subject {
        let name = self.name.text().to_owned();
        if self.layer { Subject::Layer(name) } else { Subject::Blob(name) }
    }

    /// Reads the blob.
    pub(super) fn run(&self, origin: Origin<'_>) -> Result<Outcome, TransportError> {
        let mut outcome = Outcome::default();
        let subject = self.subject();
        let (what, size) = self.uses.first().map_or(("blob", 0), |first| (first.what, first.size));
        let (reader, length) = match origin.open(&self.name, size, what)? {
            Opened::Here { reader, length } => (reader, length),
            Opened::Wrong(fault) => {
                outcome.findings.add(Place::whole(&subject), fault);
                return Ok(outcome);
            }
            Opened::Missing => {
                for Use { place, what, elsewhere, .. } in &self.uses {
                    outcome.findings.add(place.clone(), missing(what, &self.name, *elsewhere));
                }
                return Ok(outcome);
            }
        };
        // What is both wrong and very large is not read.
        if let Some(found) = length
            && found > BOMB
            && let Some(first) = self.uses.first()
            && self.uses.iter().all(|other| other.size != found)
        {
            outcome.findings.add(Place::whole(&subject), Fault::Size { stated: first.size, found });
            return Ok(outcome);
        }
        let count = Cell::new(0);
        let meter = Meter { reader, hash: self.name.hash(), count: &count, interrupt: origin.interrupt, error: None };
        let meter =
            self.read(meter, length, &subject, &mut outcome).map_err(|error| origin.failed(self.name.text(), error))?;
        let mut wrong = |fault| outcome.findings.add(Place::whole(&subject), fault);
        for stated in self.uses.iter().map(|one| one.size).filter(|stated| *stated != count.get()) {
            wrong(Fault::Size { stated, found: count.get() });
        }
        self.name.judge(meter.hash).into_iter().for_each(wrong);
        Ok(outcome)
    }

    /// Reads to the very end. Errors are those of the disk or network.
    fn read<'m>(
        &self,
        mut meter: Meter<'m>,
        length: Option<u64>,
        subject: &Subject,
        outcome: &mut Outcome,
    ) -> io::Result<Meter<'m>> {
        if self.layer {
            self.layer(&mut meter, length, subject, outcome);
        }
        let drained = io::copy(&mut meter, &mut io::sink());
        match meter.error.take() {
            Some(error) => Err(error),
            None => drained.map(|_| meter),
        }
    }

    /// Unpacks a layer, as far as it can be.
    fn layer(&self, meter: &mut Meter<'_>, length: Option<u64>, subject: &Subject, outcome: &mut Outcome) {
        let read = meter.count;
        // An error of the disk or network is kept in the meter.
        let Ok(decoder) = sniff_decoder(&mut *meter) else { return };
        let found = decoder.compression();
        let mut wrong = |fault| outcome.findings.add(Place::whole(subject), fault);
        for stated in self.uses.iter().filter_map(|one| compression(&one.media_type)).filter(|it| *it != found) {
            wrong(Fault::Compression { stated, found });
        }
        if matches!(found, Compression::Xz | Compression::Bzip2) {
            return;
        }
        let mut tar =
            Plain { decoder, read, length: length.unwrap_or(0), hash: Sha256::default(), count: 0, failed: None };
        match entries(&mut tar, subject, &mut outcome.findings, &mut outcome.entries) {
            Ok(shape) => outcome.shape = shape,
            Err(_) if tar.failed.is_some() => {}
            Err(error) => outcome.findings.add(Place::whole(subject), Fault::Tar(shortened(&error.to_string()))),
        }
        // What the tar reader did not come to counts for the diff_id.
        let drained = io::copy(&mut tar, &mut io::sink());
        let mut wrong = |fault| outcome.findings.add(Place::whole(subject), fault);
        if let Some(fault) = tar.failed {
            outcome.shape = None;
            return wrong(fault);
        }
        if drained.is_err() {
            return;
        }
        let oddities = tar.decoder.oddities();
        if oddities.members {
            wrong(Fault::GzipMembers);
        }
        if oddities.zeros {
            wrong(Fault::StreamZeros);
        }
        let (diff_id, _) = tar.hash.finish();
        for (stated, config) in self.uses.iter().filter_map(|one| one.diff_id.as_ref()) {
            match stated.sha256() {
                Some(stated) if stated == diff_id => {}
                Some(stated) => {
                    let (stated, found) = (stated.to_string(), diff_id.to_string());
                    wrong(Fault::DiffId { stated, found, config: config.clone() });
                }
                None => wrong(Fault::Unverified { algorithm: stated.algorithm().to_owned() }),
            }
        }
    }
}

/// A blob that is not there.
pub(super) fn missing(what: &'static str, name: &Name, elsewhere: bool) -> Fault {
    let digest = name.text().to_owned();
    if elsewhere { Fault::Elsewhere { what, digest } } else { Fault::Missing { what, digest } }
}

/// How a layer of this media type is compressed; none if it is no layer.
pub(super) fn compression(media_type: &str) -> Option<Compression> {
    match media_type::oci_layer(media_type).unwrap_or(media_type) {
        media_type::LAYER_TAR | "application/vnd.oci.image.layer.nondistributable.v1.tar" => Some(Compression::None),
        media_type::LAYER_GZIP
        | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Some(Compression::Gzip),
        media_type::LAYER_ZSTD | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd" => {
            Some(Compression::Zstd)
        }
        _ => None,
    }
}

/// Counts and hashes the bytes of a blob. It keeps the error of the place they come from, which says nothing about them.
struct Meter<'m> {
    reader: Box<dyn Read + Send + 'm>,
    hash: Hash,
    count: &'m Cell<u64>,
    interrupt: &'m AtomicBool,
    error: Option<io::Error>,
}

impl Read for Meter<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.interrupt.load(Ordering::Relaxed) {
            true => Err(io::Error::other("interrupted")),
            false => self.reader.read(buffer),
        };
        match read {
            Ok(n) => {
                self.hash.update(buffer.get(..n).unwrap_or_default());
                self.count.set(self.count.get().saturating_add(n as u64));
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let said = error.to_string();
                self.error.get_or_insert(error);
                Err(io::Error::other(said))
            }
        }
    }
}

/// Counts and hashes the tar of a layer, and notes why it cannot be read on.
struct Plain<'m, R: Read> {
    decoder: Decoder<Sniffed<R>>,
    /// Bytes of the blob that were read, and all that there are.
    read: &'m Cell<u64>,
    length: u64,
    hash: Sha256,
    count: u64,
    failed: Option<Fault>,
}

impl<R: Read> Read for Plain<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stop = || io::Error::other("it cannot be read on");
        if self.failed.is_some() {
            return Err(stop());
        }
        let n = match self.decoder.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                self.failed = Some(Fault::Stream(shortened(&error.to_string())));
                return Err(stop());
            }
            Ok(n) => n,
        };
        self.hash.update(buffer.get(..n).unwrap_or_default());
        self.count = self.count.saturating_add(n as u64);
        let compressed = self.read.get().max(self.length);
        if is_bomb(self.count, compressed) {
            self.failed = Some(Fault::Bomb { bytes: BOMB, ratio: RATIO });
            return Err(stop());
        }
        Ok(n)
    }
}
