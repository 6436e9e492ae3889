//! The real clients, each in a folder of its own, each with the few questions that the tests ask.
//!
//! Each is what Debian 12 has. Nothing is shared between two of them: root folders, sockets and ports are a test's own.

pub mod containerd;
pub mod docker;
pub mod podman;
pub mod registry;
pub mod skopeo;
pub mod umoci;

pub use containerd::Containerd;
pub use docker::Docker;
pub use podman::Podman;
pub use registry::Registry;
pub use umoci::Bundle;
