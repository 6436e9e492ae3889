//! Manifests, of images and of other things, and the configs of images (image-spec, "manifest.md").

use super::blob::compression;
use super::config::{self, DiffId};
use super::documents::{Config, Documents};
use super::fault::Fault;
use super::fields::{self, Fields, shortened};
use super::finding::{Place, Subject};
use super::members::is_unknown;
use super::pointer::{Pointer, pointer};
use crate::oci::media_type;
use crate::source::image::platform_of;
use crate::transport::TransportError;
use serde_json::{Map, Value};

/// Layers and other blobs of manifests, that are followed; more are an attack.
const USES: usize = 1_000_000;

impl Documents<'_> {
    /// A manifest, of an image or of something else.
    pub(super) fn manifest(
        &mut self,
        fields: &Fields<'_>,
        own: &Pointer,
        platform: Option<&Map<String, Value>>,
    ) -> Result<(), TransportError> {
        fields.schema_version(&mut self.findings);
        fields.strings("annotations", &mut self.findings);
        let artifact_type = fields.media_type("artifactType", &mut self.findings);
        fields.cases("manifests", &mut self.findings);
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

        let Some((config, config_fields)) = config else {
            return self.plain(&layers, "the layer");
        };
        let has_layer = layers.iter().any(|(layer, _)| compression(&layer.media_type).is_some());
        // Attestations and signatures, which go by an image's config, are not to be unpacked.
        let attested = !has_layer
            && stated > Some(0)
            && (artifact_type.is_some() || subject.is_some() || platform.is_some_and(is_unknown));
        if !media_type::is_config(&config.media_type) || attested {
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
}
