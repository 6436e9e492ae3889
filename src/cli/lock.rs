//! `rebake lock`.

use super::recipes::{self, Recipe};
use super::report::Report;
use super::world::{Sources, World};
use super::{Options, env::Env, print};
use rebake::build::{Order, Stamping, expectation};
use rebake::image::Batch;
use rebake::lock::Lock;
use rebake::recipe::parse;
use rebake::resolve::{Change, Resolved, Update, resolve, shown};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A rebake.toml or rebake.json, or a folder that has one [default: this folder, then its parents]
    #[arg(value_name = "RECIPE")]
    recipes: Vec<PathBuf>,
    /// Let the pins of these inputs move to what is there now; with no name, all of them
    #[arg(long, value_name = "INPUT", num_args = 0.., require_equals = false)]
    update: Option<Vec<String>>,
    /// Write nothing; exit with 1 if something moved or is not pinned, and say what
    #[arg(long, conflicts_with_all = ["update", "record"])]
    check: bool,
    /// Bake each image, and record its digest in the lock as what is expected
    #[arg(long)]
    record: bool,
    #[command(flatten)]
    sources: Sources,
}

pub fn run(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> ExitCode {
    // `--update` takes names of inputs, which have no slash: what looks like a path, or holds a recipe, is a recipe.
    let is_path = |name: &String| {
        let holds = |file: &str| Path::new(name).join(file).is_file();
        let looks = name.contains('/') || matches!(name.as_str(), "." | "..");
        looks || name.ends_with(".toml") || name.ends_with(".json") || holds("rebake.toml") || holds("rebake.json")
    };
    let (paths, names): (Vec<String>, Vec<String>) = arguments.update.iter().flatten().cloned().partition(is_path);
    let mut named = arguments.recipes.clone();
    named.extend(paths.into_iter().map(PathBuf::from));
    let update = match (&arguments.update, names.is_empty()) {
        _ if arguments.check => Update::Everything,
        (None, _) => Update::Nothing,
        (Some(_), true) => Update::Everything,
        (Some(_), false) => Update::Inputs(&names),
    };
    let prepared =
        recipes::find(&named, env).and_then(|paths| Ok((paths, World::new(&arguments.sources, env, report)?)));
    let (paths, world) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return report.failure(&message),
    };
    let command = Command { arguments, update, batch: &options.batch(env), world: &world, report };
    let mut done = Vec::new();
    let result = read_all(&paths, &names, report).and_then(|recipes| {
        for recipe in &recipes {
            done.push(command.one(recipe)?);
        }
        Ok(())
    });
    if let Err(status) = result {
        if !report.json() {
            print(report, done.iter().map(Done::text).collect::<String>().as_bytes());
        }
        return status;
    }
    if report.json() {
        report.document(&json!({ "locks": done.iter().map(Done::json).collect::<Vec<_>>() }));
    } else {
        print(report, done.iter().map(Done::text).collect::<String>().as_bytes());
    }
    let stale: Vec<&str> = done.iter().filter(|done| done.changed).map(|done| done.path.as_str()).collect();
    if arguments.check && !stale.is_empty() {
        report.notice(&format!("{} would change; `rebake lock --update` moves the pins", stale.join(", ")));
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}

/// Reads all recipes; every input that is to be updated is one of theirs.
fn read_all(paths: &[PathBuf], names: &[String], report: &Report) -> Result<Vec<Recipe>, ExitCode> {
    let mut recipes = Vec::new();
    let mut known = Vec::new();
    for path in paths {
        let recipe = Recipe::read(path, report)?;
        let parsed = parse(&recipe.text, recipe.syntax).map_err(|mistakes| recipe.mistakes(report, &mistakes))?;
        known.extend(parsed.inputs.into_keys());
        recipes.push(recipe);
    }
    match names.iter().find(|name| !known.contains(name)) {
        None => Ok(recipes),
        Some(name) => {
            known.sort();
            known.dedup();
            let there = match &known[..] {
                [] => "the recipe has no inputs".to_owned(),
                known => format!("the inputs are {}", known.join(", ")),
            };
            Err(report.failure(&format!("--update {name}: there is no such input; {there}")))
        }
    }
}

/// The command, on one recipe after the other.
struct Command<'a> {
    arguments: &'a Arguments,
    update: Update<'a>,
    batch: &'a Batch,
    world: &'a World<'a>,
    report: &'a Report,
}

/// What became of one recipe's lock.
struct Done {
    recipe: String,
    path: String,
    /// Nothing is written: what is said is what would be.
    checked: bool,
    changed: bool,
    /// What the old lock expected of the image is no longer in it.
    forgot: bool,
    resolved: Resolved,
}

