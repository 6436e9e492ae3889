//! Text with placeholders: `{arch}`, `{version.minor}`.
//!
//! A placeholder is `{` + a lower-case letter + lower-case letters, digits, `.`, `_` or `-` + `}`; every other brace is
//! text (`{a,b}`, `{ listen 80; }`, `{"a":1}`). `{{arch}}` is the text `{arch}`, and `${name}` is left to shells.

/// Text whose placeholders are all known ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(&'static str),
}

/// What the placeholders stand for, on one platform.
#[derive(Debug, Clone)]
pub struct Variables {
    values: Vec<(&'static str, String)>,
}
