//! The recipes of a commit, straight out of git: the work tree may be dirty, half deleted, or not there at all.

use crate::cli::env::Env;
use crate::cli::recipes::{is_recipe, is_source, once};
use rebake::git::{Commit, GitError, Repository};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A commit, and where in it the user stands.
pub struct At {
    /// Where it is.
    pub repository: Repository,
    /// The commit.
    pub commit: Commit,
    /// The revision, as the user calls it.
    rev: String,
    /// The folder the user stands in, below the repository's topmost.
    here: PathBuf,
}

impl At {
    /// The commit that a revision names, in the repository of a folder, or of the one that the user stands in.
    pub fn new(rev: &str, folder: Option<&Path>, env: &Env) -> Result<Self, String> {
        let cwd = env.cwd.as_ref().map_err(|error| format!("the folder you stand in cannot be found: {error}"))?;
        let cwd = folder.unwrap_or(cwd);
        let repository = repository(cwd).map_err(|error| format!("--rev {rev}: {}", told(&error)))?;
        let commit = repository.resolve(rev).map_err(|error| format!("--rev {rev}: {}", told(&error)))?;
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let here = repository.top().and_then(|top| Some(real(cwd).strip_prefix(real(top)).ok()?.to_owned()));
        Ok(Self { here: here.unwrap_or_default(), repository, commit, rev: rev.to_owned() })
    }

    /// The paths of recipes in the commit: those that are named, relative to where the user stands, and all below the folders
    /// that are named, or below this one.
    pub fn recipes(&self, named: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
        let files = self.repository.files(&self.commit.id).map_err(|error| told(&error))?;
        let mut found: Vec<PathBuf> = Vec::new();
        let here = [PathBuf::from(".")];
        for name in if named.is_empty() { &here[..] } else { named } {
            let path = self.inside(name)?;
            if files.contains(&path) {
                found.push(path);
                continue;
            }
            let below: Vec<&Path> = files.iter().filter_map(|file| file.strip_prefix(&path).ok()).collect();
            let (shown, commit) = (name.display(), self.shown());
            if below.is_empty() {
                return Err(format!("`{shown}` is not in {commit}"));
            }
            let recipe = |file: &Path| {
                let folders = file.parent().into_iter().flat_map(Path::iter);
                file.file_name().is_some_and(is_recipe) && folders.into_iter().all(is_source)
            };
            let before = found.len();
            found.extend(below.into_iter().filter(|file| recipe(file)).map(|file| path.join(file)));
            if found.len() == before {
                return Err(format!("there is no rebake.toml in `{shown}` or below it, in {commit}"));
            }
        }
        Ok(once(found))
    }

    /// A path that is relative to where the user stands, as a path of the commit.
    pub fn inside(&self, name: &Path) -> Result<PathBuf, String> {
        let outside = || format!("{} is outside the repository", name.display());
        let mut path = self.here.clone();
        let mut rest = name;
        if name.is_absolute() {
            path = PathBuf::new();
            let top = self.repository.top().ok_or_else(outside)?;
            rest = name.strip_prefix(top).map_err(|_| outside())?;
        }
        for part in rest.components() {
            match part {
                Component::Normal(part) => path.push(part),
                Component::ParentDir if !path.pop() => return Err(outside()),
                _ => {}
            }
        }
        Ok(path)
    }

    /// As the user would name a path of the commit.
    pub fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.here).unwrap_or(path).display().to_string()
    }

    /// What to call it.
    pub fn shown(&self) -> String {
        let short = self.commit.id.get(..12).unwrap_or(&self.commit.id);
        format!("the commit {short} ({})", self.rev)
    }

    /// Writes the folder of a recipe into an empty folder. Tells what git does not hold, and is left out.
    pub fn check_out(&self, recipe: &Path, folder: &Path, interrupt: &AtomicBool) -> Result<Vec<String>, String> {
        let parent = recipe.parent().map(Path::as_os_str).filter(|parent| !parent.is_empty());
        let parent = match parent.map(OsStr::to_str) {
            Some(None) => return Err("the name of its folder is not UTF-8".to_owned()),
            parent => parent.flatten(),
        };
        self.repository.check_out(&self.commit.id, parent, folder, interrupt).map_err(|error| told(&error))
    }
}

/// The repository of a folder, which may be a bare one.
pub fn repository(folder: &Path) -> Result<Repository, GitError> {
    match Repository::discover(folder) {
        Err(GitError::NoRepository { .. }) => Repository::open(folder),
        found => found,
    }
}

/// What git says, with what to do about it.
pub fn told(error: &GitError) -> String {
    match error.help() {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}
