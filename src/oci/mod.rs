//! The standard's words: digest, media types, descriptor, platform, image names, canonical JSON.

mod digest;
pub mod json;
pub mod media_type;
mod name;
mod platform;

pub use digest::{Digest, Sha256};
pub use name::{ImageName, NameError, Transport};
pub use platform::{Platform, PlatformError};
