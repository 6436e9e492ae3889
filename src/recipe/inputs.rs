//! `[inputs.NAME]`.

use super::context::Context;
use super::suggest::list;
use super::table::Table;
use super::value::{Kind, Node};
use super::{Diagnostic, Input, Spanned, Template};
use super::{path, read};
use crate::oci::{ImageName, NameError, Platform, Transport};
use std::collections::BTreeMap;

const KINDS: [&str; 3] = ["image", "url", "git"];

/// Reads `[inputs]`.
pub(super) fn inputs(node: Node, cx: &mut Context<'_>) -> Option<BTreeMap<String, Spanned<Input>>> {
    read::map(|key, node, cx| {
        let is_name = is_name(key);
        if !is_name {
            let message = format!("`{}` is no name of an input", key.value.escape_debug());
            let help = "a name has `a` to `z`, `0` to `9`, `.`, `_` and `-`, and starts with a letter or digit";
            cx.mistakes.push(Diagnostic::at(key.span, message).help(help));
        }
        let span = node.span;
        let input = input(Table::open(node, format!("[inputs.{}]", key.value.escape_debug()), cx)?, cx)?;
        is_name.then(|| (key.value.clone(), Spanned::new(input, span)))
    })(node, cx)
}

fn is_name(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    matches!(text.as_bytes(), [first, rest @ ..] if word(*first)
        && rest.iter().all(|&b| word(b) || matches!(b, b'.' | b'_' | b'-')))
}

/// Reads one input: one key says its kind, and each other key belongs to one kind.
fn input(mut table: Table, cx: &mut Context<'_>) -> Option<Input> {
    let image = table.optional("image", cx, read::parsed(image));
    let url = table.optional("url", cx, url);
    let git = table.optional("git", cx, argument);
    let sha256 = table.optional("sha256", cx, sha256).unwrap_or_default();
    let mirrors = table.optional("mirrors", cx, read::array(self::url)).unwrap_or_default();
    let rev = table.optional("rev", cx, argument);
    let subdir = table.optional("subdir", cx, subdir);
    let given: Vec<_> = KINDS.into_iter().filter_map(|kind| Some((table.key_span(kind)?, kind))).collect();
    if let [(_, kind)] = given[..] {
        for (key, owner) in [("sha256", "url"), ("mirrors", "url"), ("rev", "git"), ("subdir", "git")] {
            if let Some(span) = table.key_span(key).filter(|_| owner != kind) {
                let message = format!("`{key}` is a key of `{owner}` inputs, and this one is of kind `{kind}`");
                cx.mistakes.push(Diagnostic::at(span, message));
            }
        }
    }
    let message = "the input does not say where it comes from".to_owned();
    table.one_of(&KINDS, message, format!("add one of {}", list(KINDS)));
    table.finish(cx);
    match given[..] {
        [(_, "image")] => image.map(|image| Input::Image { image }),
        [(_, "url")] => url.map(|url| Input::Url { url, sha256, mirrors }),
        [(_, "git")] => git.map(|git| Input::Git { git, rev, subdir }),
        [(first, one), (second, other), ..] => {
            let message = format!("the input has `{one}` and `{other}`: it comes from one place only");
            cx.reject(Diagnostic::at(first.max(second), message).also(first.min(second), ""))
        }
        _ => None,
    }
}

fn image(text: &str) -> Result<ImageName, Diagnostic> {
    let name: ImageName = text.parse().map_err(|error: NameError| Diagnostic::new(error.to_string()))?;
    if let (Transport::Registry(_), Some(tag)) = (&name.transport, &name.tag)
        && !ImageName::is_tag(tag)
    {
        return Err(Diagnostic::new(NameError::Tag(tag.clone()).to_string()));
    }
    Ok(name)
}

fn url(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    path::checked(node, cx, |text| {
        let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| matches!(*scheme, "https" | "http")) else {
            let mistake = Diagnostic::new(format!("`{}` is no http or https address", text.escape_debug()));
            return Err(mistake.help("write \"https://...\""));
        };
        if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
            return Err(Diagnostic::new(format!("the address `{}` has no host", text.escape_debug())));
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(Diagnostic::new(format!("the address `{}` contains white space", text.escape_debug())));
        }
        Ok(())
    })
}

/// A string that git gets as an argument: it must not look like an option.
fn argument(node: Node, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = read::filled(node, cx)?;
    if text.starts_with('-') {
        return cx.reject(Diagnostic::at(text.span, format!("`{}` starts with `-`", text.value.escape_debug())));
    }
    Some(text)
}

fn subdir(node: Node, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = read::filled(node, cx)?;
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        let message = format!("the path `{}` leads outside the git tree", text.value.escape_debug());
        return cx.reject(Diagnostic::at(text.span, message));
    }
    Some(text)
}

/// One digest, or one by architecture.
fn sha256(node: Node, cx: &mut Context<'_>) -> Option<BTreeMap<Option<String>, Spanned<String>>> {
    if let Kind::Table(_) = node.kind {
        return read::map(|key, node, cx| {
            // Whatever stands behind a slash is a variant, and a digest is known by architecture alone.
            match format!("linux/{}", key.value).parse::<Platform>() {
                Ok(platform) if platform.variant.is_none() => {}
                Ok(_) => return cx.reject(Diagnostic::at(key.span, format!("`{}` has a variant", key.value))),
                Err(error) => return cx.reject(Diagnostic::at(key.span, error.to_string())),
            }
            Some((Some(key.value.clone()), read::parsed(hex)(node, cx)?))
        })(node, cx);
    }
    Some(BTreeMap::from([(None, read::parsed(hex)(node, cx)?)]))
}

fn hex(text: &str) -> Result<String, Diagnostic> {
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(text.to_owned());
    }
    let mistake = Diagnostic::new(format!("`{}` is no sha256 digest", text.escape_debug()));
    Err(if let Some(hex) = text.strip_prefix("sha256:") {
        mistake.help(format!("leave `sha256:` out: \"{}\"", hex.escape_debug()))
    } else if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        mistake.help(format!("write it in lower case: \"{}\"", text.to_ascii_lowercase()))
    } else {
        mistake.help("it is 64 digits of `0` to `9` and `a` to `f`; leave it out and `rebake lock` pins it")
    })
}
