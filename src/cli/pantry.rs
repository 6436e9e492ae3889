//! `rebake pantry`.

mod check;
mod fill;
mod list;
mod restore;

use super::report::Report;
use super::world::{Sources, World};
use super::{Options, env::Env};
use rebake::build::Failure;
use rebake::preserve::PreserveError;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Put recipes, their locks, their files and all their inputs into a pantry, beside what it holds
    Fill {
        /// An image layout, made if it is not there: oci:DIR or a folder; or docker://HOST/NAME[:TAG]
        dest: String,
        /// A rebake.toml or rebake.json, or a folder that has one [default: this folder, then its parents]
        #[arg(value_name = "RECIPE")]
        recipes: Vec<PathBuf>,
        #[command(flatten)]
        sources: Sources,
    },
    /// Prove that a pantry is sound, and that it alone gives the image of each of its recipes
    Check {
        /// oci:DIR, a folder, or docker://HOST/NAME[:TAG]
        pantry: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// List the recipes of a pantry and their inputs
    List {
        /// oci:DIR, a folder, or docker://HOST/NAME[:TAG]
        pantry: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Take a recipe, its lock and its files out of a pantry
    Restore {
        /// oci:DIR, a folder, or docker://HOST/NAME[:TAG]
        pantry: String,
        /// The name of the image, or the recipe's digest, as `list` shows them
        name: String,
        /// A new folder
        dir: PathBuf,
        #[command(flatten)]
        reach: Reach,
    },
}

/// How a pantry in a registry is reached.
#[derive(Debug, clap::Args)]
pub struct Reach {
    /// Let registries be asked without TLS, or with a certificate that nobody vouches for
    #[arg(long)]
    insecure: bool,
}

impl Reach {
    fn world<'a>(&self, env: &'a Env, report: &'a Report) -> Result<World<'a>, ExitCode> {
        World::new(&Sources::online(self.insecure), env, report).map_err(|message| report.failure(&message))
    }
}

pub fn run(command: &Command, options: &Options, env: &Env, report: &Report) -> ExitCode {
    let batch = &options.batch(env);
    let done = match command {
        Command::Fill { dest, recipes, sources } => fill::fill(dest, recipes, (sources, batch), env, report),
        Command::Check { pantry, reach } => {
            reach.world(env, report).and_then(|world| check::check(pantry, batch, (&world, env), report))
        }
        Command::List { pantry, reach } => {
            reach.world(env, report).and_then(|world| list::list(pantry, &world, report))
        }
        Command::Restore { pantry, name, dir, reach } => {
            reach.world(env, report).and_then(|world| restore::restore(pantry, name, dir, (&world, env), report))
        }
    };
    done.unwrap_or_else(|status| status)
}

/// Everything that is wrong, in a line.
pub fn shown(error: &PreserveError) -> String {
    let messages = |mistakes: &mut dyn Iterator<Item = &str>| mistakes.collect::<Vec<_>>().join("; ");
    match error {
        PreserveError::Plan(Failure::Recipe(mistakes)) => messages(&mut mistakes.iter().map(|m| m.message.as_str())),
        PreserveError::Plan(Failure::Inputs(shortages)) => {
            messages(&mut shortages.iter().map(|shortage| shortage.mistake.message.as_str()))
        }
        error => error.to_string(),
    }
}
