//! `rebake cache`: what the store of this machine holds, and the records of builds beside it.

use super::env::Env;
use super::recipes::{self, Recipe};
use super::report::Report;
use super::{print, world};
use rebake::lock::{Lock, PinnedInput};
use rebake::oci::Digest;
use rebake::recipe::parse;
use rebake::store::Entry;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List what is in the store
    List,
    /// Remove what is in the store; it is fetched again when it is needed
    Prune {
        /// Keep what the locks of these recipes pin, and the layers of their images
        #[arg(long, value_name = "RECIPE")]
        keep: Vec<PathBuf>,
    },
}

pub fn run(command: &Command, env: &Env, report: &Report) -> ExitCode {
    let store = match world::store(env) {
        Ok(store) => store,
        Err(message) => return report.failure(&message),
    };
    let listed = match command {
        Command::List => store.entries(),
        Command::Prune { keep } => {
            let recipes = match recipes::find_named(keep) {
                Ok(recipes) => recipes,
                Err(message) => return report.failure(&message),
            };
            let mut wanted = BTreeSet::new();
            for path in recipes {
                match Recipe::read(&path, report) {
                    Ok(recipe) => {
                        wanted.extend(recipe.lock.iter().flat_map(Lock::digests));
                        // What a recipe pins itself stands in no lock.
                        let parsed = parse(&recipe.text, recipe.syntax);
                        match parsed.and_then(|parsed| parsed.pin(recipe.lock.as_ref())) {
                            Ok(recipe) => wanted.extend(recipe.phase.inputs.values().flat_map(PinnedInput::digests)),
                            Err(mistakes) => return recipe.mistakes(report, &mistakes),
                        }
                    }
                    Err(status) => return status,
                }
            }
            let wanted = store.with_what_they_name(wanted);
            store.prune(|digest| wanted.contains(&digest))
        }
    };
    let entries = match listed {
        Ok(entries) => entries,
        Err(error) => return report.failure(&error.to_string()),
    };
    // A build whose record is gone makes everything again.
    let records = match (world::rebuild(env), command) {
        (None, _) => Ok((0, 0)),
        (Some(rebuild), Command::List) => rebuild.count(),
        (Some(rebuild), Command::Prune { .. }) => rebuild.count().and_then(|count| rebuild.clear().map(|()| count)),
    };
    let (records, record_bytes) = match records {
        Ok(records) => records,
        Err(error) => return report.failure(&format!("the records of builds cannot be used: {error}")),
    };
    let bytes: u64 = entries.iter().map(|entry| entry.size).sum();
    if report.json() {
        let key = if matches!(command, Command::List) { "entries" } else { "removed" };
        let entries: Vec<Value> = entries.iter().map(as_json).collect();
        report.document(&json!({ "store": store.folder().display().to_string(), key: entries, "bytes": bytes,
            "records": { "count": records, "bytes": record_bytes } }));
        return ExitCode::SUCCESS;
    }
    let what = if matches!(command, Command::List) { "in" } else { "removed from" };
    let mut text: String = entries.iter().map(|Entry { digest, size }| format!("{digest} {size}\n")).collect();
    let (files, some) = (if entries.len() == 1 { "file" } else { "files" }, if bytes == 1 { "byte" } else { "bytes" });
    text += &format!("{} {files} with {bytes} {some} {what} {}\n", entries.len(), store.folder().display());
    if records > 0 {
        let builds = if records == 1 { "record of a build" } else { "records of builds" };
        text += &format!("{records} {builds} with {record_bytes} bytes {what} it\n");
    }
    print(report, text.as_bytes())
}

fn as_json(Entry { digest, size }: &Entry) -> Value {
    let digest: &Digest = digest;
    json!({ "digest": digest.to_string(), "size": size })
}
