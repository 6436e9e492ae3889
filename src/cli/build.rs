//! `rebake build`.

mod remote;
mod told;

use super::copy::destination;
use super::recipes::{self, Recipe};
use super::report::Report;
use super::world::{Sources, World};
use super::{Options, env::Env, print, world};
use rebake::build::{Built, Failure, Goal, Order, Stamping, build, inputs};
use rebake::image::Batch;
use rebake::lock::PinnedInput;
use rebake::recipe::{Diagnostic, parse};
use rebake::source::Inputs;
use rebake::supply::{Shared, Supply};
use rebake::together::side_by_side;
use remote::Remote;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use told::{as_json, detail, references};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A rebake.toml or rebake.json, or a folder that has one [default: this folder, then its parents]
    #[arg(value_name = "RECIPE")]
    recipes: Vec<PathBuf>,
    /// oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], docker://HOST/NAME[:TAG] or a folder
    /// [default: rebake-out/NAME]
    #[arg(short, long, value_name = "DEST")]
    output: Option<String>,
    /// Fail if an input is not in the lock, or if the image is not the one that the lock expects
    #[arg(long)]
    locked: bool,
    /// Bake a stamped recipe although its folder differs from the commit; version and tags then end in -dirty
    #[arg(long)]
    allow_dirty: bool,
    /// Make everything again, also what an earlier build to the same place made
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    sources: Sources,
}

pub fn run(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> ExitCode {
    let prepared = (|| {
        let destination =
            arguments.output.as_deref().map(destination).transpose().map_err(|error| format!("-o {error}"))?;
        if destination.is_some() && arguments.recipes.len() > 1 {
            return Err(
                "-o is the place of one image: with several recipes leave it out, or build them one by one".to_owned()
            );
        }
        let paths = recipes::find(&arguments.recipes, env)?;
        let world = World::new(&arguments.sources, env, report)?;
        let trusting = !arguments.no_cache && !arguments.locked;
        let world = if trusting { world.trusting(env) } else { world };
        let there = destination.as_ref().map(|there| Remote::begin(there, &world, env)).transpose()?.flatten();
        Ok((destination, there, paths, world))
    })();
    let (destination, there, paths, world) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return report.failure(&message),
    };
    // All recipes are read before the first image is written: a mistake in the last one leaves nothing half done.
    let recipes = match read_all(&paths, arguments.locked, report) {
        Ok(recipes) => recipes,
        Err(status) => return status,
    };

    let jobs = options.jobs(env);
    let at_hand = match inputs_of_all(&recipes, jobs, &world, report) {
        Ok(at_hand) => at_hand,
        Err(status) => return status,
    };
    let rebuild = if arguments.no_cache { None } else { world::rebuild(env) };
    let at_once = jobs.clamp(1, recipes.len().max(1));
    let batch = Batch::new(jobs, recipes.len());
    let bake = |n: usize, recipe: &Recipe| {
        let stamping = Stamping::Ask { file: &recipe.path, allow_dirty: arguments.allow_dirty };
        let order = world.order(recipe, &batch, stamping);
        let near = there.as_ref().map(|there| &there.near).or(destination.as_ref());
        // What is on its way to a registry stands nowhere for the next build.
        let rebuild = rebuild.as_ref().filter(|_| there.is_none());
        // Gone with the image, and what was opened of them with the last image that needs it.
        let inputs = at_hand.get(n).and_then(|place| place.lock().unwrap_or_else(PoisonError::into_inner).take());
        let (output, locked, inputs) = (Path::new("rebake-out"), arguments.locked, inputs.as_ref());
        let goal = Goal { destination: near, output, locked, rebuild, inputs };
        build(&order, &goal)
    };
    let mut built: Vec<Built> = Vec::new();
    let mut failure = None;
    for (recipe, baked) in recipes.iter().zip(side_by_side(&recipes, at_once, bake)) {
        match baked {
            Some(Ok(mut image)) => {
                if let Some(there) = &there
                    && let Err(message) = there.push(&mut image, &world, report)
                {
                    return report.failure(&message);
                }
                detail(report, &image);
                built.push(image);
            }
            Some(Err(why)) => failure = failure.or(Some((why, recipe))),
            // Another one failed before it was begun.
            None => {}
        }
    }
    if let Some((failure, recipe)) = failure {
        // What was built is there, and is said.
        if !report.json() {
            print(report, references(&built).as_bytes());
        }
        return recipe.failed(report, failure);
    }
    if let Some(rebuild) = &rebuild {
        rebuild.forget_unused();
    }
    let result = if report.json() {
        format!("{:#}\n", json!({ "images": built.iter().map(as_json).collect::<Vec<_>>() }))
    } else {
        references(&built)
    };
    print(report, result.as_bytes())
}

