//! Text with placeholders: `{arch}`, `{version.minor}`.
//!
//! A placeholder is `{` + a lower-case letter + lower-case letters, digits, `.`, `_` or `-` + `}`; every other brace is
//! text (`{a,b}`, `{ listen 80; }`, `{"a":1}`). `{{arch}}` is the text `{arch}`, and `${name}` is left to shells.

use super::stamp::{Stamp, dirty};
use super::suggest::nearest;
use super::version::{Version, VersionError};
use crate::oci::Platform;
use std::{fmt, ops::Range};

/// Every placeholder that can stand in any text; those of the commit stand in labels, tags and annotations only.
pub const PLACEHOLDERS: [&str; 8] =
    ["arch", "os", "variant", "platform", "version", "version.major", "version.minor", "name"];
const OF_PLATFORM: [&str; 4] = ["arch", "os", "variant", "platform"];
/// Those that stand for the commit.
const OF_GIT: [&str; 3] = ["git.commit", "git.describe", "git.branch"];

/// Text whose placeholders are all known ones.
///
/// ```
/// use rebake::recipe::{Scope, Template, Variables};
/// let scope = Scope { version: Some("1.4.2"), ..Scope::default() };
/// let template = Template::parse("tini-{version.minor}-{arch}, ${arch} and {{arch}}", &scope).unwrap();
/// let variables = Variables::new("acme/app", Some("1.4.2"), &"linux/amd64".parse().unwrap());
/// assert_eq!(template.expand(&variables), "tini-1.4-amd64, ${arch} and {arch}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(&'static str),
}

/// Which placeholders mean something where a text stands.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// `image.version`.
    pub version: Option<&'a str>,
    /// The version is there but wrong, which was said already: take its placeholders as they come.
    pub version_is_wrong: bool,
    /// Why the text may not depend on the platform; none: it may.
    pub no_platform: Option<&'static str>,
    /// Whether the text may depend on the commit.
    pub of_commit: bool,
}

/// Why a placeholder cannot be filled in, and where it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{mistake}")]
pub struct TemplateError {
    /// The placeholder with its braces, in bytes of the text.
    pub range: Range<usize>,
    /// What is wrong with it.
    pub mistake: PlaceholderError,
}

/// Why a placeholder cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// There is no such placeholder.
    #[error("unknown placeholder {{{name}}}")]
    Unknown {
        /// As it was written.
        name: String,
        /// The one that was probably meant.
        near: Option<&'static str>,
    },
    /// The text is the same for every commit.
    #[error("placeholder {{{0}}} stands for the commit, which may reach labels, tags and annotations only")]
    Commit(&'static str),
    /// `image.version` is not set.
    #[error("placeholder {{{0}}} needs a version, and `version` is not set in [image]")]
    NoVersion(&'static str),
    /// The version has no such part.
    #[error("placeholder {{{0}}}: {1}")]
    Version(&'static str, VersionError),
    /// The text is the same on all platforms.
    #[error("placeholder {{{0}}} differs by platform, and {1}")]
    Platform(&'static str, &'static str),
}

impl PlaceholderError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { name, near: Some(near) } => {
                Some(format!("did you mean {{{near}}}? `{{{{{name}}}}}` writes {{{name}}} literally"))
            }
            Self::Unknown { name, near: None } => Some(format!(
                "the placeholders are {}; `{{{{{name}}}}}` writes {{{name}}} literally",
                PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(" ")
            )),
            Self::NoVersion(_) => Some("add `version = \"...\"` to [image]".to_owned()),
            Self::Commit(_) => {
                Some("what the image does and holds must not change with every commit of the same content".to_owned())
            }
            Self::Version(..) | Self::Platform(..) => None,
        }
    }
}

impl Template {
    /// Reads text with placeholders.
    ///
    /// # Errors
    /// Every placeholder that cannot be filled in, in order.
    pub fn parse(text: &str, scope: &Scope<'_>) -> Result<Self, Vec<TemplateError>> {
        let mut template = Self { source: text.to_owned(), parts: Vec::new() };
        let mut errors = Vec::new();
        let (mut done, mut at) = (0, 0);
        while let Some(found) = text[at..].find('{') {
            let open = at + found;
            let outer = &text[open..];
            if let Some(name) = outer.strip_prefix('{').and_then(braced)
                && outer[name.len() + 3..].starts_with('}')
            {
                template.push_text(&text[done..open]);
                template.push_text(&outer[1..name.len() + 3]);
                done = open + name.len() + 4;
            } else if !text[..open].ends_with('$')
                && let Some(name) = braced(outer)
            {
                template.push_text(&text[done..open]);
                done = open + name.len() + 2;
                match scope.find(name) {
                    Ok(known) => template.parts.push(Part::Placeholder(known)),
                    Err(mistake) => errors.push(TemplateError { range: open..done, mistake }),
                }
            } else {
                at = open + 1;
                continue;
            }
            at = done;
        }
        template.push_text(&text[done..]);
        if errors.is_empty() { Ok(template) } else { Err(errors) }
    }

