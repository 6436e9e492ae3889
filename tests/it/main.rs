//! One binary for all integration tests.

// The rules of clippy.toml keep the host out of an image's bytes; tests look at the host on purpose.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod architecture;
mod bad_input;
mod base;
mod bytes;
mod check;
mod clients;
mod copy;
mod cost;
mod diff;
mod drill;
mod flake;
mod fleet;
mod git;
mod golden;
mod inputs;
mod interrupt;
mod lock;
mod machinery;
mod net;
mod pantry;
mod push;
mod read;
mod readme;
mod rebuild;
mod recipes;
mod registry;
mod reproduce;
mod sandbox;
mod stamps;
mod statements;
mod support;
mod upstream;
mod verify;