/// Gets the inputs of several recipes, each once however many of them name it. All of them are at hand before the first image
/// is written: one that is not to be had leaves nothing half done, and is told for every recipe that needs it. One recipe
/// gets its own while it is built.
fn inputs_of_all(
    recipes: &[Recipe],
    jobs: usize,
    world: &World,
    report: &Report,
) -> Result<Vec<Mutex<Option<Inputs>>>, ExitCode> {
    let [_, _, ..] = recipes else { return Ok(Vec::new()) };
    let shared = Shared::default();
    let found = side_by_side(recipes, jobs, |_, recipe| {
        // Inputs are the same at every commit.
        let batch = Batch::new(1, 1);
        let order = world.order(recipe, &batch, Stamping::Any);
        let supply = Supply { shared: Some(&shared), ..order.supply };
        Ok::<_, Infallible>(inputs(&Order { supply, ..order }))
    });
    let mut at_hand = Vec::new();
    let mut wrong = Vec::new();
    for (recipe, found) in recipes.iter().zip(found.into_iter().flatten()) {
        match found.unwrap_or_else(|never| match never {}).map_err(Failure::mistakes) {
            Ok(inputs) => at_hand.push(Mutex::new(Some(inputs))),
            Err(Ok(mistakes)) => wrong.push((recipe, mistakes)),
            // It is nobody's mistake, and the same for all.
            Err(Err(failure)) => return Err(recipe.failed(report, failure)),
        }
    }
    let wrong: Vec<(&Recipe, &[Diagnostic])> = wrong.iter().map(|(recipe, mistakes)| (*recipe, &**mistakes)).collect();
    if wrong.is_empty() { Ok(at_hand) } else { Err(recipes::all_mistakes(&wrong, report)) }
}

/// Reads all recipes and pins them.
fn read_all(paths: &[PathBuf], locked: bool, report: &Report) -> Result<Vec<Recipe>, ExitCode> {
    let mut recipes: Vec<Recipe> = Vec::new();
    let mut places: BTreeMap<String, &Path> = BTreeMap::new();
    let mut bases = Vec::new();
    let mut wrong: Vec<(Recipe, Vec<Diagnostic>)> = Vec::new();
    for path in paths {
        let recipe = Recipe::read(path, report)?;
        let parsed = parse(&recipe.text, recipe.syntax);
        let has_inputs = parsed.as_ref().is_ok_and(|parsed| !parsed.inputs.is_empty());
        let pinned = parsed.and_then(|parsed| parsed.pin(recipe.lock.as_ref()));
        let pinned = match pinned {
            Ok(pinned) => pinned,
            Err(mistakes) => {
                wrong.push((recipe, mistakes));
                continue;
            }
        };
        if locked && has_inputs && recipe.lock.is_none() {
            let lock = recipe.lock_path();
            return Err(report.failure(&format!("--locked, and there is no {}; run `rebake lock`", lock.display())));
        }
        if locked && recipe.lock.as_ref().is_some_and(|lock| lock.expected.is_empty()) {
            let lock = recipe.lock_path();
            report.notice(&format!(
                "--locked, and {} does not say which image to expect: `rebake lock --record` notes it",
                lock.display()
            ));
        }
        let name = pinned.image.name.value.rsplit('/').next().unwrap_or_default().to_owned();
        if let Some(other) = places.insert(name.clone(), path) {
            if other == path {
                return Err(report.failure(&format!("{} is named twice", path.display())));
            }
            let (one, other) = (other.display(), path.display());
            let message = format!("{one} and {other} both write rebake-out/{name}");
            return Err(report.failure(&format!("{message}; build them one by one, each with -o")));
        }
        for input in pinned.phase.inputs.values() {
            if let PinnedInput::OnDisk(image) = input
                && let Some(image) = image.path()
            {
                bases.push((path.as_path(), real(&recipe.folder().join(image))));
            }
        }
        recipes.push(recipe);
    }
    if !wrong.is_empty() {
        let wrong = wrong.iter().map(|(recipe, mistakes)| (recipe, &**mistakes)).collect::<Vec<_>>();
        return Err(recipes::all_mistakes(&wrong, report));
    }
    // Which of both is done first would decide the bytes.
    for (name, maker) in &places {
        let place = real(&Path::new("rebake-out").join(name));
        if let Some((user, _)) = bases.iter().find(|(user, base)| *base == place && user != maker) {
            let (user, maker) = (user.display(), maker.display());
            let message = format!(
                "{user} takes from rebake-out/{name}, which {maker} writes, and is not pinned to what is there"
            );
            return Err(report.failure(&format!("{message}; build {maker} first, by itself")));
        }
    }
    Ok(recipes)
}

/// A path by which two ways to one place are told to be the same.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = absolute.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let joined = there.and_then(|(above, real)| Some(real.join(absolute.strip_prefix(above).ok()?)));
    // Without the slash that joining nothing leaves.
    joined.unwrap_or(absolute).components().collect()
}