    /// Text in which no brace means anything.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let mut template = Self { source: text.to_owned(), parts: Vec::new() };
        template.push_text(text);
        template
    }

    /// The text with every placeholder filled in.
    #[must_use]
    pub fn expand(&self, variables: &Variables) -> String {
        let mut text = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Placeholder(name) => text.push_str(variables.get(name)),
            }
        }
        text
    }

    /// The text with every placeholder filled in that is the same on all platforms; the others stay as they are.
    #[must_use]
    pub fn expand_but_platform(&self, variables: &Variables) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Placeholder(name) if OF_PLATFORM.contains(name) => format!("{{{name}}}"),
            Part::Placeholder(name) => variables.get(name).to_owned(),
        };
        self.parts.iter().map(part).collect()
    }

    /// Whether it may expand to different texts on different platforms.
    #[must_use]
    pub fn differs_by_platform(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Placeholder(name) if OF_PLATFORM.contains(name)))
    }

    /// Whether a placeholder stands in it.
    #[must_use]
    pub fn has(&self, placeholder: &str) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Placeholder(name) if *name == placeholder))
    }

    /// Whether it stands for something of the commit.
    #[must_use]
    pub fn is_of_commit(&self) -> bool {
        OF_GIT.iter().any(|name| self.has(name))
    }

    fn push_text(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }
}

/// As it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// The name of the placeholder that a text starts with.
fn braced(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?;
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let name = &inner[..inner.find(|c| !is_part(c))?];
    (name.starts_with(|c: char| c.is_ascii_lowercase()) && inner[name.len()..].starts_with('}')).then_some(name)
}

impl Scope<'_> {
    fn find(&self, name: &str) -> Result<&'static str, PlaceholderError> {
        let all = || PLACEHOLDERS.into_iter().chain(OF_GIT);
        let Some(known) = all().find(|&known| known == name) else {
            return Err(PlaceholderError::Unknown { name: name.to_owned(), near: nearest(name, all()) });
        };
        if OF_GIT.contains(&known) && !self.of_commit {
            return Err(PlaceholderError::Commit(known));
        }
        if let Some(reason) = self.no_platform
            && OF_PLATFORM.contains(&known)
        {
            return Err(PlaceholderError::Platform(known, reason));
        }
        if known.starts_with("version") && !self.version_is_wrong {
            let version = Version(self.version.ok_or(PlaceholderError::NoVersion(known))?);
            match known {
                "version.major" => version.major().map(drop),
                "version.minor" => version.minor().map(drop),
                _ => Ok(()),
            }
            .map_err(|error| PlaceholderError::Version(known, error))?;
        }
        Ok(known)
    }
}

/// What the placeholders stand for, on one platform.
#[derive(Debug, Clone)]
pub struct Variables {
    values: Vec<(&'static str, String)>,
}

impl Variables {
    /// `name` and `version` as `[image]` has them.
    #[must_use]
    pub fn new(name: &str, version: Option<&str>, platform: &Platform) -> Self {
        let version = Version(version.unwrap_or_default());
        let values = vec![
            ("arch", platform.architecture.clone()),
            ("os", platform.os.clone()),
            ("variant", platform.variant.clone().unwrap_or_default()),
            ("platform", platform.to_string()),
            ("version", version.0.to_owned()),
            ("version.major", version.major().unwrap_or_default().to_owned()),
            ("version.minor", version.minor().unwrap_or_default().to_owned()),
            ("name", name.to_owned()),
        ];
        Self { values }
    }

    /// The same, and what stands for the commit. What is not known of it (a detached HEAD has no branch) is empty.
    #[must_use]
    pub fn with_stamp(mut self, stamp: &Stamp) -> Self {
        for (name, value) in
            OF_GIT.into_iter().zip([Some(&stamp.commit), stamp.describe.as_ref(), stamp.branch.as_ref()])
        {
            self.values.push((name, value.cloned().unwrap_or_default()));
        }
        self
    }

