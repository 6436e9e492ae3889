//! JSON in and out: read strictly, written in one way only.
//!
//! Every JSON document that rebake writes passes [`canonical`], so that no library's map decides bytes.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads one JSON document; a name that stands twice in an object is an error (RFC 8259 section 4 leaves open which of
/// the two counts, and readers differ). Depth is bounded to 128.
///
/// # Errors
/// A sentence that says what is wrong and where.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice::<Strict>(bytes).map(|strict| strict.0).map_err(|error| error.to_string())
}

/// Writes a document by RFC 8785: no white space, names sorted by their UTF-16 code units, shortest escapes.
///
/// One deviation, because a base image's values are kept: an integer keeps its digits, also where a double has fewer.
/// Edition 2026.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => out.extend(number_text(number).bytes()),
        Value::String(text) => string(text, out),
        Value::Array(values) => {
            out.push(b'[');
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write(value, out);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (n, (name, value)) in members.into_iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                string(name, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

/// RFC 8785 section 3.2.2.2.
fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\u{8}' => out.extend(b"\\b"),
            '\u{c}' => out.extend(b"\\f"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            c if c < ' ' => out.extend(format!("\\u{:04x}", u32::from(c)).bytes()),
            c => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    out.push(b'"');
}

/// RFC 8785 section 3.2.2.3: as ECMAScript writes a double (ECMA-262, Number::toString).
fn number_text(number: &Number) -> String {
    let text = number.to_string();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return if digits == "0" { "0".to_owned() } else { text };
    }
    let Some(double) = number.as_f64().filter(|double| double.is_finite()) else { return text };
    if double == 0.0 {
        return "0".to_owned();
    }
    // Rust's `{:e}` gives the shortest digits that read back as the same double; only the layout differs.
    let scientific = format!("{:e}", double.abs());
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return text };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let Ok(exponent) = exponent.parse::<i32>() else { return text };
    let (k, n) = (digits.len() as i32, exponent + 1);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let sign = if double < 0.0 { "-" } else { "" };
    let split = |at: i32| digits.split_at(usize::try_from(at).unwrap_or(0));
    let body = if k <= n && n <= 21 {
        format!("{digits}{}", zeros(n - k))
    } else if 0 < n && n <= 21 {
        let (whole, part) = split(n);
        format!("{whole}.{part}")
    } else if -6 < n && n <= 0 {
        format!("0.{}{digits}", zeros(-n))
    } else {
        let (whole, part) = split(1);
        let point = if part.is_empty() { "" } else { "." };
        format!("{whole}{point}{part}e{}{}", if n > 0 { "+" } else { "-" }, (n - 1).abs())
    };
    format!("{sign}{body}")
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }
    fn visit_string<E>(self, value: String) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Strict, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Strict(Value::Array(values)))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Strict, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            // With the feature `arbitrary_precision` a number that is no u64, i64 or plain double comes as an object of
            // one private name.
            if name == NUMBER && map.is_empty() {
                let text: String = access.next_value()?;
                let number = serde_json::from_str::<Number>(&text).map_err(A::Error::custom)?;
                return Ok(Strict(Value::Number(number)));
            }
            let Strict(value) = access.next_value_seed(StrictSeed)?;
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("the name `{name}` stands twice in one object")));
            }
            map.insert(name, value);
        }
        Ok(Strict(Value::Object(map)))
    }
}

/// serde_json's private name for the text of a number.
const NUMBER: &str = "$serde_json::private::Number";

struct StrictSeed;

impl<'de> DeserializeSeed<'de> for StrictSeed {
    type Value = Strict;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Strict, D::Error> {
        Strict::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str) -> String {
        String::from_utf8(canonical(&parse(text.as_bytes()).unwrap())).unwrap()
    }

    #[test]
    fn the_numbers_of_rfc_8785_appendix_b() {
        for (from, to) in [
            ("0.0", "0"),
            ("-0.0", "0"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9007199254740992", "9007199254740992"),
            ("295147905179352830000.0", "295147905179352830000"),
            ("9.999999999999997e22", "9.999999999999997e+22"),
            ("1e23", "1e+23"),
            ("999999999999999700000.0", "999999999999999700000"),
            ("1e21", "1e+21"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("333333333.3333332", "333333333.3333332"),
            ("-0.0000033333333333333333", "-0.0000033333333333333333"),
            ("4.50", "4.5"),
            ("1E30", "1e+30"),
        ] {
            assert_eq!(round(from), to, "{from}");
        }
    }

    #[test]
    fn integers_keep_every_digit() {
        for text in ["9223372036854775808123", "-18446744073709551616", "18446744073709551615", "-1", "0"] {
            assert_eq!(round(text), text);
        }
    }

    #[test]
    fn names_are_sorted_by_utf16_and_strings_escaped_as_rfc_8785_says() {
        assert_eq!(
            round("{\"\\u20ac\":1,\"\\r\":2,\"\\ud83d\\ude00\":3,\"\\ufb33\":4,\"1\":5}"),
            "{\"\\r\":2,\"1\":5,\"\u{20ac}\":1,\"\u{1f600}\":3,\"\u{fb33}\":4}"
        );
        assert_eq!(round("\"\\u0001\\u007f\\/\\b\""), "\"\\u0001\u{7f}/\\b\"");
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        assert!(parse(br#"{"a":1,"a":1}"#).unwrap_err().contains("stands twice"));
        assert!(parse(br#"[{"x":{"b":1,"b":2}}]"#).is_err());
        assert!(parse(br#"{"a":{"a":1}}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
