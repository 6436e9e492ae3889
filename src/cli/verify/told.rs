//! A verdict as text or JSON: what differs, and the statement of the recipe that is behind each path.

use crate::cli::differences::{Behind, body, json};
use crate::cli::recipes::Recipe;
use rebake::diff::{EntryDifference, FieldChange, LayerChange, LayerDifference, PlatformDifferences, Rung};
use rebake::origin::Claim;
use rebake::recipe::Span;
use rebake::verify::{Made, Verdict};
use serde_json::{Value, json};

/// A verdict, the recipe that it is about, and the image as the user names it.
pub struct Told<'a> {
    pub verdict: &'a Verdict,
    pub recipe: &'a Recipe,
    pub place: &'a str,
    pub claims: &'a [Claim],
    pub image: &'a str,
}

impl Told<'_> {
    /// For people.
    pub fn text(&self) -> String {
        let differences = &self.verdict.differences;
        let (rung, recipe) = (differences.rung(), format!("{}{}", self.recipe.name, self.place));
        let only =
            differences.only.as_ref().map(|only| format!(" for {only}, which alone was compared")).unwrap_or_default();
        let (rebuilt, found) = (differences.a.digest, differences.b.digest);
        if rung == Rung::Identical {
            return format!("identical: {} is what {recipe} gives{only}: {found}\n", self.image);
        }
        let head = format!(
            "{rung}: {}{only}\nA: {rebuilt} is what {recipe} gives\nB: {found} is {}\n",
            rung.meaning(),
            self.image
        );
        head + &body(differences, Some(self))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let differences = &self.verdict.differences;
        let mut whole = json((&self.recipe.name, self.image), differences);
        whole["recipe"] = json!(format!("{}{}", self.recipe.name, self.place));
        whole["image"] = json!(self.image);
        let claims = self.claims.iter().map(|claim| match claim {
            Claim::Branch(branch) => json!({ "branch": branch }),
            Claim::Source(source, own) => json!({ "source": source, "remote": own }),
        });
        whole["claims"] = claims.collect();
        whole["same"] = json!(differences.rung() == Rung::Identical);
        let platforms = whole["platforms"].as_array_mut().into_iter().flatten().zip(&differences.platforms);
        for (json, platform) in platforms {
            self.fields(&mut json["manifest"], &platform.manifest);
            self.fields(&mut json["config"], &platform.config);
            let layers = json["layers"].as_array_mut().into_iter().flatten();
            for (json, layer) in layers.zip(&platform.layers) {
                let LayerChange::Tar(tar) = &layer.change else { continue };
                let entries = json["entries"].as_array_mut().into_iter().flatten();
                for (json, entry) in entries.zip(&tar.entries) {
                    self.entry_json(json, platform, layer, entry);
                }
            }
        }
        whole
    }

    fn fields(&self, json: &mut Value, fields: &[FieldChange]) {
        for (json, field) in json.as_array_mut().into_iter().flatten().zip(fields) {
            if let Some(span) = self.verdict.field(&field.pointer) {
                json["statement"] = self.place(span);
            }
        }
    }

    fn entry_json(
        &self,
        json: &mut Value,
        platform: &PlatformDifferences,
        layer: &LayerDifference,
        entry: &EntryDifference,
    ) {
        let made = self.made(platform, layer, &entry.path);
        json["layer"] = json!(made.layer);
        json["statement"] = made.statement.map_or(Value::Null, |span| self.place(span));
        json["input"] = json!(made.input);
    }

    fn made(&self, platform: &PlatformDifferences, layer: &LayerDifference, path: &[u8]) -> Made {
        let digest = platform.a.as_ref().map(|a| a.digest);
        let manifests = &self.verdict.rebuilt.manifests;
        let manifest = manifests.iter().position(|manifest| Some(manifest.document.descriptor.digest) == digest);
        manifest.zip(layer.a).map_or_else(Made::default, |(manifest, layer)| self.verdict.made(manifest, layer, path))
    }

    fn place(&self, span: Span) -> Value {
        let (line, column) = self.recipe.place(span);
        json!({ "file": self.recipe.name, "line": line, "column": column })
    }
}

impl Behind for Told<'_> {
    fn entry(&self, platform: &PlatformDifferences, layer: &LayerDifference, path: &[u8]) -> Option<String> {
        let made = self.made(platform, layer, path);
        let place = made.statement.map(|span| format!("{}:{}", self.recipe.name, self.recipe.place(span).0));
        let input = made.input.map(|input| match made.layer {
            Some(_) => format!("from the input `{input}`"),
            None => format!("of the base, the input `{input}`"),
        });
        let all: Vec<String> = place.into_iter().chain(input).collect();
        match all.is_empty() {
            true => Some("nothing in the recipe makes it".to_owned()).filter(|_| made.statement.is_none()),
            false => Some(format!("made by {}", all.join(", "))),
        }
    }

    fn field(&self, pointer: &str) -> Option<String> {
        let span = self.verdict.field(pointer)?;
        Some(format!("{}:{}", self.recipe.name, self.recipe.place(span).0))
    }
}