    /// The same, with `-dirty` behind everything that would let a local build pass for a release.
    #[must_use]
    pub fn marked(mut self) -> Self {
        let marks = ["version", "version.major", "version.minor", "git.commit", "git.describe"];
        for (_, value) in self.values.iter_mut().filter(|(name, value)| marks.contains(name) && !value.is_empty()) {
            *value = dirty(std::mem::take(value));
        }
        self
    }

    fn get(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope<'_> =
        Scope { version: Some("v1.4.2"), version_is_wrong: false, no_platform: None, of_commit: false };

    fn expand(text: &str) -> String {
        let variables = Variables::new("acme/app", Some("v1.4.2"), &"linux/arm/v7".parse().unwrap());
        let template = Template::parse(text, &SCOPE).unwrap();
        assert_eq!(template.to_string(), text);
        template.expand(&variables)
    }

    #[test]
    fn placeholders_are_filled_in_and_all_other_braces_are_text() {
        for (text, expanded) in [
            ("", ""),
            ("{arch}", "arm"),
            ("{os}-{arch}{variant} {platform}", "linux-armv7 linux/arm/v7"),
            ("{version} {version.minor} {version.major} {name}", "v1.4.2 v1.4 v1 acme/app"),
            ("{{arch}} {{nothing.at-all}}", "{arch} {nothing.at-all}"),
            ("${arch} ${HOME} $ {arch}", "${arch} ${HOME} $ arm"),
            ("${{arch}}", "${arch}"),
            ("{{{arch}}}", "{{arch}}"),
            ("{{arch}", "{arm"),
            ("{a,b} { listen 80; } {\"a\":1} {} { {{ }} }", "{a,b} { listen 80; } {\"a\":1} {} { {{ }} }"),
            ("{Arch} {1} {arch", "{Arch} {1} {arch"),
            ("é{arch}é", "éarmé"),
        ] {
            assert_eq!(expand(text), expanded, "{text}");
        }
        assert_eq!(Template::literal("{arch} {x}").expand(&Variables::new("", None, &linux())), "{arch} {x}");
    }

    fn linux() -> Platform {
        "linux/amd64".parse().unwrap()
    }

    #[test]
    fn what_cannot_be_filled_in_is_named_with_its_place() {
        let text = "é {archh} {arch} {git.commit}{banana}";
        let errors = Template::parse(text, &SCOPE).unwrap_err();
        let shown: Vec<_> = errors.iter().map(|error| (&text[error.range.clone()], error.to_string())).collect();
        assert_eq!(
            shown,
            [
                ("{archh}", "unknown placeholder {archh}".to_owned()),
                (
                    "{git.commit}",
                    "placeholder {git.commit} stands for the commit, which may reach labels, tags and annotations only"
                        .to_owned()
                ),
                ("{banana}", "unknown placeholder {banana}".to_owned()),
            ]
        );
        let help = errors[0].mistake.help().unwrap();
        assert_eq!(help, "did you mean {arch}? `{{archh}}` writes {archh} literally");
        assert!(errors[2].mistake.help().unwrap().contains("{version.minor}"));
    }

    #[test]
    fn a_scope_says_what_is_there() {
        let message = |text, scope: Scope<'_>| Template::parse(text, &scope).unwrap_err()[0].to_string();
        assert_eq!(
            message("{version}", Scope::default()),
            "placeholder {version} needs a version, and `version` is not set in [image]"
        );
        let scope = Scope { version: Some("nightly"), ..Scope::default() };
        assert!(Template::parse("{version}", &scope).is_ok());
        assert_eq!(
            message("{version.major}", scope),
            "placeholder {version.major}: the version `nightly` does not start with a number"
        );
        let scope = Scope { no_platform: Some("tags do not"), ..SCOPE };
        assert_eq!(message("{arch}", scope), "placeholder {arch} differs by platform, and tags do not");
        assert!(Template::parse("{name}", &scope).is_ok());
        assert!(Template::parse("{version.minor}", &Scope { version_is_wrong: true, ..Scope::default() }).is_ok());
        assert!(Template::parse("{variant}", &SCOPE).unwrap().differs_by_platform());
        assert!(!Template::parse("{name} {{arch}}", &SCOPE).unwrap().differs_by_platform());
    }
}
