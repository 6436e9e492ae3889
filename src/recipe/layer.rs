//! `[[layer]]` and its statements.

use super::context::Context;
use super::decode::known_input;
use super::image::{defaults, mtime};
use super::table::Table;
use super::value::{Kind, Node};
use super::{
    Capabilities, Copy, Diagnostic, Extract, Filter, From, Layer, Link, Mkdir, Remove, Spanned, Statement, Write,
};
use super::{Template, owner, path, read};

/// Reads all layers.
pub(super) fn layers(node: Node, cx: &mut Context<'_>) -> Option<Vec<Layer>> {
    let layers = read::tables("[[layer]]", |table, _, cx| Some(layer(table, cx)))(node, cx)?;
    let names = layers.iter().filter_map(|layer| layer.name.as_ref());
    cx.unique(names, String::clone, |name| format!("two layers have the name `{}`", name));
    Some(layers)
}

fn layer(mut table: Table, cx: &mut Context<'_>) -> Layer {
    let span = table.span();
    let name = table.optional("name", cx, read::parsed(name));
    let defaults = defaults(&mut table, cx);
    let mut all = Vec::new();
    let mut add = |statements: Option<Vec<Spanned<Statement>>>| all.extend(statements.unwrap_or_default());
    add(table.optional("copy", cx, statements("[[layer.copy]]", "to", copy)));
    add(table.optional("write", cx, statements("[[layer.write]]", "to", write)));
    add(table.optional("mkdir", cx, statements("[[layer.mkdir]]", "path", mkdir)));
    add(table.optional("link", cx, statements("[[layer.link]]", "path", link)));
    add(table.optional("extract", cx, statements("[[layer.extract]]", "to", extract)));
    add(table.optional("remove", cx, statements("[[layer.remove]]", "path", remove)));
    table.finish(cx);
    all.sort_by_key(|statement| statement.span);
    Layer { name, span, defaults, statements: all }
}

fn name(text: &str) -> Result<String, Diagnostic> {
    if text.trim().is_empty() || text.contains(char::is_control) {
        return Err(Diagnostic::new("the name of a layer is empty or has control characters"));
    }
    Ok(text.to_owned())
}

