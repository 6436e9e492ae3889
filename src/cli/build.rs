//! `rebake build`.

use super::report::{Report, Source};
use super::{Options, env::Env, print};
use rebake::build::{Built, Failure, Request, build};
use rebake::oci::ImageName;
use rebake::recipe::{Diagnostic, Span, Syntax, parse};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A rebake.toml or rebake.json, or a folder that has one [default: this folder, then its parents]
    #[arg(value_name = "RECIPE")]
    recipes: Vec<PathBuf>,
    /// oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG] or a folder [default: rebake-out/NAME]
    #[arg(short, long, value_name = "DEST")]
    output: Option<String>,
    /// Bake a stamped recipe although its folder differs from the commit; version and tags then end in -dirty
    #[arg(long)]
    allow_dirty: bool,
}

pub fn run(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> ExitCode {
    let prepared = (|| {
        let destination = arguments.output.as_deref().map(destination).transpose()?;
        if destination.is_some() && arguments.recipes.len() > 1 {
            return Err(
                "-o is the place of one image: with several recipes leave it out, or build them one by one".to_owned()
            );
        }
        Ok((destination, recipes(&arguments.recipes, env)?, source_date_epoch(env)?))
    })();
    let (destination, recipes, source_date_epoch) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return report.failure(&message),
    };
    let interrupt = Arc::new(AtomicBool::new(false));
    if let Err(error) = heed_signals(&interrupt) {
        return report.failure(&format!("cannot wait for signals: {error}"));
    }

    // All recipes are read before the first image is written: a mistake in the last one leaves nothing half done.
    let mut texts = Vec::new();
    let mut places: BTreeMap<String, &Path> = BTreeMap::new();
    for recipe in &recipes {
        let text = match read(recipe, report) {
            Ok(text) => text,
            Err(status) => return status,
        };
        match parse(&text, syntax(recipe)).and_then(|recipe| recipe.pin()) {
            Ok(parsed) => {
                let name = parsed.image.name.value.rsplit('/').next().unwrap_or_default().to_owned();
                if let Some(other) = places.insert(name.clone(), recipe) {
                    if other == recipe {
                        return report.failure(&format!("{} is named twice", recipe.display()));
                    }
                    let (one, other) = (other.display(), recipe.display());
                    let message = format!("{one} and {other} both write rebake-out/{name}");
                    return report.failure(&format!("{message}; build them one by one, each with -o"));
                }
            }
            Err(mistakes) => {
                return report.mistakes(&Source { path: &recipe.display().to_string(), text: &text }, &mistakes);
            }
        }
        texts.push(text);
    }

    let mut built: Vec<Built> = Vec::new();
    for (recipe, text) in recipes.iter().zip(&texts) {
        let shown = recipe.display().to_string();
        let request = Request {
            text,
            syntax: syntax(recipe),
            file: recipe,
            allow_dirty: arguments.allow_dirty,
            folder: recipe.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            destination: destination.as_ref(),
            output: Path::new("rebake-out"),
            scratch: &env.scratch,
            source_date_epoch,
            jobs: options.jobs.map_or(env.processors, usize::from),
            interrupt: &interrupt,
        };
        match build(&request) {
            Ok(image) => {
                detail(report, &image);
                built.push(image);
            }
            Err(Failure::Recipe(mistakes)) => {
                // What was built is there, and is said.
                if !report.json() {
                    print(report, references(&built).as_bytes());
                }
                return report.mistakes(&Source { path: &shown, text }, &mistakes);
            }
            Err(Failure::Interrupted) => {
                return report.failure("interrupted; what stood at the destination still does");
            }
            Err(failure) => return report.failure(&failure.to_string()),
        }
    }
    let result = if report.json() {
        format!("{:#}\n", json!({ "images": built.iter().map(as_json).collect::<Vec<_>>() }))
    } else {
        references(&built)
    };
    print(report, result.as_bytes())
}

/// A line an image.
fn references(built: &[Built]) -> String {
    built.iter().map(|image| format!("{}\n", reference(image))).collect()
}

/// `NAME:TAG@DIGEST`, with the first tag.
fn reference(built: &Built) -> String {
    let tag = built.tags.first().map_or("latest", String::as_str);
    format!("{}:{tag}@{}", built.name, built.image.descriptor.digest)
}

