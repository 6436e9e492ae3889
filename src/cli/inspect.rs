//! `rebake inspect`.

use super::images;
use super::report::{Report, safe};
use super::world::{Sources, World};
use super::{env::Env, print};
use rebake::oci::{Platform, annotation, rfc3339};
use rebake::source::image::same_platform;
use rebake::transport::{Image, Manifest, Source, TransportError};
use rebake::tree::{Kind, LinkId};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], docker://HOST/NAME[:TAG][@DIGEST] or a layout's folder
    image: String,
    /// The config, as JSON
    #[arg(long, group = "part")]
    config: bool,
    /// The labels, a line each
    #[arg(long, group = "part")]
    labels: bool,
    /// The layers, lowest first: digest, diff_id, size, media type, and what made them
    #[arg(long, group = "part")]
    layers: bool,
    /// The files, all layers on top of each other: mode, owner, size, time, path
    #[arg(long, group = "part")]
    tree: bool,
    /// The manifest or index as it is stored, byte for byte; with --config the config
    #[arg(long, conflicts_with_all = ["labels", "layers", "tree"])]
    raw: bool,
    /// Look at one platform of several
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Let registries be asked without TLS, or with a certificate that nobody vouches for
    #[arg(long)]
    insecure: bool,
}

pub fn run(arguments: &Arguments, env: &Env, report: &Report) -> ExitCode {
    let inspected = || -> Result<Vec<u8>, String> {
        let name = images::image(&arguments.image)?;
        let world = World::new(&Sources::online(arguments.insecure), env, report)?;
        let source = Source::open(&name, &world.access()).map_err(|error| told(&error))?;
        if arguments.raw && !arguments.config && arguments.platform.is_none() {
            return Ok(source.top().map_err(|error| told(&error))?.bytes);
        }
        let mut image = source.image().map_err(|error| told(&error))?;
        if let Some(wanted) = &arguments.platform {
            choose(&mut image, wanted)?;
        }
        inspect(arguments, &source, &image, report.json())
    };
    match inspected() {
        Ok(text) => print(report, &text),
        Err(message) => report.failure(&message),
    }
}

/// What is wrong, with what to do about it.
pub fn told(error: &TransportError) -> String {
    match error.help() {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}

/// Leaves one platform.
fn choose(image: &mut Image, wanted: &Platform) -> Result<(), String> {
    let fits = |manifest: &Manifest| manifest.platform.as_ref().is_some_and(|found| same_platform(found, wanted));
    let there = image.manifests.iter().map(platform).collect::<Vec<_>>().join(", ");
    image.manifests.retain(fits);
    match image.manifests.is_empty() {
        false => Ok(()),
        true => Err(format!("the image is not there for {wanted}; it is there for {there}")),
    }
}

/// `linux/amd64`.
fn platform(manifest: &Manifest) -> String {
    manifest.platform.as_ref().map_or_else(|| "an unknown platform".to_owned(), ToString::to_string)
}

fn inspect(arguments: &Arguments, source: &Source, image: &Image, json: bool) -> Result<Vec<u8>, String> {
    if arguments.config || arguments.raw {
        let [manifest] = &image.manifests[..] else {
            let there = image.manifests.iter().map(platform).collect::<Vec<_>>().join(", ");
            return Err(format!("the image has several platforms; choose one with --platform: {there}"));
        };
        let document = if arguments.config { &manifest.config } else { &manifest.document };
        return Ok(if arguments.raw { document.bytes.clone() } else { pretty(&document.json) });
    }
    let mut texts = Vec::new();
    let mut values = Vec::new();
    for manifest in &image.manifests {
        let (text, value) = if arguments.labels {
            labels(manifest)
        } else if arguments.layers {
            layers(manifest)
        } else if arguments.tree {
            tree(source, manifest, json)?
        } else {
            (overview(manifest), as_json(manifest))
        };
        values
            .push(json!({ "platform": platform(manifest), "digest": manifest.document.descriptor.digest.to_string() }));
        if let (Some(Value::Object(to)), Value::Object(from)) = (values.last_mut(), value) {
            to.extend(from);
        }
        // One platform needs no heading.
        let heading = match image.manifests.len() {
            1 => String::new(),
            _ => format!("{} {}\n", platform(manifest), manifest.document.descriptor.digest),
        };
        texts.push(heading + &text);
    }
    if json {
        let descriptor = &image.top.descriptor;
        let mut whole = json!({
            "image": source.name.to_string(),
            "digest": descriptor.digest.to_string(),
            "mediaType": descriptor.media_type,
            "platforms": values,
        });
        if !arguments.labels && !arguments.layers && !arguments.tree {
            whole["tags"] = json!(tags(source, image));
            whole["annotations"] = image.top.json.get("annotations").cloned().unwrap_or_else(|| json!({}));
            whole["others"] = image.others.iter().map(|other| json!(other.digest.to_string())).collect();
        }
        return Ok(pretty(&whole));
    }
    if arguments.labels || arguments.layers || arguments.tree {
        return Ok(texts.join("\n").into_bytes());
    }
    Ok((head(source, image) + &texts.join("")).into_bytes())
}

fn pretty(json: &Value) -> Vec<u8> {
    format!("{json:#}\n").into_bytes()
}

/// The names that lead to the image where it is.
fn tags(source: &Source, image: &Image) -> Vec<String> {
    let digest = image.top.descriptor.digest;
    let listed = source.listed().unwrap_or_default().into_iter().filter(|listed| listed.digest == digest);
    let tags = listed.filter_map(|mut listed| listed.annotations.remove(annotation::REF_NAME));
    tags.chain(source.names().iter().cloned()).collect()
}

/// What is said of the image as a whole.
fn head(source: &Source, image: &Image) -> String {
    let descriptor = &image.top.descriptor;
    let mut text = String::new();
    line(&mut text, "", "Image", &source.name.to_string());
    line(&mut text, "", "Digest", &descriptor.digest.to_string());
    line(&mut text, "", "Media type", &descriptor.media_type);
    line(&mut text, "", "Tags", &tags(source, image).join(", "));
    map(&mut text, "", "Annotations", image.top.json.get("annotations"));
    if !image.others.is_empty() {
        line(&mut text, "", "Others", &format!("{} artifacts that are no images", image.others.len()));
    }
    text
}

fn line(text: &mut String, indent: &str, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(text, "{indent}{:14}{}", format!("{name}:"), safe(value));
    }
}

