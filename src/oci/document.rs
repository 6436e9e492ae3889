//! Manifests, indexes and configs as documents: how long one may be, whether its bytes are those that a descriptor names, and
//! what it names itself. Where the bytes come from, and what is done with what they name, is left to others.

use super::{Descriptor, Digest, json};
use serde_json::Value;
use std::io::{self, Read};

/// No document is larger, in bytes; registries take no larger manifests (distribution-spec, "Pushing Manifests").
pub const LIMIT: u64 = 4 << 20;

/// Reads a document to its end.
///
/// # Errors
/// What the reader reports; [`io::ErrorKind::FileTooLarge`] if it is longer than a document may be.
pub fn read(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LIMIT + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LIMIT {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB")),
        false => Ok(bytes),
    }
}

/// Why bytes are not the document that they should be.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// They are others than the descriptor names.
    #[error("its bytes have the digest {found}")]
    Digest {
        /// What they are.
        found: Digest,
    },
    /// The descriptor says another length.
    #[error("it has {found} bytes, where its descriptor says {stated}")]
    Size {
        /// By the descriptor.
        stated: u64,
        /// As it is.
        found: u64,
    },
    /// No JSON, or a descriptor or digest in it that is none.
    #[error("{0}")]
    Malformed(String),
    /// An image's manifest without a config.
    #[error("it names no config")]
    NoConfig,
    /// A list that has to be there.
    #[error("it has no list `{0}`")]
    NoList(&'static str),
    /// Config and manifest are not of one image.
    #[error("the manifest has {layers} layers, the config {diff_ids} diff_ids")]
    Uneven {
        /// In the manifest.
        layers: usize,
        /// In the config.
        diff_ids: usize,
    },
}

/// A document, held against its descriptor.
///
/// # Errors
/// [`DocumentError::Digest`], [`DocumentError::Size`], [`DocumentError::Malformed`].
pub fn held(bytes: &[u8], descriptor: &Descriptor) -> Result<Value, DocumentError> {
    let (digest, found) = (Digest::of(bytes), bytes.len() as u64);
    if digest != descriptor.digest {
        return Err(DocumentError::Digest { found: digest });
    }
    if found != descriptor.size {
        return Err(DocumentError::Size { stated: descriptor.size, found });
    }
    json::parse(bytes).map_err(DocumentError::Malformed)
}

/// What an index lists.
///
/// # Errors
/// [`DocumentError::NoList`], [`DocumentError::Malformed`].
pub fn members(index: &Value) -> Result<Vec<Descriptor>, DocumentError> {
    descriptors(index, "manifests")
}

/// The config that a manifest names.
///
/// # Errors
/// [`DocumentError::NoConfig`], [`DocumentError::Malformed`].
pub fn config(manifest: &Value) -> Result<Descriptor, DocumentError> {
    Descriptor::from_json(manifest.get("config").ok_or(DocumentError::NoConfig)?).map_err(DocumentError::Malformed)
}

/// The layers that a manifest names, lowest first.
///
/// # Errors
/// [`DocumentError::NoList`], [`DocumentError::Malformed`].
pub fn layers(manifest: &Value) -> Result<Vec<Descriptor>, DocumentError> {
    descriptors(manifest, "layers")
}

/// Every blob that a manifest names: its config, and its layers, lowest first.
///
/// # Errors
/// As of [`config`] and [`layers`].
pub fn blobs(manifest: &Value) -> Result<Vec<Descriptor>, DocumentError> {
    Ok([config(manifest)?].into_iter().chain(layers(manifest)?).collect())
}

/// The diff_ids of an image's config for so many layers, lowest first.
///
/// # Errors
/// [`DocumentError::Uneven`], [`DocumentError::Malformed`].
pub fn diff_ids(config: &Value, layers: usize) -> Result<Vec<Digest>, DocumentError> {
    let list = config.pointer("/rootfs/diff_ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if list.len() != layers {
        return Err(DocumentError::Uneven { layers, diff_ids: list.len() });
    }
    let parse = |id: &Value| id.as_str().unwrap_or_default().parse().map_err(DocumentError::Malformed);
    list.iter().map(parse).collect()
}

fn descriptors(document: &Value, list: &'static str) -> Result<Vec<Descriptor>, DocumentError> {
    let found = document.get(list).and_then(Value::as_array).ok_or(DocumentError::NoList(list))?;
    found.iter().map(|json| Descriptor::from_json(json).map_err(DocumentError::Malformed)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_up_to_the_limit() {
        let longest = || io::repeat(b' ').take(LIMIT);
        assert_eq!(read(longest()).unwrap().len() as u64, LIMIT);
        let longer = read(longest().chain(&b"x"[..])).unwrap_err();
        assert_eq!(longer.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(longer.to_string(), format!("it is larger than {} MiB", LIMIT >> 20));
    }

    #[test]
    fn what_is_no_manifest_is_told() {
        let why = |json: &str, read: &dyn Fn(&Value) -> Result<(), DocumentError>| {
            read(&json::parse(json.as_bytes()).unwrap()).unwrap_err().to_string()
        };
        assert_eq!(why("{}", &|json| config(json).map(drop)), "it names no config");
        assert_eq!(why(r#"{"layers":null}"#, &|json| layers(json).map(drop)), "it has no list `layers`");
        assert_eq!(why("[]", &|json| members(json).map(drop)), "it has no list `manifests`");
        let uneven = "the manifest has 1 layers, the config 0 diff_ids";
        assert_eq!(why("{}", &|json| diff_ids(json, 1).map(drop)), uneven);
        assert!(why(r#"{"manifests":[{}]}"#, &|json| members(json).map(drop)).contains("digest"));
    }

    #[test]
    fn bytes_are_held_against_their_descriptor() {
        let right = Descriptor::new("", Digest::of(b"{}"), 2);
        assert!(held(b"{}", &right).is_ok());
        assert!(matches!(held(b"[]", &right), Err(DocumentError::Digest { .. })));
        assert!(matches!(
            held(b"{}", &Descriptor { size: 3, ..right }),
            Err(DocumentError::Size { stated: 3, found: 2 })
        ));
        assert!(matches!(held(b"{", &Descriptor::new("", Digest::of(b"{"), 1)), Err(DocumentError::Malformed(_))));
    }
}
