//! What a user reads: mistakes with their lines, and one-line failures.

use super::{Color, Options, env::Env};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use rebake::mask::masked;
use rebake::recipe::Diagnostic;
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;

/// How to tell.
pub struct Report {
    renderer: Renderer,
    json: bool,
    quiet: bool,
    verbose: bool,
}

/// The text that mistakes point into.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// As the user would name it.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl Report {
    /// As the options and the terminal want it.
    pub fn new(options: &Options, env: &Env) -> Self {
        let colors = match options.color {
            Color::Auto => env.colors,
            Color::Always => true,
            Color::Never => false,
        };
        let renderer = if colors { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(env.columns.unwrap_or(140));
        Self { renderer, json: options.json, quiet: options.quiet, verbose: options.verbose }
    }

    /// Whether the result is to be one JSON document.
    pub fn json(&self) -> bool {
        self.json
    }

    /// Something that only a curious user wants to know.
    pub fn detail(&self, text: &str) {
        if self.verbose && !self.quiet {
            self.stderr(text);
        }
    }

    /// Something that is no failure, but worth knowing.
    pub fn notice(&self, text: &str) {
        if !self.quiet {
            let group = Group::with_title(Level::NOTE.primary_title(printable(text)));
            self.stderr(&self.renderer.render(&[group]));
        }
    }

    /// Says why nothing was done.
    pub fn failure(&self, message: &str) -> ExitCode {
        let group = Group::with_title(Level::ERROR.primary_title(printable(message)));
        self.stderr(&self.renderer.render(&[group]));
        if self.json {
            self.document(&json!({ "error": { "message": message } }));
        }
        ExitCode::from(2)
    }

    /// Shows mistakes with the lines they stand in; the command goes on.
    pub fn shown(&self, source: &Source, mistakes: &[Diagnostic]) {
        mistakes.iter().for_each(|mistake| self.stderr(&self.render(source, mistake)));
    }

    /// Shows mistakes with the lines they stand in.
    pub fn mistakes(&self, source: &Source, mistakes: &[Diagnostic]) -> ExitCode {
        self.all_mistakes(&[(*source, mistakes)])
    }

    /// Shows the mistakes of several texts. A document that tells of more than one names the others behind the first.
    pub fn all_mistakes(&self, wrong: &[(Source, &[Diagnostic])]) -> ExitCode {
        let mut told = wrong.iter().map(|(source, mistakes)| {
            self.shown(source, mistakes);
            if let [_, _, ..] = mistakes {
                self.stderr(&format!("{} mistakes in {}", mistakes.len(), source.path));
            }
            let all: Vec<Value> = mistakes.iter().map(|mistake| as_json(source, mistake)).collect();
            json!({ "recipe": source.path, "mistakes": all })
        });
        let mut error = told.next().unwrap_or_default();
        let others: Vec<Value> = told.collect();
        if let Some(error) = error.as_object_mut() {
            error.insert("message".to_owned(), "the recipe is wrong".into());
            if !others.is_empty() {
                error.insert("others".to_owned(), others.into());
            }
        }
        if self.json {
            self.document(&json!({ "error": error }));
        }
        ExitCode::from(2)
    }

    fn render(&self, source: &Source, mistake: &Diagnostic) -> String {
        let source = &Source { text: &masked(source.text), ..*source };
        let mut group = Group::with_title(Level::ERROR.primary_title(printable(&mistake.message)));
        if mistake.labels.is_empty() {
            group = group.element(annotate_snippets::Origin::path(source.path));
        } else {
            let mut snippet = Snippet::source(source.text).path(source.path);
            for (n, label) in mistake.labels.iter().enumerate() {
                let kind = if n == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                let (start, end) = range(source.text, label.span.start, label.span.end);
                let annotation = kind.span(start..end);
                let text = (!label.text.is_empty()).then(|| printable(&label.text));
                snippet = snippet.annotation(annotation.label(text));
            }
            group = group.element(snippet);
        }
        if let Some(help) = &mistake.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        let mut text = self.renderer.render(&[group]);
        text.push('\n');
        text
    }

    /// The one JSON document on standard output.
    pub fn document(&self, document: &Value) {
        let mut document = document.clone();
        cover(&mut document);
        let mut out = std::io::stdout().lock();
        // A reader that is gone has read what it wanted.
        let _ = writeln!(out, "{document:#}").and_then(|()| out.flush());
    }

    fn stderr(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// Covers the secrets in every text of a document.
fn cover(value: &mut Value) {
    match value {
        Value::String(text) => *text = masked(text),
        Value::Array(values) => values.iter_mut().for_each(cover),
        Value::Object(values) => values.values_mut().for_each(cover),
        _ => {}
    }
}

/// A span that lies in the text, on whole characters, and in one line if it reaches over several.
fn range(text: &str, start: usize, end: usize) -> (usize, usize) {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let line_end = text.get(start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| start + at);
    (start, end.min(line_end).max(start))
}

/// Line and column of a place, both counted from 1; columns in characters.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let (at, _) = range(text, at, at);
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

fn as_json(source: &Source, mistake: &Diagnostic) -> Value {
    let places: Vec<Value> = mistake
        .labels
        .iter()
        .map(|label| {
            let (line, column) = line_and_column(source.text, label.span.start);
            json!({ "line": line, "column": column, "text": label.text })
        })
        .collect();
    json!({ "message": mistake.message, "places": places, "help": mistake.help })
}

/// Control characters of a hostile file name never reach the terminal, nor does a password in an address.
fn printable(text: &str) -> String {
    safe_lines(&masked(text))
}

/// A text with a stranger's words in it, each line as [`safe`] has it.
pub fn safe_lines(text: &str) -> String {
    text.split('\n').map(safe).collect::<Vec<_>>().join("\n")
}

/// A stranger's words in one line: control characters, and those that turn the order of others round, are escaped.
pub fn safe(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hostile(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}
