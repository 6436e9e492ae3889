//! What a check finds: where, what, and how bad it is.

use super::fault::Fault;
use crate::tree::Printable;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Findings of one severity that are listed of one document or layer, and of all; the rest is counted.
const LISTED: usize = 100;
const LISTED_IN_ALL: usize = 10_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The specification says MUST, or clients will fail: the image is unsound.
    Error,
    /// The specification says SHOULD, or some clients may stumble.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// What a finding is about. Documents and blobs go by the digests they are named by, as they are written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The image, as the user named it.
    Image,
    /// A file of the layout.
    File(String),
    /// An index.
    Index(String),
    /// A manifest.
    Manifest(String),
    /// An image config.
    Config(String),
    /// A layer.
    Layer(String),
    /// Any other blob.
    Blob(String),
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// In what.
    pub subject: Subject,
    /// Where in it: of a document a JSON pointer, of a layer the name of an entry. Empty: the whole.
    pub at: Vec<u8>,
}

impl Place {
    /// A field of a document.
    pub(super) fn field(subject: &Subject, pointer: impl Into<String>) -> Self {
        Self { subject: subject.clone(), at: brief(pointer.into().as_bytes()) }
    }

    /// The whole.
    pub(super) fn whole(subject: &Subject) -> Self {
        Self::field(subject, "")
    }

    /// An entry of a layer.
    pub(super) fn entry(subject: &Subject, name: &[u8]) -> Self {
        Self { subject: subject.clone(), at: brief(name) }
    }

    /// For programs: which document, and where in it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (kind, name) = self.subject.parts();
        let at = Printable(&self.at).to_string();
        match (&self.subject, at.is_empty()) {
            (_, true) => json!({ kind: name }),
            (Subject::Layer(_), false) => json!({ kind: name, "path": at }),
            _ => json!({ kind: name, "pointer": at }),
        }
    }
}

impl Subject {
    fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Image => ("image", ""),
            Self::File(name) => ("file", name),
            Self::Index(name) => ("index", name),
            Self::Manifest(name) => ("manifest", name),
            Self::Config(name) => ("config", name),
            Self::Layer(name) => ("layer", name),
            Self::Blob(name) => ("blob", name),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject.parts() {
            ("file", name) => f.write_str(name)?,
            (kind, "") => f.write_str(kind)?,
            (kind, name) => write!(f, "{kind} {name}")?,
        }
        match self.at.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", Printable(&self.at)),
        }
    }
}

/// One thing that is not as it should be. Findings are ordered by their places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// How bad.
    pub severity: Severity,
    /// What.
    pub fault: Fault,
}

/// The start of a name that may be very long; no honest one is cut.
pub(super) fn brief(name: &[u8]) -> Vec<u8> {
    name.get(..4096).unwrap_or(name).to_vec()
}

/// What a check found, and how much it looked at.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What is listed, by its place.
    pub findings: Vec<Finding>,
    /// All errors, those that are not listed too.
    pub errors: u64,
    /// All warnings, those that are not listed too.
    pub warnings: u64,
    /// The digest of what the name stands for; none of a whole layout.
    pub digest: Option<String>,
    /// Manifests of images.
    pub images: u64,
    /// Manifests of other things: signatures, attestations.
    pub artifacts: u64,
    /// Layers of images, each counted once.
    pub layers: u64,
    /// Entries of those layers.
    pub entries: u64,
    /// Files in `blobs` that nothing names, whose bytes were held against their names.
    pub others: u64,
}

impl Report {
    /// Whether it may be relied upon.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.errors == 0
    }

    /// How many findings are not listed.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        (self.errors + self.warnings).saturating_sub(self.findings.len() as u64)
    }
}

/// Findings as they come; the same one twice is one.
#[derive(Debug, Default)]
pub(super) struct Findings {
    places: BTreeMap<(Subject, Severity), BTreeSet<Finding>>,
    /// By severity: how many there are, and how many of them are kept.
    counts: BTreeMap<Severity, (u64, usize)>,
}

impl Findings {
    /// Adds one.
    pub(super) fn add(&mut self, place: Place, fault: Fault) {
        let severity = fault.severity();
        let finding = Finding { place, severity, fault };
        let here = self.places.entry((finding.place.subject.clone(), severity)).or_default();
        if here.contains(&finding) {
            return;
        }
        let (all, kept) = self.counts.entry(severity).or_default();
        *all += 1;
        if here.len() < LISTED && *kept < LISTED_IN_ALL {
            *kept += 1;
            here.insert(finding);
        }
    }

    /// Adds those of another.
    pub(super) fn merge(&mut self, other: Self) {
        // What was not kept there.
        for (severity, (all, kept)) in other.counts {
            self.counts.entry(severity).or_default().0 += all.saturating_sub(kept as u64);
        }
        for finding in other.places.into_values().flatten() {
            self.add(finding.place, finding.fault);
        }
    }

    /// Puts them into a report.
    pub(super) fn finish(self, report: &mut Report) {
        let count = |severity| self.counts.get(&severity).map_or(0, |counts| counts.0);
        (report.errors, report.warnings) = (count(Severity::Error), count(Severity::Warning));
        report.findings = self.places.into_values().flatten().collect();
        report.findings.sort();
    }
}
