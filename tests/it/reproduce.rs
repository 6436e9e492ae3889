//! What a host leaks never reaches an image: one source under every variation of host, tree, process and words that we
//! know, and one digest.
//!
//! Each variation has a positive control: the same instrument shows that it took place, and fails the test if not.

mod disk;
pub mod machine;
mod output;
mod process;
mod source;
mod words;
