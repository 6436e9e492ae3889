//! Differences as text: what matters most first, the rest counted.

use super::{hex, large, member_values, path, values, why};
use crate::cli::report::safe;
use rebake::diff::{
    Blame, ContentDifference, Detail, Differences, EntryChange, EntryDifference, Field, FieldChange, Framing,
    LayerChange, LayerDifference, MemberChange, PlatformDifferences, Rung, Section, TarDifference,
};
use rebake::tree::Printable;
use serde_json::Value;
use std::cmp::Ordering;

/// Entries of a layer, fields of a document, lines of a content, characters of a value.
const ENTRIES: usize = 100;
const FIELDS: usize = 50;
const LINES: usize = 40;
const VALUE: usize = 120;

/// Who knows what is behind the first image.
pub trait Behind {
    /// What made an entry of a layer, by its number in the first image, or else in the second.
    fn entry(&self, platform: &PlatformDifferences, layer: &LayerDifference, path: &[u8]) -> Option<String>;
    /// Where a field of the config or the manifest is decided.
    fn field(&self, pointer: &str) -> Option<String>;
}

/// Lines, each with its indent.
struct Page<'a> {
    text: String,
    behind: Option<&'a dyn Behind>,
}

impl Page<'_> {
    fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(safe(text).trim_end());
        self.text.push('\n');
    }

    fn more(&mut self, indent: usize, count: u64) {
        if count > 0 {
            self.line(indent, &format!("... and {count} more; --json has more of them"));
        }
    }
}

/// What differs, for people.
pub fn text((a, b): (&str, &str), differences: &Differences) -> String {
    let mut page = Page { text: String::new(), behind: None };
    let rung = differences.rung();
    let meaning = match rung {
        Rung::Identical if differences.a.digest != differences.b.digest => "their images for one platform are the same",
        rung => rung.meaning(),
    };
    page.line(0, &format!("{a} and {b}: {rung}: {meaning}"));
    page.line(0, &format!("A: {}", differences.a.digest));
    page.line(0, &format!("B: {}", differences.b.digest));
    if let Some(only) = &differences.only {
        page.line(0, &format!("Only {only} was compared."));
    }
    if rung == Rung::Identical {
        return page.text;
    }
    let layers = differences.platforms.iter().flat_map(|platform| &platform.layers);
    if { layers }.any(|layer| matches!(layer.change, LayerChange::Recompressed(..))) {
        page.line(
            0,
            "That recompressed layers hold the same tar is what their diff_ids say; `rebake check` proves it.",
        );
    }
    page.text + &body(differences, None)
}

/// The same without the lines that name the images.
pub fn body(differences: &Differences, behind: Option<&dyn Behind>) -> String {
    let mut page = Page { text: String::new(), behind };
    fields(&mut page, 0, "index", &differences.index);
    for platform in &differences.platforms {
        self::platform(&mut page, platform);
    }
    page.text
}

fn platform(page: &mut Page, platform: &PlatformDifferences) {
    let name = platform.platform.as_ref().map_or_else(|| "an unknown platform".to_owned(), ToString::to_string);
    page.line(0, &format!("{name}: {}", platform.rung()));
    causes(page, &platform.causes);
    fields(page, 2, "manifest", &platform.manifest);
    fields(page, 2, "config", &platform.config);
    for layer in &platform.layers {
        self::layer(page, platform, layer);
    }
}

fn causes(page: &mut Page, causes: &[Blame]) {
    for blame in causes {
        let entries = match blame.entries {
            0 => String::new(),
            1 => " (1 entry)".to_owned(),
            n => format!(" ({n} entries)"),
        };
        page.line(2, &format!("why: {}{entries}", cut(&blame.cause.to_string(), 4 * VALUE)));
    }
}

fn fields(page: &mut Page, indent: usize, title: &str, fields: &[FieldChange]) {
    if fields.is_empty() {
        return;
    }
    page.line(indent, &format!("{title}:"));
    for field in fields.iter().take(FIELDS) {
        let (a, b) = (value(&field.a), value(&field.b));
        let behind = page.behind.and_then(|behind| behind.field(&field.pointer));
        let behind = behind.map(|behind| format!("  ({behind})")).unwrap_or_default();
        page.line(indent.saturating_add(2), &format!("{}: {a} -> {b}{behind}", cut(&field.pointer, 2 * VALUE)));
    }
    page.more(indent.saturating_add(2), fields.len().saturating_sub(FIELDS) as u64);
}

