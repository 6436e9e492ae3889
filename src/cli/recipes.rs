//! The recipes that a command is about: found, read, each with its lock.

use super::env::Env;
use super::report::{Report, Source, line_and_column};
use rebake::build::Failure;
use rebake::lock::Lock;
use rebake::recipe::{Diagnostic, Span, Syntax};
use rebake::source::disk::OUTPUT;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A recipe's text and its lock's.
#[derive(Debug)]
pub struct Recipe {
    /// Its file.
    pub path: PathBuf,
    /// As the user would name it.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its notation.
    pub syntax: Syntax,
    /// The lock beside it, if there is one.
    pub lock: Option<Lock>,
    /// The text of that lock; empty if there is none.
    pub lock_text: String,
}

/// Why a recipe or its lock cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    /// There is no text to point into.
    File(String),
    /// The text is wrong.
    Text {
        /// Its file.
        path: PathBuf,
        /// The text.
        text: String,
        /// What is wrong with it.
        mistake: Diagnostic,
    },
}

impl Recipe {
    /// Reads a recipe and its lock; or gives the exit status, once it is said why not.
    pub fn read(path: &Path, report: &Report) -> Result<Self, ExitCode> {
        Self::load(path).map_err(|why| match why {
            Unreadable::File(message) => report.failure(&message),
            Unreadable::Text { path, text, mistake } => {
                report.mistakes(&Source { path: &path.display().to_string(), text: &text }, &[mistake])
            }
        })
    }

    /// Reads a recipe and its lock.
    pub fn load(path: &Path) -> Result<Self, Unreadable> {
        let text = text(path, "the recipe")?;
        let text =
            text.ok_or_else(|| Unreadable::File(format!("cannot read {}: there is no such file", path.display())))?;
        let syntax = if path.extension().is_some_and(|end| end == "json") { Syntax::Json } else { Syntax::Toml };
        let name = path.display().to_string();
        let mut recipe = Self { path: path.to_owned(), name, text, syntax, lock: None, lock_text: String::new() };
        let lock_path = recipe.lock_path();
        if let Some(text) = self::text(&lock_path, "the lock")? {
            match Lock::parse(&text) {
                Ok(parsed) => (recipe.lock, recipe.lock_text) = (Some(parsed), text),
                Err(mistake) => return Err(Unreadable::Text { path: lock_path, text, mistake }),
            }
        }
        Ok(recipe)
    }

    /// The recipe's folder.
    pub fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// `rebake.lock` beside a `rebake.toml`; for a recipe of another name a lock of that name.
    pub fn lock_path(&self) -> PathBuf {
        self.path.with_extension("lock")
    }

    /// Line and column of a place in its text, counted from 1.
    pub fn place(&self, span: Span) -> (usize, usize) {
        line_and_column(&self.text, span.start)
    }

    /// Shows mistakes of its text.
    pub fn mistakes(&self, report: &Report, mistakes: &[Diagnostic]) -> ExitCode {
        report.mistakes(&self.source(), mistakes)
    }

    fn source(&self) -> Source<'_> {
        Source { path: &self.name, text: &self.text }
    }

    /// Says why an image could not be baked.
    pub fn failed(&self, report: &Report, failure: Failure) -> ExitCode {
        match failure.mistakes() {
            Ok(mistakes) => self.mistakes(report, &mistakes),
            Err(Failure::Interrupted) => report.failure("interrupted; what stood at the destination still does"),
            Err(Failure::Differs { expected, found }) => {
                let lock = self.lock_path();
                report.failure(&format!(
                    "the image is {found}, and {} expects {expected}; nothing was written",
                    lock.display()
                ));
                ExitCode::from(1)
            }
            Err(failure) => report.failure(&failure.to_string()),
        }
    }
}

/// Shows the mistakes of several recipes.
pub fn all_mistakes(wrong: &[(&Recipe, &[Diagnostic])], report: &Report) -> ExitCode {
    let wrong = wrong.iter().map(|(recipe, mistakes)| (recipe.source(), *mistakes));
    report.all_mistakes(&wrong.collect::<Vec<_>>())
}

