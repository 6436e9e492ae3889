//! `[image]`, and the defaults that it shares with `[[layer]]`.

use super::context::Context;
use super::suggest::did_you_mean;
use super::table::Table;
use super::value::{Kind, Node};
use super::{Created, Defaults, Diagnostic, Image, Mtime, Span, Spanned, Stamp, Template, Variables};
use super::{instant, owner, read};
use crate::oci::Compression;
use crate::oci::{ImageName, Platform};

const TAGS: &str = "a tag stands for all platforms of the image";

/// Reads `[image]`, and notes its version for the placeholders.
pub(super) fn image(node: Node, cx: &mut Context<'_>) -> Option<Image> {
    let mut table = Table::open(node, "[image]", cx)?;
    let name = table.required("name", "\"registry.example.com/acme/app\"", cx, read::parsed(repository));
    let version = table.optional("version", cx, read::parsed(version));
    cx.version_is_wrong = version.is_none() && (table.key_span("version").is_some() || table.has_slip_of("version"));
    cx.version = version.as_ref().map(|version| version.value.clone());
    let tags = table.optional("tags", cx, read::array(tag)).unwrap_or_default();
    let platforms = table.optional("platforms", cx, platforms);
    let platforms = platforms.unwrap_or_else(|| vec![Spanned::new(Platform::linux_amd64(), table.span())]);
    let base = table.optional("base", cx, read::filled);
    let created = table.optional("created", cx, created);
    let defaults = defaults(&mut table, cx);
    let origin = table.optional("origin", cx, origin).flatten();
    table.finish(cx);
    let known_name = name.as_ref().map_or("name", |name| name.value.as_str());
    let variables = Variables::new(known_name, cx.version.as_deref(), &Platform::linux_amd64());
    // A commit's values become part of a tag only after they were made fit for one.
    let variables = variables.with_stamp(&Stamp::sample());
    // A version that is wrong was said already, and every tag made of it would be wrong again.
    if !cx.version_is_wrong {
        check_tags(&tags, &variables, cx);
    }
    Some(Image { name: name?, version, tags, platforms, base, created, origin, defaults })
}

/// The name of a repository, as the distribution specification has it.
fn repository(text: &str) -> Result<String, Diagnostic> {
    let refuse = |reason: &str| Err(Diagnostic::new(format!("`{}` {reason}", text)));
    if text.contains("://") {
        return refuse("is no repository name: leave out what is before and including `://`");
    }
    if text.contains('@') {
        return refuse("has a digest: `name` takes none");
    }
    if text.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        let (name, tag) = text.rsplit_once(':').unwrap_or_default();
        let mistake = Diagnostic::new(format!("`{text}` has a tag: `name` takes none"));
        return Err(mistake.help(format!("name = \"{name}\", tags = [\"{tag}\"]")));
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        let mistake = Diagnostic::new(format!("`{text}` has capital letters: a repository name is lower-case"));
        return Err(mistake.help(format!("write \"{}\"", text.to_ascii_lowercase())));
    }
    // The grammar of references is a large regular expression, which takes longer to compile than a small image to bake:
    // it is asked about unusual names only.
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.len() < 200 && text.split('/').all(|part| part.split(['-', '.']).all(word)) {
        return Ok(text.to_owned());
    }
    match text.parse::<oci_spec::distribution::Reference>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) if text.len() > 255 => refuse("is longer than 255 characters"),
        Err(_) => {
            refuse("is no repository name: parts of `a` to `z`, `0` to `9`, with `.`, `_`, `-` inside, divided by `/`")
        }
    }
}

fn version(text: &str) -> Result<String, Diagnostic> {
    if ImageName::is_tag(text) {
        return Ok(text.to_owned());
    }
    let mistake = Diagnostic::new(format!("`{}` cannot be a version: it makes no tag", text));
    Err(mistake.help("use letters, digits, `_`, `.` and `-`, at most 128, not starting with `.` or `-`"))
}

