//! `rebake drill`.

use super::commit::At;
use super::pantry::shown;
use super::recipes::{self, Recipe, Unreadable};
use super::report::{Report, Source, safe_lines};
use super::world::{Shelf, Sources, World, store, temporary_folder};
use super::{Options, env::Env, print};
use rebake::drill::{Drill, Outcome, Row, Subject};
use rebake::pantry::{Packed, Pantry};
use rebake::preserve::restore;
use rebake::recipe::Diagnostic;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Recipes, or folders: every rebake.toml and rebake.json below them [default: this folder]
    #[arg(value_name = "RECIPE")]
    recipes: Vec<PathBuf>,
    /// Take inputs from this pantry, a folder or docker://HOST/NAME, and from nowhere else; may be given several times. One in
    /// a registry is fetched before the first recipe is baked
    #[arg(long, value_name = "PANTRY")]
    pantry: Vec<String>,
    /// Let the registry of a pantry be asked without TLS, or with a certificate that nobody vouches for
    #[arg(long)]
    insecure: bool,
    /// Take recipes, locks and files from this commit, straight out of git; RECIPE then names paths in it
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Take recipes, locks and files from the pantry too
    #[arg(long, requires = "pantry", conflicts_with_all = ["rev", "recipes"])]
    alone: bool,
}

/// One line of the table.
struct Line {
    recipe: String,
    /// What the mistakes point into.
    source: (String, String),
    row: Row,
}

pub fn run(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> ExitCode {
    drill(arguments, options, env, report).unwrap_or_else(|message| report.failure(&message))
}

fn drill(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> Result<ExitCode, String> {
    let world = World::new(&Sources::online(arguments.insecure), env, report)?;
    let interrupt = &*world.interrupt;
    let fetched = |name: &String| match Shelf::named(name)? {
        Shelf::Folder(_) => world.pantry(name),
        Shelf::Registry(name) => {
            let mut distant = world.distant(&name)?;
            distant.fetch(interrupt).and_then(|()| distant.open()).map_err(|error| error.to_string())
        }
    };
    let pantries: Vec<Pantry> = arguments.pantry.iter().map(fetched).collect::<Result<_, _>>()?;
    let store = store(env).ok();
    let notice = |text: &str| report.notice(text);
    let drill = Drill {
        pantries: &pantries,
        store: store.as_ref(),
        scratch: &env.scratch,
        interrupt,
        notice: &notice,
        batch: &options.batch(env),
    };
    let at = arguments.rev.as_deref().map(|rev| At::new(rev, None, env)).transpose()?;
    let subjects = subjects(arguments, at.as_ref(), &pantries, env)?;
    let mut lines = Vec::new();
    for subject in &subjects {
        let line = subject.drill(&drill)?;
        if matches!(line.row.outcome, Outcome::Interrupted) || interrupt.load(Ordering::Relaxed) {
            return Err("interrupted".to_owned());
        }
        if let Outcome::Missing(_, mistakes) | Outcome::Failed(mistakes) = &line.row.outcome {
            let (path, text) = &line.source;
            report.shown(&Source { path, text }, mistakes);
        }
        lines.push(line);
    }
    let same = lines.iter().all(|line| matches!(line.row.outcome, Outcome::Same));
    if report.json() {
        let lines: Vec<Value> = lines.iter().map(Line::json).collect();
        report.document(&json!({ "same": same, "commit": at.map(|at| at.commit.id), "recipes": lines }));
    } else {
        print(report, safe_lines(&table(&lines)).as_bytes());
    }
    Ok(ExitCode::from(u8::from(!same)))
}

/// Where a recipe and its files come from.
enum Origin<'a> {
    Disk(PathBuf),
    Commit(&'a At, PathBuf),
    Pantry(&'a Pantry, &'a Packed),
}

/// The recipes to drill, at least one.
fn subjects<'a>(
    arguments: &Arguments,
    at: Option<&'a At>,
    pantries: &'a [Pantry],
    env: &Env,
) -> Result<Vec<Origin<'a>>, String> {
    if let Some(at) = at {
        let recipes = at.recipes(&arguments.recipes)?;
        return Ok(recipes.into_iter().map(|path| Origin::Commit(at, path)).collect());
    }
    if !arguments.alone {
        return Ok(recipes::below(&arguments.recipes, env)?.into_iter().map(Origin::Disk).collect());
    }
    let packed = |pantry: &'a Pantry| pantry.catalog.recipes.values().map(move |p| Origin::Pantry(pantry, p));
    let all: Vec<Origin> = pantries.iter().flat_map(packed).collect();
    match all.is_empty() {
        true => Err(format!("there is no recipe in {}", arguments.pantry.join(", "))),
        false => Ok(all),
    }
}

