//! `rebake copy`.

use super::images::image;
use super::report::{Report, safe};
use super::world::{Sources, World};
use super::{env::Env, print};
use rebake::copy::{Arrived, Copied, Order, copy};
use rebake::oci::{ImageName, Platform, Transport};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG][@DIGEST] or a layout's folder
    #[arg(value_name = "SRC")]
    source: String,
    /// The same, or a folder; without a tag, the tags that SRC has
    #[arg(value_name = "DEST")]
    destination: String,
    /// A tag to be had at DEST too; may be given several times
    #[arg(long, value_name = "TAG", value_parser = tag)]
    tag: Vec<String>,
    /// Copy one platform of several
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Copy what refers to the image too (signatures, SBOMs); of a layout without a tag, all images
    #[arg(long)]
    all: bool,
    /// Let registries be asked without TLS, or with a certificate that nobody vouches for
    #[arg(long)]
    insecure: bool,
}

pub fn run(arguments: &Arguments, env: &Env, report: &Report) -> ExitCode {
    let copied = || -> Result<(ImageName, ImageName, Copied), String> {
        let source = image(&arguments.source)?;
        let destination = destination(&arguments.destination).map_err(|error| format!("DEST {error}"))?;
        let world = World::new(&Sources::online(arguments.insecure), env, report)?;
        let order = Order {
            source: &source,
            destination: &destination,
            tags: &arguments.tag,
            platform: arguments.platform.as_ref(),
            all: arguments.all,
            access: world.access(),
            notice: &|text| report.notice(text),
            detail: &|text| report.detail(&safe(text)),
        };
        let copied = copy(&order).map_err(|error| match error.help() {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        })?;
        Ok((source, destination, copied))
    };
    let (source, destination, copied) = match copied() {
        Ok(copied) => copied,
        Err(message) => return report.failure(&message),
    };
    if report.json() {
        report.document(&as_json(&source, &destination, &copied));
        return ExitCode::SUCCESS;
    }
    let lines: String = copied.images.iter().map(|one| format!("{}\n", reference(&destination, one))).collect();
    print(report, lines.as_bytes())
}

fn tag(text: &str) -> Result<String, String> {
    match ImageName::is_tag(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is no tag")),
    }
}

/// A place by its name: with a transport, or a folder.
pub fn destination(text: &str) -> Result<ImageName, String> {
    let transport = text.split(':').next().unwrap_or_default();
    if matches!(transport, "oci" | "oci-archive" | "docker-archive" | "docker") && text.contains(':') {
        return text.parse().map_err(|error| format!("{text}: {error}"));
    }
    if text.contains(':') && !transport.contains(['/', '.']) {
        let known =
            "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG] and docker://HOST/NAME[:TAG]";
        return Err(format!("{text}: rebake writes {known}; a folder of that name is ./{text}"));
    }
    if text.is_empty() {
        return Err("names no place".to_owned());
    }
    Ok(ImageName::layout(text.into()))
}

/// By which it can be had, with its first tag; a docker-archive has no digest to hold on to.
fn reference(destination: &ImageName, image: &Arrived) -> String {
    let tag = image.tags.first().map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = image.digest;
    match &destination.transport {
        Transport::Layout(path) => format!("oci:{}{tag}@{digest}", path.display()),
        Transport::OciArchive(path) => format!("oci-archive:{}{tag}@{digest}", path.display()),
        Transport::DockerArchive(path) => format!("docker-archive:{}", path.display()),
        Transport::Registry(name) => format!("docker://{name}{tag}@{digest}"),
    }
}

fn as_json(source: &ImageName, destination: &ImageName, copied: &Copied) -> Value {
    let one = |image: &Arrived| {
        json!({
            "digest": image.digest.to_string(),
            "tags": image.tags,
            "reference": reference(destination, image),
        })
    };
    let blobs = copied.blobs;
    let first = copied.images.first();
    json!({
        "source": source.to_string(),
        "destination": destination.to_string(),
        "digest": first.map(|image| image.digest.to_string()),
        "tags": first.map(|image| image.tags.clone()),
        "images": copied.images.iter().map(one).collect::<Vec<_>>(),
        "referrers": copied.referrers,
        "blobs": {
            "copied": blobs.copied,
            "skipped": blobs.skipped,
            "mounted": blobs.mounted,
            "leftOut": blobs.left_out,
            "bytes": blobs.bytes,
        },
    })
}

/// Brings an image that was made here to where it is to be, under all its tags.
pub fn whole(source: &ImageName, destination: &ImageName, world: &World, report: &Report) -> Result<Copied, String> {
    let order = Order {
        source,
        destination,
        tags: &[],
        platform: None,
        all: false,
        access: world.access(),
        notice: &|text| report.notice(text),
        detail: &|text| report.detail(text),
    };
    copy(&order).map_err(|error| error.to_string())
}
