//! Indexes, manifests and configs: each read once, held against every descriptor that names it, and followed to the
//! blobs (image-spec, "image-index.md" and "manifest.md").

use super::blob::{Job, Use, compression, missing};
use super::config::{self, DiffId};
use super::fault::Fault;
use super::fields::{self, Fields, shortened};
use super::finding::{Findings, Place, Subject};
use super::name::Name;
use super::origin::{Got, Origin};
use super::pointer::{Pointer, pointer};
use crate::oci::{Platform, media_type};
use crate::source::image::{normal, platform_of, same_platform};
use crate::transport::TransportError;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Indexes inside each other.
const DEPTH: usize = 4;

/// Documents, and layers and other blobs of manifests, that are followed; more are an attack.
const DOCUMENTS: usize = 100_000;
const USES: usize = 1_000_000;

/// The walk over the documents.
pub(super) struct Documents<'a> {
    pub(super) origin: Origin<'a>,
    pub(super) findings: Findings,
    /// What was read, by its name.
    done: BTreeMap<Name, Done>,
    configs: BTreeMap<Name, Config>,
    /// Configs that could not be read.
    broken: BTreeSet<Name>,
    /// The blobs that are to be read, in the order in which they were met.
    pub(super) jobs: Vec<Job>,
    places: BTreeMap<Name, usize>,
    uses: usize,
    /// The layers of each image, by their places in the jobs.
    pub(super) images: Vec<Vec<usize>>,
    pub(super) artifacts: u64,
    /// Blobs that nothing names.
    pub(super) others: u64,
}

/// A manifest or index that was read.
struct Done {
    length: u64,
    /// What it says that it is, or else was taken for.
    media_type: String,
    /// Of an image, what its config says.
    platform: Option<Platform>,
}

/// A config that was read.
struct Config {
    length: u64,
    json: Map<String, Value>,
    /// How many layers it was judged for, if that is known of the image.
    layers: Option<Option<usize>>,
    diff_ids: Vec<DiffId>,
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

