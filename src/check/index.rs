//! Indexes: their members, each followed (image-spec, "image-index.md").

use super::config;
use super::documents::{DOCUMENTS, Documents};
use super::fault::Fault;
use super::fields::{self, Fields, shortened};
use super::finding::{Place, Subject};
use super::members::{Members, fits, is_unknown};
use super::origin::Got;
use super::pointer::{Pointer, pointer};
use crate::oci::media_type;
use crate::source::image::platform_of;
use crate::transport::TransportError;
use serde_json::{Map, Value};

/// Indexes inside each other.
const DEPTH: usize = 4;

impl Documents<'_> {
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
        for key in ["config", "layers"] {
            fields.cases(key, &mut self.findings);
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
            let obsolete = kind.starts_with("application/vnd.docker.distribution.manifest.v1+");
            let fault = if obsolete { Fault::Obsolete } else { Fault::UnknownMediaType };
            fields.wrong("mediaType", fault(kind.clone()), &mut self.findings);
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
}
