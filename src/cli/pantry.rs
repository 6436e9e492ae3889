//! `rebake pantry`.

use super::recipes::{self, Recipe};
use super::report::{Report, safe_lines};
use super::world::{Shelf, Sources, World, temporary_folder};
use super::{Options, env::Env, print};
use rebake::build::{Failure, Stamping};
use rebake::image::Batch;
use rebake::lock::{Lock, Locked};
use rebake::oci::{Digest, ImageName};
use rebake::pantry::{Distant, Fill, Image, Packed, Pantry, PantryError};
use rebake::preserve::{PreserveError, complete, fill, restore};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Put recipes, their locks, their files and all their inputs into a pantry, beside what it holds
    Fill {
        /// An image layout, made if it is not there: oci:DIR or a folder; or docker://HOST/NAME[:TAG]
        dest: String,
        /// A rebake.toml or rebake.json, or a folder that has one [default: this folder, then its parents]
        #[arg(value_name = "RECIPE")]
        recipes: Vec<PathBuf>,
        #[command(flatten)]
        sources: Sources,
    },
    /// Prove that a pantry is sound, and that it alone gives the image of each of its recipes
    Check {
        /// oci:DIR, a folder, or docker://HOST/NAME[:TAG]
        pantry: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// List the recipes of a pantry and their inputs
    List {
        /// oci:DIR, a folder, or docker://HOST/NAME[:TAG]
        pantry: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take a recipe, its lock and its files out of a pantry
    Restore {
        /// oci:DIR, a folder, or docker://HOST/NAME[:TAG]
        pantry: String,
        /// The name of the image, or the recipe's digest, as `list` shows them
        name: String,
        /// A new folder
        dir: PathBuf,
        #[command(flatten)]
        reach: Reach,
    },
}

/// How a pantry in a registry is reached.
#[derive(Debug, clap::Args)]
pub struct Reach {
    /// Let registries be asked without TLS, or with a certificate that nobody vouches for
    #[arg(long)]
    insecure: bool,
}

impl Reach {
    fn world<'a>(&self, env: &'a Env, report: &'a Report) -> Result<World<'a>, ExitCode> {
        World::new(&Sources::online(self.insecure), env, report).map_err(|message| report.failure(&message))
    }
}

pub fn run(command: &Command, options: &Options, env: &Env, report: &Report) -> ExitCode {
    let batch = &options.batch(env);
    let done = match command {
        Command::Fill { dest, recipes, sources } => run_fill(dest, recipes, (sources, batch), env, report),
        Command::Check { pantry, reach } => {
            reach.world(env, report).and_then(|world| run_check(pantry, batch, (&world, env), report))
        }
        Command::List { pantry, reach } => reach.world(env, report).and_then(|world| run_list(pantry, &world, report)),
        Command::Restore { pantry, name, dir, reach } => {
            reach.world(env, report).and_then(|world| run_restore(pantry, name, dir, (&world, env), report))
        }
    };
    done.unwrap_or_else(|status| status)
}

fn run_fill(
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
        fill(&order, &name, lock, &mut pantry).map_err(|error| match error {
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
    super::copy::whole(&ImageName::layout(folder.to_owned()), name, world, report).map(drop)
}

fn run_check(name: &str, batch: &Batch, (world, env): (&World, &Env), report: &Report) -> Result<ExitCode, ExitCode> {
    let say = |message: String| report.failure(&message);
    let interrupt = &*world.interrupt;
    let (distant, folder) = match Shelf::named(name).map_err(say)? {
        Shelf::Folder(folder) => (None, folder),
        Shelf::Registry(name) => {
            let mut distant = world.distant(&name).map_err(say)?;
            distant.fetch(interrupt).map_err(|error| say(error.to_string()))?;
            let folder = distant.folder().to_owned();
            (Some(distant), folder)
        }
    };
    let place = distant.as_ref().map_or_else(|| folder.display().to_string(), |distant| distant.name().to_owned());
    let (pantry, faults) = Pantry::check(&folder, interrupt).map_err(|error| say(error.to_string()))?;
    let mut recipes = Vec::new();
    if let Some(pantry) = &pantry {
        for (digest, packed) in &pantry.catalog.recipes {
            let why = match complete(pantry, packed, &env.scratch, batch, interrupt) {
                // That is no fault of the pantry's.
                Err(error @ PreserveError::Scratch { .. }) => return Err(say(shown(&error))),
                done => done.err().map(|error| shown(&error)),
            };
            if interrupt.load(Ordering::Relaxed) {
                return Err(say("interrupted".to_owned()));
            }
            recipes.push((packed.name.clone(), *digest, why));
        }
    }
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let sound = faults.is_empty() && recipes.iter().all(|(_, _, why)| why.is_none());
    let status = ExitCode::from(u8::from(!sound));
    if report.json() {
        let recipes = recipes.iter().map(|(name, digest, why)| {
            json!({ "name": name, "digest": digest.to_string(), "complete": why.is_none(), "why": why })
        });
        report.document(&json!({
            "pantry": place,
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
    text += &match (sound, &pantry) {
        (true, _) => format!("{place}: sound and complete\n"),
        (false, None) => format!("{place}: lost; fill a new one, or take a copy of it\n"),
        (false, Some(_)) => {
            format!("{place}: unsound; `rebake pantry fill` puts right what its recipes can still get\n")
        }
    };
    print(report, safe_lines(&text).as_bytes());
    Ok(status)
}

/// `1 recipe`, `2 recipes`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Everything that is wrong, in a line.
pub fn shown(error: &PreserveError) -> String {
    let messages = |mistakes: &mut dyn Iterator<Item = &str>| mistakes.collect::<Vec<_>>().join("; ");
    match error {
        PreserveError::Plan(Failure::Recipe(mistakes)) => messages(&mut mistakes.iter().map(|m| m.message.as_str())),
        PreserveError::Plan(Failure::Inputs(shortages)) => {
            messages(&mut shortages.iter().map(|shortage| shortage.mistake.message.as_str()))
        }
        error => error.to_string(),
    }
}

fn run_list(name: &str, world: &World, report: &Report) -> Result<ExitCode, ExitCode> {
    let pantry = world.pantry(name).map_err(|message| report.failure(&message))?;
    if report.json() {
        let recipes = pantry.catalog.recipes.iter().map(|(digest, packed)| {
            let inputs = packed
                .inputs
                .iter()
                .map(|(digest, (size, names))| json!({ "digest": digest.to_string(), "size": size, "names": names }));
            json!({
                "name": packed.name,
                "images": images_of(&pantry, packed).into_iter().collect::<serde_json::Map<_, _>>(),
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
                "size": size(image),
            })
        });
        report.document(&json!({
            "pantry": pantry.name(),
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
        for (name, image) in images_of(&pantry, packed) {
            text += &format!("  {name} {}\n", image.as_str().unwrap_or_default());
        }
    }
    for image in pantry.catalog.images.values() {
        text += &format!("image {} {} bytes\n", image.manifest.digest, size(image));
    }
    Ok(print(report, safe_lines(&text).as_bytes()))
}

/// The images that a recipe's lock names: the input, and where the image was and which one it is.
fn images_of(pantry: &Pantry, packed: &Packed) -> Vec<(String, Value)> {
    let text = packed.lock.as_ref().and_then(|lock| String::from_utf8(pantry.read(lock).ok()?).ok());
    let lock = text.and_then(|text| Lock::parse(&text).ok()).unwrap_or_default();
    let images = lock.inputs.into_iter().filter_map(|(name, locked)| match locked {
        Locked::Image { image, top, .. } => Some((name, json!(format!("{image} {}", top.digest)))),
        _ => None,
    });
    images.collect()
}

/// The bytes of an image's config and layers, as its manifest says.
fn size(image: &Image) -> u64 {
    image.blobs.iter().fold(0, |sum, (_, size)| sum.saturating_add(*size))
}

fn run_restore(
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
    restore(&pantry, packed, folder.path(), &env.scratch, &world.interrupt).map_err(|error| say(shown(&error)))?;
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
