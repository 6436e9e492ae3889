//! The JSON Schema of the recipe, for editors.

/// JSON Schema, draft 2020-12, of a recipe in either notation.
///
/// What a schema cannot say (that an input exists, that a path stays inside, …) is left to [`parse`](super::parse).
#[must_use]
pub fn schema() -> serde_json::Value {
    serde_json::from_str(include_str!("schema.json")).unwrap_or_default()
}
