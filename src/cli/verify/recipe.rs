//! The recipe that an image is held against: the one that the user names, or the one that the image names.

use super::Arguments;
use crate::cli::commit::{At, repository, told};
use crate::cli::env::Env;
use crate::cli::recipes::{self, Recipe};
use crate::cli::report::Report;
use crate::cli::world::{World, temporary_folder};
use rebake::build::Stamping;
use rebake::git::{GitError, Repository};
use rebake::origin::{Claim, Found, Origin, OriginError, at};
use rebake::recipe::Stamp;
use rebake::transport::Image;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::TempDir;

/// A recipe, and what it is stamped with.
pub struct Subject {
    /// The recipe.
    pub recipe: Recipe,
    /// Where it was found, if it is not on disk: ` at 0123456789ab in DIR`.
    pub place: String,
    /// What the image alone says of its making.
    pub claims: Vec<Claim>,
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

    /// Whether a clone without all tags may give another image.
    pub fn asks_for_tags(&self) -> bool {
        self.stamp.as_ref().is_some_and(|stamp| stamp.describe.is_some())
    }

    fn on_disk(path: &Path, allow_dirty: bool, report: &Report) -> Result<Self, ExitCode> {
        Ok(Self {
            recipe: Recipe::read(path, report)?,
            place: String::new(),
            claims: Vec::new(),
            stamp: None,
            allow_dirty,
            _folder: None,
        })
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
        let origin = Origin::of(image);
        // A clone without a revision: that of the image.
        let of_image = || origin.as_ref().map(|origin| &origin.revision).filter(|_| arguments.source.is_some());
        return match arguments.rev.as_ref().or_else(of_image) {
            Some(rev) => at_revision(rev, recipe, origin.as_ref(), (arguments, env, world, report)),
            None if arguments.source.is_some() => {
                Err(fail("the image does not name its commit; name one with --rev".to_owned()))
            }
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

/// A recipe of a commit that the user names.
fn at_revision(
    rev: &str,
    path: &Path,
    origin: Option<&Origin>,
    (arguments, env, world, report): (&Arguments, &Env, &World, &Report),
) -> Result<Subject, ExitCode> {
    let fail = |message: String| report.failure(&message);
    // A path says which repository is meant, wherever the user stands.
    let of_path = path.is_absolute().then(|| path.ancestors().find(|folder| folder.is_dir())).flatten();
    let at = At::new(rev, arguments.source.as_deref().or(of_path), env).map_err(fail)?;
    let recipes = at.recipes(&[path.to_owned()]).map_err(fail)?;
    let [inside] = &recipes[..] else {
        return Err(fail(format!("{} has {} recipes in {}; name one", path.display(), recipes.len(), at.shown())));
    };
    let folder = temporary_folder(&env.scratch).map_err(fail)?;
    // A branch is asked for by its name; everything else is the commit.
    let origin = origin.filter(|origin| origin.revision == at.commit.id);
    let found = self::at(&at.repository, rev, inside, origin, folder.path(), &world.interrupt);
    let found = found.map_err(|error| fail(format!("--rev {rev}: {}", explained(&error))))?;
    let place = format!(" at {}", at.commit.id.get(..12).unwrap_or(&at.commit.id));
    taken(found, (at.name(inside), place), folder, report)
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
    let folder = temporary_folder(&env.scratch).map_err(fail)?;
    let said = format!("the image names the recipe `{}` of the commit {}", origin.path, origin.revision);
    let told_of = |error: &OriginError| fail(format!("{said}: {}", explained(error)));
    let clone = |repository: &Repository| origin.in_clone(repository, folder.path(), &world.interrupt);
    let short = origin.revision.get(..12).unwrap_or(&origin.revision);
    let name = |place: String| (origin.path.clone(), format!(" at {short} in {place}"));
    if let Some(source) = &arguments.source {
        let repository =
            repository(source).map_err(|error| fail(format!("--source {}: {}", source.display(), told(&error))))?;
        let found = clone(&repository).map_err(|error| told_of(&error))?;
        return taken(found, name(source.display().to_string()), folder, report);
    }
    if !world.pantries().is_empty() {
        let found = origin.in_pantries(world.pantries(), folder.path(), &env.scratch, &world.interrupt);
        match found {
            Ok(found) => return taken(found, name("the pantry".to_owned()), folder, report),
            Err(OriginError::NotInPantry { .. }) => {}
            Err(error) => return Err(told_of(&error)),
        }
    }
    // Whoever stands in a clone means that one.
    let here: Option<PathBuf> = env.cwd.as_ref().ok().cloned();
    if let Some(repository) = here.and_then(|here| repository(&here).ok()) {
        match clone(&repository) {
            Ok(found) => return taken(found, name("this repository".to_owned()), folder, report),
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
fn taken(found: Found, (name, place): (String, String), folder: TempDir, report: &Report) -> Result<Subject, ExitCode> {
    for missing in &found.left_out {
        let what = "a submodule or a git-lfs pointer, and left out: the repository does not hold it";
        report.notice(&format!("{name}: `{missing}` is {what}"));
    }
    if !found.is_named {
        report.notice(&format!("{name}: recipe or lock are not those whose digests the image carries"));
    }
    let mut recipe = Recipe::read(&found.file, report)?;
    for claim in &found.claims {
        report.notice(&match claim {
            Claim::Branch(branch) => {
                format!("that it was built on the branch `{branch}` is the image's own word: no commit says so")
            }
            Claim::Source(source, Some(own)) => {
                format!("that it comes from {source} is the image's own word: the remote of this clone is {own}")
            }
            Claim::Source(source, None) => {
                format!("that it comes from {source} is the image's own word: this clone has no remote")
            }
        });
    }
    recipe.name = name;
    Ok(Subject { recipe, place, claims: found.claims, stamp: found.stamp, allow_dirty: false, _folder: Some(folder) })
}

fn explained(error: &OriginError) -> String {
    match error {
        OriginError::Git(error) => told(error),
        OriginError::Branch => format!("{error}; name the RECIPE, and the branch with --rev"),
        error => error.to_string(),
    }
}
