//! `rebake drill`.

use super::recipes::{self, Recipe};
use super::report::{Report, Source};
use super::world::{heed_signals, pantry, store};
use super::{Options, env::Env, print};
use rebake::drill::{Drill, Outcome, Row, Subject};
use rebake::pantry::Pantry;
use rebake::preserve::restore;
use rebake::recipe::Diagnostic;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Recipes, or folders: every rebake.toml and rebake.json below them [default: this folder]
    #[arg(value_name = "RECIPE")]
    recipes: Vec<PathBuf>,
    /// Take inputs from this pantry, and from nowhere else; may be given several times
    #[arg(long, value_name = "DIR")]
    pantry: Vec<String>,
    /// Take recipes and files from this commit, straight out of git
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Take recipes and files from the pantry too
    #[arg(long, requires = "pantry", conflicts_with_all = ["rev", "recipes"])]
    alone: bool,
}

/// One line of the table.
struct Line {
    recipe: String,
    text: String,
    row: Row,
}

pub fn run(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> ExitCode {
    drill(arguments, options, env, report).unwrap_or_else(|status| status)
}

fn drill(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> Result<ExitCode, ExitCode> {
    let say = |message: String| report.failure(&message);
    let interrupt = heed_signals().map_err(|error| say(format!("cannot wait for signals: {error}")))?;
    let pantries: Vec<Pantry> =
        arguments.pantry.iter().map(|name| pantry(name)).collect::<Result<_, _>>().map_err(say)?;
    let store = store(env).map_err(say)?;
    let notice = |text: &str| report.notice(text);
    let drill = Drill {
        pantries: &pantries,
        store: &store,
        scratch: &env.scratch,
        interrupt: &interrupt,
        notice: &notice,
        source_date_epoch: super::world::source_date_epoch(env).map_err(say)?,
        jobs: options.jobs(env),
    };
    let mut lines = Vec::new();
    if arguments.alone {
        for packed in pantries.iter().flat_map(|pantry| pantry.catalog.recipes.values().map(move |p| (pantry, p))) {
            lines.push(alone(&drill, packed, report)?);
        }
    } else {
        for path in recipes::below(&arguments.recipes, env).map_err(say)? {
            let recipe = Recipe::read(&path, report)?;
            let subject = Subject {
                text: &recipe.text,
                syntax: recipe.syntax,
                lock: recipe.lock.as_ref(),
                folder: recipe.folder(),
            };
            let row = drill.run(&subject);
            lines.push(Line { recipe: path.display().to_string(), text: recipe.text.clone(), row });
        }
    }
    if lines.iter().any(|line| matches!(line.row.outcome, Outcome::Interrupted)) {
        return Err(say("interrupted".to_owned()));
    }
    let same = lines.iter().all(|line| matches!(line.row.outcome, Outcome::Same));
    for line in &lines {
        if let Outcome::Missing(_, mistakes) | Outcome::Failed(mistakes) = &line.row.outcome {
            report.shown(&Source { path: &line.recipe, text: &line.text }, mistakes);
        }
    }
    if report.json() {
        let lines: Vec<Value> = lines.iter().map(Line::json).collect();
        report.document(&json!({ "same": same, "recipes": lines }));
    } else {
        print(report, table(&lines).as_bytes());
    }
    Ok(ExitCode::from(u8::from(!same)))
}

/// A recipe of a pantry, with its files from there too.
fn alone(
    drill: &Drill,
    (pantry, packed): (&Pantry, &rebake::pantry::Packed),
    report: &Report,
) -> Result<Line, ExitCode> {
    let folder = tempfile::tempdir_in(drill.scratch).map_err(|error| report.failure(&error.to_string()))?;
    let restored = restore(pantry, packed, folder.path(), drill.scratch, drill.interrupt)
        .map_err(|error| report.failure(&error.to_string()))?;
    let subject =
        Subject { text: &restored.text, syntax: restored.syntax, lock: restored.lock.as_ref(), folder: folder.path() };
    let row = drill.run(&subject);
    Ok(Line { recipe: format!("{} in {}", packed.name, pantry.folder().display()), text: restored.text, row })
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

/// A digest as people compare it: its first digits.
fn short(text: Option<&str>) -> String {
    match text {
        None => "-".to_owned(),
        Some(text) => match text.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 => format!("sha256:{}", hex.get(..12).unwrap_or(hex)),
            _ => text.to_owned(),
        },
    }
}
