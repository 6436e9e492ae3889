//! Owners and modes.

use super::context::Context;
use super::read;
use super::table::Table;
use super::value::{Kind, Node};
use super::{Diagnostic, Modes, Owner, Principal, Spanned};

/// `"app"`, `"app:app"`, `"8080:8080"` or `8080`.
pub(super) fn owner(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Owner>> {
    match node.kind {
        Kind::Integer(id) => {
            let owner = principal(&id.to_string()).map(|user| Owner { user, group: None });
            cx.placed(node.span, owner).map(|owner| Spanned::new(owner, node.span))
        }
        Kind::String(_) => read::parsed(parse)(node, cx),
        _ => cx.mismatch("a user's name or number", &node),
    }
}

fn parse(text: &str) -> Result<Owner, Diagnostic> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(principal(group)?)),
        None => (text, None),
    };
    Ok(Owner { user: principal(user)?, group })
}

fn principal(text: &str) -> Result<Principal, Diagnostic> {
    if text.is_empty() {
        let mistake = Diagnostic::new("the name of a user or group is empty");
        return Err(mistake.help("write \"user\" or \"user:group\""));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        // The last number means "leave it" to chown(2).
        return match text.parse() {
            Ok(id) if id < u32::MAX => Ok(Principal::Id(id)),
            _ => Err(Diagnostic::new(format!("the id {text} is out of range (0 to {})", u32::MAX - 1))),
        };
    }
    if text.contains(|c: char| matches!(c, ':' | '/') || c.is_whitespace() || c.is_control()) {
        return Err(Diagnostic::new(format!("`{}` is no name of a user or group", text)));
    }
    Ok(Principal::Name(text.to_owned()))
}

/// `"0755"`.
pub(super) fn mode(node: Node, cx: &mut Context<'_>) -> Option<Spanned<u32>> {
    if let Kind::Integer(_) = node.kind {
        let digits = cx.slice(node.span);
        let digits = digits.strip_prefix("0o").unwrap_or(digits);
        let help = format!("put its octal digits in quotes: \"{digits:0>4}\"");
        return cx.reject(Diagnostic::at(node.span, "a mode is a string of octal digits, found an integer").help(help));
    }
    read::parsed(octal)(node, cx)
}

fn octal(text: &str) -> Result<u32, Diagnostic> {
    if text.is_empty() || !text.bytes().all(|b| matches!(b, b'0'..=b'7')) {
        return Err(Diagnostic::new(format!("`{text}` is no mode")).help("a mode is octal digits, like \"0755\""));
    }
    match u32::from_str_radix(text, 8) {
        Ok(mode @ ..=0o7777) => Ok(mode),
        _ => Err(Diagnostic::new(format!("the mode {text} is out of range (0 to 7777)"))),
    }
}

/// `{ dirs = "0750", files = "0640" }`.
pub(super) fn modes(node: Node, cx: &mut Context<'_>) -> Option<Modes> {
    if let Kind::String(_) = node.kind {
        let help = "write { dirs = \"0755\", files = \"0644\" }; for a single file there is `mode`";
        return cx.reject(Diagnostic::at(node.span, "expected a table, found a string").help(help));
    }
    let mut table = Table::open(node, "`modes`", cx)?;
    let dirs = table.optional("dirs", cx, mode).map(|mode| mode.value);
    let files = table.optional("files", cx, mode).map(|mode| mode.value);
    table.finish(cx);
    Some(Modes { dirs, files })
}
