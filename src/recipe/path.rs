//! Readers of paths: inside the image, beside the recipe, and patterns over both.

use super::context::Context;
use super::read::filled_template;
use super::value::Node;
use super::{Diagnostic, Spanned, Template};
use crate::tree::{EntryPath, PathError};

/// A path inside the image that is not its root: `/etc/motd`.
pub(super) fn in_image(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    checked(node, cx, |text| entry(text, false))
}

/// A path inside the image, or the root itself: `/`.
pub(super) fn in_image_or_root(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    checked(node, cx, |text| entry(text, true))
}

/// A path beside the recipe: `bin/{arch}/app`.
pub(super) fn beside(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    checked(node, cx, relative)
}

/// A path inside an input, with or without a slash before it.
pub(super) fn in_input(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    checked(node, cx, |text| inside(text, true))
}

/// A pattern of `include` or `exclude`.
pub(super) fn glob(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    checked(node, cx, |text| {
        let glob = globset::GlobBuilder::new(text).literal_separator(true).build();
        glob.map(drop).map_err(|error| Diagnostic::new(format!("`{text}` is no pattern: {}", error.kind())))
    })
}

/// A template of which every expansion passes a check; the first that does not is reported.
pub(super) fn checked(
    node: Node,
    cx: &mut Context<'_>,
    check: impl Fn(&str) -> Result<(), Diagnostic>,
) -> Option<Spanned<Template>> {
    let template = filled_template(node, cx)?;
    let result = cx.expansions(&template).iter().try_for_each(|text| check(text));
    cx.placed(template.span, result)?;
    Some(template)
}

fn entry(text: &str, root: bool) -> Result<(), Diagnostic> {
    if !text.starts_with('/') {
        let message = format!("the path `{text}` does not start with `/`");
        return Err(Diagnostic::new(message).help(format!("a path in the image is absolute: \"/{text}\"")));
    }
    inside(text, root)
}

fn inside(text: &str, root: bool) -> Result<(), Diagnostic> {
    match EntryPath::parse(text) {
        Err(PathError::Root) if root => Ok(()),
        Err(error) => Err(Diagnostic::new(format!("the path `{text}` {error}"))),
        Ok(_) => Ok(()),
    }
}

/// Never above the folder it starts from, neither on its way nor at its end.
pub(super) fn relative(text: &str) -> Result<(), Diagnostic> {
    if text.starts_with('/') {
        let message = format!("the path `{text}` is absolute, outside the recipe's folder");
        return Err(Diagnostic::new(message).help("files come from beside the recipe: write a relative path"));
    }
    let mut depth = 0_usize;
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => {
                return Err(Diagnostic::new(format!("the path `{text}` leads outside the recipe's folder")));
            }
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    Ok(())
}
