//! TOML 1.1 text → [`Node`]. What the keys mean is left to the decoder.

use super::value::{Kind, Node, first_line};
use super::{Diagnostic, Span, Spanned};
use std::ops::Range;
use toml::de::{DeTable, DeValue, Error};

/// The root table, and every mistake of syntax.
///
/// The table is whole, and worth decoding, if [`is_sound`] of each mistake holds.
pub(super) fn read(text: &str) -> (Node, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut mistakes = Vec::new();
    let mut too_deep = false;
    for error in errors {
        // The parser says so once more for each level that it leaves.
        if error.message().contains("recurs") {
            if std::mem::replace(&mut too_deep, true) {
                continue;
            }
            mistakes.push(place(text, &error, "nested too deeply"));
        } else {
            mistakes.push(syntax(text, &error));
        }
    }
    let root = entries(text, table.into_inner(), &mut mistakes);
    (Node { kind: root, span: Span::default() }, mistakes)
}

const DUPLICATE: &str = "duplicate key";

/// Whether the parser could go on after this mistake as if it were not there.
pub(super) fn is_sound(mistake: &Diagnostic) -> bool {
    mistake.message.starts_with(DUPLICATE) || is_too_large(mistake)
}

/// Whether a value could not be read, and stands as another one in the table.
pub(super) fn is_too_large(mistake: &Diagnostic) -> bool {
    mistake.message.ends_with(TOO_LARGE)
}

const TOO_LARGE: &str = "does not fit into 64 bits";

fn syntax(text: &str, error: &Error) -> Diagnostic {
    let message = error.message();
    if message != DUPLICATE {
        return place(text, error, message);
    }
    let key = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    place(text, error, &format!("{DUPLICATE} `{key}`"))
}

fn place(text: &str, error: &Error, message: &str) -> Diagnostic {
    match error.span() {
        Some(Range { start, end }) => Diagnostic::at(first_line(text, start, end), message),
        None => Diagnostic::new(message),
    }
}

fn entries(text: &str, table: DeTable<'_>, mistakes: &mut Vec<Diagnostic>) -> Kind {
    let mut entries: Vec<_> = table
        .into_iter()
        .map(|(key, value)| {
            let Range { start, end } = key.span();
            let key = Spanned::new(key.into_inner().into_owned(), Span { start, end });
            (key, node(text, value, mistakes))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span);
    Kind::Table(entries)
}

fn node(text: &str, value: toml::Spanned<DeValue<'_>>, mistakes: &mut Vec<Diagnostic>) -> Node {
    let Range { start, end } = value.span();
    let value = value.into_inner();
    let span = match value {
        DeValue::Array(_) | DeValue::Table(_) => first_line(text, start, end),
        _ => Span { start, end },
    };
    Node { kind: kind(text, value, span, mistakes), span }
}

fn kind(text: &str, value: DeValue<'_>, span: Span, mistakes: &mut Vec<Diagnostic>) -> Kind {
    match value {
        DeValue::String(value) => Kind::String(value.into_owned()),
        DeValue::Integer(value) => {
            Kind::Integer(i64::from_str_radix(value.as_str(), value.radix()).unwrap_or_else(|_| {
                mistakes.push(Diagnostic::at(span, format!("the integer {TOO_LARGE}")));
                0
            }))
        }
        DeValue::Float(_) => Kind::Float,
        DeValue::Boolean(value) => Kind::Boolean(value),
        DeValue::Datetime(mut value) => {
            // TOML 1.1 lets the seconds go, RFC 3339 does not.
            if let Some(time) = &mut value.time {
                time.second.get_or_insert(0);
            }
            Kind::Datetime(value.to_string())
        }
        DeValue::Array(values) => Kind::Array(values.into_iter().map(|value| node(text, value, mistakes)).collect()),
        DeValue::Table(table) => entries(text, table, mistakes),
    }
}
