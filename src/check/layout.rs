//! What makes a folder or archive an image layout (image-spec, "image-layout.md").

use super::documents::Documents;
use super::fault::Fault;
use super::fields::{self, Fields, shortened};
use super::finding::{Place, Subject};
use super::members::REF_NAME;
use super::name::Name;
use super::origin::Got;
use super::pointer::Pointer;
use crate::oci::{Digest, ImageName, media_type};
use crate::source::image::ImageError;
use crate::transport::TransportError;
use serde_json::{Map, Value};

/// What of a layout is judged.
enum Wanted {
    All,
    Tag(String),
    /// The descriptor of an index with this digest, or what is stored under it.
    Digest(Digest),
}

impl Wanted {
    fn of(name: &ImageName) -> Self {
        match (&name.tag, name.digest) {
            (_, Some(digest)) => Self::Digest(digest),
            (Some(tag), None) => Self::Tag(tag.clone()),
            (None, None) => Self::All,
        }
    }

    fn fits(&self, member: &Fields<'_>) -> bool {
        match self {
            Self::All => true,
            // Some tools write the whole name there.
            Self::Tag(tag) => member
                .map
                .get("annotations")
                .and_then(|all| all.get(REF_NAME)?.as_str())
                .is_some_and(|name| name == tag || name.rsplit_once(':').is_some_and(|(_, last)| last == tag)),
            Self::Digest(digest) => {
                member.map.get("digest").and_then(Value::as_str) == Some(digest.to_string().as_str())
            }
        }
    }
}

impl Documents<'_> {
    /// Judges a layout, or one image in it; gives the digest of the one.
    pub(super) fn layout(&mut self, name: &ImageName) -> Result<Option<String>, TransportError> {
        let wanted = Wanted::of(name);
        self.version()?;
        let subject = Subject::File("index.json".to_owned());
        let index = self.file(&subject, "index.json")?;
        let mut digest = None;
        if let Some(index) = &index {
            let fields = Fields::of(&subject, index);
            if let Some(found) =
                fields.media_type("mediaType", &mut self.findings).filter(|it| *it != media_type::INDEX)
            {
                let fault = Fault::MediaType { stated: media_type::INDEX.to_owned(), found: shortened(found) };
                fields.wrong("mediaType", fault, &mut self.findings);
            }
            let found = members(index).find(|member| wanted.fits(&Fields::of(&subject, member)));
            digest = found.and_then(|member| Some(member.get("digest")?.as_str()?.to_owned()));
            match (&wanted, found) {
                (Wanted::Tag(tag), None) if index.get("manifests").is_some_and(Value::is_array) => {
                    return Err(self.choice(format!("no image has the tag `{tag}`")));
                }
                (Wanted::Digest(pinned), None) => {
                    self.stored(*pinned)?;
                    digest = Some(pinned.to_string());
                }
                _ => self.index(&fields, 0, &|member| wanted.fits(member))?,
            }
        }
        if matches!(wanted, Wanted::All) {
            digest = None;
            self.blobs()?;
        }
        Ok(digest)
    }

    fn choice(&self, why: String) -> TransportError {
        let image = self.origin.source.name.to_string();
        TransportError::Image { image, source: Box::new(ImageError::Choice(why)) }
    }

    /// `oci-layout`.
    fn version(&mut self) -> Result<(), TransportError> {
        let subject = Subject::File("oci-layout".to_owned());
        let Some(json) = self.file(&subject, "oci-layout")? else { return Ok(()) };
        let fields = Fields::of(&subject, &json);
        fields.required("imageLayoutVersion", &mut self.findings);
        if let Some(version) = fields.text("imageLayoutVersion", &mut self.findings).filter(|it| *it != "1.0.0") {
            fields.wrong("imageLayoutVersion", Fault::LayoutVersion(shortened(version)), &mut self.findings);
        }
        Ok(())
    }

    /// A JSON file of the layout.
    fn file(&mut self, subject: &Subject, path: &str) -> Result<Option<Map<String, Value>>, TransportError> {
        match self.origin.small(path)? {
            Got::Missing => self.findings.add(Place::whole(subject), Fault::NoFile),
            Got::Wrong(fault) => self.findings.add(Place::whole(subject), fault),
            Got::Bytes(bytes) => return Ok(fields::parse(&bytes, subject, &mut self.findings)),
        }
        Ok(None)
    }

    /// A manifest or index that is in the layout, and not in its `index.json`.
    fn stored(&mut self, digest: Digest) -> Result<(), TransportError> {
        let name = Name::of(digest);
        let says = match self.origin.document(&name, "", 0, "manifest")? {
            Got::Missing => return Err(self.choice(format!("no image has the digest {digest}"))),
            Got::Wrong(fault) => {
                self.findings.add(Place::whole(&Subject::Manifest(digest.to_string())), fault);
                return Ok(());
            }
            Got::Bytes(bytes) => {
                let json = crate::oci::json::parse(&bytes).unwrap_or_default();
                let says = json.get("mediaType").and_then(Value::as_str).map(str::to_owned);
                let index = json.get("manifests").is_some();
                let kind = if index { media_type::INDEX } else { media_type::MANIFEST };
                (says.unwrap_or_else(|| kind.to_owned()), bytes.len() as u64)
            }
        };
        let pointer = Pointer { media_type: says.0, name, size: says.1, elsewhere: false };
        let (subject, map) = (Subject::Image, Map::new());
        self.member(&Fields::of(&subject, &map), &pointer, None, 0)
    }

    /// Every file in `blobs`, named by a document or not.
    fn blobs(&mut self) -> Result<(), TransportError> {
        let Some(layout) = self.origin.source.layout() else { return Ok(()) };
        let top = Subject::File("blobs".to_owned());
        let names = layout.names().map_err(|error| self.origin.failed("blobs", error))?;
        let Some(names) = names else {
            self.findings.add(Place::whole(&top), Fault::NoFile);
            return Ok(());
        };
        if layout.is_symlink("blobs") {
            self.findings.add(Place::whole(&top), Fault::Symlink);
        }
        for path in names {
            if layout.is_symlink(&path) {
                self.findings.add(Place::whole(&Subject::File(path.clone())), Fault::Symlink);
            }
            match Name::of_file(&path) {
                Some(name) if self.has(&name) => {}
                Some(name) => {
                    self.others += 1;
                    self.unnamed(name);
                }
                None => self.findings.add(Place::whole(&Subject::File(path)), Fault::BlobName),
            }
        }
        Ok(())
    }
}

fn members(index: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let members = index.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    members.iter().filter_map(Value::as_object)
}
