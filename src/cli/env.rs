//! The only reader of environment, working directory, processors and terminal; everybody else is handed plain values.
#![allow(clippy::disallowed_methods, reason = "this is the one place that asks the host")]

use std::io::IsTerminal;
use std::path::PathBuf;

/// What the host says.
#[derive(Debug)]
pub struct Env {
    /// The working directory.
    pub cwd: std::io::Result<PathBuf>,
    /// `SOURCE_DATE_EPOCH` as it is set.
    pub source_date_epoch: Option<String>,
    /// The folder for temporary files.
    pub scratch: PathBuf,
    /// How many processors may be used.
    pub processors: usize,
    /// Whether errors go to a terminal that shows colours.
    pub colors: bool,
    /// The width of the terminal, in columns.
    pub columns: Option<usize>,
}

impl Env {
    /// Asks once.
    pub fn read() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            cwd: std::env::current_dir(),
            source_date_epoch: std::env::var_os("SOURCE_DATE_EPOCH").map(|text| text.to_string_lossy().into_owned()),
            scratch: std::env::temp_dir(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            colors: std::io::stderr().is_terminal() && !set("NO_COLOR") && !dumb,
            columns: std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()),
        }
    }
}
