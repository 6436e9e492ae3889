//! What the tests share: a folder to work in, programs run with a limit, daemons that do not outlive their test, and the
//! real clients an image must survive.
//!
//! Nothing here calls the library: the tests see rebake as its users do, as a program.

pub mod clients;
mod daemon;
pub mod git;
pub mod http;
mod image;
mod need;
mod process;
mod sample;
mod work;

pub use daemon::{Daemon, contained, free_port};
pub use image::Image;
pub use need::needs;
pub use process::{Output, attempt, attempt_within, run, signal, tool};
pub use sample::{Sample, sha256};
pub use work::Work;

/// The program under test, in no particular folder, with the environment of the test and a cache of its own.
pub fn rebake() -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rebake"));
    command.env("REBAKE_CACHE", cache());
    command
}

/// A cache for whatever the thread runs, empty at first and gone with it; each test is a thread.
pub fn cache() -> std::path::PathBuf {
    thread_local!(static CACHE: Work = Work::new());
    CACHE.with(|cache| cache.path().to_owned())
}
