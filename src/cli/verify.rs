//! `rebake verify`.

mod recipe;
mod told;

use super::images;
use super::inspect::told;
use super::report::Report;
use super::world::{Sources, World};
use super::{Options, env::Env, print, written};
use rebake::build::{Stamping, difference, measure, record};
use rebake::diff::Rung;
use rebake::transport::Source;
use rebake::verify::{VerifyError, verify};
use recipe::{find, is_recipe};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use told::Told;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The published image: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG][@DIGEST]
    /// [default: what the lock expects]
    image: Option<String>,
    /// A rebake.toml or rebake.json, or a folder that has one [default: the one that the image names as its origin; else that of
    /// this folder, or one above it]
    recipe: Option<PathBuf>,
    /// The rung that is good enough: identical, same-config-and-layers, recompressed or same-tree
    #[arg(long, value_name = "RUNG", default_value_t = Rung::Identical, value_parser = enough)]
    at_least: Rung,
    /// A clone of the repository that the image comes from: its recipe is read there at the image's commit, or at that of --rev
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Take the recipe and its files from this commit, straight out of git; RECIPE is then a path in it
    #[arg(long, value_name = "REV", requires = "recipe")]
    rev: Option<String>,
    /// Bake a stamped recipe although its folder differs from the commit; version and tags then end in -dirty
    #[arg(long)]
    allow_dirty: bool,
    #[command(flatten)]
    sources: Sources,
}

/// A rung that says something.
fn enough(text: &str) -> Result<Rung, String> {
    match text.parse() {
        Ok(Rung::Different) => Err("every image is at least different".to_owned()),
        rung => rung.map_err(|error: rebake::diff::UnknownRung| error.to_string()),
    }
}

pub fn run(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> ExitCode {
    let world = match World::new(&arguments.sources, env, report) {
        Ok(world) => world,
        Err(message) => return report.failure(&message),
    };
    let subject = match &arguments.image {
        Some(image) if arguments.recipe.is_some() || !is_recipe(image) => None,
        // The only argument is a recipe.
        image => Some(image.as_ref().map(PathBuf::from)),
    };
    let done = match subject {
        Some(recipe) => against_lock(recipe, arguments, options, env, &world, report),
        None => against_image(arguments, options, env, &world, report),
    };
    done.unwrap_or_else(|status| status)
}

/// The rebuilt image, and the published one.
fn against_image(
    arguments: &Arguments,
    options: &Options,
    env: &Env,
    world: &World,
    report: &Report,
) -> Result<ExitCode, ExitCode> {
    let fail = |message: String| report.failure(&message);
    let name = images::image(arguments.image.as_deref().unwrap_or_default()).map_err(fail)?;
    let source = Source::open(&name, &world.access()).map_err(|error| fail(told(&error)))?;
    let image = source.image().map_err(|error| fail(told(&error)))?;
    let subject = find(arguments, &image, env, world, report)?;
    let batch = options.batch(env);
    let order = world.order(&subject.recipe, &batch, subject.stamping());
    let verdict = verify(&order, &source, &image).map_err(|error| match error {
        VerifyError::Build(failure) => subject.recipe.failed(report, failure),
        VerifyError::Diff(error) => fail(error.to_string()),
    })?;
    let rung = verdict.differences.rung();
    if rung < Rung::Identical && subject.asks_for_tags() {
        report.notice(
            "the recipe uses {git.describe}, which depends on the tags of the clone; `git fetch --tags` may be wanted",
        );
    }
    let name = name.to_string();
    let told = Told {
        verdict: &verdict,
        recipe: &subject.recipe,
        place: &subject.place,
        claims: &subject.claims,
        image: &name,
    };
    if report.json() {
        report.document(&told.json());
    } else {
        written(print(report, told.text().as_bytes()))?;
    }
    Ok(ExitCode::from(u8::from(rung < arguments.at_least)))
}

/// The rebuilt image, and what the lock expects.
fn against_lock(
    path: Option<PathBuf>,
    arguments: &Arguments,
    options: &Options,
    env: &Env,
    world: &World,
    report: &Report,
) -> Result<ExitCode, ExitCode> {
    let named: Vec<PathBuf> = path.into_iter().collect();
    let paths = super::recipes::find(&named, env).map_err(|message| report.failure(&message))?;
    let path = paths.first().ok_or_else(|| report.failure("no recipe is named"))?;
    let recipe = super::recipes::Recipe::read(path, report)?;
    let lock = recipe.lock.as_ref().filter(|lock| !lock.expected.is_empty()).ok_or_else(|| {
        let lock = recipe.lock_path();
        report.failure(&format!(
            "no IMAGE is named, and {} does not say which one to expect; `rebake lock --record` notes it",
            lock.display()
        ))
    })?;
    // What a lock expects depends neither on the environment nor on the commit.
    let batch = options.batch(env);
    let order = world.order(&recipe, &batch, Stamping::Any);
    let order = rebake::build::Order { source_date_epoch: None, ..order };
    let image = measure(&order).map_err(|failure| recipe.failed(report, failure))?;
    let stamped = lock.expected.unstamped.is_some();
    let differs = difference(&lock.expected, &record(&image, stamped));
    let rung = if differs.is_none() { Rung::Identical } else { Rung::Different };
    let digest = image.descriptor.digest.to_string();
    let (expected, found) = differs.unwrap_or_else(|| (digest.clone(), digest));
    let lock = recipe.lock_path().display().to_string();
    if report.json() {
        report.document(&json!({
            "recipe": recipe.name, "lock": lock, "expected": expected, "rebuilt": found,
            "rung": rung.to_string(), "same": rung == Rung::Identical,
        }));
    } else if rung == Rung::Identical {
        written(print(report, format!("identical: {} gives {found}, as {lock} expects\n", recipe.name).as_bytes()))?;
    } else {
        let text = format!("different: {} gives {found}, and {lock} expects {expected}\n", recipe.name);
        written(print(report, text.as_bytes()))?;
    }
    Ok(ExitCode::from(u8::from(rung < arguments.at_least)))
}
