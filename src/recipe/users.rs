//! `[users.NAME]`.

use super::context::Context;
use super::read;
use super::table::Table;
use super::value::Node;
use super::{Diagnostic, Spanned, User};
use std::collections::BTreeMap;

/// Reads `[users]`.
pub(super) fn users(node: Node, cx: &mut Context<'_>) -> Option<BTreeMap<String, Spanned<User>>> {
    let users = read::map(|key, node, cx| {
        let is_name = is_name(key);
        if !is_name {
            let message = format!("`{}` is no user name", key.value.escape_debug());
            let help = "a name has `a` to `z`, `0` to `9`, `_` and `-`, at most 32, and starts with a letter or `_`";
            cx.mistakes.push(Diagnostic::at(key.span, message).help(help));
        }
        let span = node.span;
        let user = user(Table::open(node, format!("[users.{}]", key.value.escape_debug()), cx)?, cx)?;
        is_name.then(|| (key.value.clone(), Spanned::new(user, span)))
    })(node, cx)?;
    let mut ids: Vec<_> = users.values().map(|user| &user.value.uid).collect();
    ids.sort_by_key(|uid| uid.span);
    cx.unique(ids, |&uid| uid, |uid| format!("two users have the uid {uid}"));
    Some(users)
}

fn is_name(text: &str) -> bool {
    let first = |b: u8| b.is_ascii_lowercase() || b == b'_';
    matches!(text.as_bytes(), [start, rest @ ..] if text.len() <= 32 && first(*start)
        && rest.iter().all(|&b| first(b) || b.is_ascii_digit() || b == b'-'))
}

fn user(mut table: Table, cx: &mut Context<'_>) -> Option<User> {
    let uid = table.required("uid", "1000", cx, read::up_to(u32::MAX - 1));
    let gid = table.optional("gid", cx, read::up_to(u32::MAX - 1));
    let home = table.optional("home", cx, read::parsed(absolute));
    let shell = table.optional("shell", cx, read::parsed(absolute));
    let comment = table.optional("comment", cx, read::parsed(field));
    table.finish(cx);
    let text =
        |value: Option<Spanned<String>>, default: &str| value.map_or_else(|| default.to_owned(), |text| text.value);
    Some(User {
        uid: uid?,
        gid,
        home: text(home, "/"),
        shell: text(shell, "/sbin/nologin"),
        comment: text(comment, ""),
    })
}

/// A field of passwd(5).
fn field(text: &str) -> Result<String, Diagnostic> {
    if text.contains([':', '\n']) {
        return Err(Diagnostic::new("a field of /etc/passwd holds no `:` and no line break"));
    }
    Ok(text.to_owned())
}

fn absolute(text: &str) -> Result<String, Diagnostic> {
    if !text.starts_with('/') {
        return Err(Diagnostic::new(format!("the path `{}` does not start with `/`", text.escape_debug())));
    }
    field(text)
}
