//! Descriptors: how one document points at another (image-spec, "descriptor.md").

use super::fault::Fault;
use super::fields::Fields;
use super::finding::Findings;
use super::name::Name;
use base64::Engine as _;

/// What a descriptor says, as far as it can be followed.
#[derive(Debug, Clone)]
pub(super) struct Pointer {
    pub(super) media_type: String,
    pub(super) name: Name,
    pub(super) size: u64,
    /// It says where else the blob may be had, or has it in itself.
    pub(super) elsewhere: bool,
}

/// Reads a descriptor. None if it cannot be followed; then there is a finding.
pub(super) fn pointer(fields: &Fields<'_>, findings: &mut Findings) -> Option<Pointer> {
    for key in ["mediaType", "digest", "size"] {
        fields.required(key, findings);
    }
    let media_type = fields.media_type("mediaType", findings);
    let size = fields.size("size", findings);
    let urls = fields.texts("urls", findings).is_some_and(|urls| !urls.is_empty());
    fields.strings("annotations", findings);
    fields.media_type("artifactType", findings);
    let name = match Name::parse(fields.text("digest", findings)?) {
        Ok(name) => name,
        Err(fault) => {
            fields.wrong("digest", fault, findings);
            return None;
        }
    };
    let data = fields.text("data", findings).map(|data| holds(data, &name, size));
    if data == Some(false) {
        fields.wrong("data", Fault::Data, findings);
    }
    let elsewhere = urls || data == Some(true);
    Some(Pointer { media_type: media_type.unwrap_or_default().to_owned(), name, size: size?, elsewhere })
}

/// Whether data are those that digest and size say.
fn holds(data: &str, name: &Name, size: Option<u64>) -> bool {
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(data) else { return false };
    let mut hash = name.hash();
    hash.update(&bytes);
    size == Some(bytes.len() as u64) && !matches!(name.judge(hash), Some(Fault::Digest { .. }))
}
