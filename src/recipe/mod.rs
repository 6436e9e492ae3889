//! The recipe: what an image is to be, as a person wrote it.
//!
//! Parsing takes text and gives either a whole [`Recipe`] or every mistake in it, each with its place. Nothing here
//! reads a disk, a clock or a network.

mod capabilities;
mod model;
mod span;
mod template;

pub use capabilities::Capabilities;
pub use model::*;
pub use span::{Diagnostic, Label, Span, Spanned};
pub use template::{Template, Variables};
