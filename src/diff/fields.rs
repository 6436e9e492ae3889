//! Two JSON documents, field by field.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Where it stands (RFC 6901): `/config/Labels/x`.
    pub pointer: String,
    /// What the first has there.
    pub a: Option<Value>,
    /// What the second has there.
    pub b: Option<Value>,
}

/// Lists what differs, in the order of the names; at most `limit` fields. Fields for which `told` says so are told
/// elsewhere.
pub(super) fn changes(a: &Value, b: &Value, limit: usize, told: &dyn Fn(&str) -> bool) -> Vec<FieldChange> {
    let mut list = Vec::new();
    walk(Some(a), Some(b), &mut String::new(), &mut |pointer, a, b| {
        if list.len() < limit && !told(pointer) {
            list.push(FieldChange { pointer: pointer.to_owned(), a: a.cloned(), b: b.cloned() });
        }
    });
    list
}

/// Takes a pointer, and what stands there on both sides.
type Found<'a> = dyn FnMut(&str, Option<&Value>, Option<&Value>) + 'a;

/// Calls `found` for each smallest part that differs.
fn walk(a: Option<&Value>, b: Option<&Value>, pointer: &mut String, found: &mut Found) {
    if a == b {
        return;
    }
    // Also of an object that only one side has, each name is told: of all labels, say.
    let map = |value: Option<&Value>| value.is_none_or(|value| value.as_object().is_some_and(|map| !map.is_empty()));
    match (a, b) {
        (a, b) if map(a) && map(b) => {
            let (left, right) = (a.and_then(Value::as_object), b.and_then(Value::as_object));
            let names: BTreeSet<&String> = left.into_iter().chain(right).flat_map(Map::keys).collect();
            for name in names {
                below(pointer, name, |pointer| {
                    walk(left.and_then(|map| map.get(name)), right.and_then(|map| map.get(name)), pointer, found);
                });
            }
        }
        // Of lists of texts, such as `Env`, that grew or shrank, places say nothing.
        (Some(Value::Array(left)), Some(Value::Array(right)))
            if left.len() == right.len() || left.iter().chain(right).all(Value::is_object) =>
        {
            for n in 0..left.len().max(right.len()) {
                below(pointer, &n.to_string(), |pointer| walk(left.get(n), right.get(n), pointer, found));
            }
        }
        _ => found(pointer, a, b),
    }
}

fn below(pointer: &mut String, name: &str, walk: impl FnOnce(&mut String)) {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    walk(pointer);
    pointer.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_by_their_pointers() {
        let a = json!({ "os": "linux", "config": { "Labels": { "a/b": "1", "c~": "2" }, "Env": ["A=1"], "Cmd": ["x", "y"] } });
        let b = json!({ "os": "linux", "config": { "Labels": { "a/b": "3" }, "Env": ["A=1", "B=2"], "Cmd": ["x", "z"] }, "n": null });
        let found = changes(&a, &b, 10, &|_| false);
        let pointers: Vec<&str> = found.iter().map(|change| change.pointer.as_str()).collect();
        assert_eq!(pointers, ["/config/Cmd/1", "/config/Env", "/config/Labels/a~1b", "/config/Labels/c~0", "/n"]);
        assert_eq!((&found[3].a, &found[3].b), (&Some(json!("2")), &None));
        assert_eq!(found[4].b, Some(Value::Null));
        assert_eq!(changes(&a, &b, 2, &|_| false).len(), 2);
        assert_eq!(changes(&a, &b, 9, &|pointer| pointer.starts_with("/config")).len(), 1);
        assert_eq!(changes(&a, &a, 9, &|_| false), []);
    }
}
