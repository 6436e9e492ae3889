//! `[config.healthcheck]`.

use super::config::words;
use super::context::Context;
use super::read;
use super::table::Table;
use super::value::{Kind, Node};
use super::{Diagnostic, Healthcheck, Spanned, Template, instant};

/// Reads `[config.healthcheck]`.
pub(super) fn healthcheck(node: Node, cx: &mut Context<'_>) -> Option<Healthcheck> {
    let mut table = Table::open(node, "[config.healthcheck]", cx)?;
    let test = table.required("test", "[\"CMD\", \"/bin/probe\"]", cx, test);
    let interval = table.optional("interval", cx, duration);
    let timeout = table.optional("timeout", cx, duration);
    let start_period = table.optional("start-period", cx, duration);
    let start_interval = table.optional("start-interval", cx, duration);
    // Docker keeps it as an int of at least 32 bits.
    let retries = table.optional("retries", cx, read::up_to(i32::MAX.unsigned_abs())).map(|retries| retries.value);
    table.finish(cx);
    Some(Healthcheck { test: test?, interval, timeout, start_period, start_interval, retries })
}

fn duration(node: Node, cx: &mut Context<'_>) -> Option<u64> {
    if let Kind::Integer(number) = node.kind {
        let mistake = Diagnostic::at(node.span, "expected a duration, found an integer");
        return cx.reject(mistake.help(format!("write it with its unit: \"{number}s\"")));
    }
    read::parsed(instant::duration)(node, cx).map(|duration| duration.value)
}

fn test(node: Node, cx: &mut Context<'_>) -> Option<Vec<Spanned<Template>>> {
    let span = node.span;
    let length = match &node.kind {
        Kind::Array(nodes) => nodes.len(),
        _ => 0,
    };
    let test = words(node, cx)?;
    if test.len() < length {
        return None;
    }
    let refuse = |message: &str| Diagnostic::at(span, message.to_owned());
    let first = test.first().map(|first| first.to_string()).unwrap_or_default();
    match (first.as_str(), test.len()) {
        ("NONE", 1) | ("CMD", 2..) | ("CMD-SHELL", 2) => Some(test),
        ("NONE", _) => cx.reject(refuse("`NONE` takes nothing behind it")),
        ("CMD", _) => cx.reject(refuse("`CMD` needs a program behind it")),
        ("CMD-SHELL", _) => cx.reject(refuse("`CMD-SHELL` takes one string behind it, the text for the shell")),
        _ => cx.reject(refuse("a healthcheck's test starts with `CMD`, `CMD-SHELL` or `NONE`")),
    }
}
