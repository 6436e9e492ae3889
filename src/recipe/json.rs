//! JSON text (RFC 8259, nothing more) → [`Node`]. What the keys mean is left to the decoder.
//!
//! `jsonc-parser` gives the places; serde_json is the judge of what is JSON where that parser is more lenient.

use super::value::{Kind, Node, first_line};
use super::{Diagnostic, Span, Spanned};
use jsonc_parser::ast::{Object, ObjectPropName, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use std::collections::BTreeMap;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The value and every key that stands twice (of which the first one counts).
///
/// # Errors
/// The first mistake of syntax.
pub(super) fn read(text: &str) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT).map_err(|error| {
        let Range { start, end } = error.range();
        Diagnostic::at(first_line(text, start, end), sentence(&error.kind().to_string()))
    })?;
    serde_json::from_str::<serde_json::Value>(text).map_err(|error| {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default();
        Diagnostic::at(point(text, error.line(), error.column()), message)
    })?;
    let Some(value) = parsed.value else { return Err(Diagnostic::new("the file is empty")) };
    let mut mistakes = Vec::new();
    let node = node(text, value, &mut mistakes);
    Ok((node, mistakes))
}

/// The parser's messages start with a capital letter, ours do not.
fn sentence(message: &str) -> String {
    let mut rest = message.chars();
    rest.next().map(|first| first.to_lowercase().chain(rest).collect()).unwrap_or_default()
}

/// The character at a line and column, in bytes, both counted from 1, as serde_json counts them.
fn point(text: &str, line: usize, column: usize) -> Span {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let start = text.floor_char_boundary(before + column.saturating_sub(1));
    Span { start, end: text.ceil_char_boundary((start + 1).min(text.len())) }
}

fn node(text: &str, value: Value<'_>, mistakes: &mut Vec<Diagnostic>) -> Node {
    let Range { start, end } = value.range();
    let span = first_line(text, start, end);
    let kind = match value {
        Value::StringLit(value) => Kind::String(value.value.into_owned()),
        Value::NumberLit(value) => number(value.value, span, mistakes),
        Value::BooleanLit(value) => Kind::Boolean(value.value),
        Value::NullKeyword(_) => Kind::Null,
        Value::Array(array) => {
            Kind::Array(array.elements.into_iter().map(|value| node(text, value, mistakes)).collect())
        }
        Value::Object(object) => entries(text, object, mistakes),
    };
    Node { kind, span }
}

fn number(digits: &str, span: Span, mistakes: &mut Vec<Diagnostic>) -> Kind {
    if digits.contains(['.', 'e', 'E']) {
        return Kind::Float;
    }
    Kind::Integer(digits.parse().unwrap_or_else(|_| {
        mistakes.push(Diagnostic::at(span, "the integer does not fit into 64 bits"));
        0
    }))
}

fn entries(text: &str, object: Object<'_>, mistakes: &mut Vec<Diagnostic>) -> Kind {
    let mut seen = BTreeMap::new();
    let mut entries = Vec::new();
    for property in object.properties {
        let Range { start, end } = property.name.range();
        let span = Span { start, end };
        let key = match property.name {
            ObjectPropName::String(name) => name.value.into_owned(),
            ObjectPropName::Word(name) => name.value.to_owned(),
        };
        let value = node(text, property.value, mistakes);
        if let Some(&first) = seen.get(&key) {
            let mistake = Diagnostic::at(span, format!("duplicate key `{key}`"));
            mistakes.push(mistake.also(first, "first here"));
        } else {
            seen.insert(key.clone(), span);
            entries.push((Spanned::new(key, span), value));
        }
    }
    Kind::Table(entries)
}
