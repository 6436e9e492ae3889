//! What is carried: every document below what is copied, each behind those that it names, and the blobs that they name.

use super::called::{Tagged, Top, word};
use super::{CopyError, Order};
use crate::layout::{REF_NAME, untagged};
use crate::net::HttpErrorKind;
use crate::oci::{Descriptor, Digest, ImageName, Transport, media_type};
use crate::registry::{Reference, RegistryError, RegistryErrorKind};
use crate::source::image::{ImageError, descriptors};
use crate::transport::{Document, Source, TransportError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Indexes inside each other; documents, and their bytes, of all that is copied at once: more of them are an attack.
const DEPTH: usize = 8;
const DOCUMENTS: usize = 50_000;
const BYTES: u64 = 256 << 20;

/// Everything that is on its way.
#[derive(Default)]
pub struct Cargo {
    /// Manifests and indexes, each behind those that it names.
    pub documents: Vec<Carried>,
    /// What they name.
    pub blobs: BTreeMap<Digest, Piece>,
    /// Those of the documents that refer to others, as the source lists them.
    pub referrers: Vec<Descriptor>,
    /// What cosign tags with the digest of another image.
    pub signatures: Vec<Top>,
    /// Repositories, with their registries, that hold some of the blobs as the documents say.
    pub bases: BTreeSet<String>,
    known: BTreeSet<Digest>,
    bytes: u64,
}

/// A manifest or index.
pub struct Carried {
    /// How it is named.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// What kind of artifact it is, as its own words say.
    pub artifact_type: Option<String>,
    /// Its own annotations.
    pub annotations: BTreeMap<String, String>,
    /// Whether it has the config of an image.
    is_image: bool,
    /// What it lists, if it is an index.
    below: Vec<Digest>,
}

/// A blob.
pub struct Piece {
    /// How it is named.
    pub descriptor: Descriptor,
    /// `config`, `layer` or `blob`.
    pub what: &'static str,
    /// Whether it may be elsewhere only.
    pub may_lack: bool,
}

impl Cargo {
    /// Reads all documents.
    pub fn collect(source: &Source, tops: &[Top], order: &Order) -> Result<Self, CopyError> {
        let mut cargo = Self::default();
        for top in tops {
            cargo.walk(source, top.document.clone(), DEPTH)?;
        }
        if order.all {
            let own = tops.iter().map(|top| top.document.descriptor.digest).collect();
            cargo.follow(source, &own, order)?;
        }
        Ok(cargo)
    }

    fn walk(&mut self, source: &Source, document: Document, depth: usize) -> Result<(), CopyError> {
        if !self.known.insert(document.descriptor.digest) {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(document.bytes.len() as u64);
        let too_much = |why: String| CopyError::TooMuch { what: source.name.to_string(), why };
        if self.known.len() > DOCUMENTS {
            return Err(too_much(format!("more than {DOCUMENTS} manifests belong to it")));
        }
        if self.bytes > BYTES {
            return Err(too_much(format!("more than {} MiB of manifests belong to it", BYTES >> 20)));
        }
        let broken = |why: String| {
            let what = document.descriptor.digest.to_string();
            let (image, source) = (source.name.to_string(), Box::new(ImageError::Broken { what, why }));
            CopyError::Source(TransportError::Image { image, source })
        };
        if media_type::is_index(&document.descriptor.media_type) {
            if depth == 0 {
                return Err(too_much(format!("more than {DEPTH} indexes inside each other")));
            }
            for below in descriptors(&document.json, "index").map_err(|error| broken(error.to_string()))? {
                match media_type::is_manifest(&below.media_type) || media_type::is_index(&below.media_type) {
                    // Listed again; it is not read again.
                    true if self.known.contains(&below.digest) => {}
                    true => self.walk(source, source.document(&below, "manifest")?, depth - 1)?,
                    false => self.piece(below, "blob", true),
                }
            }
        } else if media_type::is_manifest(&document.descriptor.media_type) {
            if let Some(config) = document.json.get("config") {
                self.piece(Descriptor::from_json(config).map_err(broken)?, "config", false);
            }
            for layer in document.json.get("layers").and_then(Value::as_array).into_iter().flatten() {
                let has_urls = layer.get("urls").and_then(Value::as_array).is_some_and(|urls| !urls.is_empty());
                self.piece(Descriptor::from_json(layer).map_err(broken)?, "layer", has_urls);
            }
            let base = document.annotation("org.opencontainers.image.base.name");
            if let Some(Transport::Registry(base)) =
                base.and_then(|base| format!("docker://{base}").parse::<ImageName>().ok()).map(|name| name.transport)
            {
                self.bases.insert(base);
            }
        } else {
            return Err(broken(format!("its media type `{}` is no image", document.descriptor.media_type)));
        }
        self.documents.push(Carried::new(document));
        Ok(())
    }

    /// Whether it is an image, or an index of one.
    pub fn is_image(&self, digest: Digest) -> bool {
        let found = self.documents.iter().find(|one| one.descriptor.digest == digest);
        found.is_some_and(|one| one.is_image || one.below.iter().any(|below| self.is_image(*below)))
    }

    fn piece(&mut self, descriptor: Descriptor, what: &'static str, may_lack: bool) {
        let piece = self.blobs.entry(descriptor.digest).or_insert(Piece { descriptor, what, may_lack });
        // Where one needs it, it is needed.
        piece.may_lack &= may_lack;
    }

    /// Adds what refers to what is there already, and to that, until nothing does. `own` is copied anyway.
    fn follow(&mut self, source: &Source, own: &BTreeSet<Digest>, order: &Order) -> Result<(), CopyError> {
        let listed = Listed::read(source, order)?;
        let mut next = 0;
        while let Some(carried) = self.documents.get(next) {
            let digest = carried.descriptor.digest;
            next += 1;
            for referrer in listed.referrers(source, digest)? {
                let document = match source.document(&referrer, "manifest") {
                    // A list that outlives what it lists is common.
                    Err(error) if error.is_missing() => {
                        (order.notice)(&format!("{} is listed as a referrer, and is not there", referrer.digest));
                        continue;
                    }
                    document => document?,
                };
                if subject(&document.json) != Some(digest) {
                    continue;
                }
                if !own.contains(&referrer.digest) && !self.referrers.iter().any(|one| one.digest == referrer.digest) {
                    self.referrers.push(referrer);
                }
                self.walk(source, document, DEPTH)?;
            }
            for tag in listed.signatures(digest) {
                let document = listed.tagged(source, &tag)?;
                self.walk(source, document.clone(), DEPTH)?;
                let tags = vec![Tagged { tag, name: None }];
                self.signatures.push(Top { document, tags, is_referrer: true });
            }
        }
        Ok(())
    }
}

impl Carried {
    fn new(document: Document) -> Self {
        let Document { descriptor, bytes, json } = document;
        // Of a manifest that does not say what it is, its config's type does (distribution-spec, "Listing Referrers").
        let text = |json: &Value, name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let own = text(&json, "artifactType").filter(|kind| !kind.is_empty());
        let artifact_type = own.or_else(|| text(json.get("config")?, "mediaType"));
        let pairs = json.get("annotations").and_then(Value::as_object).into_iter().flatten();
        let annotations = pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        let config = json.get("config").and_then(|config| text(config, "mediaType"));
        let is_image = config.is_some_and(|kind| media_type::is_config(&kind));
        let below = descriptors(&json, "index").unwrap_or_default().iter().map(|below| below.digest).collect();
        Self { descriptor, bytes, subject: subject(&json), artifact_type, annotations, is_image, below }
    }

    /// How it is listed among those that refer to its subject.
    pub fn as_referrer(&self) -> Descriptor {
        let Descriptor { media_type, digest, size, .. } = &self.descriptor;
        let mut descriptor = Descriptor::new(media_type, *digest, *size);
        descriptor.artifact_type.clone_from(&self.artifact_type);
        descriptor.annotations.clone_from(&self.annotations);
        descriptor
    }
}

/// What a manifest or index refers to (image-spec, "manifest.md").
pub fn subject(json: &Value) -> Option<Digest> {
    Descriptor::from_json(json.get("subject")?).ok().map(|subject| subject.digest)
}

/// What a source lists beside the image.
struct Listed {
    /// In a layout: what refers to what.
    subjects: BTreeMap<Digest, Vec<Descriptor>>,
    /// Tags that are made of digests, each with what it names in a layout.
    tags: BTreeMap<String, Option<Descriptor>>,
}

impl Listed {
    fn read(source: &Source, order: &Order) -> Result<Self, CopyError> {
        let mut listed = Self { subjects: BTreeMap::new(), tags: BTreeMap::new() };
        let Some((registry, repository)) = source.repository() else {
            for descriptor in source.listed()? {
                listed.note(source, descriptor)?;
            }
            return Ok(listed);
        };
        match registry.repository(repository).tags(order.access.interrupt) {
            Ok(tags) => {
                listed.tags =
                    tags.into_iter().filter(|tag| tag.starts_with("sha256-")).map(|tag| (tag, None)).collect();
            }
            Err(RegistryError { kind: RegistryErrorKind::Http(error), .. })
                if matches!(error.kind, HttpErrorKind::Interrupted) =>
            {
                return Err(CopyError::Interrupted);
            }
            Err(error @ RegistryError { kind: RegistryErrorKind::Http(_), .. }) => {
                return Err(CopyError::Source(TransportError::Registry(Box::new(error))));
            }
            Err(error) => {
                (order.notice)(&format!("signatures under tags of cosign's are not looked for: {error}"));
            }
        }
        Ok(listed)
    }

    /// Notes what one entry of a layout's index refers to.
    fn note(&mut self, source: &Source, descriptor: Descriptor) -> Result<(), CopyError> {
        let kind = &descriptor.media_type;
        if !(media_type::is_manifest(kind) || media_type::is_index(kind)) {
            return Ok(());
        }
        let document = source.document(&descriptor, "manifest")?;
        if let Some(subject) = subject(&document.json) {
            self.subjects.entry(subject).or_default().push(untagged(&descriptor));
        }
        let tag = descriptor.annotations.get(REF_NAME).and_then(|name| word(name)).map(|(_, tag)| tag);
        let Some(tag) = tag.filter(|tag| tag.starts_with("sha256-")) else { return Ok(()) };
        if is_list(&tag) && media_type::is_index(kind) {
            // The list of a tool that keeps it as a registry without the API has it.
            let subject = tag.replacen('-', ":", 1).parse();
            let below = descriptors(&document.json, "index").unwrap_or_default();
            if let Ok(subject) = subject {
                self.subjects.entry(subject).or_default().extend(below);
            }
        }
        self.tags.insert(tag, Some(descriptor));
        Ok(())
    }

    fn referrers(&self, source: &Source, digest: Digest) -> Result<Vec<Descriptor>, CopyError> {
        match source.repository() {
            Some(_) => Ok(source.referrers(digest)?),
            None => Ok(self.subjects.get(&digest).cloned().unwrap_or_default()),
        }
    }

    /// Tags by which cosign finds what belongs to an image.
    fn signatures(&self, digest: Digest) -> Vec<String> {
        let own = digest.to_string().replace(':', "-");
        let tags = ["sig", "att", "sbom"].iter().map(|end| format!("{own}.{end}"));
        tags.filter(|tag| self.tags.contains_key(tag)).collect()
    }

    fn tagged(&self, source: &Source, tag: &str) -> Result<Document, TransportError> {
        match self.tags.get(tag) {
            Some(Some(descriptor)) => source.document(descriptor, "manifest"),
            _ => source.named(Reference::Tag(tag)),
        }
    }
}

/// Whether a tag is one under which the referrers of a digest are listed (distribution-spec, "Referrers Tag Schema").
pub fn is_list(tag: &str) -> bool {
    tag.strip_prefix("sha256-").is_some_and(|hex| format!("sha256:{hex}").parse::<Digest>().is_ok())
}