fn tag(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Template>> {
    let text = read::filled(node, cx)?;
    cx.stamped_template(&text, Some(TAGS))
}

fn check_tags(tags: &[Spanned<Template>], variables: &Variables, cx: &mut Context<'_>) {
    for tag in tags {
        let text = tag.expand(variables);
        if !ImageName::is_tag(&text) {
            let mistake = Diagnostic::at(tag.span, format!("`{}` is no tag", text));
            let help = "a tag has letters, digits, `_`, `.` and `-`, at most 128, and does not start with `.` or `-`";
            cx.mistakes.push(mistake.help(help));
        }
    }
    cx.unique(tags, |tag| tag.expand(variables), |tag| format!("the tag `{tag}` stands twice"));
}

fn platforms(node: Node, cx: &mut Context<'_>) -> Option<Vec<Spanned<Platform>>> {
    let span = node.span;
    let is_empty = matches!(&node.kind, Kind::Array(nodes) if nodes.is_empty());
    let parse =
        |text: &str| text.parse().map_err(|error: crate::oci::PlatformError| Diagnostic::new(error.to_string()));
    let platforms = read::array(|node, cx: &mut Context<'_>| read::parsed(parse)(node, cx))(node, cx)?;
    if is_empty {
        let mistake = Diagnostic::at(span, "`platforms` is empty");
        return cx.reject(mistake.help("leave it out for linux/amd64"));
    }
    cx.unique(&platforms, Platform::clone, |platform| format!("the platform `{platform}` stands twice"));
    // All of them wrong: said already.
    if platforms.is_empty() { None } else { Some(platforms) }
}

fn created(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Created>> {
    instant_or("\"git\"", instant::created)(node, cx)
}

/// `mtime`, of `[image]`, `[[layer]]` and `[[layer.extract]]`.
pub(super) fn mtime(node: Node, cx: &mut Context<'_>) -> Option<Spanned<Mtime>> {
    instant_or("\"created\"", instant::mtime)(node, cx)
}

/// An instant as a string or as TOML's own; or a word.
fn instant_or<T>(
    word: &'static str,
    parse: fn(&str) -> Result<T, Diagnostic>,
) -> impl FnOnce(Node, &mut Context<'_>) -> Option<Spanned<T>> {
    move |node, cx| match node.kind {
        Kind::String(_) => read::parsed(parse)(node, cx),
        Kind::Datetime(text) => cx.placed(node.span, parse(&text)).map(|value| Spanned::new(value, node.span)),
        _ => cx.mismatch(&format!("an instant like \"2026-11-20T00:00:00Z\" or {word}"), &node),
    }
}

/// The keys that `[image]` and `[[layer]]` share.
pub(super) fn defaults(table: &mut Table, cx: &mut Context<'_>) -> Defaults {
    Defaults {
        owner: table.optional("owner", cx, owner::owner),
        modes: table.optional("modes", cx, owner::modes).unwrap_or_default(),
        mtime: table.optional("mtime", cx, mtime),
        compression: table.optional("compression", cx, compression),
    }
}

/// `"gzip"`, or with its level `{ gzip = "fast" }`.
fn compression(node: Node, cx: &mut Context<'_>) -> Option<Compression> {
    if !matches!(node.kind, Kind::Table(_)) {
        return Some(read::parsed(format)(node, cx)?.value);
    }
    let mut table = Table::open(node, "`compression`", cx)?;
    let level = table.required("gzip", "\"fast\"", cx, read::parsed(level)).map(|level| level.value);
    table.finish(cx);
    level
}

fn format(text: &str) -> Result<Compression, Diagnostic> {
    one_of(
        text,
        "compression",
        &[("gzip", Compression::Gzip), ("zstd", Compression::Zstd), ("none", Compression::None)],
    )
}

fn level(text: &str) -> Result<Compression, Diagnostic> {
    one_of(text, "level of gzip", &[("default", Compression::Gzip), ("fast", Compression::GzipFast)])
}

fn one_of(text: &str, what: &str, known: &[(&'static str, Compression)]) -> Result<Compression, Diagnostic> {
    if let Some((_, found)) = known.iter().find(|(name, _)| *name == text) {
        return Ok(*found);
    }
    let names = known.iter().map(|(name, _)| *name);
    let quoted: Vec<String> = names.clone().map(|name| format!("`{name}`")).collect();
    let near = did_you_mean(text, names).unwrap_or_else(|| format!("the choice is {}", quoted.join(", ")));
    Err(Diagnostic::new(format!("unknown {what} `{text}`")).help(near))
}

/// Where `true` stands.
fn origin(node: Node, cx: &mut Context<'_>) -> Option<Option<Span>> {
    let span = node.span;
    Some(read::boolean(node, cx)?.then_some(span))
}
