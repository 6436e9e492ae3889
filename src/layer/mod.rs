//! A layer as bytes: tree to tar to compressed stream, and back.
//!
//! The reader is independent of the writer: neither calls the other, so that each can hold the other to account.

pub mod decompress;
pub mod read;
pub mod write;
