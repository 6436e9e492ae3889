//! Image configs (image-spec, "config.md").

use super::fault::Fault;
use super::fields::{Fields, shortened};
use super::finding::{Findings, Place, Subject};
use super::name::Name;
use crate::oci::{Platform, PlatformError};
use serde_json::{Map, Value};

/// The pointer to a diff_id, and the diff_id, if it is one.
pub(super) type DiffId = (String, Option<Name>);

/// Judges the config of an image of so many layers, if their number is known, and gives its diff_ids.
pub(super) fn config(
    subject: &Subject,
    json: &Map<String, Value>,
    layers: Option<usize>,
    findings: &mut Findings,
) -> Vec<DiffId> {
    let fields = Fields::of(subject, json);
    for key in ["architecture", "os"] {
        fields.required(key, findings);
        if fields.text(key, findings) == Some("") {
            fields.wrong(key, Fault::Absent, findings);
        }
    }
    known(&fields, findings);
    fields.time("created", findings);
    for key in ["author", "variant"] {
        fields.text(key, findings);
    }
    if let Some(config) = fields.object("config", findings) {
        run(&config, findings);
    }
    history(&fields, layers, findings);
    fields.required("rootfs", findings);
    fields.object("rootfs", findings).map_or_else(Vec::new, |rootfs| root(&rootfs, layers, findings))
}

/// Whether os, architecture and variant are those that Go knows.
pub(super) fn known(fields: &Fields<'_>, findings: &mut Findings) {
    let text = |key| fields.map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(os), Some(architecture)) = (text("os"), text("architecture")) else { return };
    let platform = match text("variant") {
        Some(variant) => format!("{os}/{architecture}/{variant}"),
        None => format!("{os}/{architecture}"),
    };
    match platform.parse::<Platform>() {
        // The variants of some architectures have other names.
        Ok(_) | Err(PlatformError::Variant(_)) => {}
        Err(_) => fields.broken(Fault::UnknownPlatform(shortened(&platform)), findings),
    }
}

/// How the image is run.
fn run(config: &Fields<'_>, findings: &mut Findings) {
    for key in ["User", "WorkingDir", "StopSignal"] {
        config.text(key, findings);
    }
    for key in ["Entrypoint", "Cmd"] {
        config.texts(key, findings);
    }
    for key in ["Healthcheck", "OnBuild", "Shell", "ArgsEscaped", "StopTimeout"] {
        config.cases(key, findings);
    }
    config.strings("Labels", findings);
    config.object("Volumes", findings);
    for (at, entry) in config.texts("Env", findings).unwrap_or_default() {
        if entry.find('=').is_none_or(|at| at == 0) {
            findings.add(Place::field(config.subject, at), Fault::Env(shortened(entry)));
        }
    }
    if let Some(ports) = config.object("ExposedPorts", findings) {
        for port in ports.map.keys() {
            let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            let range = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok();
            // Docker writes ranges, too.
            let fits = number.split('-').count() <= 2 && number.split('-').all(range);
            if !fits || !matches!(protocol, "tcp" | "udp" | "sctp") {
                ports.wrong(port, Fault::Port(shortened(port)), findings);
            }
        }
    }
}

/// What it says of how it was made.
fn history(fields: &Fields<'_>, layers: Option<usize>, findings: &mut Findings) {
    let history = fields.objects("history", findings);
    let mut with_layer = 0;
    for (_, step) in &history {
        step.time("created", findings);
        for key in ["created_by", "author", "comment"] {
            step.text(key, findings);
        }
        if step.flag("empty_layer", findings) != Some(true) {
            with_layer += 1;
        }
    }
    if let Some(layers) = layers
        && !history.is_empty()
        && with_layer != layers
    {
        fields.wrong("history", Fault::HistoryCount { history: with_layer, layers }, findings);
    }
}

fn root(rootfs: &Fields<'_>, layers: Option<usize>, findings: &mut Findings) -> Vec<DiffId> {
    rootfs.required("type", findings);
    if let Some(kind) = rootfs.text("type", findings).filter(|kind| *kind != "layers") {
        rootfs.wrong("type", Fault::RootFsType(shortened(kind)), findings);
    }
    // Of an image without layers, Go writes `null`.
    if layers > Some(0) {
        rootfs.required("diff_ids", findings);
    }
    let texts = rootfs.texts("diff_ids", findings).unwrap_or_default();
    if let Some(layers) = layers
        && texts.len() != layers
    {
        rootfs.wrong("diff_ids", Fault::DiffIdCount { diff_ids: texts.len(), layers }, findings);
    }
    let mut diff_ids = Vec::new();
    for (at, text) in texts {
        let name = Name::parse(text).map_err(|fault| {
            findings.add(Place::field(rootfs.subject, at.clone()), fault);
        });
        diff_ids.push((at, name.ok()));
    }
    diff_ids
}
