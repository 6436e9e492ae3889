//! The image config: what the recipe says, over what the base says, as Docker merges them.

use crate::oci::Platform;
use crate::recipe::{Config, Healthcheck, Owner, Principal, Recipe, Spanned, Template, Variables};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The config of an image (image-spec, "config.md"), whole but for the diff_ids and the history of its own layers. Every
/// field of the base that is not the recipe's stays. `labels` are the recipe's, filled in.
#[must_use]
pub fn config<P>(
    recipe: &Recipe<P>,
    base: Option<Value>,
    variables: &Variables,
    labels: BTreeMap<String, String>,
    platform: &Platform,
    created: i64,
) -> Value {
    let mut image = match base {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    image.insert("created".to_owned(), json!(crate::oci::rfc3339(created)));
    image.insert("os".to_owned(), json!(platform.os));
    image.insert("architecture".to_owned(), json!(platform.architecture));
    if let Some(variant) = &platform.variant {
        image.insert("variant".to_owned(), json!(variant));
    }
    let mut config = match image.remove("config") {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    merge(&mut config, &recipe.config, variables, labels);
    image.insert("config".to_owned(), Value::Object(config));
    Value::Object(image)
}

fn merge(config: &mut Map<String, Value>, own: &Config, variables: &Variables, labels: BTreeMap<String, String>) {
    let expand =
        |list: &[Spanned<Template>]| -> Vec<String> { list.iter().map(|text| text.expand(variables)).collect() };
    if let Some(entrypoint) = &own.entrypoint {
        list(config, "Entrypoint", expand(entrypoint));
        // A base's arguments were meant for the base's program.
        config.remove("Cmd");
    }
    if let Some(cmd) = &own.cmd {
        list(config, "Cmd", expand(cmd));
    }
    if let Some(user) = &own.user {
        config.insert("User".to_owned(), json!(user_text(user)));
    }
    if let Some(workdir) = &own.workdir {
        config.insert("WorkingDir".to_owned(), json!(workdir.expand(variables)));
    }
    if let Some(signal) = &own.stop_signal {
        config.insert("StopSignal".to_owned(), json!(signal.value));
    }
    set(config, "ExposedPorts", own.ports.iter().map(|port| format!("{}/{}", port.number, port.protocol)));
    set(config, "Volumes", own.volumes.iter().map(|path| path.expand(variables)));
    env(config, own.env.iter().map(|(name, value)| (name.as_str(), value.expand(variables))).collect());
    if !labels.is_empty() {
        extend(config, "Labels", labels.into_iter().map(|(name, value)| (name, json!(value))));
    }
    if let Some(healthcheck) = &own.healthcheck {
        config.insert("Healthcheck".to_owned(), health(healthcheck, &expand(&healthcheck.test)));
    }
}

/// An empty list takes away what the base says.
fn list(config: &mut Map<String, Value>, name: &str, values: Vec<String>) {
    if values.is_empty() {
        config.remove(name);
    } else {
        config.insert(name.to_owned(), json!(values));
    }
}

/// Adds members to an object, which is made if there is none.
fn extend(config: &mut Map<String, Value>, name: &str, members: impl Iterator<Item = (String, Value)>) {
    let mut all = match config.remove(name) {
        Some(Value::Object(there)) => there,
        _ => Map::new(),
    };
    all.extend(members);
    config.insert(name.to_owned(), Value::Object(all));
}

/// The JSON form of a set: an object of empty objects.
fn set(config: &mut Map<String, Value>, name: &str, values: impl Iterator<Item = String>) {
    let mut values = values.peekable();
    if values.peek().is_some() {
        extend(config, name, values.map(|value| (value, json!({}))));
    }
}

/// The base's variables keep their places; those that are new follow by name.
fn env(config: &mut Map<String, Value>, mut own: BTreeMap<&str, String>) {
    if own.is_empty() {
        return;
    }
    let ours: BTreeSet<String> = own.keys().map(|name| (*name).to_owned()).collect();
    let there = config.get("Env").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut all: Vec<Value> = there
        .into_iter()
        .filter_map(|line| {
            let name = line.as_str().and_then(|line| line.split('=').next()).unwrap_or_default();
            match own.remove(name) {
                Some(value) => Some(json!(format!("{name}={value}"))),
                // A base that says it twice would have the last word.
                None => (!ours.contains(name)).then_some(line),
            }
        })
        .collect();
    all.extend(own.into_iter().map(|(name, value)| json!(format!("{name}={value}"))));
    config.insert("Env".to_owned(), Value::Array(all));
}

fn user_text(owner: &Owner) -> String {
    let text = |principal: &Principal| match principal {
        Principal::Name(name) => name.clone(),
        Principal::Id(id) => id.to_string(),
    };
    match &owner.group {
        None => text(&owner.user),
        Some(group) => format!("{}:{}", text(&owner.user), text(group)),
    }
}

/// Docker's extension of the config: durations in nanoseconds.
fn health(healthcheck: &Healthcheck, test: &[String]) -> Value {
    let mut json = json!({ "Test": test });
    for (name, value) in [
        ("Interval", healthcheck.interval),
        ("Timeout", healthcheck.timeout),
        ("StartPeriod", healthcheck.start_period),
        ("StartInterval", healthcheck.start_interval),
        ("Retries", healthcheck.retries.map(u64::from)),
    ] {
        if let Some(value) = value {
            json[name] = json!(value);
        }
    }
    json
}
