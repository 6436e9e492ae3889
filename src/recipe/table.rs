//! A table as its reader sees it: keys are taken one by one, and what nobody took is a mistake.

use super::context::Context;
use super::suggest::{list, nearest};
use super::value::{Kind, Node};
use super::{Diagnostic, Span, Spanned, Syntax};

/// A table that is being read.
#[must_use = "a table that is not finished hides unknown keys"]
pub(super) struct Table {
    place: String,
    span: Span,
    entries: Vec<(Spanned<String>, Node)>,
    /// Every key that was asked for, in that order, and where it stands.
    known: Vec<(&'static str, Option<Span>)>,
    /// What will be said of keys that must be there and are not, unless a slip in the name of one explains it.
    missing: Vec<(Vec<&'static str>, Diagnostic)>,
}

impl Table {
    /// Starts to read a table; `place` names it in messages: `[image]`.
    pub(super) fn open(node: Node, place: impl Into<String>, cx: &mut Context<'_>) -> Option<Self> {
        let place = place.into();
        match node.kind {
            Kind::Table(entries) => {
                Some(Self { place, span: node.span, entries, known: Vec::new(), missing: Vec::new() })
            }
            Kind::Array(_) if cx.slice(node.span).starts_with("[[") && place.starts_with('[') => {
                let message = format!("{place} is one table, not an array of them");
                cx.reject(Diagnostic::at(node.span, message).help(format!("write {place}")))
            }
            _ => cx.mismatch("a table", &node),
        }
    }

    /// The value of a key, if it is there and its reader takes it.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        cx: &mut Context<'_>,
        read: impl FnOnce(Node, &mut Context<'_>) -> Option<T>,
    ) -> Option<T> {
        let Some(index) = self.entries.iter().position(|(name, _)| name.value == key) else {
            self.known.push((key, None));
            return None;
        };
        let (name, node) = self.entries.swap_remove(index);
        self.known.push((key, Some(name.span)));
        read(node, cx)
    }

    /// The value of a key that must be there; `example` is a value that it could have, or `[]` if it is a table.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        cx: &mut Context<'_>,
        read: impl FnOnce(Node, &mut Context<'_>) -> Option<T>,
    ) -> Option<T> {
        let value = self.optional(key, cx, read);
        let help = match example {
            "[]" if cx.syntax == Syntax::Toml => format!("add [{key}]"),
            "[]" => format!("add `{}`", cx.assignment(key, "{ ... }")),
            example => format!("add `{}`", cx.assignment(key, example)),
        };
        self.one_of(&[key], format!("missing `{key}` in {}", self.place), help);
        value
    }

    /// Says of some keys, all asked for already, that one of them must be there.
    pub(super) fn one_of(&mut self, keys: &[&'static str], message: String, help: String) {
        if keys.iter().all(|key| self.key_span(key).is_none()) {
            self.missing.push((keys.to_vec(), Diagnostic::at(self.span, message).help(help)));
        }
    }

    /// Where a key that was taken stands.
    pub(super) fn key_span(&self, key: &str) -> Option<Span> {
        self.known.iter().find(|(known, _)| *known == key).and_then(|(_, span)| *span)
    }

    /// The place of the table.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// Says of two keys that only one of them may be there.
    pub(super) fn conflict(&self, one: &str, other: &str, reason: &str, cx: &mut Context<'_>) {
        if let (Some(first), Some(second)) = (self.key_span(one), self.key_span(other)) {
            let message = format!("`{one}` and `{other}` together: {reason}");
            cx.mistakes.push(Diagnostic::at(first.max(second), message).also(first.min(second), ""));
        }
    }

    /// Says which keys nobody took, and which are missing.
    pub(super) fn finish(self, cx: &mut Context<'_>) {
        let known = || self.known.iter().map(|&(key, _)| key);
        let mut meant = Vec::new();
        for (key, _) in &self.entries {
            let near = nearest(key, known());
            meant.extend(near);
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys of {} are {}", self.place, list(known())),
            };
            let message = format!("unknown key `{}` in {}", key.value.escape_debug(), self.place);
            cx.mistakes.push(Diagnostic::at(key.span, message).help(help));
        }
        let missing = self.missing.into_iter().filter(|(keys, _)| !keys.iter().any(|key| meant.contains(key)));
        cx.mistakes.extend(missing.map(|(_, mistake)| mistake));
    }
}