fn detail(report: &Report, built: &Built) {
    report.detail(&format!("{} in {}", reference(built), built.destination));
    for manifest in &built.image.manifests {
        report.detail(&format!("  {} {}", manifest.platform, manifest.descriptor.digest));
        for layer in &manifest.layers {
            let name = layer.name.as_deref().unwrap_or("(base)");
            report.detail(&format!("    {} {} bytes  {name}", layer.descriptor.digest, layer.descriptor.size));
        }
    }
}

fn as_json(built: &Built) -> Value {
    let manifests: Vec<Value> = built
        .image
        .manifests
        .iter()
        .map(|manifest| {
            let layers = manifest.layers.iter().map(|layer| {
                json!({
                    "name": layer.name,
                    "digest": layer.descriptor.digest.to_string(),
                    "size": layer.descriptor.size,
                    "mediaType": layer.descriptor.media_type,
                    "diff_id": layer.diff_id.to_string(),
                })
            });
            json!({
                "platform": manifest.platform.to_string(),
                "digest": manifest.descriptor.digest.to_string(),
                "config": manifest.config.digest.to_string(),
                "layers": layers.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "name": built.name,
        "tags": built.tags,
        "reference": reference(built),
        "digest": built.image.descriptor.digest.to_string(),
        "mediaType": built.image.descriptor.media_type,
        "destination": built.destination,
        "platforms": manifests,
    })
}

/// With a transport, or else a folder.
fn destination(text: &str) -> Result<ImageName, String> {
    let transport = text.split(':').next().unwrap_or_default();
    if matches!(transport, "oci" | "oci-archive" | "docker-archive" | "docker") && text.contains(':') {
        return text.parse().map_err(|error| format!("-o {text}: {error}"));
    }
    if text.contains(':') && !transport.contains(['/', '.']) {
        let known = "oci:DIR[:TAG], oci-archive:FILE[:TAG] and docker-archive:FILE[:NAME:TAG]";
        return Err(format!("-o {text}: rebake writes {known}; a folder of that name is ./{text}"));
    }
    if text.is_empty() {
        return Err("-o names no place".to_owned());
    }
    Ok(ImageName::layout(text.into()))
}

fn source_date_epoch(env: &Env) -> Result<Option<i64>, String> {
    match env.source_date_epoch.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => match text.parse::<i64>() {
            Ok(seconds @ 0..=253_402_300_799) => Ok(Some(seconds)),
            _ => Err(format!("SOURCE_DATE_EPOCH is `{text}`, which is no number of seconds since 1970")),
        },
    }
}

/// The recipes' files.
fn recipes(named: &[PathBuf], env: &Env) -> Result<Vec<PathBuf>, String> {
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

fn syntax(recipe: &Path) -> Syntax {
    if recipe.extension().is_some_and(|end| end == "json") { Syntax::Json } else { Syntax::Toml }
}

/// Nobody writes a longer recipe; what is behind this many bytes is not read.
const LONGEST: u64 = 16 << 20;

/// The text of a recipe; or the exit status, once it is said why there is none.
fn read(recipe: &Path, report: &Report) -> Result<String, ExitCode> {
    let mut bytes = Vec::new();
    std::fs::File::open(recipe)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|error| report.failure(&format!("cannot read {}: {error}", recipe.display())))?;
    // A checkout that ends lines with CR LF bakes the same, and places are those of the text that is shown.
    String::from_utf8(bytes).map(|text| text.replace("\r\n", "\n")).map_err(|error| {
        let start = error.utf8_error().valid_up_to();
        // What stands before that place is the same in both texts.
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let place = Span { start, end: start + char::REPLACEMENT_CHARACTER.len_utf8() };
        let mistake = Diagnostic::at(place, "the recipe is not UTF-8").help("save it as UTF-8 text");
        report.mistakes(&Source { path: &recipe.display().to_string(), text: &text }, &[mistake])
    })
}

/// The first signal asks the build to stop and clean up, the second one stops it at once.
fn heed_signals(interrupt: &Arc<AtomicBool>) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 2, Arc::clone(interrupt))?;
        signal_hook::flag::register(signal, Arc::clone(interrupt))?;
    }
    Ok(())
}
