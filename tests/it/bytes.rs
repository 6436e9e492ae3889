//! The bytes of a layer: whatever tree is written, our reader and those of others read that tree, and the bytes depend on
//! nothing else.

mod cuts;
mod large;
mod memory;
mod page;
mod readers;
mod sample;
mod stream;
mod written;
