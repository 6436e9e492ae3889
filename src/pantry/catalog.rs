//! The documents of a pantry: which recipes and which images it holds. Their text is canonical, so the same content is the
//! same bytes.

use crate::oci::{Descriptor, Digest, document, json, media_type};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// `artifactType` of the index (image-spec, "image-index.md").
pub(super) const PANTRY: &str = "application/vnd.rebake.pantry.v1";
/// Whether an index is one of a pantry, by its own words.
#[must_use]
pub fn is_pantry(index: &Value) -> bool {
    index.get("artifactType").and_then(Value::as_str) == Some(PANTRY)
}

/// `artifactType` of a recipe's manifest (image-spec, "manifest.md", Guidelines for Artifact Usage).
const RECIPE: &str = "application/vnd.rebake.recipe.v1";
/// The annotation that makes a descriptor of the index one of a recipe: the image's name.
const NAME: &str = "dev.rebake.recipe.name";
const TITLE: &str = "org.opencontainers.image.title";
/// What a blob of a recipe's manifest is for: the name of an input.
const INPUT: &str = "dev.rebake.input";
/// All manifests of a pantry together are no longer, in bytes: enough for tens of thousands.
pub const DOCUMENTS: u64 = 64 << 20;
/// The config of an artifact (image-spec, "manifest.md").
pub(super) const EMPTY: &[u8] = b"{}";

/// What a blob is to a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The recipe's text; the title is its file's name.
    Recipe,
    /// Its lock.
    Lock,
    /// The files beside it that it uses, as a tar.
    Files,
    /// An input.
    Input,
}

impl Role {
    const ALL: [Self; 4] = [Self::Recipe, Self::Lock, Self::Files, Self::Input];

    fn media_type(self) -> &'static str {
        match self {
            Self::Recipe => "application/vnd.rebake.recipe.v1",
            Self::Lock => "application/vnd.rebake.lock.v1+toml",
            Self::Files => "application/vnd.rebake.files.v1.tar",
            Self::Input => "application/vnd.rebake.input.v1",
        }
    }
}

/// A recipe in a pantry: descriptors of everything it needs but its base images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The name of its image.
    pub name: String,
    /// The file's name: `rebake.toml`.
    pub file: String,
    /// The recipe's text.
    pub recipe: Descriptor,
    /// Its lock's text.
    pub lock: Option<Descriptor>,
    /// The files beside it that it uses, as a tar.
    pub files: Descriptor,
    /// Its inputs that are no images, by digest; the names of each.
    pub inputs: BTreeMap<Digest, (u64, BTreeSet<String>)>,
    /// What a stamped image says of its commit, as annotations.
    pub stamp: BTreeMap<String, String>,
}

impl Packed {
    /// A descriptor of one of its blobs.
    #[must_use]
    pub fn descriptor(role: Role, digest: Digest, size: u64) -> Descriptor {
        Descriptor::new(role.media_type(), digest, size)
    }

    /// Every blob but the config, which is always the same.
    pub fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        let own = [&self.recipe, &self.files].into_iter().chain(&self.lock);
        let inputs = self.inputs.iter().map(|(digest, (size, _))| (*digest, *size));
        own.map(|descriptor| (descriptor.digest, descriptor.size)).chain(inputs)
    }

    /// Its manifest.
    pub(super) fn manifest(&self) -> Vec<u8> {
        let titled = |descriptor: &Descriptor, title: &str| {
            let mut descriptor = descriptor.clone();
            descriptor.annotations.insert(TITLE.to_owned(), title.to_owned());
            descriptor.to_json()
        };
        let mut layers = vec![titled(&self.recipe, &self.file)];
        layers.extend(self.lock.iter().map(|lock| titled(lock, "rebake.lock")));
        layers.push(titled(&self.files, "files.tar"));
        for (digest, (size, names)) in &self.inputs {
            let mut descriptor = Self::descriptor(Role::Input, *digest, *size);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            descriptor.annotations.insert(INPUT.to_owned(), names.join(" "));
            layers.push(descriptor.to_json());
        }
        let config = Descriptor::new(media_type::EMPTY, Digest::of(EMPTY), EMPTY.len() as u64);
        let mut annotations = self.stamp.clone();
        annotations.insert(NAME.to_owned(), self.name.clone());
        json::canonical(&json!({
            "schemaVersion": 2,
            "mediaType": media_type::MANIFEST,
            "artifactType": RECIPE,
            "config": config.to_json(),
            "layers": layers,
            "annotations": annotations,
        }))
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let json = json::parse(bytes)?;
        if json.get("artifactType").and_then(Value::as_str) != Some(RECIPE) {
            return Err("is no recipe".to_owned());
        }
        let annotations = Descriptor::from_json(&json!({ "annotations": json.get("annotations"), "size": 0,
            "digest": Digest::of(EMPTY).to_string() }))?;
        let mut stamp = annotations.annotations;
        let name = stamp.remove(NAME).ok_or("does not name its image")?;
        let (mut recipe, mut lock, mut files, mut inputs) = (None, None, None, BTreeMap::new());
        for layer in json.get("layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
            let mut found = Descriptor::from_json(layer)?;
            let mut annotations = std::mem::take(&mut found.annotations);
            let role = Role::ALL.into_iter().find(|role| role.media_type() == found.media_type);
            match role.ok_or_else(|| format!("has a blob of the unknown type `{}`", found.media_type))? {
                Role::Recipe => recipe = Some((annotations.remove(TITLE).unwrap_or_default(), found)),
                Role::Lock => lock = Some(found),
                Role::Files => files = Some(found),
                Role::Input => {
                    let names = annotations.remove(INPUT).unwrap_or_default();
                    inputs.insert(found.digest, (found.size, names.split(' ').map(str::to_owned).collect()));
                }
            }
        }
        let (file, recipe) = recipe.ok_or("holds no recipe")?;
        if file.is_empty() || file.contains('/') || file == ".." || file == "." {
            return Err(format!("calls its recipe `{file}`"));
        }
        let packed = Self { name, file, recipe, lock, files: files.ok_or("holds no files")?, inputs, stamp };
        // One text a content: what reads the same but is not the same was not written by rebake.
        if packed.manifest() == bytes { Ok(packed) } else { Err("is not as rebake writes it".to_owned()) }
    }
}

