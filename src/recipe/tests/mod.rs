//! What a user sees: whole recipes in, values or mistakes out.

mod example;
mod mistakes;
mod robust;
mod spans;

use super::*;

/// A recipe with nothing wrong in it, and the rest of its text.
pub(super) fn minimal(rest: &str) -> String {
    format!("edition = \"2026\"\n[image]\nname = \"acme/app\"\n{rest}")
}

/// Every mistake as `message @ the text at its first place [| the text at the others] [? help]`.
pub(super) fn mistakes(text: &str, syntax: Syntax) -> Vec<String> {
    match parse(text, syntax) {
        Ok(_) => Vec::new(),
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            mistakes.iter().map(|mistake| show(text, mistake)).collect()
        }
    }
}

fn show(text: &str, mistake: &Diagnostic) -> String {
    let places: Vec<_> = mistake.labels.iter().map(|label| &text[label.span.start..label.span.end]).collect();
    let help = mistake.help.as_ref().map(|help| format!(" ? {help}")).unwrap_or_default();
    format!("{} @ {}{help}", mistake.message, places.join(" | "))
}

/// The recipe of a text that has no mistakes.
pub(super) fn good(text: &str) -> Recipe<Source> {
    parse(text, Syntax::Toml).unwrap_or_else(|_| panic!("{:#?}", mistakes(text, Syntax::Toml)))
}
