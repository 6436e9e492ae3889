//! Where content comes from. Each source pins what it gives, and verifies it.

pub mod archive;
