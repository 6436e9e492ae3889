//! Values that know where they stand: the common shape of TOML and JSON.

use super::{Span, Spanned};

/// A value and its place. The place of a table that has a header (`[image]`, `[[layer]]`) is that header; one that
/// runs over several lines is shown by its first line.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub kind: Kind,
    pub span: Span,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// In the order of the text; no key stands twice.
    Table(Vec<(Spanned<String>, Node)>),
    Array(Vec<Node>),
    String(String),
    Integer(i64),
    Float,
    Boolean(bool),
    /// In the notation of RFC 3339, perhaps without date, time or offset.
    Datetime(String),
    /// JSON's, which no key takes.
    Null,
}

impl Kind {
    /// For messages: `found an integer`.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::Array(_) => "an array",
            Self::String(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Datetime(_) => "a datetime",
            Self::Null => "null",
        }
    }
}

/// The first line of a place: what to underline for a value that runs over several.
pub(super) fn first_line(text: &str, start: usize, end: usize) -> Span {
    let slice = text.get(start..end).unwrap_or_default();
    let line = slice.lines().next().unwrap_or_default().trim_end();
    Span { start, end: start + line.len() }
}
