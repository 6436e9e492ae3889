//! Names of images as skopeo's users type them: `oci:DIR[:TAG]`, `docker://HOST/NAME:TAG`.

use super::Digest;
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where an image is, and which one it is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    /// How to get at it.
    pub transport: Transport,
    /// Tag (or, in a docker-archive, `name:tag`); none: the only one.
    pub tag: Option<String>,
    /// The digest it must have.
    pub digest: Option<Digest>,
    text: String,
}

/// How to get at an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// A folder that is an image layout.
    Layout(PathBuf),
    /// A tar of an image layout.
    OciArchive(PathBuf),
    /// What `docker save` writes.
    DockerArchive(PathBuf),
    /// A registry's repository: `docker.io/library/debian`.
    Registry(String),
}

/// Why some text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The part behind `oci:` and its like is empty.
    #[error("`{0}` names no path")]
    NoPath(String),
    /// Not a digest behind `@`.
    #[error("{0}")]
    Digest(String),
    /// Not a tag (distribution-spec: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
    #[error("`{0}` is no tag: letters, digits, `_`, `.` and `-`, at most 128, not starting with `.` or `-`")]
    Tag(String),
    /// Not a reference of the distribution specification.
    #[error("`{0}` is no image reference")]
    Reference(String),
}

impl ImageName {
    /// A bare path to an image layout, as the command line takes it.
    #[must_use]
    pub fn layout(path: PathBuf) -> Self {
        let text = format!("oci:{}", path.display());
        Self { transport: Transport::Layout(path), tag: None, digest: None, text }
    }

    /// Where it is on disk, unless it is in a registry.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.transport {
            Transport::Layout(path) | Transport::OciArchive(path) | Transport::DockerArchive(path) => Some(path),
            Transport::Registry(_) => None,
        }
    }

    /// The tag, if one was typed: a registry's image has the tag `latest` also where none was.
    #[must_use]
    pub fn own_tag(&self) -> Option<&str> {
        let is_typed = match self.transport {
            Transport::Registry(_) => self.without_digest().rsplit('/').next().is_some_and(|last| last.contains(':')),
            _ => true,
        };
        self.tag.as_deref().filter(|_| is_typed)
    }

    /// Name and tag that a docker-archive is to give its image, if it is one and they are said: `docker-archive:FILE:NAME:TAG`,
    /// or NAME alone.
    #[must_use]
    pub fn saved_as(&self) -> Option<(String, String)> {
        let reference = self.tag.as_ref().filter(|_| matches!(self.transport, Transport::DockerArchive(_)))?;
        Some(split(reference).unwrap_or_else(|| (reference.clone(), "latest".to_owned())))
    }

    /// The same image, which must have this digest.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// The same image, in another place on disk.
    #[must_use]
    pub fn at(&self, place: PathBuf) -> Self {
        let transport = match &self.transport {
            Transport::Layout(_) => Transport::Layout(place),
            Transport::OciArchive(_) => Transport::OciArchive(place),
            Transport::DockerArchive(_) => Transport::DockerArchive(place),
            Transport::Registry(repository) => Transport::Registry(repository.clone()),
        };
        Self { transport, ..self.clone() }
    }

    /// As it was typed, but for the digest: what people call the image.
    #[must_use]
    pub fn without_digest(&self) -> String {
        match self.text.rsplit_once('@') {
            Some((name, digest)) if digest.starts_with("sha256:") => name.to_owned(),
            _ => self.text.clone(),
        }
    }

    /// Whether some text is a tag.
    #[must_use]
    pub fn is_tag(text: &str) -> bool {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        matches!(text.as_bytes(), [first, rest @ ..] if text.len() <= 128
            && word(*first) && rest.iter().all(|&b| word(b) || b == b'.' || b == b'-'))
    }
}

/// `NAME:TAG` in its parts. The port of a registry is no tag.
#[must_use]
pub fn split(reference: &str) -> Option<(String, String)> {
    let (name, tag) = reference.rsplit_once(':')?;
    (!tag.contains('/')).then(|| (name.to_owned(), tag.to_owned()))
}

/// With a transport before it, or a registry reference. A bare path is not one: see [`ImageName::layout`].
impl FromStr for ImageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (transport, rest): (fn(PathBuf) -> Transport, &str) = match text.split_once(':') {
            Some(("oci", rest)) => (Transport::Layout, rest),
            Some(("oci-archive", rest)) => (Transport::OciArchive, rest),
            Some(("docker-archive", rest)) => (Transport::DockerArchive, rest),
            _ => return registry(text),
        };
        let (rest, digest) = match rest.rsplit_once('@') {
            Some((rest, digest)) if digest.starts_with("sha256:") => {
                (rest, Some(digest.parse().map_err(NameError::Digest)?))
            }
            _ => (rest, None),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(NameError::NoPath(text.to_owned()));
        }
        if let Some(tag) = tag {
            // In a docker-archive NAME, NAME:TAG or a tag alone; elsewhere a tag.
            let is_name =
                || text.starts_with("docker-archive:") && registry(tag).is_ok_and(|name| name.digest.is_none());
            if !Self::is_tag(tag) && !is_name() {
                return Err(NameError::Tag(tag.to_owned()));
            }
        }
        Ok(Self { transport: transport(path.into()), tag: tag.map(str::to_owned), digest, text: text.to_owned() })
    }
}

fn registry(text: &str) -> Result<ImageName, NameError> {
    let bare = text.strip_prefix("docker://").unwrap_or(text);
    let reference: oci_spec::distribution::Reference =
        bare.parse().map_err(|_| NameError::Reference(text.to_owned()))?;
    if let Some(tag) = reference.tag().filter(|tag| !ImageName::is_tag(tag)) {
        return Err(NameError::Tag(tag.to_owned()));
    }
    let digest = reference.digest().map(str::parse).transpose().map_err(NameError::Digest)?;
    Ok(ImageName {
        transport: Transport::Registry(format!("{}/{}", reference.registry(), reference.repository())),
        tag: reference.tag().map(str::to_owned),
        digest,
        text: text.to_owned(),
    })
}

/// As it was typed.
impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