fn value(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "none".to_owned(), |value| cut(&value.to_string(), VALUE))
}

fn cut(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn layer(page: &mut Page, platform: &PlatformDifferences, layer: &LayerDifference) {
    let number = |n: Option<usize>| n.map(|n| n.saturating_add(1));
    let name = match (number(layer.a), number(layer.b)) {
        (Some(a), Some(b)) if a == b => format!("layer {a}"),
        (Some(a), Some(b)) => format!("layer {a} of A, {b} of B"),
        (Some(a), None) => format!("layer {a} of A alone"),
        (None, Some(b)) => format!("layer {b} of B alone"),
        (None, None) => "no layer".to_owned(),
    };
    match &layer.change {
        LayerChange::Same => {}
        LayerChange::Recompressed(..) => page.line(2, &format!("{name}: the same tar, compressed otherwise")),
        LayerChange::OneSided { entries, bytes } => {
            page.line(2, &format!("{name}: {entries} entries, {bytes} bytes"));
        }
        LayerChange::Unreadable { which, why } => {
            page.line(2, &format!("{name}: that of {which} cannot be read: {why}"))
        }
        LayerChange::Tar(tar) => {
            let what = if tar.substance { "" } else { ", in metadata alone" };
            let TarDifference { added, removed, changed, .. } = **tar;
            let entries = if changed == 1 { "entry" } else { "entries" };
            page.line(2, &format!("{name}: {changed} {entries} changed, {added} added, {removed} removed{what}"));
            let behind = page.behind;
            let behind = |path: &[u8]| behind.and_then(|behind| behind.entry(platform, layer, path));
            self::tar(page, tar, &behind);
        }
    }
}

fn tar(page: &mut Page, tar: &TarDifference, behind: &dyn Fn(&[u8]) -> Option<String>) {
    if let Some(order) = tar.order {
        let decides = if order.decides { "; the order decides what comes out" } else { "" };
        page.line(4, &format!("order: A is {}, B is {}{decides}", order.a, order.b));
    }
    for difference in &tar.framing {
        let entries = if difference.entries > 0 { format!(" ({} entries)", difference.entries) } else { String::new() };
        page.line(4, &format!("{}{entries}", cut(&framing(&difference.framing), 2 * VALUE)));
    }
    // Where there is no room for all, metadata waits.
    let mut shown: Vec<&EntryDifference> = tar.entries.iter().filter(|entry| entry.substance).take(ENTRIES).collect();
    let room = ENTRIES.saturating_sub(shown.len());
    shown.extend(tar.entries.iter().filter(|entry| !entry.substance).take(room));
    shown.sort_by(|x, y| x.path.cmp(&y.path));
    for entry in &shown {
        self::entry(page, entry);
        if let Some(behind) = behind(&entry.path) {
            page.line(8, &behind);
        }
        if let Some(content) = &entry.content {
            self::content(page, content);
        }
    }
    let total = tar.added.saturating_add(tar.removed).saturating_add(tar.changed);
    page.more(4, total.saturating_sub(shown.len() as u64));
}

fn entry(page: &mut Page, entry: &EntryDifference) {
    let path = cut(&path(&entry.path), 4 * VALUE);
    match &entry.change {
        EntryChange::Added(summary) | EntryChange::Removed(summary) => {
            let sign = if matches!(entry.change, EntryChange::Added(_)) { '+' } else { '-' };
            let implied = if summary.implied { ", implied by what is in it" } else { "" };
            let size = if summary.kind == "file" { format!(", {} bytes", summary.size) } else { String::new() };
            page.line(4, &format!("{sign} {path}  {} {:04o}{size}{implied}", summary.kind, summary.mode));
        }
        EntryChange::Changed(fields) => {
            let said = |field: &Field| {
                let (name, a, b) = match field {
                    // Digests say nothing to people.
                    Field::Content((size, _), (other, _)) => {
                        ("content".to_owned(), format!("{size} bytes"), format!("{other} bytes"))
                    }
                    field => values(field),
                };
                format!("{name} {} -> {}", cut(&a, VALUE), cut(&b, VALUE))
            };
            page.line(4, &format!("~ {path}  {}", fields.iter().map(said).collect::<Vec<_>>().join(", ")));
        }
    }
}

fn content(page: &mut Page, content: &ContentDifference) {
    match &content.detail {
        Detail::Text(lines) => {
            for line in lines.lines.iter().take(LINES) {
                page.line(8, line);
            }
            let left = lines.lines.len().saturating_sub(LINES).saturating_add(lines.omitted);
            page.more(8, left as u64);
        }
        Detail::Members(members) => {
            let order = if members.order { ", in another order" } else { "" };
            page.line(
                8,
                &match members.total {
                    0 => format!("{}: the same content, packed otherwise{order}", members.format),
                    total => format!("{}: {total} members differ{order}", members.format),
                },
            );
            for member in members.members.iter().take(LINES) {
                let name = cut(&Printable(&member.name).to_string(), 2 * VALUE);
                page.line(
                    10,
                    &match &member.change {
                        MemberChange::Added(size) => format!("+ {name}  {size} bytes"),
                        MemberChange::Removed(size) => format!("- {name}  {size} bytes"),
                        MemberChange::Changed(fields) => {
                            let said = |(what, a, b): (&str, String, String)| format!("{what} {a} -> {b}");
                            let fields: Vec<String> = fields.iter().map(|field| said(member_values(field))).collect();
                            format!("~ {name}  {}", fields.join(", "))
                        }
                    },
                );
            }
            page.more(10, members.total.saturating_sub(members.members.len().min(LINES) as u64));
        }
        Detail::Bytes(bytes) => {
            let (a, b) = bytes.sizes;
            let ends = match a.cmp(&b) {
                Ordering::Less => Some(format!("A ends at offset {a}, B at {b}")),
                Ordering::Greater => Some(format!("B ends at offset {b}, A at {a}")),
                Ordering::Equal => None,
            };
            let first = bytes.runs.first();
            let first = first.map(|(at, _)| format!("{} bytes differ, the first at offset {at}", bytes.differing));
            page.line(8, &first.into_iter().chain(ends).collect::<Vec<_>>().join("; "));
            page.line(8, &format!("A: {}", hex(&bytes.shown.0)));
            page.line(8, &format!("B: {}", hex(&bytes.shown.1)));
            if !bytes.sections.is_empty() {
                let names: Vec<String> = bytes.sections.iter().take(LINES).map(section).collect();
                page.line(8, &format!("ELF sections that differ: {}", cut(&names.join(", "), 8 * VALUE)));
            }
        }
        Detail::Large(mib) => page.line(8, &large(*mib)),
        Detail::Skipped(skipped) => page.line(8, why(*skipped)),
    }
}

fn section(section: &Section) -> String {
    match section.sizes {
        (Some(_), None) => format!("{} (only in A)", section.name),
        (None, Some(_)) => format!("{} (only in B)", section.name),
        (Some(a), Some(b)) if a != b => format!("{} ({a} -> {b} bytes)", section.name),
        _ => section.name.clone(),
    }
}

/// How tars are written down differently.
pub(super) fn framing(framing: &Framing) -> String {
    let with = |is: &bool| if *is { "yes" } else { "no" };
    let keys = |keys: &[String]| if keys.is_empty() { "none".to_owned() } else { keys.join(" ") };
    match framing {
        Framing::Format(a, b) => format!("header format {a} -> {b}"),
        Framing::Records(a, b) => format!("PAX records of one side alone: {} -> {}", keys(a), keys(b)),
        Framing::RecordValues(all) => format!("values of PAX records: {}", keys(all)),
        Framing::Spelling(a, b) => format!("names written as {a} -> {b}"),
        Framing::Numbers => "numbers in headers are filled up otherwise".to_owned(),
        Framing::LongNames(a, b) => format!("GNU long names {} -> {}", with(a), with(b)),
        Framing::Sparse(a, b) => format!("stored as sparse files {} -> {}", with(a), with(b)),
        Framing::Global(a, b) => format!("PAX records for all entries {} -> {}", with(a), with(b)),
        Framing::Ending(a, b) => format!("blocks of zeros at the end {} -> {}", a.0, b.0),
        Framing::Tail(a, b) => format!("bytes after the last entry {a} -> {b}"),
        Framing::Other => "bytes that mean nothing, such as padding".to_owned(),
    }
}