/// The statements of one kind. Each stands at its header, or where there is none at the key that says its path.
fn statements(
    header: &'static str,
    path: &'static str,
    read: fn(&mut Table, &mut Context<'_>) -> Option<Statement>,
) -> impl FnOnce(Node, &mut Context<'_>) -> Option<Vec<Spanned<Statement>>> {
    read::tables(header, move |mut table, has_header, cx| {
        let statement = read(&mut table, cx);
        let span = match table.key_span(path) {
            Some(span) if !has_header => span,
            _ => table.span(),
        };
        table.finish(cx);
        statement.map(|statement| Spanned::new(statement, span))
    })
}

fn copy(table: &mut Table, cx: &mut Context<'_>) -> Option<Statement> {
    let from = table.required("from", "\"bin/app\"", cx, from);
    let to = table.required("to", "\"/usr/bin/app\"", cx, path::in_image_or_root);
    let mode = table.optional("mode", cx, owner::mode);
    let modes = table.optional("modes", cx, owner::modes).unwrap_or_default();
    table.conflict("mode", "modes", "`mode` is for a single file, `modes` for a folder", cx);
    let owner = table.optional("owner", cx, owner::owner);
    let filter = filter(table, cx);
    let ignore_file = table.optional("ignore-file", cx, path::beside);
    let capabilities = table.optional("capabilities", cx, capabilities);
    let optional = table.optional("optional", cx, read::boolean).unwrap_or_default();
    Some(Statement::Copy(Copy {
        from: from?,
        to: to?,
        mode,
        modes,
        owner,
        filter,
        ignore_file,
        capabilities,
        optional,
    }))
}

fn write(table: &mut Table, cx: &mut Context<'_>) -> Option<Statement> {
    let to = table.required("to", "\"/etc/motd\"", cx, path::in_image);
    let literal = table.optional("literal", cx, read::boolean).unwrap_or_default();
    let text = table.required("text", "\"hello\\n\"", cx, |node, cx| text(node, literal, cx));
    let mode = table.optional("mode", cx, owner::mode);
    let owner = table.optional("owner", cx, owner::owner);
    let capabilities = table.optional("capabilities", cx, capabilities);
    Some(Statement::Write(Write { to: to?, text: text?, mode, owner, capabilities }))
}

/// The content of a file: any bytes that are UTF-8, NUL among them.
fn text(node: Node, literal: bool, cx: &mut Context<'_>) -> Option<Template> {
    let text = read::any_string(node, cx)?;
    if literal { Some(Template::literal(&text)) } else { cx.template(&text).map(|template| template.value) }
}

fn mkdir(table: &mut Table, cx: &mut Context<'_>) -> Option<Statement> {
    let path = table.required("path", "\"/data\"", cx, path::in_image);
    let mode = table.optional("mode", cx, owner::mode);
    let owner = table.optional("owner", cx, owner::owner);
    Some(Statement::Mkdir(Mkdir { path: path?, mode, owner }))
}

fn link(table: &mut Table, cx: &mut Context<'_>) -> Option<Statement> {
    let path = table.required("path", "\"/bin/sh\"", cx, path::in_image);
    let hard = table.optional("hard", cx, read::boolean).unwrap_or_default();
    let read_target = if hard { path::in_image } else { read::filled_template };
    let target = table.required("target", "\"busybox\"", cx, read_target);
    let owner = table.optional("owner", cx, owner::owner);
    if hard {
        table.conflict("hard", "owner", "a hard link has the owner of what it links to", cx);
    }
    Some(Statement::Link(Link { path: path?, target: target?, hard, owner }))
}

fn extract(table: &mut Table, cx: &mut Context<'_>) -> Option<Statement> {
    let from = table.required("from", "\"app.tar.gz\"", cx, from);
    let to = table.optional("to", cx, path::in_image_or_root);
    let to = match table.key_span("to") {
        Some(_) => to,
        None => Some(Spanned::new(Template::literal("/"), table.span())),
    };
    let strip = table.optional("strip", cx, read::up_to(255)).map_or(0, |strip| strip.value);
    let modes = table.optional("modes", cx, owner::modes).unwrap_or_default();
    let owner = table.optional("owner", cx, owner::owner);
    let mtime = table.optional("mtime", cx, mtime);
    let filter = filter(table, cx);
    let optional = table.optional("optional", cx, read::boolean).unwrap_or_default();
    Some(Statement::Extract(Extract { from: from?, to: to?, strip, modes, owner, mtime, filter, optional }))
}

fn remove(table: &mut Table, cx: &mut Context<'_>) -> Option<Statement> {
    let path = table.required("path", "\"/usr/share/doc\"", cx, path::in_image);
    let optional = table.optional("optional", cx, read::boolean).unwrap_or_default();
    Some(Statement::Remove(Remove { path: path?, optional }))
}

/// `"bin/app"` or `{ input = "tini" }`.
fn from(node: Node, cx: &mut Context<'_>) -> Option<Spanned<From>> {
    let span = node.span;
    let from = match node.kind {
        Kind::String(_) => From::Disk(path::beside(node, cx)?.value),
        Kind::Table(_) => {
            let mut table = Table::open(node, "`from`", cx)?;
            let input = table.required("input", "\"NAME\"", cx, read::filled);
            let path = table.optional("path", cx, path::in_input);
            table.finish(cx);
            let input = input?;
            if !known_input(&input, cx) {
                return None;
            }
            From::Input { input, path }
        }
        _ => return cx.mismatch("a path or { input = \"NAME\" }", &node),
    };
    Some(Spanned::new(from, span))
}

fn filter(table: &mut Table, cx: &mut Context<'_>) -> Filter {
    Filter {
        include: table.optional("include", cx, read::array(path::glob)).unwrap_or_default(),
        exclude: table.optional("exclude", cx, read::array(path::glob)).unwrap_or_default(),
    }
}

fn capabilities(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Capabilities>> {
    read::parsed(|text| Capabilities::parse(text).map_err(|error| Diagnostic::new(error.to_string())))(node, cx)
}
