//! What every reader of a recipe has at hand: the text, the mistakes found so far, and what its strings may refer to.

use super::template::{Scope, TemplateError, Variables};
use super::value::{Kind, Node};
use super::{Diagnostic, Span, Spanned, Syntax, Template};
use std::collections::{BTreeMap, BTreeSet};

/// A string with more bad placeholders than this is no recipe; the rest of them goes unsaid.
const BAD_PLACEHOLDERS: usize = 20;

/// What the readers share. A reader takes a [`Node`] and gives a value, or says why not and gives none.
pub(super) struct Context<'t> {
    /// The recipe, byte for byte where the spans point.
    pub text: &'t str,
    /// Its notation, for advice.
    pub syntax: Syntax,
    /// In the order of discovery.
    pub mistakes: Vec<Diagnostic>,
    /// `image.version`.
    pub version: Option<String>,
    /// What is wrong with it is said elsewhere: its placeholders are no mistake on top of it.
    pub version_is_wrong: bool,
    /// One for each platform of the recipe.
    pub variables: Vec<Variables>,
    /// The names of all inputs, right or wrong; none if they cannot be known, which is said elsewhere.
    pub inputs: Option<BTreeSet<String>>,
}

impl<'t> Context<'t> {
    pub(super) fn new(text: &'t str, syntax: Syntax) -> Self {
        Self {
            text,
            syntax,
            mistakes: Vec::new(),
            version: None,
            version_is_wrong: true,
            variables: Vec::new(),
            inputs: None,
        }
    }

    /// Notes a mistake. Gives `None`, which is what the reader that found it has to give.
    pub(super) fn reject<T>(&mut self, mistake: Diagnostic) -> Option<T> {
        self.mistakes.push(mistake);
        None
    }

    /// `expected a string, found an integer`.
    pub(super) fn mismatch<T>(&mut self, expected: &str, found: &Node) -> Option<T> {
        let message = format!("expected {expected}, found {}", found.kind.noun());
        let is_word = matches!(found.kind, Kind::Integer(_) | Kind::Float | Kind::Boolean(_) | Kind::Datetime(_));
        let help =
            (expected == "a string" && is_word).then(|| format!("put it in quotes: \"{}\"", self.slice(found.span)));
        self.mistakes.push(Diagnostic { help, ..Diagnostic::at(found.span, message) });
        None
    }

    /// The value of a parser that knows nothing of places.
    pub(super) fn placed<T>(&mut self, span: Span, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|mistake| self.mistakes.push(mistake.place(span))).ok()
    }

    /// Text with placeholders that is the same for every commit.
    pub(super) fn template(&mut self, text: &Spanned<String>) -> Option<Spanned<Template>> {
        self.scoped(text, Scope::default())
    }

    /// Text with placeholders, also those of the commit; `no_platform` says why it may not depend on the platform.
    pub(super) fn stamped_template(
        &mut self,
        text: &Spanned<String>,
        no_platform: Option<&'static str>,
    ) -> Option<Spanned<Template>> {
        self.scoped(text, Scope { no_platform, of_commit: true, ..Scope::default() })
    }

    fn scoped(&mut self, text: &Spanned<String>, scope: Scope<'_>) -> Option<Spanned<Template>> {
        let version = self.version.as_deref();
        let scope = Scope { version, version_is_wrong: self.version_is_wrong, ..scope };
        let errors = match Template::parse(text, &scope) {
            Ok(template) => return Some(Spanned::new(template, text.span)),
            Err(errors) => errors,
        };
        for TemplateError { range, mistake } in errors.into_iter().take(BAD_PLACEHOLDERS) {
            let span = self.within(text, &range);
            let help = mistake.help();
            self.mistakes.push(Diagnostic { help, ..Diagnostic::at(span, mistake.to_string()) });
        }
        None
    }

    /// The different texts that a template expands to, over all platforms of the recipe.
    pub(super) fn expansions(&self, template: &Template) -> Vec<String> {
        let count = if template.differs_by_platform() { self.variables.len() } else { 1 };
        self.variables.iter().take(count).map(|variables| template.expand(variables)).collect()
    }

    /// Where a part of a string's value stands in the recipe; the whole string if escapes hide that.
    fn within(&self, string: &Spanned<String>, range: &std::ops::Range<usize>) -> Span {
        let raw = self.slice(string.span);
        let part = &string.value[range.clone()];
        if string.matches(part).count() != raw.matches(part).count() {
            return string.span;
        }
        let before = string.value[..range.start].matches(part).count();
        match raw.match_indices(part).nth(before) {
            Some((offset, _)) => {
                let start = string.span.start + offset;
                Span { start, end: start + part.len() }
            }
            None => string.span,
        }
    }

    /// The text at a place.
    pub(super) fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Whether a place is a header: `[image]`, `[[layer]]`.
    pub(super) fn is_header(&self, node: &Node) -> bool {
        matches!(node.kind, Kind::Table(_)) && self.slice(node.span).starts_with('[')
    }

    /// `key = value`, or `"key": value`.
    pub(super) fn assignment(&self, key: &str, value: &str) -> String {
        match self.syntax {
            Syntax::Toml => format!("{key} = {value}"),
            Syntax::Json => format!("\"{key}\": {value}"),
        }
    }

    /// Says of every value but the first of its kind that it stands twice.
    pub(super) fn unique<'v, T: 'v, K: Ord>(
        &mut self,
        values: impl IntoIterator<Item = &'v Spanned<T>>,
        key: impl Fn(&T) -> K,
        message: impl Fn(&K) -> String,
    ) {
        let mut seen = BTreeMap::new();
        for Spanned { value, span } in values {
            let key = key(value);
            match seen.get(&key) {
                Some(&first) => self.mistakes.push(Diagnostic::at(*span, message(&key)).also(first, "first here")),
                None => {
                    seen.insert(key, *span);
                }
            }
        }
    }
}
