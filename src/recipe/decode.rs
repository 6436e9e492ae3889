//! The root of a recipe: [`Node`] → [`Recipe<Source>`].

use super::context::Context;
use super::suggest::{did_you_mean, list};
use super::table::Table;
use super::value::{Kind, Node};
use super::{Config, Diagnostic, Edition, From, Image, Input, Recipe, Source, Spanned, Statement, Syntax, Variables};
use super::{config, image, inputs, layer, read, users};
use crate::oci::Platform;
use std::collections::{BTreeMap, BTreeSet};

/// Why a tag may not depend on the platform is said in `image`; this is why an annotation may not.
const ANNOTATIONS: &str = "annotations also stand on the index, which is one for all platforms";

/// Reads the root table. Gives `None` only if the context has a mistake.
pub(super) fn recipe(root: Node, cx: &mut Context<'_>) -> Option<Recipe<Source>> {
    let mut table = Table::open(root, "the recipe", cx)?;
    // For editors, which find the schema by it.
    table.optional("$schema", cx, read::string);
    let edition = table.optional("edition", cx, edition);
    let line = cx.assignment("edition", "\"2026\"");
    let place = if cx.syntax == Syntax::Toml { " as its first line" } else { "" };
    table.one_of(&["edition"], "missing `edition` in the recipe".to_owned(), format!("add `{line}`{place}"));
    let image = table.required("image", "[]", cx, image::image);
    cx.variables = variables(image.as_ref(), cx);
    cx.inputs = (!table.has_slip_of("inputs")).then(BTreeSet::new);
    let inputs = table.optional("inputs", cx, |node, cx| {
        cx.inputs = keys(&node);
        inputs::inputs(node, cx)
    });
    let inputs = inputs.unwrap_or_default();
    if let Some(base) = image.as_ref().and_then(|image| image.base.as_ref()) {
        check_base(base, &inputs, cx);
    }
    let config = table.optional("config", cx, config::config);
    let no_platform = (cx.variables.len() > 1).then_some(ANNOTATIONS);
    let annotations = table.optional("annotations", cx, |node, cx| config::labels("annotation", no_platform)(node, cx));
    let users = table.optional("users", cx, users::users);
    let layers = table.optional("layer", cx, layer::layers);
    layers
        .iter()
        .flatten()
        .flat_map(|layer| &layer.statements)
        .for_each(|statement| check_from(statement, &inputs, cx));
    table.finish(cx);
    Some(Recipe {
        edition: edition?,
        image: image?,
        inputs,
        config: config.unwrap_or_else(Config::default),
        annotations: annotations.unwrap_or_default(),
        users: users.unwrap_or_default(),
        layers: layers.unwrap_or_default(),
        phase: Source,
    })
}

fn edition(node: Node, cx: &mut Context<'_>) -> Option<Edition> {
    let text = read::string(node, cx)?;
    match text.value.as_str() {
        "2026" => Some(Edition::E2026),
        other => {
            let message = format!("unknown edition \"{}\"; this rebake knows: 2026", other);
            cx.reject(Diagnostic::at(text.span, message))
        }
    }
}

/// The placeholders' values on each platform. A wrong `[image]` stands for one that is like any other, so that the
/// rest of the recipe can be checked all the same.
fn variables(image: Option<&Image>, cx: &Context<'_>) -> Vec<Variables> {
    let version = cx.version.as_deref();
    match image {
        Some(image) if !image.platforms.is_empty() => {
            image.platforms.iter().map(|platform| Variables::new(&image.name, version, platform)).collect()
        }
        _ => vec![Variables::new("name", version, &Platform::linux_amd64())],
    }
}

fn keys(node: &Node) -> Option<BTreeSet<String>> {
    match &node.kind {
        Kind::Table(entries) => Some(entries.iter().map(|(key, _)| key.value.clone()).collect()),
        _ => None,
    }
}

/// A base is an input of kind `image`. An input that was refused on its own is no mistake of the base.
fn check_base(base: &Spanned<String>, inputs: &BTreeMap<String, Spanned<Input>>, cx: &mut Context<'_>) {
    if !known_input(base, cx) {
        return;
    }
    let Some(input) = inputs.get(&base.value) else { return };
    let kind = match input.value {
        Input::Image { .. } => return,
        Input::Url { .. } => "url",
        Input::Git { .. } => "git",
    };
    let message = format!("the input `{}` is no image", base.value);
    let mistake =
        Diagnostic::at(base.span, message).label("used as base").also(input.span, format!("its kind is `{kind}`"));
    cx.mistakes.push(mistake);
}

/// A URL is one file, so there is no path in it; in a git tree or an image an archive has one.
fn check_from(statement: &Statement, inputs: &BTreeMap<String, Spanned<Input>>, cx: &mut Context<'_>) {
    let (from, help) = match statement {
        Statement::Copy(copy) => (&copy.from, "[[layer.extract]] takes files out of an archive"),
        Statement::Extract(extract) => {
            (&extract.from, "leave it out, and choose with `include` what of the archive counts")
        }
        _ => return,
    };
    let From::Input { input, path } = &from.value else { return };
    let Some(source) = inputs.get(&input.value) else { return };
    let mistake = match (&source.value, path, statement) {
        (Input::Url { .. }, Some(path), _) => {
            let message = format!("the input `{}` is a single file, and has no paths in it", input.value);
            Diagnostic::at(path.span, message).also(source.span, "its kind is `url`").help(help)
        }
        (Input::Git { .. } | Input::Image { .. }, None, Statement::Extract(_)) => {
            let message = format!("`path` does not say which archive in the input `{}` is meant", input.value);
            let help = "add `path = \"app.tar.gz\"`; [[layer.copy]] takes files and folders as they are";
            Diagnostic::at(input.span, message).help(help)
        }
        _ => return,
    };
    cx.mistakes.push(mistake);
}

/// Whether there is such an input; says so if not.
pub(super) fn known_input(name: &Spanned<String>, cx: &mut Context<'_>) -> bool {
    let Some(inputs) = cx.inputs.as_ref().filter(|inputs| !inputs.contains(&name.value)) else { return true };
    let known = || inputs.iter().map(String::as_str);
    let help = did_you_mean(name, known()).unwrap_or_else(|| match inputs.len() {
        0 => format!("the recipe has no inputs: add [inputs.{}]", name.value),
        1..=12 => format!("the inputs are {}", list(known())),
        _ => format!("add [inputs.{}]", name.value),
    });
    let message = format!("unknown input `{}`", name.value);
    cx.mistakes.push(Diagnostic::at(name.span, message).help(help));
    false
}
