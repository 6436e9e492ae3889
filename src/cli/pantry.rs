//! `rebake pantry`.

use super::build::failed;
use super::recipes::{self, Recipe};
use super::report::Report;
use super::world::{Sources, World, heed_signals, pantry, pantry_folder};
use super::{env::Env, print};
use rebake::build::{Order, Stamping};
use rebake::pantry::{Fill, Packed, Pantry, PantryError};
use rebake::preserve::{PreserveError, complete, fill, restore};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Put recipes, their locks, their files and all their inputs into a pantry, beside what it holds
    Fill {
        /// An image layout, made if it is not there: oci:DIR or a folder
        dest: String,
        /// A rebake.toml or rebake.json, or a folder that has one [default: this folder, then its parents]
        #[arg(value_name = "RECIPE")]
        recipes: Vec<PathBuf>,
        #[command(flatten)]
        sources: Sources,
    },
    /// Prove that a pantry is sound, and that it alone gives the image of each of its recipes
    Check {
        /// oci:DIR or a folder
        pantry: String,
    },
    /// List the recipes of a pantry and their inputs
    List {
        /// oci:DIR or a folder
        pantry: String,
    },
    /// Take a recipe, its lock and its files out of a pantry
    Restore {
        /// oci:DIR or a folder
        pantry: String,
        /// The name of the image, or the recipe's digest, as `list` shows them
        name: String,
        /// A new folder
        dir: PathBuf,
    },
}

pub fn run(command: &Command, env: &Env, report: &Report) -> ExitCode {
    let done = match command {
        Command::Fill { dest, recipes, sources } => run_fill(dest, recipes, sources, env, report),
        Command::Check { pantry } => run_check(pantry, env, report),
        Command::List { pantry } => run_list(pantry, report),
        Command::Restore { pantry, name, dir } => run_restore(pantry, name, dir, env, report),
    };
    done.unwrap_or_else(|status| status)
}