/// Everything in a pantry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The recipes, by the digests of their manifests.
    pub recipes: BTreeMap<Digest, Packed>,
    /// The manifests of images.
    pub images: BTreeMap<Digest, Image>,
}

/// A document that a pantry should hold, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) digest: Digest,
    pub(super) why: String,
}

/// An image in a pantry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its manifest.
    pub manifest: Descriptor,
    /// Its config and layers.
    pub blobs: Vec<(Digest, u64)>,
}

impl Image {
    /// What an image's manifest refers to. Its descriptor depends on its bytes alone, whoever uses the image, and from
    /// wherever it came.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let json = json::parse(bytes)?;
        let media_type = json.get("mediaType").and_then(Value::as_str).unwrap_or(media_type::MANIFEST);
        let manifest = Descriptor::new(media_type, Digest::of(bytes), bytes.len() as u64);
        let named = document::blobs(&json).map_err(|error| format!("is no image's: {error}"))?;
        Ok(Self { manifest, blobs: named.into_iter().map(|found| (found.digest, found.size)).collect() })
    }
}

impl Catalog {
    /// The index: recipes by name and digest, then images by digest.
    pub(super) fn index(&self) -> Vec<u8> {
        let mut recipes: Vec<(&str, &Digest, &Packed)> =
            self.recipes.iter().map(|(digest, packed)| (packed.name.as_str(), digest, packed)).collect();
        recipes.sort_by_key(|(name, digest, _)| (*name, **digest));
        let recipes = recipes.into_iter().map(|(name, digest, packed)| {
            let mut descriptor = Descriptor::new(media_type::MANIFEST, *digest, packed.manifest().len() as u64);
            // No `artifactType` here: skopeo before 1.14 loses it, and then takes the index for altered.
            descriptor.annotations.insert(NAME.to_owned(), name.to_owned());
            descriptor.to_json()
        });
        let images = self.images.values().map(|image| image.manifest.to_json());
        json::canonical(&json!({
            "schemaVersion": 2,
            "mediaType": media_type::INDEX,
            "artifactType": PANTRY,
            "manifests": recipes.chain(images).collect::<Vec<_>>(),
        }))
    }

    /// Reads the index and the manifests that it names; `document` gives them, held against their descriptors. Manifests
    /// that are not to be had are told beside the rest.
    ///
    /// # Errors
    /// What is wrong with the index.
    pub(super) fn read(
        index: &[u8],
        document: &mut dyn FnMut(&Descriptor) -> Result<Vec<u8>, String>,
    ) -> Result<(Self, Vec<Lost>), String> {
        let json = json::parse(index)?;
        let listed = document::members(&json).map_err(|error| format!("is no pantry's: {error}"))?;
        let mut seen = BTreeSet::new();
        if let Some(twice) = listed.iter().find(|found| !seen.insert(found.digest)) {
            return Err(format!("names {} twice", twice.digest));
        }
        if listed.iter().fold(0, |sum: u64, found| sum.saturating_add(found.size)) > DOCUMENTS {
            return Err(format!("names more than {} MiB of manifests", DOCUMENTS >> 20));
        }
        let (mut catalog, mut lost) = (Self::default(), Vec::new());
        for found in listed {
            let is_recipe = found.annotations.contains_key(NAME);
            let read = document(&found).and_then(|bytes| {
                match is_recipe {
                    true => drop(catalog.recipes.insert(found.digest, Packed::read(&bytes)?)),
                    false => drop(catalog.images.insert(found.digest, Image::read(&bytes)?)),
                }
                Ok(())
            });
            if let Err(why) = read {
                lost.push(Lost { digest: found.digest, why });
            }
        }
        match !lost.is_empty() || catalog.index() == index {
            true => Ok((catalog, lost)),
            false => Err("is not as rebake writes it".to_owned()),
        }
    }

    /// Every blob that the pantry must have beside its index, with its size: manifests, recipes, inputs, images.
    #[must_use]
    pub fn blobs(&self) -> BTreeMap<Digest, u64> {
        let mut blobs = BTreeMap::new();
        if !self.recipes.is_empty() {
            blobs.insert(Digest::of(EMPTY), EMPTY.len() as u64);
        }
        for (digest, packed) in &self.recipes {
            blobs.insert(*digest, packed.manifest().len() as u64);
            blobs.extend(packed.blobs());
        }
        for image in self.images.values() {
            blobs.insert(image.manifest.digest, image.manifest.size);
            blobs.extend(image.blobs.iter().copied());
        }
        blobs
    }
}
