//! `rebake pantry restore`: a new folder, whole or not there.

use super::shown;
use crate::cli::env::Env;
use crate::cli::print;
use crate::cli::report::{Report, safe_lines};
use crate::cli::world::World;
use rebake::pantry::Packed;
use rebake::preserve;
use serde_json::json;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn restore(
    name: &str,
    wanted: &str,
    dir: &PathBuf,
    (world, env): (&World, &Env),
    report: &Report,
) -> Result<ExitCode, ExitCode> {
    let say = |message: String| report.failure(&message);
    let pantry = world.pantry(name).map_err(say)?;
    let found: Vec<(String, &Packed)> = pantry
        .catalog
        .recipes
        .iter()
        .map(|(digest, packed)| (digest.to_string(), packed))
        .filter(|(digest, packed)| packed.name == wanted || digest == wanted)
        .collect();
    let packed = match &found[..] {
        [(_, packed)] => *packed,
        [] => {
            return Err(say(format!("the pantry holds no recipe `{wanted}`; `rebake pantry list {name}` shows them")));
        }
        several => {
            let digests: Vec<&str> = several.iter().map(|(digest, _)| digest.as_str()).collect();
            return Err(say(format!(
                "the pantry holds several recipes of that name; say which: {}",
                digests.join(", ")
            )));
        }
    };
    let failed = |error: std::io::Error| {
        say(match error.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                format!("{} is there already; name a new folder", dir.display())
            }
            _ => format!("cannot make {}: {error}", dir.display()),
        })
    };
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Beside its place, so that it is whole or not there.
    let folder = tempfile::Builder::new().prefix(".rebake-").tempdir_in(parent).map_err(failed)?;
    preserve::restore(&pantry, packed, folder.path(), &env.scratch, &world.interrupt)
        .map_err(|error| say(shown(&error)))?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    std::fs::rename(folder.path(), dir).map_err(failed)?;
    let _ = folder.keep();
    let recipe = dir.join(&packed.file);
    if report.json() {
        report.document(&json!({ "recipe": recipe.display().to_string() }));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(print(report, safe_lines(&format!("{}\n", recipe.display())).as_bytes()))
}
