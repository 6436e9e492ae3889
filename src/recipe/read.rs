//! Readers of single values: strings, numbers, arrays, maps. Each takes a [`Node`] and gives a value, or says why not.

use super::context::Context;
use super::table::Table;
use super::value::{Kind, Node};
use super::{Diagnostic, Spanned, Template};
use std::collections::BTreeMap;

/// Any string.
pub(super) fn any_string(node: Node, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    match node.kind {
        Kind::String(value) => Some(Spanned::new(value, node.span)),
        _ => cx.mismatch("a string", &node),
    }
}

/// A string without NUL bytes, which end a string for every program that gets to see it.
pub(super) fn string(node: Node, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = any_string(node, cx)?;
    if text.contains('\0') {
        return cx.reject(Diagnostic::at(text.span, "the string contains a NUL byte"));
    }
    Some(text)
}

/// A string that says something.
pub(super) fn filled(node: Node, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = string(node, cx)?;
    if text.is_empty() { cx.reject(Diagnostic::at(text.span, "the string is empty")) } else { Some(text) }
}

/// A string in a grammar of its own.
pub(super) fn parsed<T>(
    parse: impl FnOnce(&str) -> Result<T, Diagnostic>,
) -> impl FnOnce(Node, &mut Context<'_>) -> Option<Spanned<T>> {
    move |node, cx| {
        let Spanned { value, span } = string(node, cx)?;
        cx.placed(span, parse(&value)).map(|value| Spanned::new(value, span))
    }
}

/// A string with placeholders.
pub(super) fn template(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    let text = string(node, cx)?;
    cx.template(&text)
}

/// A string with placeholders that says something.
pub(super) fn filled_template(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    let text = filled(node, cx)?;
    cx.template(&text)
}

/// `true` or `false`.
pub(super) fn boolean(node: Node, cx: &mut Context<'_>) -> Option<bool> {
    match node.kind {
        Kind::Boolean(value) => Some(value),
        _ => cx.mismatch("true or false", &node),
    }
}

/// An integer from zero up to some maximum.
pub(super) fn up_to(maximum: u32) -> impl FnOnce(Node, &mut Context<'_>) -> Option<Spanned<u32>> {
    move |node, cx| match node.kind {
        Kind::Integer(value) => match u32::try_from(value) {
            Ok(value) if value <= maximum => Some(Spanned::new(value, node.span)),
            _ => cx.reject(Diagnostic::at(node.span, format!("{value} is out of range (0 to {maximum})"))),
        },
        _ => cx.mismatch("an integer", &node),
    }
}

/// An array; elements that their reader refuses are left out.
pub(super) fn array<T>(
    mut each: impl FnMut(Node, &mut Context<'_>) -> Option<T>,
) -> impl FnOnce(Node, &mut Context<'_>) -> Option<Vec<T>> {
    move |node, cx| match node.kind {
        Kind::Array(nodes) => Some(nodes.into_iter().filter_map(|node| each(node, cx)).collect()),
        Kind::String(_) | Kind::Integer(_) => {
            let message = format!("expected an array, found {}", node.kind.noun());
            let help = format!("write [{}]", cx.slice(node.span));
            cx.reject(Diagnostic::at(node.span, message).help(help))
        }
        _ => cx.mismatch("an array", &node),
    }
}

/// An array of tables, each with a header of its own; `header` is that header: `[[layer]]`.
pub(super) fn tables<T>(
    header: &'static str,
    mut each: impl FnMut(Table, bool, &mut Context<'_>) -> Option<T>,
) -> impl FnOnce(Node, &mut Context<'_>) -> Option<Vec<T>> {
    move |node, cx| match node.kind {
        Kind::Array(nodes) => Some(
            nodes
                .into_iter()
                .filter_map(|node| {
                    let has_header = cx.is_header(&node);
                    let table = Table::open(node, header, cx)?;
                    each(table, has_header, cx)
                })
                .collect(),
        ),
        Kind::Table(_) => {
            let help = if cx.syntax == super::Syntax::Json {
                "put it in an array: [{ ... }]".to_owned()
            } else {
                format!("double the brackets: {header}")
            };
            cx.reject(Diagnostic::at(node.span, format!("{header} is an array of tables, found a table")).help(help))
        }
        _ => cx.mismatch("an array of tables", &node),
    }
}

/// A table whose keys are the author's own.
pub(super) fn map<K: Ord, V>(
    mut each: impl FnMut(&Spanned<String>, Node, &mut Context<'_>) -> Option<(K, V)>,
) -> impl FnOnce(Node, &mut Context<'_>) -> Option<BTreeMap<K, V>> {
    move |node, cx| match node.kind {
        Kind::Table(entries) => Some(entries.into_iter().filter_map(|(key, node)| each(&key, node, cx)).collect()),
        _ => cx.mismatch("a table", &node),
    }
}
