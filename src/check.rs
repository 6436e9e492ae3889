//! Whether an image is sound: every document and blob held against what names it, every layer unpacked and judged.
//!
//! It goes on after a finding wherever it can, reads each blob once, and trusts nothing: memory is bounded by constants,
//! time by what the image has on disk. What the specification says MUST is an error, what it says SHOULD a warning. What
//! to do about a finding, and whether the image is what somebody wanted, is left to others.

mod blob;
mod config;
mod documents;
mod entries;
mod fault;
mod fields;
mod finding;
mod index;
mod layout;
mod manifest;
mod members;
mod name;
mod origin;
mod pointer;
mod shape;
mod stack;

pub use fault::Fault;
pub use finding::{Finding, Place, Report, Severity, Subject};
pub use name::Name;

use crate::oci::ImageName;
use crate::source::archive;
use crate::source::image::ImageError;
use crate::transport::{Access, Source, TransportError};
use blob::{Job, Outcome};
use documents::Documents;
use fields::Fields;
use finding::Findings;
use origin::Origin;
use pointer::Pointer;
use serde_json::Map;
use shape::Shape;
use stack::Stack;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Paths of all layers together that are kept to be compared, some 150 MB; beyond that, layers are judged by themselves.
const PATHS: usize = 8_000_000;

/// Judges the image that a name stands for; of a layout or oci-archive without a tag, everything that is in it. So many
/// layers are read at once.
///
/// # Errors
/// Whatever leaves it unjudged: there is no such image, it may not be read, the disk or the network fails.
pub fn check(name: &ImageName, access: &Access<'_>, jobs: usize) -> Result<Report, TransportError> {
    let mut report = Report::default();
    let source = match Source::open(name, access) {
        Ok(source) => source,
        Err(error) => {
            let mut findings = Findings::default();
            findings.add(Place::whole(&Subject::Image), unreadable(error)?);
            findings.finish(&mut report);
            return Ok(report);
        }
    };
    let origin = Origin { source: &source, interrupt: access.interrupt };
    let mut documents = Documents::new(origin);
    report.digest = match source.layout() {
        Some(layout) if layout.is_any() => documents.layout(name)?,
        Some(_) => {
            return Err(source
                .top()
                .err()
                .unwrap_or_else(|| origin.failed("index.json", std::io::ErrorKind::NotFound.into())));
        }
        None => one(&mut documents, &source)?,
    };
    let outcomes = run(&documents.jobs, origin, jobs)?;
    finish(documents, outcomes, &mut report);
    Ok(report)
}

/// An image of a registry or docker-archive.
fn one(documents: &mut Documents<'_>, source: &Source<'_>) -> Result<Option<String>, TransportError> {
    let top = match source.top() {
        Ok(top) => top.descriptor,
        Err(error) => {
            let text = error.to_string();
            let fault = origin::fault(error)?.ok_or_else(|| TransportError::Image {
                image: source.name.to_string(),
                source: Box::new(ImageError::Choice(text)),
            })?;
            documents.findings.add(Place::whole(&Subject::Image), fault);
            return Ok(None);
        }
    };
    let name = Name::of(top.digest);
    let pointer = Pointer { media_type: top.media_type, name, size: top.size, elsewhere: false };
    let (subject, map) = (Subject::Image, Map::new());
    documents.member(&Fields::of(&subject, &map), &pointer, None, 0)?;
    Ok(Some(top.digest.to_string()))
}

/// What is wrong with an archive that cannot even be opened, if that is its own fault.
fn unreadable(error: TransportError) -> Result<Fault, TransportError> {
    use archive::Fault as Archive;
    match &error {
        TransportError::Image { source, .. } => match &**source {
            ImageError::Archive(archive) => match archive.fault {
                Archive::Open(_)
                | Archive::NoFile
                | Archive::Spool { .. }
                | Archive::Interrupted
                | Archive::Changed => Err(error),
                _ => Ok(Fault::Archive(archive.why())),
            },
            ImageError::Broken { .. } | ImageError::Digest { .. } => Ok(Fault::Archive(source.to_string())),
            // A file that its manifest.json names.
            ImageError::Io { source: io, .. } if io.kind() == std::io::ErrorKind::NotFound => {
                Ok(Fault::Archive(source.to_string()))
            }
            _ => Err(error),
        },
        _ => Err(error),
    }
}

/// Reads the blobs, so many at once. The outcomes stand in the order of the jobs.
fn run(jobs: &[Job], origin: Origin<'_>, workers: usize) -> Result<Vec<Outcome>, TransportError> {
    let (next, kept) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let outcomes: Mutex<Vec<Option<Result<Outcome, TransportError>>>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { return };
            let mut outcome = job.run(origin);
            if let Ok(outcome) = &mut outcome {
                let paths = outcome.shape.as_ref().map_or(0, Shape::len);
                if kept.fetch_add(paths, Ordering::Relaxed) + paths > PATHS {
                    outcome.shape = None;
                    outcome.findings.add(Place::whole(&job.subject()), Fault::Unfinished);
                }
            } else {
                // Nobody needs the rest.
                next.store(jobs.len(), Ordering::Relaxed);
            }
            if let Ok(mut outcomes) = outcomes.lock() {
                if outcomes.len() <= number {
                    outcomes.resize_with(number + 1, || None);
                }
                if let Some(place) = outcomes.get_mut(number) {
                    *place = Some(outcome);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.min(jobs.len()) {
            scope.spawn(work);
        }
        work();
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcomes.into_iter().flatten().collect()
}

/// Puts everything together.
fn finish(documents: Documents<'_>, outcomes: Vec<Outcome>, report: &mut Report) {
    let Documents { mut findings, jobs, images, artifacts, others, .. } = documents;
    let mut shapes = Vec::new();
    for (job, outcome) in jobs.iter().zip(outcomes) {
        report.layers += u64::from(job.layer);
        report.entries += outcome.entries;
        findings.merge(outcome.findings);
        shapes.push((job.subject(), outcome.shape));
    }
    let mut stack = Stack::default();
    for image in &images {
        let layers: Vec<_> = image
            .iter()
            .filter_map(|at| shapes.get(*at))
            .map(|(subject, shape)| (subject.clone(), shape.as_ref()))
            .collect();
        stack.judge(&layers, &mut findings);
    }
    report.images = images.len() as u64;
    report.artifacts = artifacts;
    report.others = others;
    findings.finish(report);
}
