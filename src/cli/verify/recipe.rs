//! The recipe that an image is held against: the one that the user names, or the one that the image names.

use super::Arguments;
use crate::cli::commit::{At, repository, told};
use crate::cli::env::Env;
use crate::cli::recipes::{self, Recipe};
use crate::cli::report::Report;
use crate::cli::world::World;
use rebake::build::Stamping;
use rebake::git::{GitError, Repository};
use rebake::origin::{Found, Origin, OriginError, at};
use rebake::recipe::Stamp;
use rebake::transport::Image;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::TempDir;

/// A recipe, and what it is stamped with.
pub struct Subject {
    /// The recipe.
    pub recipe: Recipe,
    stamp: Option<Stamp>,
    allow_dirty: bool,
    /// Where it lies while it is needed, if it came out of git or a pantry.
    _folder: Option<TempDir>,
}

impl Subject {
    /// Where its commit is known from.
    pub fn stamping(&self) -> Stamping<'_> {
        match &self.stamp {
            Some(stamp) => Stamping::Known(stamp),
            None => Stamping::Ask { file: &self.recipe.path, allow_dirty: self.allow_dirty },
        }
    }

    fn on_disk(path: &Path, allow_dirty: bool, report: &Report) -> Result<Self, ExitCode> {
        Ok(Self { recipe: Recipe::read(path, report)?, stamp: None, allow_dirty, _folder: None })
    }
}

/// Whether the only argument of the command is a recipe, and no image.
pub fn is_recipe(text: &str) -> bool {
    let path = Path::new(text);
    let file = |name: &str| path.join(name).is_file();
    match path.is_dir() {
        true => !file("oci-layout") && (file("rebake.toml") || file("rebake.json")),
        false => path.is_file() && path.extension().is_some_and(|end| end == "toml" || end == "json"),
    }
}

/// The recipe for an image, or the exit status once it is said why there is none.
pub fn find(
    arguments: &Arguments,
    image: &Image,
    env: &Env,
    world: &World,
    report: &Report,
) -> Result<Subject, ExitCode> {
    let fail = |message: String| report.failure(&message);
    if let Some(recipe) = &arguments.recipe {
        return match &arguments.rev {
            Some(rev) => at_revision(rev, recipe, arguments, env, world, report),
            None => {
                let found = recipes::find(std::slice::from_ref(recipe), env).map_err(fail)?;
                let path = found.into_iter().next().ok_or_else(|| fail("no recipe is named".to_owned()))?;
                Subject::on_disk(&path, arguments.allow_dirty, report)
            }
        };
    }
    match Origin::of(image) {
        Some(origin) => by_origin(&origin, arguments, env, world, report),
        None if arguments.source.is_some() => Err(fail(
            "the image does not name its origin (`origin = true` in a recipe makes it do so); name the RECIPE, and --rev".to_owned(),
        )),
        None => {
            let found = recipes::find(&[], env).map_err(|message| {
                fail(format!("the image does not name its origin, and no RECIPE is given: {message}"))
            })?;
            let path = found.into_iter().next().ok_or_else(|| fail("no recipe is named".to_owned()))?;
            report.notice(&format!("the image does not name its origin; it is held against {}", path.display()));
            Subject::on_disk(&path, arguments.allow_dirty, report)
        }
    }
}

fn folder(env: &Env) -> Result<TempDir, String> {
    let folder = tempfile::Builder::new().prefix("rebake-").tempdir_in(&env.scratch);
    folder.map_err(|error| format!("cannot make a folder in {}: {error}", env.scratch.display()))
}