impl Command<'_> {
    fn one(&self, recipe: &Recipe) -> Result<Done, ExitCode> {
        let supply = self.world.supply(recipe.folder());
        let path = recipe.lock_path();
        let mistakes = |mistakes: Vec<_>| match self.world.interrupt.load(Ordering::Relaxed) {
            true => self.report.failure(&format!("interrupted; {} is as it was", path.display())),
            false => recipe.mistakes(self.report, &mistakes),
        };
        let parsed = parse(&recipe.text, recipe.syntax).map_err(mistakes)?;
        let mut resolved = resolve(&parsed, recipe.lock.as_ref(), self.update, &supply).map_err(mistakes)?;
        let done = |resolved: Resolved| {
            let old = recipe.lock.clone().unwrap_or_default();
            let changed = resolved.lock != old;
            let forgot = !old.expected.is_empty() && resolved.lock.expected.is_empty();
            let (recipe, path) = (recipe.path.display().to_string(), path.display().to_string());
            Done { recipe, path, checked: self.arguments.check, changed, forgot, resolved }
        };
        if self.arguments.check {
            return Ok(done(resolved));
        }
        // A pin whose input cannot be had any more is worth nothing.
        let pinned = parsed.pin(Some(&resolved.lock)).map_err(mistakes)?;
        supply.ready(&pinned).map_err(|why| mistakes(why.into_iter().map(|shortage| shortage.mistake).collect()))?;
        if self.arguments.record {
            let order = Order {
                text: &recipe.text,
                syntax: recipe.syntax,
                lock: Some(&resolved.lock),
                supply,
                // What a lock expects does not depend on the environment.
                source_date_epoch: None,
                batch: self.batch,
                stamping: Stamping::Any,
            };
            resolved.lock.expected = expectation(&order).map_err(|failure| recipe.failed(self.report, failure))?;
        }
        let done = done(resolved);
        // A recipe with no inputs needs no lock.
        if done.changed || (recipe.lock.is_none() && done.resolved.lock != Lock::default()) {
            write(&path, &done.resolved.lock.to_string())
                .map_err(|error| self.report.failure(&format!("cannot write {}: {error}", path.display())))?;
        }
        Ok(done)
    }
}

/// Replaces a file in one step; a symlink to it stays one.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The error would name the hidden file, which nobody will find.
    let file = tempfile::Builder::new() // Should rebake be killed now, it is known for a leftover of ours, and goes into no image.
        .prefix(".rebake-out.rebake-lock-")
        .tempfile_in(folder);
    let mut file = file.map_err(|error| io::Error::from(error.kind()))?;
    file.write_all(text.as_bytes())?;
    let mode = std::fs::metadata(path).map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

impl Done {
    fn text(&self) -> String {
        let Resolved { lock, changes } = &self.resolved;
        if changes.is_empty() && lock.expected.is_empty() {
            return format!("{}: no inputs, so no lock is needed\n", self.recipe);
        }
        let mut text = format!("{}\n", self.path);
        for (name, change) in changes {
            let now = lock.inputs.get(name).map(shown).unwrap_or_default();
            text += &match change {
                Change::Kept => format!("  {name} is {now}\n"),
                Change::Pinned if self.checked => format!("  {name} is not pinned as the recipe has it: {now}\n"),
                Change::Pinned => format!("  {name} is {now} (new)\n"),
                Change::Moved(from, to) => format!("  {name} moved from {from} to {to}\n"),
                Change::Dropped => format!("  {name} is no input any more\n"),
            };
        }
        if self.forgot {
            text += "  the image was recorded with other inputs; `rebake lock --record` records it anew\n";
        }
        if let Some(image) = lock.expected.image {
            text += &format!("  the image is expected to be {image}\n");
        }
        text
    }

    fn json(&self) -> Value {
        let Resolved { lock, changes } = &self.resolved;
        let inputs = changes.iter().map(|(name, change)| {
            let (word, from) = match change {
                Change::Kept => ("kept", None),
                Change::Pinned => ("pinned", None),
                Change::Moved(from, _) => ("moved", Some(from)),
                Change::Dropped => ("dropped", None),
            };
            json!({ "name": name, "change": word, "from": from, "pin": lock.inputs.get(name).map(shown) })
        });
        let manifests: serde_json::Map<String, Value> = lock
            .expected
            .manifests
            .iter()
            .map(|(platform, digest)| (platform.to_string(), json!(digest.to_string())))
            .collect();
        json!({
            "recipe": self.recipe,
            "lock": self.path,
            "changed": self.changed,
            "inputs": inputs.collect::<Vec<_>>(),
            "expected": { "image": lock.expected.image.map(|digest| digest.to_string()), "platforms": manifests },
        })
    }
}
