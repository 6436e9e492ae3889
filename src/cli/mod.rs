//! The command line: arguments, one library call, a report, an exit status.
//!
//! 0: done. 1: it differs or is unsound. 2: wrong input, or a failed operation.

mod build;
mod cache;
mod check;
mod commit;
mod copy;
mod diff;
mod differences;
mod drill;
mod env;
mod images;
mod init;
mod inspect;
mod lock;
mod pantry;
mod recipes;
mod report;
mod verify;
mod world;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use rebake::image::Batch;
use std::io::Write;
use std::process::ExitCode;

/// Container images you can bake again, byte for byte.
#[derive(Debug, Parser)]
#[command(name = "rebake", version, max_term_width = 100, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
struct Options {
    /// One JSON document on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Errors only on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more on standard error
    #[arg(short, long, global = true)]
    verbose: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    color: Color,
    /// How many workers compress; the bytes do not depend on it [default: one a processor]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
}

impl Options {
    /// One image, or several one after the other that share no layers.
    fn batch(&self, env: &env::Env) -> Batch {
        Batch::new(self.jobs(env), 1)
    }

    /// How many workers compress.
    fn jobs(&self, env: &env::Env) -> usize {
        self.jobs.map_or(env.processors, usize::from)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented recipe that builds
    Init(init::Arguments),
    /// Pin the inputs of recipes in a rebake.lock beside each, and fetch them
    Lock(lock::Arguments),
    /// Bake the images of recipes; print each one's reference and manifest digest
    Build(build::Arguments),
    /// Is it a sound image? Every digest, size, diff_id and tar entry
    Check(check::Arguments),
    /// Bake a recipe again, and say how much of a published image is the same, and why not all
    Verify(verify::Arguments),
    /// Show an image: config, labels, layers, files
    Inspect(inspect::Arguments),
    /// Say what differs between two images, from manifest down to the bytes of a file, and why
    Diff(diff::Arguments),
    /// Copy an image between layouts, archives and registries, its digest unchanged
    Copy(copy::Arguments),
    /// Keep every input of recipes in one image layout
    #[command(subcommand)]
    Pantry(pantry::Command),
    /// Rebuild every recipe with no network, from a pantry and from source control, and compare
    Drill(drill::Arguments),
    /// The store of fetched inputs of this machine
    #[command(subcommand)]
    Cache(cache::Command),
    /// Print the JSON Schema of recipes, for editors
    Schema,
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Runs the command that the process was given.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are an answer; everything else is wrong input.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let env = env::Env::read();
    let report = report::Report::new(&arguments.options, &env);
    match arguments.command {
        Command::Init(init) => init::run(&init, &env, &report),
        Command::Lock(lock) => lock::run(&lock, &arguments.options, &env, &report),
        Command::Build(build) => build::run(&build, &arguments.options, &env, &report),
        Command::Check(check) => check::run(&check, &arguments.options, &env, &report),
        Command::Verify(verify) => verify::run(&verify, &arguments.options, &env, &report),
        Command::Inspect(inspect) => inspect::run(&inspect, &env, &report),
        Command::Diff(diff) => diff::run(&diff, &env, &report),
        Command::Copy(copy) => copy::run(&copy, &env, &report),
        Command::Pantry(pantry) => pantry::run(&pantry, &arguments.options, &env, &report),
        Command::Drill(drill) => drill::run(&drill, &arguments.options, &env, &report),
        Command::Cache(cache) => cache::run(&cache, &env, &report),
        Command::Schema => {
            let mut text = serde_json::to_string_pretty(&rebake::recipe::schema()).unwrap_or_default();
            text.push('\n');
            print(&report, text.as_bytes())
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "rebake", &mut script);
            print(&report, &script)
        }
        Command::Man => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Arguments::command()).render(&mut page) {
                Ok(()) => print(&report, &page),
                Err(error) => report.failure(&error.to_string()),
            }
        }
    }
}

/// A result that could not be said is a failure, whatever it was.
fn written(status: ExitCode) -> Result<(), ExitCode> {
    if status == ExitCode::SUCCESS { Ok(()) } else { Err(status) }
}

/// The result, and nothing else, on standard output.
fn print(report: &report::Report, bytes: &[u8]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads `rebake schema | head` has what they want.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => report.failure(&format!("cannot write to standard output: {error}")),
    }
}