    /// The members of an index. `index.json` is one whose members are no platforms of one image.
    pub(super) fn index(
        &mut self,
        fields: &Fields<'_>,
        depth: usize,
        wanted: &dyn Fn(&Fields<'_>) -> bool,
    ) -> Result<(), TransportError> {
        fields.schema_version(&mut self.findings);
        let is_layout = matches!(fields.subject, Subject::File(_));
        // umoci writes `null` into an empty layout.
        if !(is_layout && fields.map.contains_key("manifests")) {
            fields.required("manifests", &mut self.findings);
        }
        fields.strings("annotations", &mut self.findings);
        fields.media_type("artifactType", &mut self.findings);
        if let Some(subject) = fields.object("subject", &mut self.findings) {
            pointer(&subject, &mut self.findings);
        }
        if fields.map.contains_key("config") || fields.map.contains_key("layers") {
            fields.broken(Fault::Ambiguous, &mut self.findings);
        }
        let mut seen = Members::default();
        for (_, member) in fields.objects("manifests", &mut self.findings) {
            self.origin.stop()?;
            if !wanted(&member) {
                continue;
            }
            let platform = member.object("platform", &mut self.findings);
            if let Some(platform) = &platform {
                for key in ["architecture", "os"] {
                    platform.required(key, &mut self.findings);
                    platform.text(key, &mut self.findings);
                }
                platform.text("variant", &mut self.findings);
                if !is_unknown(platform.map) {
                    config::known(platform, &mut self.findings);
                }
            }
            let Some(pointer) = pointer(&member, &mut self.findings) else { continue };
            if let Some(fault) = seen.again(&member, &pointer, is_layout) {
                member.broken(fault, &mut self.findings);
            }
            self.member(&member, &pointer, platform.map(|platform| platform.map), depth)?;
        }
        Ok(())
    }

    /// What a descriptor in an index names.
    pub(super) fn member(
        &mut self,
        fields: &Fields<'_>,
        pointer: &Pointer,
        platform: Option<&Map<String, Value>>,
        depth: usize,
    ) -> Result<(), TransportError> {
        let place = Place::field(fields.subject, fields.at.clone());
        let (is_index, is_manifest) =
            (media_type::is_index(&pointer.media_type), media_type::is_manifest(&pointer.media_type));
        if !is_index && !is_manifest {
            return self.unknown(fields, pointer);
        }
        if is_index && depth >= DEPTH {
            self.findings.add(place, Fault::Depth(DEPTH));
            return Ok(());
        }
        let name = pointer.name.text().to_owned();
        let (what, subject) = match is_index {
            true => ("the index", Subject::Index(name)),
            false => ("the manifest", Subject::Manifest(name)),
        };
        if !self.done.contains_key(&pointer.name) {
            let Some(bytes) = self.fetch(pointer, &place, &subject, what)? else { return Ok(()) };
            let Some(json) = fields::parse(&bytes, &subject, &mut self.findings) else { return Ok(()) };
            let document = Fields::of(&subject, &json);
            let says = document.media_type("mediaType", &mut self.findings);
            if let Some(done) = self.done.get_mut(&pointer.name) {
                done.media_type = says.unwrap_or(&pointer.media_type).to_owned();
            }
            match says {
                Some(_) => {}
                // Of Docker's the specification is stricter: clients need it.
                None if pointer.media_type.starts_with("application/vnd.docker.") => {
                    document.wrong("mediaType", Fault::Absent, &mut self.findings);
                }
                None => document.wrong("mediaType", Fault::NoMediaType, &mut self.findings),
            }
            match is_index {
                true => self.index(&document, depth + 1, &|_| true)?,
                false => self.manifest(&document, pointer, platform)?,
            }
        }
        let Some(done) = self.done.get(&pointer.name) else { return Ok(()) };
        if done.length != pointer.size {
            self.findings.add(Place::whole(&subject), Fault::Size { stated: pointer.size, found: done.length });
        }
        if done.media_type != pointer.media_type {
            let (stated, found) = (shortened(&pointer.media_type), shortened(&done.media_type));
            self.findings.add(Place::whole(&subject), Fault::MediaType { stated, found });
        }
        let index = platform.filter(|platform| !is_unknown(platform));
        let index = index.and_then(|platform| platform_of(&Value::Object(platform.clone())));
        if let (Some(config), Some(index)) = (&done.platform, index)
            && !fits(&index, config)
        {
            let fault =
                Fault::Platform { index: shortened(&index.to_string()), config: shortened(&config.to_string()) };
            fields.wrong("platform", fault, &mut self.findings);
        }
        Ok(())
    }

    /// A member that is neither manifest nor index: its bytes are judged, and whether it is one after all.
    fn unknown(&mut self, fields: &Fields<'_>, pointer: &Pointer) -> Result<(), TransportError> {
        let kind = shortened(&pointer.media_type);
        if !kind.is_empty() {
            fields.wrong("mediaType", Fault::UnknownMediaType(kind.clone()), &mut self.findings);
        }
        let (name, known) = (&pointer.name, |kind: &str| media_type::is_index(kind) || media_type::is_manifest(kind));
        if !self.has(name)
            && self.done.len() < DOCUMENTS
            && let Got::Bytes(bytes) = self.origin.document(name, &pointer.media_type, pointer.size, "blob")?
            && let Ok(json) = crate::oci::json::parse(&bytes)
            && let Some(says) = json.get("mediaType").and_then(Value::as_str).filter(|says| known(says))
        {
            let fault = Fault::MediaType { stated: kind, found: says.to_owned() };
            self.findings.add(Place::whole(&Subject::Blob(name.text().to_owned())), fault);
        }
        self.blob(Place::field(fields.subject, fields.at.clone()), pointer, "the blob", false, None);
        Ok(())
    }

    /// The bytes of a document, held against its digest.
    fn fetch(
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

    /// A manifest, of an image or of something else.
    fn manifest(
        &mut self,
        fields: &Fields<'_>,
        own: &Pointer,
        platform: Option<&Map<String, Value>>,
    ) -> Result<(), TransportError> {
        fields.schema_version(&mut self.findings);
        fields.strings("annotations", &mut self.findings);
        let artifact_type = fields.media_type("artifactType", &mut self.findings);
        if fields.map.contains_key("manifests") {
            fields.broken(Fault::Ambiguous, &mut self.findings);
        }
        let subject = fields.object("subject", &mut self.findings);
        if let Some(subject) = &subject {
            // It need not be there.
            pointer(subject, &mut self.findings);
        }
        fields.required("config", &mut self.findings);
        fields.required("layers", &mut self.findings);
        let config = fields.object("config", &mut self.findings);
        let config = config.and_then(|config| Some((pointer(&config, &mut self.findings)?, config)));
        let objects = fields.objects("layers", &mut self.findings);
        let stated = fields.map.get("layers").and_then(Value::as_array).map(Vec::len);
        let layers: Vec<(Pointer, Fields<'_>)> =
            objects.into_iter().filter_map(|(_, layer)| Some((pointer(&layer, &mut self.findings)?, layer))).collect();
        if self.uses + layers.len() > USES {
            let fault = Fault::TooMany { what: "layers", limit: USES as u64 };
            self.findings.add(Place::whole(&Subject::Image), fault);
            return Ok(());
        }
        self.uses += layers.len();

        let is_image_config = |kind: &str| matches!(kind, media_type::CONFIG | media_type::DOCKER_CONFIG);
        let Some((config, config_fields)) = config else {
            return self.plain(&layers, "the layer");
        };
        let has_layer = layers.iter().any(|(layer, _)| compression(&layer.media_type).is_some());
        // Attestations and signatures, which go by an image's config, are not to be unpacked.
        let attested = !has_layer
            && stated > Some(0)
            && (artifact_type.is_some() || subject.is_some() || platform.is_some_and(is_unknown));
        if !is_image_config(&config.media_type) || attested {
            if config.media_type == media_type::EMPTY && artifact_type.is_none() {
                fields.wrong("artifactType", Fault::NoArtifactType, &mut self.findings);
            }
            return self.artifact(config, config_fields, &layers);
        }
        if !self.config(&config, &config_fields)? {
            return self.plain(&layers, "the layer");
        }
        let nameless = self.configs.get(&config.name).is_none_or(|config| is_unknown(&config.json));
        if nameless && !has_layer && stated > Some(0) {
            return self.artifact(config, config_fields, &layers);
        }

        let docker = own.media_type == media_type::DOCKER_MANIFEST;
        for (pointer, fields) in [(&config, &config_fields)].into_iter().chain(layers.iter().map(|(a, b)| (a, b))) {
            if pointer.media_type.starts_with("application/vnd.docker.") != docker {
                fields.wrong("mediaType", Fault::Mixed(shortened(&pointer.media_type)), &mut self.findings);
            }
        }
        if stated == Some(0) {
            fields.wrong("layers", Fault::NoLayers, &mut self.findings);
        }
        let diff_ids = self.judged(&config, stated);
        let mut stack = Vec::new();
        for (n, (layer, fields)) in layers.iter().enumerate() {
            let place = Place::field(fields.subject, fields.at.clone());
            let is_layer = compression(&layer.media_type).is_some();
            if !is_layer && !layer.media_type.is_empty() {
                fields.wrong("mediaType", Fault::NotALayer(shortened(&layer.media_type)), &mut self.findings);
            }
            // Only while they are one to one is it known which diff_id belongs to a layer.
            let diff_id = diff_ids.get(n).filter(|_| Some(diff_ids.len()) == stated && Some(layers.len()) == stated);
            let diff_id = diff_id.and_then(|(_, name)| Some((name.clone()?, config.name.text().to_owned())));
            stack.extend(self.blob(place, layer, "the layer", is_layer, diff_id).filter(|_| is_layer));
        }
        if let (Some(done), Some(config)) = (self.done.get_mut(&own.name), self.configs.get(&config.name)) {
            done.platform = platform_of(&Value::Object(config.json.clone()));
        }
        self.images.push(stack);
        Ok(())
    }

    /// A manifest of something that is no image: only bytes are judged.
    fn artifact(
        &mut self,
        config: Pointer,
        config_fields: Fields<'_>,
        layers: &[(Pointer, Fields<'_>)],
    ) -> Result<(), TransportError> {
        self.artifacts += 1;
        if !self.configs.contains_key(&config.name) {
            self.plain(&[(config, config_fields)], "the config")?;
        }
        self.plain(layers, "the blob")
    }

    fn plain(&mut self, pointers: &[(Pointer, Fields<'_>)], what: &'static str) -> Result<(), TransportError> {
        for (pointer, fields) in pointers {
            self.blob(Place::field(fields.subject, fields.at.clone()), pointer, what, false, None);
        }
        Ok(())
    }

    /// Reads an image config. False if there is none to go on with.
    fn config(&mut self, pointer: &Pointer, fields: &Fields<'_>) -> Result<bool, TransportError> {
        let subject = Subject::Config(pointer.name.text().to_owned());
        if self.broken.contains(&pointer.name) {
            return Ok(false);
        }
        if !self.configs.contains_key(&pointer.name) {
            let place = Place::field(fields.subject, fields.at.clone());
            self.broken.insert(pointer.name.clone());
            let Some(bytes) = self.fetch(pointer, &place, &subject, "the config")? else { return Ok(false) };
            let Some(json) = fields::parse(&bytes, &subject, &mut self.findings) else { return Ok(false) };
            let length = bytes.len() as u64;
            self.broken.remove(&pointer.name);
            self.configs.insert(pointer.name.clone(), Config { length, json, layers: None, diff_ids: Vec::new() });
        }
        if let Some(config) = self.configs.get(&pointer.name).filter(|config| config.length != pointer.size) {
            let fault = Fault::Size { stated: pointer.size, found: config.length };
            self.findings.add(Place::whole(&subject), fault);
        }
        Ok(true)
    }

    /// Judges a config for an image of so many layers; gives its diff_ids.
    fn judged(&mut self, pointer: &Pointer, layers: Option<usize>) -> Vec<DiffId> {
        let Some(config) = self.configs.get_mut(&pointer.name) else { return Vec::new() };
        if config.layers != Some(layers) {
            let subject = Subject::Config(pointer.name.text().to_owned());
            config.diff_ids = config::config(&subject, &config.json, layers, &mut self.findings);
            config.layers = Some(layers);
        }
        config.diff_ids.clone()
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
}

impl Documents<'_> {
    /// Notes a blob that no document names.
    pub(super) fn unnamed(&mut self, name: Name) {
        self.jobs.push(Job { name, uses: Vec::new(), layer: false });
    }
}

/// What an index has listed so far.
#[derive(Default)]
struct Members {
    digests: BTreeSet<(Name, Option<String>)>,
    platforms: BTreeSet<String>,
    names: BTreeMap<String, (Name, Option<String>)>,
}

impl Members {
    /// In which way a member is listed again.
    fn again(&mut self, member: &Fields<'_>, pointer: &Pointer, is_layout: bool) -> Option<Fault> {
        let annotations = member.map.get("annotations");
        let ref_name = annotations.and_then(|all| all.get(REF_NAME)?.as_str()).filter(|_| is_layout);
        let platform = member.map.get("platform").filter(|it| it.as_object().is_some_and(|map| !is_unknown(map)));
        let text = platform.map(Value::to_string);
        if let Some(name) = ref_name {
            let own = (pointer.name.clone(), text.clone());
            let first = self.names.entry(name.to_owned()).or_insert_with(|| own.clone());
            // One name may stand for several platforms.
            if first.0 != own.0 && (first.1.is_none() || first.1 == own.1) {
                return Some(Fault::SameName(shortened(name)));
            }
        }
        if !self.digests.insert((pointer.name.clone(), ref_name.map(str::to_owned))) {
            return Some(Fault::Twice);
        }
        // Of a layout these are images beside each other. In an index, annotations may tell two of a platform apart, as
        // those of another compression.
        let (false, Some(platform), Some(text)) = (is_layout, platform, text) else { return None };
        let shown = platform_of(platform).map_or(text, |platform| normal(&platform).to_string());
        let rest = [platform.get("os.version"), platform.get("os.features"), annotations];
        let rest = rest.map(|value| value.map(Value::to_string).unwrap_or_default());
        let whole = format!("{shown} {}", rest.join(" "));
        (!self.platforms.insert(whole)).then(|| Fault::SamePlatform(shortened(&shown)))
    }
}

/// The annotation of a layout's tags.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Whether it says `unknown`, or nothing, of os and architecture: then it is no image, but something about one.
fn is_unknown(json: &Map<String, Value>) -> bool {
    let nothing = |key| matches!(json.get(key).and_then(Value::as_str), None | Some("" | "unknown"));
    nothing("os") && nothing("architecture")
}

/// Whether a platform of an index is that of a config. A variant that one of them leaves out is not judged.
fn fits(index: &Platform, config: &Platform) -> bool {
    let bare = |platform: &Platform| Platform { variant: None, ..platform.clone() };
    match (&index.variant, &config.variant) {
        (Some(_), Some(_)) => same_platform(index, config),
        _ => same_platform(&bare(index), &bare(config)),
    }
}