impl Origin<'_> {
    /// Bakes one recipe; whatever is wrong with it is a line of the table.
    fn drill(&self, drill: &Drill) -> Result<Line, String> {
        let unread = |recipe: String, message: String| {
            let row = Row::unread(vec![Diagnostic::new(message)]);
            Ok(Line { source: (recipe.clone(), String::new()), recipe, row })
        };
        match self {
            Self::Disk(path) => Ok(on_disk(drill, path, path.display().to_string())),
            Self::Commit(at, path) => {
                let folder = temporary_folder(drill.scratch)?;
                let name = at.name(path);
                match at.check_out(path, folder.path(), drill.interrupt) {
                    Ok(left_out) => {
                        for missing in left_out {
                            let what =
                                "a submodule or a git-lfs pointer, and left out: the repository does not hold it";
                            (drill.notice)(&format!("{name}: `{missing}` is {what}"));
                        }
                        let file = folder.path().join(path.file_name().unwrap_or_default());
                        Ok(on_disk(drill, &file, name))
                    }
                    Err(message) => unread(name, message),
                }
            }
            Self::Pantry(pantry, packed) => {
                let folder = temporary_folder(drill.scratch)?;
                let name = format!("{} in {}", packed.name, pantry.name());
                match restore(pantry, packed, folder.path(), drill.scratch, drill.interrupt) {
                    Ok(_) => Ok(on_disk(drill, &folder.path().join(&packed.file), name)),
                    Err(error) => unread(name, shown(&error)),
                }
            }
        }
    }
}

/// Bakes a recipe on disk that the user knows as `name`.
fn on_disk(drill: &Drill, path: &Path, name: String) -> Line {
    match Recipe::load(path) {
        Ok(recipe) => {
            let (text, syntax, lock) = (&recipe.text, recipe.syntax, recipe.lock.as_ref());
            let row = drill.run(&Subject { text, syntax, lock, folder: recipe.folder() });
            Line { recipe: name.clone(), source: (name, recipe.text), row }
        }
        Err(Unreadable::File(message)) => {
            let row = Row::unread(vec![Diagnostic::new(message)]);
            Line { recipe: name.clone(), source: (name, String::new()), row }
        }
        Err(Unreadable::Text { path: wrong, text, mistake }) => {
            let shown = if wrong == path { name.clone() } else { lock_of(&name) };
            Line { recipe: name, source: (shown, text), row: Row::unread(vec![mistake]) }
        }
    }
}

/// What the user calls the lock of a recipe.
fn lock_of(name: &str) -> String {
    Path::new(name).with_extension("lock").display().to_string()
}

impl Line {
    fn word(&self) -> String {
        match &self.row.outcome {
            Outcome::Same => "same".to_owned(),
            Outcome::Differs => "differs".to_owned(),
            Outcome::Unrecorded => "unrecorded".to_owned(),
            Outcome::Missing(inputs, _) => format!("missing {}", inputs.join(" ")),
            Outcome::Failed(_) => "failed".to_owned(),
            Outcome::Interrupted => "interrupted".to_owned(),
        }
    }

    fn json(&self) -> Value {
        let Row { expected, rebuilt, outcome, time, copies } = &self.row;
        let (missing, mistakes): (&[String], &[Diagnostic]) = match outcome {
            Outcome::Missing(inputs, mistakes) => (inputs, mistakes),
            Outcome::Failed(mistakes) => (&[], mistakes),
            _ => (&[], &[]),
        };
        let word = self.word();
        json!({
            "recipe": self.recipe,
            "expected": expected,
            "rebuilt": rebuilt,
            "result": word.split(' ').next(),
            "missing": missing,
            "mistakes": mistakes.iter().map(|mistake| mistake.message.as_str()).collect::<Vec<_>>(),
            "seconds": (time.as_secs_f64() * 1000.0).round() / 1000.0,
            "copies": copies,
        })
    }
}

/// The table, its columns aligned.
fn table(lines: &[Line]) -> String {
    let head = ["recipe", "expected", "rebuilt", "result", "seconds", "copies"].map(str::to_owned);
    let mut rows = vec![head];
    for line in lines {
        let copies = line.row.copies.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>();
        rows.push([
            line.recipe.clone(),
            short(line.row.expected.as_deref()),
            short(line.row.rebuilt.as_deref()),
            line.word(),
            format!("{:.1}", line.row.time.as_secs_f64()),
            if copies.is_empty() { "-".to_owned() } else { copies.join(", ") },
        ]);
    }
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// A text with its digests as people compare them: by their first digits.
fn short(text: Option<&str>) -> String {
    let word = |word: &str| match word.strip_prefix("sha256:") {
        Some(hex) if hex.len() == 64 => format!("sha256:{}", hex.get(..12).unwrap_or(hex)),
        _ => word.to_owned(),
    };
    text.map_or_else(|| "-".to_owned(), |text| text.split(' ').map(word).collect::<Vec<_>>().join(" "))
}
