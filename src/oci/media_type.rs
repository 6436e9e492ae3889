//! Media types, of OCI (image-spec 1.1, "media-types.md") and of Docker (distribution's schema 2), which mean the same.

/// An image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An image config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The empty config of an artifact.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A layer, plain tar.
pub const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
/// A layer, gzip.
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// A layer, zstd.
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// Docker's manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Docker's layer, gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// Docker's layer, plain tar.
pub const DOCKER_LAYER_TAR: &str = "application/vnd.docker.image.rootfs.diff.tar";
/// Docker's layer, zstd.
pub const DOCKER_LAYER_ZSTD: &str = "application/vnd.docker.image.rootfs.diff.tar.zstd";

/// Whether it names an index, in either dialect.
#[must_use]
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, INDEX | DOCKER_INDEX)
}

/// Whether it names an image manifest, in either dialect.
#[must_use]
pub fn is_manifest(media_type: &str) -> bool {
    matches!(media_type, MANIFEST | DOCKER_MANIFEST)
}

/// Whether it names an image's config, in either dialect.
#[must_use]
pub fn is_config(media_type: &str) -> bool {
    matches!(media_type, CONFIG | DOCKER_CONFIG)
}

/// The OCI name of a layer's media type; `None` if it is no layer that can be copied freely.
#[must_use]
pub fn oci_layer(media_type: &str) -> Option<&'static str> {
    match media_type {
        LAYER_TAR | DOCKER_LAYER_TAR => Some(LAYER_TAR),
        LAYER_GZIP | DOCKER_LAYER_GZIP => Some(LAYER_GZIP),
        LAYER_ZSTD | DOCKER_LAYER_ZSTD => Some(LAYER_ZSTD),
        _ => None,
    }
}

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Compression {
    /// RFC 1952.
    #[default]
    Gzip,
    /// RFC 1952, larger and sooner done.
    GzipFast,
    /// RFC 8878.
    Zstd,
    /// The plain tar.
    None,
}

impl Compression {
    /// Whether it is RFC 1952, at any level.
    #[must_use]
    pub fn is_gzip(self) -> bool {
        matches!(self, Self::Gzip | Self::GzipFast)
    }

    /// The media type of a layer that is compressed so.
    #[must_use]
    pub fn layer_media_type(self) -> &'static str {
        match self {
            Self::Gzip | Self::GzipFast => LAYER_GZIP,
            Self::Zstd => LAYER_ZSTD,
            Self::None => LAYER_TAR,
        }
    }
}
