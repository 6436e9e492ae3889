//! `rebake init`: a recipe to start from.

use super::{env::Env, print, report::Report};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// The recipe that `init` writes. A test builds it.
const RECIPE: &str = include_str!("init.toml");

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to write rebake.toml [default: the folder you stand in]
    dir: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, _env: &Env, report: &Report) -> ExitCode {
    let folder = arguments.dir.clone().unwrap_or_else(|| PathBuf::from("."));
    let path = folder.join("rebake.toml");
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(&folder)?;
        // A recipe that is there is never replaced.
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        file.write_all(RECIPE.as_bytes())
    };
    match write() {
        Ok(()) if report.json() => {
            print(report, format!("{}\n", serde_json::json!({ "recipe": path.display().to_string() })).as_bytes())
        }
        Ok(()) => print(report, format!("{}\n", path.display()).as_bytes()),
        Err(error) => report.failure(&format!("cannot write {}: {error}", path.display())),
    }
}
