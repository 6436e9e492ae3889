//! `rebake pantry check`: is it sound, and does it alone give the image of each of its recipes?

use super::shown;
use crate::cli::env::Env;
use crate::cli::print;
use crate::cli::report::{Report, safe_lines};
use crate::cli::world::{Shelf, World};
use rebake::image::Batch;
use rebake::pantry::Pantry;
use rebake::preserve::{PreserveError, complete};
use serde_json::json;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

pub fn check(name: &str, batch: &Batch, (world, env): (&World, &Env), report: &Report) -> Result<ExitCode, ExitCode> {
    let say = |message: String| report.failure(&message);
    let interrupt = &*world.interrupt;
    let (distant, folder) = match Shelf::named(name).map_err(say)? {
        Shelf::Folder(folder) => (None, folder),
        Shelf::Registry(name) => {
            let mut distant = world.distant(&name).map_err(say)?;
            distant.fetch(interrupt).map_err(|error| say(error.to_string()))?;
            let folder = distant.folder().to_owned();
            (Some(distant), folder)
        }
    };
    let place = distant.as_ref().map_or_else(|| folder.display().to_string(), |distant| distant.name().to_owned());
    let (pantry, faults) = Pantry::check(&folder, interrupt).map_err(|error| say(error.to_string()))?;
    let mut recipes = Vec::new();
    if let Some(pantry) = &pantry {
        for (digest, packed) in &pantry.catalog.recipes {
            let why = match complete(pantry, packed, &env.scratch, batch, interrupt) {
                // That is no fault of the pantry's.
                Err(error @ PreserveError::Scratch { .. }) => return Err(say(shown(&error))),
                done => done.err().map(|error| shown(&error)),
            };
            if interrupt.load(Ordering::Relaxed) {
                return Err(say("interrupted".to_owned()));
            }
            recipes.push((packed.name.clone(), *digest, why));
        }
    }
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let sound = faults.is_empty() && recipes.iter().all(|(_, _, why)| why.is_none());
    let status = ExitCode::from(u8::from(!sound));
    if report.json() {
        let recipes = recipes.iter().map(|(name, digest, why)| {
            json!({ "name": name, "digest": digest.to_string(), "complete": why.is_none(), "why": why })
        });
        report.document(&json!({
            "pantry": place,
            "sound": sound,
            "faults": faults,
            "recipes": recipes.collect::<Vec<_>>(),
        }));
        return Ok(status);
    }
    let mut text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    for (name, digest, why) in &recipes {
        text += &match why {
            None => format!("{name} {digest}: complete\n"),
            Some(why) => format!("{name} {digest}: {why}\n"),
        };
    }
    text += &match (sound, &pantry) {
        (true, _) => format!("{place}: sound and complete\n"),
        (false, None) => format!("{place}: lost; fill a new one, or take a copy of it\n"),
        (false, Some(_)) => {
            format!("{place}: unsound; `rebake pantry fill` puts right what its recipes can still get\n")
        }
    };
    print(report, safe_lines(&text).as_bytes());
    Ok(status)
}
