//! What was read of an image's documents, and the blobs that they name: each is read once, whoever names it.

use super::blob::{Job, Use, missing};
use super::config::DiffId;
use super::fault::Fault;
use super::finding::{Findings, Place, Subject};
use super::name::Name;
use super::origin::{Got, Origin};
use super::pointer::Pointer;
use crate::oci::Platform;
use crate::transport::TransportError;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Documents that are followed; more are an attack.
pub(super) const DOCUMENTS: usize = 100_000;

/// The walk over the documents.
pub(super) struct Documents<'a> {
    pub(super) origin: Origin<'a>,
    pub(super) findings: Findings,
    /// What was read, by its name.
    pub(super) done: BTreeMap<Name, Done>,
    pub(super) configs: BTreeMap<Name, Config>,
    /// Configs that could not be read.
    pub(super) broken: BTreeSet<Name>,
    /// The blobs that are to be read, in the order in which they were met.
    pub(super) jobs: Vec<Job>,
    pub(super) places: BTreeMap<Name, usize>,
    pub(super) uses: usize,
    /// The layers of each image, by their places in the jobs.
    pub(super) images: Vec<Vec<usize>>,
    pub(super) artifacts: u64,
    /// Blobs that nothing names.
    pub(super) others: u64,
}

/// A manifest or index that was read.
pub(super) struct Done {
    pub(super) length: u64,
    /// What it says that it is, or else was taken for.
    pub(super) media_type: String,
    /// Of an image, what its config says.
    pub(super) platform: Option<Platform>,
}

/// A config that was read.
pub(super) struct Config {
    pub(super) length: u64,
    pub(super) json: Map<String, Value>,
    /// How many layers it was judged for, if that is known of the image.
    pub(super) layers: Option<Option<usize>>,
    pub(super) diff_ids: Vec<DiffId>,
}

impl<'a> Documents<'a> {
    pub(super) fn new(origin: Origin<'a>) -> Self {
        Self {
            origin,
            findings: Findings::default(),
            done: BTreeMap::new(),
            configs: BTreeMap::new(),
            broken: BTreeSet::new(),
            jobs: Vec::new(),
            places: BTreeMap::new(),
            uses: 0,
            images: Vec::new(),
            artifacts: 0,
            others: 0,
        }
    }

    /// Whether a blob was read, or will be.
    pub(super) fn has(&self, name: &Name) -> bool {
        self.done.contains_key(name) || self.configs.contains_key(name) || self.places.contains_key(name)
    }

    /// The bytes of a document, held against its digest.
    pub(super) fn fetch(
        &mut self,
        pointer: &Pointer,
        place: &Place,
        subject: &Subject,
        what: &'static str,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        if self.done.len() + self.configs.len() >= DOCUMENTS {
            let fault = Fault::TooMany { what: "documents", limit: DOCUMENTS as u64 };
            self.findings.add(Place::whole(&Subject::Image), fault);
            return Ok(None);
        }
        let Pointer { name, media_type, size, .. } = pointer;
        let mut done = Done { length: *size, media_type: media_type.clone(), platform: None };
        let bytes = match self.origin.document(name, media_type, *size, what)? {
            Got::Missing => {
                self.findings.add(place.clone(), missing(what, name, pointer.elsewhere));
                return Ok(None);
            }
            Got::Wrong(fault) => {
                self.findings.add(Place::whole(subject), fault);
                self.done.insert(name.clone(), done);
                return Ok(None);
            }
            Got::Bytes(bytes) => bytes,
        };
        let mut hash = name.hash();
        hash.update(&bytes);
        if let Some(fault) = name.judge(hash) {
            self.findings.add(Place::whole(subject), fault);
        }
        done.length = bytes.len() as u64;
        self.done.insert(name.clone(), done);
        Ok(Some(bytes))
    }

    /// Notes a blob that is to be read; gives its place in the jobs.
    pub(super) fn blob(
        &mut self,
        place: Place,
        pointer: &Pointer,
        what: &'static str,
        layer: bool,
        diff_id: Option<(Name, String)>,
    ) -> Option<usize> {
        let Pointer { media_type, name, size, elsewhere } = pointer.clone();
        let at = *self.places.entry(name.clone()).or_insert_with(|| {
            self.jobs.push(Job { name, uses: Vec::new(), layer });
            self.jobs.len() - 1
        });
        let job = self.jobs.get_mut(at)?;
        job.layer |= layer;
        let wanted = Use { place, what, size, media_type, elsewhere, diff_id };
        // The same layer of many images is asked the same once.
        let same =
            |one: &Use| (one.size, &one.media_type, &one.diff_id) == (wanted.size, &wanted.media_type, &wanted.diff_id);
        if !job.uses.iter().rev().take(16).any(same) {
            job.uses.push(wanted);
        }
        Some(at)
    }

    /// Notes a blob that no document names.
    pub(super) fn unnamed(&mut self, name: Name) {
        self.jobs.push(Job { name, uses: Vec::new(), layer: false });
    }
}
