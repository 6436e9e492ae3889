//! Names of annotations that the image specification gives a meaning ("annotations.md").

/// The tag of an image, in a layout's index.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Where the source is.
pub const SOURCE: &str = "org.opencontainers.image.source";
/// Which commit of it.
pub const REVISION: &str = "org.opencontainers.image.revision";
/// Which version.
pub const VERSION: &str = "org.opencontainers.image.version";