/// The recipes' files.
pub fn find(named: &[PathBuf], env: &Env) -> Result<Vec<PathBuf>, String> {
    if named.is_empty() {
        let cwd = env.cwd.as_ref().map_err(|error| format!("the folder you stand in cannot be found: {error}"))?;
        let found = cwd.ancestors().enumerate().find_map(|(up, folder)| {
            // Shown as the user would type it.
            let shown: PathBuf = std::iter::repeat_n("..", up).collect();
            inside(folder, &shown).transpose()
        });
        return match found {
            Some(recipe) => Ok(vec![recipe?]),
            None => Err(format!(
                "there is no rebake.toml in {} or a folder above it; `rebake init` writes one",
                cwd.display()
            )),
        };
    }
    find_named(named)
}

/// The files of recipes that are named by themselves or by their folders.
pub fn find_named(named: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let find = |path: &PathBuf| match path.is_dir() {
        true => inside(path, path)?.ok_or_else(|| format!("there is no rebake.toml in {}", path.display())),
        false => Ok(path.clone()),
    };
    named.iter().map(find).collect()
}

/// The recipe in a folder that is known to the user as `shown`.
fn inside(folder: &Path, shown: &Path) -> Result<Option<PathBuf>, String> {
    let there: Vec<&str> =
        ["rebake.toml", "rebake.json"].into_iter().filter(|name| folder.join(name).is_file()).collect();
    match there[..] {
        [] => Ok(None),
        [name] => Ok(Some(shown.join(name))),
        _ => Err(format!("{} has a rebake.toml and a rebake.json; name the one you mean", folder.display())),
    }
}

/// Nobody writes a longer recipe or lock, in bytes.
const LONGEST: u64 = 16 << 20;

/// The text of a file, `None` if there is none. Line ends are `\n`, as they are in source control: a checkout with others is
/// the same recipe.
fn text(path: &Path, what: &str) -> Result<Option<String>, Unreadable> {
    let mut bytes = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Unreadable::File(format!("cannot read {}: {error}", path.display()))),
        Ok(_) if bytes.len() as u64 > LONGEST => {
            return Err(Unreadable::File(format!("{} has more than 16 MiB: {what} is not that long", path.display())));
        }
        Ok(_) => {}
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let start = error.utf8_error().valid_up_to();
        // What stands before that place is the same in both texts.
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let place = Span { start, end: start + char::REPLACEMENT_CHARACTER.len_utf8() };
        let mistake = Diagnostic::at(place, format!("{what} is not UTF-8")).help("save it as UTF-8 text");
        Unreadable::Text { path: path.to_owned(), text, mistake }
    })?;
    Ok(Some(text.replace("\r\n", "\n")))
}

/// Every recipe below some folders, or below this one; a recipe that is named itself is that one.
pub fn below(named: &[PathBuf], env: &Env) -> Result<Vec<PathBuf>, String> {
    if named.is_empty() {
        env.cwd.as_ref().map_err(|error| format!("the folder you stand in cannot be found: {error}"))?;
    }
    let here = [PathBuf::from(".")];
    let mut found: Vec<PathBuf> = Vec::new();
    for path in if named.is_empty() { &here[..] } else { named } {
        let before = found.len();
        match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("there is no {}", path.display()));
            }
            Ok(metadata) if metadata.is_dir() => {}
            _ => {
                found.push(path.clone());
                continue;
            }
        }
        let source = |entry: &walkdir::DirEntry| entry.depth() == 0 || is_source(entry.file_name());
        let walk = walkdir::WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(source);
        for entry in walk {
            let entry = entry.map_err(|error| {
                let path = error.path().unwrap_or(path).display().to_string();
                format!("cannot read {path}: {}", error.into_io_error().unwrap_or_else(|| io::Error::other("a loop")))
            })?;
            if is_recipe(entry.file_name()) && entry.file_type().is_file() {
                found.push(entry.path().strip_prefix("./").unwrap_or(entry.path()).to_owned());
            }
        }
        if found.len() == before {
            return Err(format!("there is no rebake.toml in {} or below it", path.display()));
        }
    }
    Ok(once(found))
}

/// Whether recipes are looked for in a folder of this name: neither what is hidden nor what rebake writes is source.
pub fn is_source(name: &OsStr) -> bool {
    !name.as_encoded_bytes().starts_with(b".") && name != OUTPUT
}

/// Whether a file of this name is a recipe.
pub fn is_recipe(name: &OsStr) -> bool {
    name == "rebake.toml" || name == "rebake.json"
}

/// The same without those that are named again.
pub fn once(found: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    found.into_iter().filter(|path| seen.insert(path.clone())).collect()
}
