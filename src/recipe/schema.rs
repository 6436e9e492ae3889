//! The JSON Schema of the recipe, for editors.

/// JSON Schema, draft 2020-12, of a recipe in either notation.
///
/// What a schema cannot say (that an input exists, that a path stays inside, …) is left to [`parse`](super::parse).
#[must_use]
pub fn schema() -> serde_json::Value {
    serde_json::from_str(include_str!("schema.json")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Syntax, parse};
    use super::*;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    /// Follows `$ref`, arrays and maps down to the table that a path names.
    fn table<'s>(root: &'s Value, path: &[&str]) -> &'s Value {
        path.iter().fold(root, |at, step| {
            let mut next = match *step {
                "*" => &at["additionalProperties"],
                key => &at["properties"][key],
            };
            while let Some(name) = next["$ref"].as_str() {
                next = root.pointer(name.trim_start_matches('#')).unwrap();
            }
            if next["type"] == "array" {
                next = &next["items"];
            }
            next["oneOf"]
                .as_array()
                .and_then(|kinds| kinds.iter().find(|kind| kind["properties"].is_object()))
                .unwrap_or(next)
        })
    }

    fn property_names(table: &Value) -> BTreeSet<String> {
        assert_eq!(table["additionalProperties"], false, "{table}");
        table["properties"].as_object().unwrap().keys().cloned().collect()
    }

    /// The keys that the decoder lists when it meets one that is like none of them.
    fn known_keys(text: &str) -> BTreeSet<String> {
        let mistakes = parse(text, Syntax::Toml).unwrap_err();
        let unknown = mistakes.iter().find(|mistake| mistake.message.contains("`no-such-key-at-all`")).unwrap();
        let help = unknown.help.as_ref().unwrap().split(" are ").nth(1).unwrap();
        help.split(", ").map(|key| key.trim_matches('`').to_owned()).collect()
    }

    #[test]
    fn schema_and_decoder_know_the_same_keys() {
        let root = schema();
        for (text, path) in [
            ("#", &[][..]),
            ("[image]\n#", &["image"]),
            ("[image.modes]\n#", &["image", "modes"]),
            ("[inputs.a]\n#", &["inputs", "*"]),
            ("[config]\n#", &["config"]),
            ("[config.healthcheck]\n#", &["config", "healthcheck"]),
            ("[users.a]\n#", &["users", "*"]),
            ("[[layer]]\n#", &["layer"]),
            ("[[layer]]\n[layer.modes]\n#", &["layer", "modes"]),
            ("[[layer]]\n[[layer.copy]]\n#", &["layer", "copy"]),
            ("[[layer]]\n[[layer.copy]]\nfrom = { # }", &["layer", "copy", "from"]),
            ("[[layer]]\n[[layer.write]]\n#", &["layer", "write"]),
            ("[[layer]]\n[[layer.mkdir]]\n#", &["layer", "mkdir"]),
            ("[[layer]]\n[[layer.link]]\n#", &["layer", "link"]),
            ("[[layer]]\n[[layer.extract]]\n#", &["layer", "extract"]),
            ("[[layer]]\n[[layer.remove]]\n#", &["layer", "remove"]),
        ] {
            let known = known_keys(&text.replace('#', "no-such-key-at-all = 1"));
            assert_eq!(known, property_names(table(&root, path)), "{text}");
        }
    }

    #[test]
    fn every_key_says_what_it_is() {
        fn walk(value: &Value, path: &str) {
            if let Some(properties) = value["properties"].as_object() {
                for (name, property) in properties {
                    assert!(property["description"].is_string(), "{path}.{name}");
                }
            }
            match value {
                Value::Object(members) => {
                    members.iter().for_each(|(name, member)| walk(member, &format!("{path}.{name}")))
                }
                Value::Array(members) => members.iter().for_each(|member| walk(member, path)),
                _ => {}
            }
        }
        walk(&schema(), "");
    }

    #[test]
    fn it_takes_the_example_and_refuses_what_the_decoder_refuses() {
        let validator = jsonschema::draft202012::new(&schema()).unwrap();
        let example: Value = serde_json::from_str(include_str!("tests/example.json")).unwrap();
        let errors: Vec<_> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
        assert_eq!(errors, [""; 0]);
        for (pointer, wrong) in [
            ("/edition", json!("2027")),
            ("/image/name", json!("Acme")),
            ("/image/platforms", json!([])),
            ("/image/compression", json!("xz")),
            ("/inputs/tini/url", json!("ftp://a")),
            ("/inputs/tini/sha256", json!("abc")),
            ("/inputs/debian", json!({"image": "a", "git": "b"})),
            ("/inputs/debian", json!({"image": "a", "rev": "b"})),
            ("/config/ports/0", json!(70000)),
            ("/config/env/PORT", json!(8080)),
            ("/config/entrypoint", json!("/bin/app")),
            ("/config/healthcheck/interval", json!("30")),
            ("/config/healthcheck/test", json!(["x"])),
            ("/users/app/uid", json!(-1)),
            ("/layer/0/copy/0/mode", json!(755)),
            ("/layer/0/copy/0/to", json!("usr")),
            ("/layer/0/copy/0/from", json!("/etc")),
            ("/layer/0/copy/1/mode", json!("0644")),
            ("/layer/0/extract/0/strip", json!(256)),
            ("/layer", json!({})),
        ] {
            let mut recipe = example.clone();
            match (recipe.pointer_mut(pointer), pointer.rsplit_once('/')) {
                (Some(place), _) => *place = wrong.clone(),
                (None, Some((parent, key))) => recipe.pointer_mut(parent).unwrap()[key] = wrong.clone(),
                (None, None) => panic!("{pointer}"),
            }
            assert!(!validator.is_valid(&recipe), "{pointer}: {wrong}");
            assert!(parse(&recipe.to_string(), Syntax::Json).is_err(), "{pointer}: {wrong}");
        }
    }
}