fn map(text: &mut String, indent: &str, name: &str, map: Option<&Value>) {
    let Some(map) = map.and_then(Value::as_object).filter(|map| !map.is_empty()) else { return };
    let _ = writeln!(text, "{indent}{name}:");
    for (name, value) in map {
        let _ = writeln!(text, "{indent}  {}", safe(&format!("{name}={}", word(value))));
    }
}

/// A value as people write it.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn overview(manifest: &Manifest) -> String {
    let config = &manifest.config.json;
    let run = config.get("config").cloned().unwrap_or_default();
    let mut text = String::new();
    let field = |name: &str| run.get(name).filter(|value| !value.is_null());
    let array = |name: &str| field(name).map(Value::to_string).unwrap_or_default();
    let names = |name: &str| {
        let map = field(name).and_then(Value::as_object).cloned().unwrap_or_default();
        map.keys().cloned().collect::<Vec<_>>().join(", ")
    };
    let indent = "  ";
    line(&mut text, indent, "Platform", &platform(manifest));
    line(&mut text, indent, "Config", &manifest.config.descriptor.digest.to_string());
    line(&mut text, indent, "Created", config.get("created").and_then(Value::as_str).unwrap_or_default());
    line(&mut text, indent, "Entrypoint", &array("Entrypoint"));
    line(&mut text, indent, "Cmd", &array("Cmd"));
    for name in ["User", "WorkingDir", "StopSignal"] {
        line(&mut text, indent, name, &field(name).map(word).unwrap_or_default());
    }
    line(&mut text, indent, "Ports", &names("ExposedPorts"));
    line(&mut text, indent, "Volumes", &names("Volumes"));
    line(&mut text, indent, "Healthcheck", &array("Healthcheck"));
    for entry in field("Env").and_then(Value::as_array).into_iter().flatten() {
        line(&mut text, indent, "Env", &word(entry));
    }
    map(&mut text, indent, "Labels", field("Labels"));
    let size: u64 = manifest.layers.iter().map(|layer| layer.descriptor.size).fold(0, u64::saturating_add);
    line(&mut text, indent, "Layers", &format!("{}, {size} bytes", manifest.layers.len()));
    text
}

