//! One binary for all integration tests.

mod bad_input;
mod interrupt;
mod sandbox;
