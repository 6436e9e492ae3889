//! How a commit reaches an image: by annotations, labels and tags, never by what the image does or holds.
//!
//! An image of a folder that is not as it was committed is marked, so that it cannot pass for a release: its tags, its
//! version and its revision end in `-dirty`.

use crate::oci::annotation::{REVISION, SOURCE, VERSION};
use crate::recipe::{LOCK_DIGEST, RECIPE_DIGEST, RECIPE_PATH, Recipe, Spanned, Stamp, Template, Variables, dirty};
use std::collections::BTreeMap;

type Texts = BTreeMap<String, Spanned<Template>>;

/// The annotations of a manifest, and of the index: the recipe's own, and with `origin = true` those by which the recipe
/// is found again.
pub(super) fn annotations<P>(
    recipe: &Recipe<P>,
    variables: &Variables,
    stamp: Option<&Stamp>,
) -> BTreeMap<String, String> {
    let version = recipe.image.version.as_ref().map(|version| version.value.clone());
    let mut all = expanded(&recipe.annotations, variables, stamp);
    if let (Some(_), Some(stamp)) = (recipe.image.origin, stamp) {
        let provenance = &stamp.provenance;
        let origin = [
            (SOURCE, stamp.source.clone()),
            (REVISION, Some(stamp.commit.clone())),
            (VERSION, version.clone()),
            (RECIPE_PATH, Some(provenance.path.clone())),
            (RECIPE_DIGEST, Some(provenance.recipe.to_string())),
            (LOCK_DIGEST, provenance.lock.map(|digest| digest.to_string())),
        ];
        // What the recipe says itself is meant so.
        for (name, value) in origin.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            all.entry(name.to_owned()).or_insert(value);
        }
    }
    marked(all, version, stamp)
}

/// The recipe's labels.
pub(super) fn labels<P>(recipe: &Recipe<P>, variables: &Variables, stamp: Option<&Stamp>) -> BTreeMap<String, String> {
    let version = recipe.image.version.as_ref().map(|version| version.value.clone());
    marked(expanded(&recipe.config.labels, variables, stamp), version, stamp)
}

/// The recipe's tags, in its order. What a commit brings into a tag is made fit for one (`feature/x` is `feature-x`), and
/// two that turn out to be the same (a version, and the name of the commit that has it) are one.
#[must_use]
pub fn tags<P>(recipe: &Recipe<P>, variables: &Variables, stamp: Option<&Stamp>) -> Vec<String> {
    let variables = stamp.map_or_else(|| variables.clone(), |stamp| variables.clone().with_stamp(stamp));
    let mut tags = Vec::new();
    for tag in &recipe.image.tags {
        let text = tag.expand(&variables);
        let text = if tag.is_of_commit() { fit(&text) } else { text };
        if !tags.contains(&text) {
            tags.push(text);
        }
    }
    tags
}

/// A tag of an image that is not as it was committed.
#[must_use]
pub fn dirty_tag(mut tag: String) -> String {
    if !tag.ends_with("-dirty") {
        tag.truncate(LONGEST_TAG - "-dirty".len());
    }
    dirty(tag)
}

/// The longest tag (distribution-spec, "Pulling manifests").
const LONGEST_TAG: usize = 128;

/// A text as a tag: ASCII letters, digits, `_`, `.` and `-`, the last two not at its start.
fn fit(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut tag: String = text.chars().map(|c| if fits(c) { c } else { '-' }).take(LONGEST_TAG).collect();
    if tag.starts_with(['.', '-']) {
        tag.replace_range(..1, "_");
    }
    tag
}

fn expanded(texts: &Texts, variables: &Variables, stamp: Option<&Stamp>) -> BTreeMap<String, String> {
    let mut variables = variables.clone();
    if let Some(stamp) = stamp {
        variables = variables.with_stamp(stamp);
        if stamp.dirty {
            variables = variables.marked();
        }
    }
    texts.iter().map(|(name, text)| (name.clone(), text.expand(&variables))).collect()
}

/// A dirty image says so in any case, also where its recipe says nothing of a version or writes it out.
fn marked(
    mut all: BTreeMap<String, String>,
    version: Option<String>,
    stamp: Option<&Stamp>,
) -> BTreeMap<String, String> {
    if stamp.is_some_and(|stamp| stamp.dirty) {
        let said = all.remove(VERSION).or(version).filter(|version| !version.is_empty());
        all.insert(VERSION.to_owned(), said.map_or_else(|| "dirty".to_owned(), dirty));
        if let Some(revision) = all.get_mut(REVISION) {
            *revision = dirty(std::mem::take(revision));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_can_be_made_a_tag() {
        for (text, tag) in [
            ("v1.2-3-gabc", "v1.2-3-gabc"),
            ("feature/x", "feature-x"),
            ("größe+1", "gr--e-1"),
            (".x", "_x"),
            ("/x", "_x"),
            ("-", "_"),
        ] {
            assert_eq!(fit(text), tag);
            assert!(crate::oci::ImageName::is_tag(&fit(text)), "{text}");
        }
        let long = fit(&"é".repeat(300));
        assert_eq!(long.len(), LONGEST_TAG);
        assert!(crate::oci::ImageName::is_tag(&long));
        assert_eq!(dirty_tag(long).len(), LONGEST_TAG);
        assert_eq!(dirty_tag("latest".to_owned()), "latest-dirty");
        assert_eq!(dirty_tag("1-dirty".to_owned()), "1-dirty");
    }
}