fn run_fill(
    dest: &str,
    named: &[PathBuf],
    sources: &Sources,
    env: &Env,
    report: &Report,
) -> Result<ExitCode, ExitCode> {
    let say = |message: String| report.failure(&message);
    let folder = pantry_folder(dest).map_err(say)?;
    let paths = recipes::find(named, env).map_err(say)?;
    let world = World::new(sources, env, report).map_err(say)?;
    let recipes = paths.iter().map(|path| Recipe::read(path, report)).collect::<Result<Vec<_>, _>>()?;
    let mut pantry = Fill::begin(&folder, &world.interrupt).map_err(|error| say(error.to_string()))?;
    for recipe in &recipes {
        let order = Order {
            text: &recipe.text,
            syntax: recipe.syntax,
            lock: recipe.lock.as_ref(),
            supply: world.supply(recipe.folder()),
            source_date_epoch: world.source_date_epoch,
            jobs: 1,
            stamping: Stamping::Ask { file: &recipe.path, allow_dirty: false },
        };
        let name = recipe.path.file_name().unwrap_or_default().to_string_lossy();
        let lock = recipe.lock.as_ref().map(|_| recipe.lock_text.as_str());
        fill(&order, &name, lock, &mut pantry).map_err(|error| match error {
            PreserveError::Plan(failure) => failed(failure, recipe, report),
            PreserveError::Pantry(PantryError::Interrupted) => say("interrupted; the pantry is as it was".to_owned()),
            error => say(error.to_string()),
        })?;
    }
    let filled = pantry.finish().map_err(|error| say(error.to_string()))?;
    let (blobs, bytes) = filled.added;
    if report.json() {
        report.document(&json!({
            "pantry": folder.display().to_string(),
            "index": filled.index.to_string(),
            "recipes": filled.recipes,
            "images": filled.images,
            "added": { "blobs": blobs, "bytes": bytes },
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let text = format!(
        "{}: {} recipes, {} base images; {blobs} blobs with {bytes} bytes are new\n",
        folder.display(),
        filled.recipes,
        filled.images
    );
    Ok(print(report, text.as_bytes()))
}

fn run_check(name: &str, env: &Env, report: &Report) -> Result<ExitCode, ExitCode> {
    let say = |message: String| report.failure(&message);
    let interrupt = heed_signals().map_err(|error| say(format!("cannot wait for signals: {error}")))?;
    let folder = pantry_folder(name).map_err(say)?;
    let mut faults: Vec<String> = Vec::new();
    let mut recipes = Vec::new();
    match Pantry::open(&folder) {
        Ok(pantry) => {
            let found = pantry.faults(&interrupt).map_err(|error| say(error.to_string()))?;
            faults.extend(found.iter().map(ToString::to_string));
            for (digest, packed) in &pantry.catalog.recipes {
                let why = complete(&pantry, packed, &env.scratch, &interrupt).err().map(|error| shown(&error));
                recipes.push((packed.name.clone(), *digest, why));
            }
        }
        // What was a pantry, and is not any more, is unsound; what never was one is wrong input.
        Err(error @ PantryError::Damaged { .. }) => faults.push(error.to_string()),
        Err(PantryError::NoPantry { folder, .. }) if folder.join("blobs/sha256").is_dir() => {
            faults.push("oci-layout or index.json is not as rebake wrote it".to_owned());
        }
        Err(error @ PantryError::Io { .. }) if folder.join("blobs/sha256").is_dir() => faults.push(error.to_string()),
        Err(error) => return Err(say(error.to_string())),
    }
    let sound = faults.is_empty() && recipes.iter().all(|(_, _, why)| why.is_none());
    let status = ExitCode::from(u8::from(!sound));
    if report.json() {
        let recipes = recipes.iter().map(|(name, digest, why)| {
            json!({ "name": name, "digest": digest.to_string(), "complete": why.is_none(), "why": why })
        });
        report.document(&json!({
            "pantry": folder.display().to_string(),
            "sound": sound,
            "faults": faults,
            "recipes": recipes.collect::<Vec<_>>(),
        }));
        return Ok(status);
    }
    let mut text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    for (name, digest, why) in &recipes {
        text += &match why {
            None => format!("{name} {digest}: complete\n"),
            Some(why) => format!("{name} {digest}: {why}\n"),
        };
    }
    text += &format!("{}: {}\n", folder.display(), if sound { "sound and complete" } else { "unsound" });
    print(report, text.as_bytes());
    Ok(status)
}

/// Everything that is wrong, in a line.
fn shown(error: &PreserveError) -> String {
    use rebake::build::Failure;
    let messages = |mistakes: &mut dyn Iterator<Item = &str>| mistakes.collect::<Vec<_>>().join("; ");
    match error {
        PreserveError::Plan(Failure::Recipe(mistakes)) => messages(&mut mistakes.iter().map(|m| m.message.as_str())),
        PreserveError::Plan(Failure::Inputs(shortages)) => {
            messages(&mut shortages.iter().map(|shortage| shortage.mistake.message.as_str()))
        }
        error => error.to_string(),
    }
}

fn run_list(name: &str, report: &Report) -> Result<ExitCode, ExitCode> {
    let pantry = pantry(name).map_err(|message| report.failure(&message))?;
    if report.json() {
        let recipes = pantry.catalog.recipes.iter().map(|(digest, packed)| {
            let inputs = packed
                .inputs
                .iter()
                .map(|(digest, (size, names))| json!({ "digest": digest.to_string(), "size": size, "names": names }));
            json!({
                "name": packed.name,
                "digest": digest.to_string(),
                "recipe": packed.recipe.digest.to_string(),
                "lock": packed.lock.as_ref().map(|lock| lock.digest.to_string()),
                "files": packed.files.digest.to_string(),
                "inputs": inputs.collect::<Vec<Value>>(),
            })
        });
        let images = pantry.catalog.images.values().map(|image| {
            json!({
                "digest": image.manifest.digest.to_string(),
                "platform": image.manifest.platform.as_ref().map(ToString::to_string),
                "size": image.blobs.iter().map(|(_, size)| size).sum::<u64>(),
            })
        });
        report.document(&json!({
            "pantry": pantry.folder().display().to_string(),
            "index": pantry.index.digest.to_string(),
            "recipes": recipes.collect::<Vec<_>>(),
            "images": images.collect::<Vec<_>>(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for (digest, packed) in &pantry.catalog.recipes {
        text += &format!("{} {digest}\n", packed.name);
        for (digest, (size, names)) in &packed.inputs {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            text += &format!("  {} {digest} {size} bytes\n", names.join(" "));
        }
    }
    for image in pantry.catalog.images.values() {
        let platform = image.manifest.platform.as_ref().map(|platform| format!(" {platform}")).unwrap_or_default();
        let size: u64 = image.blobs.iter().map(|(_, size)| size).sum();
        text += &format!("base image {}{platform} {size} bytes\n", image.manifest.digest);
    }
    Ok(print(report, text.as_bytes()))
}

fn run_restore(name: &str, wanted: &str, dir: &PathBuf, env: &Env, report: &Report) -> Result<ExitCode, ExitCode> {
    let say = |message: String| report.failure(&message);
    let interrupt = heed_signals().map_err(|error| say(format!("cannot wait for signals: {error}")))?;
    let pantry = pantry(name).map_err(say)?;
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
    let failed = |error: std::io::Error| say(format!("cannot make {}: {error}", dir.display()));
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
    // Beside its place, so that it is whole or not there.
    let folder = tempfile::Builder::new().prefix(".rebake-").tempdir_in(parent).map_err(failed)?;
    restore(&pantry, packed, folder.path(), &env.scratch, &interrupt).map_err(|error| say(shown(&error)))?;
    if std::fs::symlink_metadata(dir).is_ok() && std::fs::remove_dir(dir).is_err() {
        return Err(say(format!("{} is there already, and not empty", dir.display())));
    }
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
    std::fs::rename(folder.keep(), dir).map_err(failed)?;
    let recipe = dir.join(&packed.file);
    if report.json() {
        report.document(&json!({ "recipe": recipe.display().to_string() }));
        return Ok(ExitCode::SUCCESS);
    }
    Ok(print(report, format!("{}\n", recipe.display()).as_bytes()))
}
