//! rebake: container images that can be baked again, byte for byte.
//!
//! The library goes one way, and each step is a value that can be printed:
//!
//! ```text
//! text ──parse──▶ Recipe<Source> ──pin──▶ Recipe<Pinned> ──plan──▶ Plan     (one platform; trees and a config; no bytes)
//! Plan ──image──▶ layers, config, manifest ──▶ Sink ──▶ Descriptor
//! ```
//!
//! ARCHITECTURE.md in the repository says which room may import which; a test holds it.

pub mod archive;
pub mod build;
pub mod check;
pub mod copy;
pub mod diff;
pub mod drill;
pub mod file;
pub mod git;
pub mod image;
pub mod layer;
pub mod layout;
pub mod lock;
pub mod mask;
pub mod net;
pub mod oci;
pub mod origin;
pub mod pantry;
pub mod plan;
pub mod preserve;
pub mod rebuild;
pub mod recipe;
pub mod record;
pub mod registry;
pub mod resolve;
pub mod source;
pub mod store;
pub mod supply;
pub mod together;
pub mod transport;
pub mod tree;
pub mod verify;
