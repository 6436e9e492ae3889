//! The recipe: what an image is to be, as a person wrote it.
//!
//! Parsing takes text and gives either a whole [`Recipe`] or every mistake in it, each with its place. Nothing here
//! reads a disk, a clock or a network.
//!
//! ```text
//! text ──toml, json──▶ Node ──decode──▶ Recipe<Source>
//! ```

mod capabilities;
mod config;
mod context;
mod decode;
mod healthcheck;
mod image;
mod inputs;
mod instant;
mod json;
mod layer;
mod model;
mod owner;
mod path;
mod read;
mod schema;
mod span;
mod stamp;
mod suggest;
mod table;
mod template;
mod toml;
mod users;
mod value;
mod version;

pub use capabilities::{Capabilities, CapabilityError};
pub use model::*;
pub use schema::schema;
pub use span::{Diagnostic, Label, Span, Spanned};
pub use stamp::{LOCK_DIGEST, Provenance, RECIPE_DIGEST, RECIPE_PATH, Stamp, dirty};
pub use template::{PLACEHOLDERS, PlaceholderError, Scope, Template, TemplateError, Variables};
pub use version::VersionError;

use context::Context;
use std::borrow::Cow;

/// The notation of a recipe. Both say the same with the same keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `rebake.toml`, TOML 1.1.
    Toml,
    /// `rebake.json`, RFC 8259.
    Json,
}

/// The longest recipe, in bytes.
const MAXIMUM: usize = 4 << 20;

/// Reads a recipe.
///
/// ```
/// use rebake::recipe::{Syntax, parse};
/// let text = "edition = '2026'\n[image]\nname = 'acme/app'\n[config]\nprots = [8080]\n";
/// let mistakes = parse(text, Syntax::Toml).unwrap_err();
/// assert_eq!(mistakes[0].message, "unknown key `prots` in [config]");
/// assert_eq!(mistakes[0].help.as_deref(), Some("did you mean `ports`?"));
/// ```
///
/// # Errors
/// Every mistake of the text in the order of their places (bytes of `text`), at least one. Where its syntax is wrong,
/// only that: what the keys mean is looked at in a text that can be read.
pub fn parse(text: &str, syntax: Syntax) -> Result<Recipe<Source>, Vec<Diagnostic>> {
    if text.len() > MAXIMUM {
        return Err(vec![Diagnostic::new("the recipe is longer than 4 MiB")]);
    }
    let text = without_mark(text);
    let mut cx = Context::new(&text, syntax);
    let root = match syntax {
        Syntax::Toml => {
            let (root, mistakes) = toml::read(&text);
            let is_sound = mistakes.iter().all(toml::is_sound);
            cx.mistakes = mistakes;
            is_sound.then_some(root)
        }
        Syntax::Json => match json::read(&text) {
            Ok((root, mistakes)) => {
                cx.mistakes = mistakes;
                Some(root)
            }
            Err(mistake) => cx.reject(mistake),
        },
    };
    let recipe = root.and_then(|root| decode::recipe(root, &mut cx));
    match recipe {
        Some(recipe) if cx.mistakes.is_empty() => Ok(recipe),
        _ => Err(in_order(without_echoes(cx.mistakes))),
    }
}

/// What cannot even be read has no value: that this value is wrong too would be an echo.
fn without_echoes(mistakes: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let place = |mistake: &Diagnostic| mistake.labels.first().map(|label| label.span);
    let unread: Vec<_> = mistakes.iter().filter(|mistake| toml::is_too_large(mistake)).map(place).collect();
    let echo = |mistake: &Diagnostic| !toml::is_too_large(mistake) && unread.contains(&place(mistake));
    mistakes.into_iter().filter(|mistake| !echo(mistake)).collect()
}

/// Blanks a byte order mark, so that all places stay what they are.
fn without_mark(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(format!("   {rest}")),
        None => Cow::Borrowed(text),
    }
}

fn in_order(mut mistakes: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for mistake in &mut mistakes {
        let labels = mistake.labels.iter_mut().map(|label| &mut label.text);
        labels.chain([&mut mistake.message]).chain(&mut mistake.help).for_each(printable);
    }
    mistakes.sort_by_key(|mistake| mistake.labels.first().map(|label| label.span));
    mistakes.dedup();
    mistakes
}

/// Messages quote the recipe. Whatever they quote, they stay one line of no more than this many characters, and move no
/// cursor.
const LINE: usize = 1000;

fn printable(text: &mut String) {
    if text.len() <= LINE && !text.contains(char::is_control) {
        return;
    }
    let mut line = String::new();
    let mut chars = text.chars();
    for found in chars.by_ref().take(LINE) {
        if found.is_control() { line.extend(found.escape_debug()) } else { line.push(found) }
    }
    if chars.next().is_some() {
        line.push('…');
    }
    *text = line;
}

#[cfg(test)]
mod tests;
