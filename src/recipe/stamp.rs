//! What a commit adds to an image: which recipes ask for it, and the values, once somebody has found them out.

use super::{Created, Recipe, Span, Template};
use crate::oci::Digest;
use std::collections::BTreeMap;

/// The annotation that names a recipe's path in its repository.
pub const RECIPE_PATH: &str = "dev.rebake.recipe.path";
/// The annotation that names the digest of a recipe's text.
pub const RECIPE_DIGEST: &str = "dev.rebake.recipe.digest";
/// The annotation that names the digest of its lock's text.
pub const LOCK_DIGEST: &str = "dev.rebake.lock.digest";
/// 9999-12-31T23:59:59Z
const LAST: i64 = 253_402_300_799;
/// What the names of kept facts begin with.
const FACT: &str = "dev.rebake.stamp.";

/// What is known of the commit that an image is made from. Plain values: git is asked elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The commit's id.
    pub commit: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// What `git describe` calls it; none if the recipe does not ask.
    pub describe: Option<String>,
    /// The branch; none on a detached HEAD.
    pub branch: Option<String>,
    /// The repository's address, without credentials.
    pub source: Option<String>,
    /// Whether the recipe's folder differs from the commit, and the image must say so.
    pub dirty: bool,
    /// The recipe itself.
    pub provenance: Provenance,
}

/// Which recipe an image was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The recipe's path in the repository.
    pub path: String,
    /// The digest of its text, with line feeds alone at the ends of lines.
    pub recipe: Digest,
    /// The same of the lock beside it, if there is one.
    pub lock: Option<Digest>,
}

impl Stamp {
    /// The facts as names and values, to be kept where git is not; a dirty folder has none.
    #[must_use]
    pub fn facts(&self) -> BTreeMap<String, String> {
        let Self { commit, time, describe, branch, source, dirty: _, provenance } = self;
        let own = [("commit", commit.clone()), ("time", time.to_string()), ("path", provenance.path.clone())];
        let asked = [("describe", describe), ("branch", branch), ("source", source)];
        let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        own.into_iter().chain(asked).map(|(name, value)| (format!("{FACT}{name}"), value)).collect()
    }

    /// The stamp of a recipe whose facts were kept; `None` if they are not whole.
    #[must_use]
    pub fn from_facts(facts: &BTreeMap<String, String>, recipe: Digest, lock: Option<Digest>) -> Option<Self> {
        let fact = |name: &str| facts.get(&format!("{FACT}{name}")).cloned();
        Some(Self {
            commit: fact("commit")?,
            time: fact("time")?.parse().ok().filter(|time| (0..=LAST).contains(time))?,
            describe: fact("describe"),
            branch: fact("branch"),
            source: fact("source"),
            dirty: false,
            provenance: Provenance { path: fact("path")?, recipe, lock },
        })
    }

    /// Stands for any commit, where it does not matter which.
    #[must_use]
    pub fn sample() -> Self {
        let name = |name: &str| Some(format!("git.{name}"));
        Self {
            commit: "git.commit".to_owned(),
            time: 0,
            describe: name("describe"),
            branch: name("branch"),
            source: None,
            dirty: false,
            provenance: Provenance { path: String::new(), recipe: Digest::of(b""), lock: None },
        }
    }
}

/// A text with `-dirty` behind it, once.
#[must_use]
pub fn dirty(text: String) -> String {
    if text.ends_with("-dirty") { text } else { text + "-dirty" }
}

impl<P> Recipe<P> {
    /// Where the recipe asks for something of the commit, in the order of its text. Empty: it is the same image at every
    /// commit, and git is not asked.
    #[must_use]
    pub fn stamps(&self) -> Vec<Span> {
        let created = self.image.created.as_ref().filter(|created| created.value == Created::Git);
        let texts = self.stamped_texts(Template::is_of_commit);
        let mut spans: Vec<Span> = texts.chain(created.map(|created| created.span)).chain(self.image.origin).collect();
        spans.sort();
        spans
    }

    /// Where a placeholder of the commit first stands: `git.branch`.
    #[must_use]
    pub fn stamp_of(&self, placeholder: &str) -> Option<Span> {
        self.stamped_texts(|text| text.has(placeholder)).min()
    }

    /// The texts that may stand for something of the commit, and do as `which` says.
    fn stamped_texts(&self, which: impl Fn(&Template) -> bool) -> impl Iterator<Item = Span> {
        let named = self.config.labels.values().chain(self.annotations.values());
        self.image.tags.iter().chain(named).filter(move |text| which(&text.value)).map(|text| text.span)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Syntax, parse};
    use super::*;

    fn recipe(rest: &str) -> Recipe<super::super::Source> {
        parse(&format!("edition = '2026'\n[image]\nname = 'a'\n{rest}"), Syntax::Toml).unwrap()
    }

    #[test]
    fn facts_that_were_kept_are_the_same_stamp() {
        let mut stamp = Stamp::sample();
        stamp.provenance.lock = Some(Digest::of(b"lock"));
        let Provenance { recipe, lock, .. } = stamp.provenance.clone();
        for source in [None, Some("https://example.com/x".to_owned())] {
            stamp.source = source;
            assert_eq!(Stamp::from_facts(&stamp.facts(), recipe, lock), Some(stamp.clone()));
        }
        let mut facts = stamp.facts();
        facts.remove("dev.rebake.stamp.time");
        assert_eq!(Stamp::from_facts(&facts, recipe, lock), None);
    }

    #[test]
    fn a_recipe_knows_whether_it_is_stamped() {
        for (rest, stamps) in [
            ("", 0),
            ("origin = false\n[config.labels]\na = '{{git.commit}}'", 0),
            ("created = 'git'", 1),
            ("origin = true\ntags = ['a', '{git.branch}']", 2),
            ("[config.labels]\na = '{git.commit}'\n[annotations]\nb = '{git.describe}'", 2),
            ("created = '2026-01-01T00:00:00Z'\nmtime = 'created'\norigin = true", 1),
        ] {
            assert_eq!(recipe(rest).stamps().len(), stamps, "{rest}");
        }
        let recipe = recipe("tags = ['a', '{git.branch}']\norigin = true\n");
        assert_eq!(recipe.stamps()[0], recipe.stamp_of("git.branch").unwrap());
        assert_eq!(recipe.stamp_of("git.commit"), None);
    }
}
