//! Differences between two images as text or JSON, for every command that finds some.
//!
//! Both are bounded. All that an image says is a stranger's word: it is escaped before it reaches a terminal.

mod text;

pub use text::{Behind, body, text};

use rebake::diff::{
    Blame, Bytes, ContentDifference, Detail, Differences, EntryChange, EntryDifference, Field, FieldChange,
    FramingDifference, LayerChange, LayerDifference, MemberChange, MemberField, PlatformDifferences, Skipped, Summary,
    TarDifference,
};
use rebake::oci::{Descriptor, rfc3339};
use rebake::tree::Printable;
use serde_json::{Value, json};

/// One document, its shape stable; README.md shows it.
pub fn json((a, b): (&str, &str), differences: &Differences) -> Value {
    json!({
        "a": { "image": a, "digest": differences.a.digest.to_string(), "mediaType": differences.a.media_type },
        "b": { "image": b, "digest": differences.b.digest.to_string(), "mediaType": differences.b.media_type },
        "rung": differences.rung().to_string(),
        "only": differences.only.as_ref().map(ToString::to_string),
        "causes": causes(&differences.causes()),
        "index": fields(&differences.index),
        "platforms": differences.platforms.iter().map(platform).collect::<Vec<_>>(),
    })
}

fn platform(platform: &PlatformDifferences) -> Value {
    let digest = |descriptor: &Option<Descriptor>| descriptor.as_ref().map(|descriptor| descriptor.digest.to_string());
    json!({
        "platform": platform.platform.as_ref().map(ToString::to_string),
        "a": digest(&platform.a),
        "b": digest(&platform.b),
        "rung": platform.rung().to_string(),
        "causes": causes(&platform.causes),
        "manifest": fields(&platform.manifest),
        "config": fields(&platform.config),
        "layers": platform.layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

/// Why, most telling first.
pub fn causes(all: &[Blame]) -> Value {
    let cause = |blame: &Blame| json!({ "code": blame.cause.code(), "text": blame.cause.to_string(), "entries": blame.entries });
    all.iter().map(cause).collect()
}

fn fields(all: &[FieldChange]) -> Value {
    all.iter().map(|field| json!({ "pointer": field.pointer, "a": field.a, "b": field.b })).collect()
}

fn layer(layer: &LayerDifference) -> Value {
    let (change, more) = match &layer.change {
        LayerChange::Same => ("same", json!({})),
        LayerChange::Recompressed(a, b) => {
            let text = |encoding: &Option<rebake::diff::Encoding>| encoding.as_ref().map(ToString::to_string);
            let encoder = |encoding: &Option<rebake::diff::Encoding>| {
                encoding.as_ref().and_then(|encoding| encoding.encoder).map(|encoder| encoder.to_string())
            };
            let encoding = json!({
                "a": { "encoder": encoder(a), "text": text(a) },
                "b": { "encoder": encoder(b), "text": text(b) },
            });
            ("recompressed", json!({ "encoding": encoding }))
        }
        LayerChange::Tar(tar) => ("tar", self::tar(tar)),
        LayerChange::OneSided { entries, bytes } => {
            (if layer.a.is_some() { "removed" } else { "added" }, json!({ "entries": entries, "bytes": bytes }))
        }
        LayerChange::Unreadable { which, why } => ("unreadable", json!({ "of": which.to_string(), "why": why })),
    };
    let mut json = json!({ "a": layer.a, "b": layer.b, "change": change });
    if let (Value::Object(json), Value::Object(more)) = (&mut json, more) {
        json.extend(more);
    }
    json
}

fn tar(tar: &TarDifference) -> Value {
    let total = tar.added.saturating_add(tar.removed).saturating_add(tar.changed);
    json!({
        "sameTree": !tar.substance,
        "added": tar.added,
        "removed": tar.removed,
        "changed": tar.changed,
        "entries": tar.entries.iter().map(entry).collect::<Vec<_>>(),
        "omitted": total.saturating_sub(tar.entries.len() as u64),
        "order": tar.order.map(|order| json!({ "a": order.a.to_string(), "b": order.b.to_string(), "decides": order.decides })),
        "framing": tar.framing.iter().map(framing).collect::<Vec<_>>(),
    })
}

fn framing(difference: &FramingDifference) -> Value {
    json!({ "text": text::framing(&difference.framing), "entries": difference.entries })
}

/// A path of an image as people write it.
pub fn path(path: &[u8]) -> String {
    format!("/{}", Printable(path))
}

fn entry(entry: &EntryDifference) -> Value {
    let summary = |summary: &Summary| {
        json!({
            "kind": summary.kind,
            "mode": mode(summary.mode),
            "owner": owner(summary.owner),
            "size": summary.size,
            "implied": summary.implied,
        })
    };
    let (change, what) = match &entry.change {
        EntryChange::Added(added) => ("added", summary(added)),
        EntryChange::Removed(removed) => ("removed", summary(removed)),
        EntryChange::Changed(fields) => ("changed", fields.iter().map(field).collect()),
    };
    let key = if change == "changed" { "fields" } else { "entry" };
    json!({
        "path": path(&entry.path),
        "change": change,
        key: what,
        "metadata": !entry.substance,
        "content": entry.content.as_ref().map(content),
    })
}

fn mode(mode: u32) -> String {
    format!("{mode:04o}")
}

fn owner((uid, gid): (u64, u64)) -> String {
    format!("{uid}:{gid}")
}

/// What an attribute of an entry is called, and what both sides have there.
fn values(field: &Field) -> (String, String, String) {
    let text = |bytes: &[u8]| Printable(bytes).to_string();
    let or_none = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or_else(|| "none".to_owned(), |bytes| text(bytes));
    let (name, a, b) = match field {
        Field::Kind(a, b) => ("kind", (*a).to_owned(), (*b).to_owned()),
        Field::Content((size, a), (other, b)) => {
            ("content", format!("{size} bytes, {a}"), format!("{other} bytes, {b}"))
        }
        Field::Target(a, b) => ("target", text(a), text(b)),
        Field::Device(a, b) => ("device", format!("{},{}", a.0, a.1), format!("{},{}", b.0, b.1)),
        Field::Repeated(a, b, _) => ("times in the tar", a.to_string(), b.to_string()),
        Field::Mode(a, b) => ("mode", mode(*a), mode(*b)),
        Field::Owner(a, b) => ("owner", owner(*a), owner(*b)),
        Field::Mtime(a, b) => ("mtime", rfc3339(*a), rfc3339(*b)),
        Field::OwnerNames(a, b) => {
            ("owner-names", format!("{}:{}", text(&a.0), text(&a.1)), format!("{}:{}", text(&b.0), text(&b.1)))
        }
        Field::HardLink(a, b) => ("hard-link", or_none(a), or_none(b)),
        Field::Xattr(name, a, b) => return (format!("xattr {}", text(name)), or_none(a), or_none(b)),
    };
    (name.to_owned(), a, b)
}

fn field(field: &Field) -> Value {
    let (name, a, b) = values(field);
    json!({ "name": name, "a": a, "b": b })
}

fn content(content: &ContentDifference) -> Value {
    match &content.detail {
        Detail::Text(lines) => json!({ "kind": "text", "diff": lines.lines, "omitted": lines.omitted }),
        Detail::Members(members) => json!({
            "kind": "members",
            "format": members.format,
            "members": members.members.iter().map(|member| {
                let fields = match &member.change {
                    MemberChange::Added(_) | MemberChange::Removed(_) => Vec::new(),
                    MemberChange::Changed(fields) => fields.iter().map(|field| {
                        let (name, a, b) = member_values(field);
                        json!({ "name": name, "a": a, "b": b })
                    }).collect(),
                };
                let change = match &member.change {
                    MemberChange::Added(_) => "added",
                    MemberChange::Removed(_) => "removed",
                    MemberChange::Changed(_) => "changed",
                };
                json!({ "name": Printable(&member.name).to_string(), "change": change, "fields": fields })
            }).collect::<Vec<_>>(),
            "total": members.total,
            "order": members.order,
        }),
        Detail::Bytes(bytes) => self::bytes(bytes),
        Detail::Large(mib) => json!({ "kind": "large", "mib": mib, "why": large(*mib) }),
        Detail::Skipped(skipped) => json!({ "kind": "skipped", "why": why(*skipped) }),
    }
}

fn bytes(bytes: &Bytes) -> Value {
    json!({
        "kind": "bytes",
        "sizes": [bytes.sizes.0, bytes.sizes.1],
        "differing": bytes.differing,
        "runs": bytes.runs.iter().map(|(start, length)| json!({ "offset": start, "length": length })).collect::<Vec<_>>(),
        "a": hex(&bytes.shown.0),
        "b": hex(&bytes.shown.1),
        "sections": bytes.sections.iter().map(|section| {
            json!({ "name": section.name, "a": section.sizes.0, "b": section.sizes.1 })
        }).collect::<Vec<_>>(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn member_values(field: &MemberField) -> (&'static str, String, String) {
    match field {
        MemberField::Content(a, b) => ("content", format!("{a} bytes"), format!("{b} bytes")),
        MemberField::Mtime(a, b) => ("mtime", rfc3339(*a), rfc3339(*b)),
        MemberField::Mode(a, b) => ("mode", mode(*a), mode(*b)),
        MemberField::Owner(a, b) => ("owner", owner(*a), owner(*b)),
    }
}

fn large(mib: u64) -> String {
    format!("it is too large to be compared whole; the first difference is within MiB {mib}, counted from 0")
}

fn why(skipped: Skipped) -> &'static str {
    match skipped {
        Skipped::TooLarge => "it is too large to be compared",
        Skipped::TooMany => "too many other files differ",
        Skipped::Unreadable => "it cannot be read again",
    }
}
