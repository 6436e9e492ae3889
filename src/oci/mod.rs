//! The standard's words: digest, media types, descriptor, platform, image names, canonical JSON.

pub mod annotation;
mod descriptor;
mod digest;
pub mod document;
pub mod json;
pub mod media_type;
mod name;
mod platform;
mod sink;
mod time;

pub use descriptor::Descriptor;
pub use digest::{Digest, Sha256};
pub use media_type::Compression;
pub use name::{ImageName, NameError, Transport, split};
pub use platform::{Platform, PlatformError};
pub use sink::{Blob, Nowhere, Sink};
pub use time::rfc3339;
