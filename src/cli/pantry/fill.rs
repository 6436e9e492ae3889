//! `rebake pantry fill`: into a folder; or into one that is then copied to a registry.

use crate::cli::env::Env;
use crate::cli::recipes::{self, Recipe};
use crate::cli::report::Report;
use crate::cli::world::{Shelf, Sources, World, temporary_folder};
use crate::cli::{copy, print};
use rebake::build::{Failure, Stamping};
use rebake::image::Batch;
use rebake::oci::{Digest, ImageName};
use rebake::pantry::{Distant, Fill, PantryError};
use rebake::preserve::{self, PreserveError};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub fn fill(
    dest: &str,
    named: &[PathBuf],
    (sources, batch): (&Sources, &Batch),
    env: &Env,
    report: &Report,
) -> Result<ExitCode, ExitCode> {
    let say = |message: String| report.failure(&message);
    let shelf = Shelf::named(dest).map_err(say)?;
    if matches!(&shelf, Shelf::Registry(name) if name.digest.is_some()) {
        return Err(say(format!("{dest}: a digest cannot be chosen, it is what the recipes give")));
    }
    let paths = recipes::find(named, env).map_err(say)?;
    let world = World::new(sources, env, report).map_err(say)?;
    let recipes = paths.iter().map(|path| Recipe::read(path, report)).collect::<Result<Vec<_>, _>>()?;
    let unfilled = |error: &PantryError| match error {
        PantryError::Interrupted => say("interrupted; the pantry is as it was".to_owned()),
        PantryError::Io { .. } => say(format!("{error}; the pantry is as it was")),
        error => say(error.to_string()),
    };
    let distant = match &shelf {
        Shelf::Folder(_) => None,
        Shelf::Registry(name) => world.supply(Path::new("")).pantry(name).map_err(|error| say(error.to_string()))?,
    };
    let new = match &shelf {
        Shelf::Registry(_) if distant.is_none() => Some(temporary_folder(&env.scratch).map_err(say)?),
        _ => None,
    };
    let mut pantry = match (&shelf, &distant, &new) {
        (_, Some(distant), _) => Fill::begin_distant(distant, &world.interrupt),
        (_, _, Some(new)) => Fill::begin(new.path(), &world.interrupt),
        (Shelf::Folder(folder), ..) => Fill::begin(folder, &world.interrupt),
        (Shelf::Registry(_), None, None) => return Err(say(format!("{dest} names no pantry"))),
    }
    .map_err(|error| unfilled(&error))?;
    let folder = pantry.target().to_owned();
    for recipe in &recipes {
        let order = world.order(recipe, batch, Stamping::Ask { file: &recipe.path, allow_dirty: false });
        let name = recipe.path.file_name().unwrap_or_default().to_string_lossy();
        let lock = recipe.lock.as_ref().map(|_| recipe.lock_text.as_str());
        preserve::fill(&order, &name, lock, &mut pantry).map_err(|error| match error {
            PreserveError::Plan(Failure::Interrupted) => unfilled(&PantryError::Interrupted),
            PreserveError::Plan(failure) => recipe.failed(report, failure),
            PreserveError::Pantry(error) => unfilled(&error),
            error => say(error.to_string()),
        })?;
    }
    let filled = pantry.finish().map_err(|error| unfilled(&error))?;
    let name = match &shelf {
        Shelf::Folder(folder) => folder.display().to_string(),
        Shelf::Registry(name) => {
            let before = distant.as_ref().map(Distant::index);
            carry(&folder, name, before, &world, report).map_err(say)?;
            dest.to_owned()
        }
    };
    let (blobs, bytes) = filled.added;
    if report.json() {
        report.document(&json!({
            "pantry": name,
            "index": filled.index.to_string(),
            "recipes": filled.recipes,
            "images": filled.images,
            "added": { "blobs": blobs, "bytes": bytes },
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let text = format!(
        "{name}: {}, {}; {} ({bytes} bytes)\n",
        count(filled.recipes, "recipe"),
        count(filled.images, "image"),
        count(blobs, "new blob"),
    );
    Ok(print(report, text.as_bytes()))
}

/// Brings a filled pantry into a registry, whose own is still the one that was filled.
fn carry(
    folder: &Path,
    name: &ImageName,
    before: Option<Digest>,
    world: &World,
    report: &Report,
) -> Result<(), String> {
    let now = world.supply(Path::new("")).pantry(name).map_err(|error| error.to_string())?;
    if now.as_ref().map(Distant::index) != before {
        return Err(format!("{name} was filled by somebody else meanwhile; nothing was pushed, fill it again"));
    }
    copy::whole(&ImageName::layout(folder.to_owned()), name, world, report).map(drop)
}

/// `1 recipe`, `2 recipes`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
