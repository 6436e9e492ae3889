//! `rebake check`.

use super::images;
use super::inspect::told;
use super::report::{Report, safe};
use super::world::{Sources, World};
use super::{Options, env::Env, print};
use rebake::check::{self, check};
use rebake::oci::ImageName;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG][@DIGEST] or a layout's folder
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    /// Let registries be asked without TLS, or with a certificate that nobody vouches for
    #[arg(long)]
    insecure: bool,
}

pub fn run(arguments: &Arguments, options: &Options, env: &Env, report: &Report) -> ExitCode {
    let prepared = (|| {
        let names = arguments.images.iter().map(|text| images::image(text)).collect::<Result<Vec<_>, String>>()?;
        Ok::<_, String>((names, World::new(&Sources::online(arguments.insecure), env, report)?))
    })();
    let (names, world) = match prepared {
        Ok(prepared) => prepared,
        Err(message) => return report.failure(&message),
    };
    let (mut text, mut documents, mut worst) = (String::new(), Vec::new(), 0);
    for name in &names {
        match check(name, &world.access(), options.jobs(env)) {
            Ok(found) => {
                worst = worst.max(u8::from(!found.is_sound()));
                text += &as_text(name, &found, names.len() > 1);
                documents.push(as_json(name, &found));
            }
            // What is known of the others is said.
            Err(error) => {
                let message = told(&error);
                worst = 2;
                documents.push(json!({ "image": name.to_string(), "error": { "message": message } }));
                if !report.json() {
                    report.failure(&message);
                }
            }
        }
    }
    if !report.json() {
        print(report, text.as_bytes());
    } else if let [document] = &documents[..] {
        report.document(document);
    } else {
        report.document(&json!({ "images": documents }));
    }
    ExitCode::from(worst)
}

/// A line a finding, and one of all.
fn as_text(name: &ImageName, found: &check::Report, named: bool) -> String {
    let mut text = String::new();
    let prefix = if named { safe(&format!("{name}: ")) } else { String::new() };
    for finding in &found.findings {
        let check::Finding { place, severity, fault } = finding;
        let line = safe(&format!("{place}: {fault}"));
        let _ = writeln!(text, "{severity}: {prefix}{line} [{}]", fault.code());
    }
    if found.omitted() > 0 {
        let _ = writeln!(text, "{prefix}and {} more like these", found.omitted());
    }
    let some = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut parts = vec![some(found.images, "image")];
    if found.artifacts > 0 {
        parts.push(some(found.artifacts, "artifact"));
    }
    parts.push(some(found.layers, "layer"));
    if found.others > 0 {
        parts.push(format!("{} that nothing names", some(found.others, "blob")));
    }
    for (count, what) in [(found.errors, "error"), (found.warnings, "warning")] {
        if count > 0 {
            parts.push(some(count, what));
        }
    }
    let verdict = if found.is_sound() { "sound" } else { "unsound" };
    let _ = writeln!(text, "{prefix}{verdict}: {}", parts.join(", "));
    text
}

fn as_json(name: &ImageName, found: &check::Report) -> Value {
    let findings: Vec<Value> = (found.findings.iter())
        .map(|check::Finding { place, severity, fault }| {
            json!({
                "severity": severity.to_string(),
                "code": fault.code(),
                "where": place.to_json(),
                "message": format!("{place}: {fault}"),
            })
        })
        .collect();
    json!({
        "image": name.to_string(),
        "digest": found.digest,
        "sound": found.is_sound(),
        "errors": found.errors,
        "warnings": found.warnings,
        "findings": findings,
        "omitted": found.omitted(),
        "images": found.images,
        "artifacts": found.artifacts,
        "layers": found.layers,
        "entries": found.entries,
        "others": found.others,
    })
}