fn as_json(manifest: &Manifest) -> Value {
    let (_, layers) = layers(manifest);
    let config = &manifest.config.json;
    let mut json = json!({
        "mediaType": manifest.document.descriptor.media_type,
        "annotations": manifest.document.json.get("annotations").cloned().unwrap_or_else(|| json!({})),
        "configDigest": manifest.config.descriptor.digest.to_string(),
        "created": config.get("created"),
        "config": config.get("config").cloned().unwrap_or_else(|| json!({})),
    });
    if let (Value::Object(to), Value::Object(from)) = (&mut json, layers) {
        to.extend(from);
    }
    json
}

fn labels(manifest: &Manifest) -> (String, Value) {
    let labels = manifest.config.json.pointer("/config/Labels").and_then(Value::as_object).cloned().unwrap_or_default();
    let lines = labels.iter().map(|(name, value)| format!("{}\n", safe(&format!("{name}={}", word(value)))));
    (lines.collect(), json!({ "labels": labels }))
}

fn layers(manifest: &Manifest) -> (String, Value) {
    let history = manifest.config.json.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut made = history.iter().filter(|entry| entry.get("empty_layer") != Some(&Value::Bool(true)));
    let mut text = String::new();
    let mut all = Vec::new();
    for layer in &manifest.layers {
        let entry = made.next();
        let by = entry.and_then(|entry| entry.get("created_by")).and_then(Value::as_str).unwrap_or_default();
        let descriptor = &layer.descriptor;
        let _ = writeln!(text, "{}  {:>12}  {}", descriptor.digest, descriptor.size, safe(&descriptor.media_type));
        let _ = writeln!(text, "  diff_id {}", layer.diff_id);
        if !by.is_empty() {
            let _ = writeln!(text, "  {}", safe(by));
        }
        all.push(json!({
            "digest": descriptor.digest.to_string(),
            "diff_id": layer.diff_id.to_string(),
            "size": descriptor.size,
            "mediaType": descriptor.media_type,
            "created_by": entry.and_then(|entry| entry.get("created_by")),
        }));
    }
    (text, json!({ "layers": all }))
}

/// The files, by path: mode, owner, size, time, and where links lead.
fn tree(source: &Source, manifest: &Manifest, json: bool) -> Result<(String, Value), String> {
    let mut text = String::new();
    let mut all = Vec::new();
    let mut first: BTreeMap<LinkId, String> = BTreeMap::new();
    for member in source.files(manifest).map_err(|error| told(&error))? {
        let (path, at) = (member.path.to_string(), &member.attributes);
        let mut size = None;
        let (letter, target) = match &member.kind {
            Kind::Directory => ('d', String::new()),
            Kind::Symlink { target } => ('l', format!(" -> {}", String::from_utf8_lossy(target))),
            Kind::CharDevice { major, minor } => ('c', format!(" {major},{minor}")),
            Kind::BlockDevice { major, minor } => ('b', format!(" {major},{minor}")),
            Kind::Fifo => ('p', String::new()),
            Kind::File { size: bytes, link, .. } => {
                size = Some(*bytes);
                let first = link.map(|link| first.entry(link).or_insert_with(|| path.clone()).clone());
                ('-', first.filter(|first| *first != path).map(|first| format!(" = {first}")).unwrap_or_default())
            }
        };
        if json {
            let mut row = Map::new();
            row.insert("path".to_owned(), json!(path));
            row.insert("type".to_owned(), json!(member.kind.noun().split(' ').next_back()));
            row.insert("mode".to_owned(), json!(format!("{:04o}", at.mode)));
            row.insert("uid".to_owned(), json!(at.uid));
            row.insert("gid".to_owned(), json!(at.gid));
            row.insert("mtime".to_owned(), json!(rfc3339(at.mtime)));
            row.extend(size.map(|size| ("size".to_owned(), json!(size))));
            let target = target.trim_start_matches([' ', '-', '>', '=']);
            if !target.is_empty() {
                row.insert("target".to_owned(), json!(target));
            }
            if !at.xattrs.is_empty() {
                let names = at.xattrs.keys().map(|name| String::from_utf8_lossy(name).into_owned());
                row.insert("xattrs".to_owned(), names.collect());
            }
            all.push(Value::Object(row));
            continue;
        }
        let owner = format!("{}:{}", at.uid, at.gid);
        let size = size.map_or_else(|| "-".to_owned(), |size| size.to_string());
        let time = rfc3339(at.mtime);
        let xattrs = if at.xattrs.is_empty() { "" } else { "+" };
        let _ = writeln!(
            text,
            "{letter}{:04o}{xattrs:1} {owner:>9} {size:>11} {time} {}",
            at.mode,
            safe(&(path + &target))
        );
    }
    Ok((text, json!({ "files": all })))
}
