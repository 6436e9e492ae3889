//! One binary for all integration tests.

mod bytes;
mod reproduce;