/// A recipe of a commit that the user names.
fn at_revision(
    rev: &str,
    path: &Path,
    arguments: &Arguments,
    env: &Env,
    world: &World,
    report: &Report,
) -> Result<Subject, ExitCode> {
    let fail = |message: String| report.failure(&message);
    let at = At::new(rev, arguments.source.as_deref(), env).map_err(fail)?;
    let recipes = at.recipes(&[path.to_owned()]).map_err(fail)?;
    let [inside] = &recipes[..] else {
        return Err(fail(format!("{} has {} recipes in {}; name one", path.display(), recipes.len(), at.shown())));
    };
    let folder = folder(env).map_err(fail)?;
    // A branch is asked for by its name; everything else is the commit.
    let found = self::at(&at.repository, rev, inside, None, folder.path(), &world.interrupt);
    let found = found.map_err(|error| fail(format!("--rev {rev}: {}", explained(&error))))?;
    let name = format!("{} at {}", at.name(inside), at.commit.id.get(..12).unwrap_or(&at.commit.id));
    taken(found, name, Some(folder), report)
}

/// The recipe that the image names.
fn by_origin(
    origin: &Origin,
    arguments: &Arguments,
    env: &Env,
    world: &World,
    report: &Report,
) -> Result<Subject, ExitCode> {
    let fail = |message: String| report.failure(&message);
    let folder = folder(env).map_err(fail)?;
    let said = format!("the image names the recipe `{}` of the commit {}", origin.path, origin.revision);
    let told_of = |error: &OriginError| fail(format!("{said}: {}", explained(error)));
    let clone = |repository: &Repository| origin.in_clone(repository, folder.path(), &world.interrupt);
    let short = origin.revision.get(..12).unwrap_or(&origin.revision);
    let name = |place: String| format!("{} at {short} in {place}", origin.path);
    if let Some(source) = &arguments.source {
        let repository =
            repository(source).map_err(|error| fail(format!("--source {}: {}", source.display(), told(&error))))?;
        let found = clone(&repository).map_err(|error| told_of(&error))?;
        return taken(found, name(source.display().to_string()), Some(folder), report);
    }
    if !world.pantries().is_empty() {
        let found = origin.in_pantries(world.pantries(), folder.path(), &env.scratch, &world.interrupt);
        match found {
            Ok(found) => return taken(found, name("the pantry".to_owned()), Some(folder), report),
            Err(OriginError::NotInPantry { .. }) => {}
            Err(error) => return Err(told_of(&error)),
        }
    }
    // Whoever stands in a clone means that one.
    let here: Option<PathBuf> = env.cwd.as_ref().ok().cloned();
    if let Some(repository) = here.and_then(|here| repository(&here).ok()) {
        match clone(&repository) {
            Ok(found) => return taken(found, name("this repository".to_owned()), Some(folder), report),
            Err(OriginError::NoCommit { .. } | OriginError::Git(GitError::UnknownRevision { .. })) => {}
            Err(error) => return Err(told_of(&error)),
        }
    }
    let from = origin.source.as_ref().map(|source| format!(" of {source}")).unwrap_or_default();
    Err(fail(format!(
        "the image names the recipe `{}` of the commit {}{from}, and it is not at hand; name a clone that has it with \
         --source DIR, a pantry with --pantry, or a RECIPE",
        origin.path, origin.revision
    )))
}

/// A recipe that was found, as the user may know it.
fn taken(found: Found, name: String, folder: Option<TempDir>, report: &Report) -> Result<Subject, ExitCode> {
    for missing in &found.left_out {
        let what = "a submodule or a git-lfs pointer, and left out: the repository does not hold it";
        report.notice(&format!("{name}: `{missing}` is {what}"));
    }
    if !found.is_named {
        report.notice(&format!("{name}: recipe or lock are not those whose digests the image carries"));
    }
    let mut recipe = Recipe::read(&found.file, report)?;
    report.detail(&format!("the recipe is {name}"));
    recipe.name = name;
    Ok(Subject { recipe, stamp: found.stamp, allow_dirty: false, _folder: folder })
}

fn explained(error: &OriginError) -> String {
    match error {
        OriginError::Git(error) => told(error),
        OriginError::Branch => format!("{error}; name the RECIPE, and the branch with --rev"),
        error => error.to_string(),
    }
}
