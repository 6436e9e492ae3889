//! The fields of a document, each with its JSON pointer: there or not, and of the right type. `null` is as good as
//! nothing, as programs in Go write it for what is empty.

use super::fault::Fault;
use super::finding::{Findings, Place, Subject};
use crate::oci::json;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An object of a document.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    pub(super) subject: &'a Subject,
    /// The pointer to it.
    pub(super) at: String,
    pub(super) map: &'a Map<String, Value>,
}

/// Reads a document, which is an object.
pub(super) fn parse(bytes: &[u8], subject: &Subject, findings: &mut Findings) -> Option<Map<String, Value>> {
    match json::parse(bytes) {
        Ok(Value::Object(map)) => return Some(map),
        Ok(_) => findings.add(Place::whole(subject), Fault::Type { wanted: "an object" }),
        Err(why) => findings.add(Place::whole(subject), Fault::Json(shortened(&why))),
    }
    None
}

impl<'a> Fields<'a> {
    /// The whole of a document.
    pub(super) fn of(subject: &'a Subject, map: &'a Map<String, Value>) -> Self {
        Self { subject, at: String::new(), map }
    }

    /// The pointer to a field (RFC 6901).
    pub(super) fn pointer(&self, key: &str) -> String {
        format!("{}/{}", self.at, key.replace('~', "~0").replace('/', "~1"))
    }

    /// Something is wrong with a field.
    pub(super) fn wrong(&self, key: &str, fault: Fault, findings: &mut Findings) {
        findings.add(Place::field(self.subject, self.pointer(key)), fault);
    }

    /// Something is wrong with the object.
    pub(super) fn broken(&self, fault: Fault, findings: &mut Findings) {
        findings.add(Place::field(self.subject, self.at.clone()), fault);
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Names that only case tells from that of a field: Go's `encoding/json` takes them for it.
    pub(super) fn cases(&self, key: &'static str, findings: &mut Findings) {
        for name in self.map.keys().filter(|name| *name != key && is_same_but_for_case(name, key)) {
            self.wrong(name, Fault::Case(key), findings);
        }
    }

    fn typed<T>(
        &self,
        key: &'static str,
        wanted: &'static str,
        findings: &mut Findings,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        self.cases(key, findings);
        let value = self.get(key)?;
        let read = read(value);
        if read.is_none() {
            self.wrong(key, Fault::Type { wanted }, findings);
        }
        read
    }

    /// A field that must be there.
    pub(super) fn required(&self, key: &'static str, findings: &mut Findings) {
        self.cases(key, findings);
        if self.get(key).is_none() {
            self.wrong(key, Fault::Absent, findings);
        }
    }

    pub(super) fn text(&self, key: &'static str, findings: &mut Findings) -> Option<&'a str> {
        self.typed(key, "a string", findings, Value::as_str)
    }

    pub(super) fn flag(&self, key: &'static str, findings: &mut Findings) -> Option<bool> {
        self.typed(key, "true or false", findings, Value::as_bool)
    }

    /// A size: a whole number that fits into 63 bits.
    pub(super) fn size(&self, key: &'static str, findings: &mut Findings) -> Option<u64> {
        let read = |value: &Value| value.as_i64().and_then(|n| u64::try_from(n).ok());
        self.typed(key, "a number of bytes", findings, read)
    }

    pub(super) fn list(&self, key: &'static str, findings: &mut Findings) -> Option<&'a [Value]> {
        self.typed(key, "a list", findings, |value| value.as_array().map(Vec::as_slice))
    }

    pub(super) fn object(&self, key: &'static str, findings: &mut Findings) -> Option<Fields<'a>> {
        let map = self.typed(key, "an object", findings, Value::as_object)?;
        Some(Fields { subject: self.subject, at: self.pointer(key), map })
    }

    /// The objects of a list.
    pub(super) fn objects(&self, key: &'static str, findings: &mut Findings) -> Vec<(usize, Fields<'a>)> {
        let mut objects = Vec::new();
        for (n, value) in self.list(key, findings).unwrap_or_default().iter().enumerate() {
            let at = format!("{}/{n}", self.pointer(key));
            match value.as_object() {
                Some(map) => objects.push((n, Fields { subject: self.subject, at, map })),
                None => findings.add(Place::field(self.subject, at), Fault::Type { wanted: "an object" }),
            }
        }
        objects
    }

    /// The strings of a list, each with its pointer.
    pub(super) fn texts(&self, key: &'static str, findings: &mut Findings) -> Option<Vec<(String, &'a str)>> {
        let mut texts = Vec::new();
        for (n, value) in self.list(key, findings)?.iter().enumerate() {
            let at = format!("{}/{n}", self.pointer(key));
            match value.as_str() {
                Some(text) => texts.push((at, text)),
                None => findings.add(Place::field(self.subject, at), Fault::Type { wanted: "a string" }),
            }
        }
        Some(texts)
    }

    /// Names and values, both strings.
    pub(super) fn strings(&self, key: &'static str, findings: &mut Findings) {
        let Some(object) = self.object(key, findings) else { return };
        for name in object.map.keys() {
            // Unlike elsewhere, a `null` is not nothing.
            if !object.map.get(name).is_some_and(Value::is_string) {
                object.wrong(name, Fault::Type { wanted: "a string" }, findings);
            }
        }
    }

    /// A time as RFC 3339 has it.
    pub(super) fn time(&self, key: &'static str, findings: &mut Findings) {
        let Some(text) = self.text(key, findings) else { return };
        if OffsetDateTime::parse(text, &Rfc3339).is_err() {
            self.wrong(key, Fault::Time(shortened(text)), findings);
        }
    }

    /// A media type (RFC 6838, section 4.2).
    pub(super) fn media_type(&self, key: &'static str, findings: &mut Findings) -> Option<&'a str> {
        let text = self.text(key, findings)?;
        let symbol = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        let word = |part: &str| {
            matches!(part.as_bytes(), [first, rest @ ..]
                if part.len() <= 127 && first.is_ascii_alphanumeric() && rest.iter().all(|&b| symbol(b)))
        };
        // Parameters are no part of what the specification asks for, but of what registries say.
        let bare = text.split(';').next().unwrap_or_default().trim_end();
        if !bare.split_once('/').is_some_and(|(kind, name)| word(kind) && word(name)) {
            self.wrong(key, Fault::MediaTypeSyntax(shortened(text)), findings);
        }
        Some(text)
    }

    /// `schemaVersion`, which is 2.
    pub(super) fn schema_version(&self, findings: &mut Findings) {
        self.required("schemaVersion", findings);
        if let Some(version) = self.get("schemaVersion").filter(|version| version.as_u64() != Some(2)) {
            self.wrong("schemaVersion", Fault::SchemaVersion(shortened(&version.to_string())), findings);
        }
    }
}

/// By Unicode's simple folding, as Go has it: the long s and the sign of the kelvin are letters of ASCII's.
fn is_same_but_for_case(name: &str, key: &str) -> bool {
    let folded = |c: char| c.to_lowercase().flat_map(char::to_uppercase);
    name.eq_ignore_ascii_case(key)
        || (!name.is_ascii() && name.chars().flat_map(folded).eq(key.chars().flat_map(folded)))
}

/// The start of a text that may be very long.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}
