//! Which paths of a folder or an archive count: `include`, `exclude`, and files in `.dockerignore` syntax.
//!
//! All patterns are matched against paths relative to the folder that is copied. `*` and `?` do not cross a `/`.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Compiled patterns, and which of the `include` ones have matched so far. Several threads may ask at once.
#[derive(Debug, Default)]
pub struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
    ignore: Ignore,
    matched: Vec<AtomicBool>,
}

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is no pattern: {}", .0.glob().unwrap_or_default(), .0.kind())]
pub struct PatternError(#[from] globset::Error);

/// Compiles one pattern.
///
/// # Errors
/// If it is none.
pub fn pattern(text: &str) -> Result<Glob, PatternError> {
    let text = text.strip_prefix("./").unwrap_or(text);
    let text = text.strip_prefix('/').unwrap_or(text).trim_end_matches('/');
    Ok(GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build()?)
}

/// The part of a pattern before its first part with a wildcard: where a search begins.
#[must_use]
pub fn literal_prefix(pattern: &str) -> &str {
    match pattern.find(['*', '?', '[', '{']) {
        None => pattern,
        Some(wild) => {
            pattern.get(..wild).and_then(|fixed| fixed.rfind('/').and_then(|at| fixed.get(..at))).unwrap_or("")
        }
    }
}

fn set(patterns: &[String]) -> Result<GlobSet, PatternError> {
    let mut set = GlobSetBuilder::new();
    for text in patterns {
        set.add(pattern(text)?);
    }
    Ok(set.build()?)
}

impl Filter {
    /// # Errors
    /// If a pattern is none.
    pub fn new(include: &[String], exclude: &[String], ignore: Ignore) -> Result<Self, PatternError> {
        Ok(Self {
            include: if include.is_empty() { None } else { Some(set(include)?) },
            exclude: set(exclude)?,
            ignore,
            matched: include.iter().map(|_| AtomicBool::new(false)).collect(),
        })
    }

    /// Whether nothing below a folder can count, so that it need not be read.
    #[must_use]
    pub fn prunes(&self, folder: &[u8]) -> bool {
        self.excluded(folder) || (!self.ignore.reincludes() && self.ignore.ignores(folder))
    }

    /// Whether a path counts: it, or a folder it stands in, is included, and neither it nor such a folder is excluded.
    pub fn keeps(&self, path: &[u8]) -> bool {
        if self.excluded(path) || self.ignore.ignores(path) {
            return false;
        }
        let Some(include) = &self.include else { return true };
        let mut kept = false;
        for ancestor in ancestors(path) {
            for n in include.matches(ancestor) {
                kept = true;
                if let Some(matched) = self.matched.get(n) {
                    matched.store(true, Ordering::Relaxed);
                }
            }
        }
        kept
    }

    fn excluded(&self, path: &[u8]) -> bool {
        if self.exclude.is_empty() {
            return false;
        }
        ancestors(path).any(|ancestor| self.exclude.is_match(ancestor))
    }

    /// The numbers of the `include` patterns that have matched nothing yet.
    pub fn unmatched(&self) -> impl Iterator<Item = usize> + '_ {
        self.matched.iter().enumerate().filter(|(_, matched)| !matched.load(Ordering::Relaxed)).map(|(n, _)| n)
    }
}

/// The path itself and the folders it stands in.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &Path> {
    let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/').map(|(at, _)| at);
    slashes.chain([path.len()]).filter_map(move |end| Some(Path::new(OsStr::from_bytes(path.get(..end)?))))
}

/// The rules of a `.dockerignore`: the last one that matches a path, or a folder it stands in, decides.
#[derive(Debug, Default)]
pub struct Ignore {
    rules: Vec<(bool, globset::GlobMatcher)>,
    /// Stands before every path.
    below: Vec<u8>,
}

impl Ignore {
    /// Reads the syntax that Docker documents: a pattern a line, `#` comments, `!` takes back; `\` escapes. The patterns are
    /// relative to a folder above the one that is copied, and `below` is the way from there (empty: the same folder).
    ///
    /// # Errors
    /// The number of the first bad line, counted from 1, and what is wrong with it.
    pub fn parse(text: &str, below: &[u8]) -> Result<Self, (usize, PatternError)> {
        let mut rules = Vec::new();
        for (n, line) in text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (ignore, line) = match line.strip_prefix('!') {
                Some(rest) => (false, rest.trim()),
                None => (true, line),
            };
            let clean = clean(line);
            if clean.is_empty() {
                continue;
            }
            // Docker's patterns have no `{a,b}`.
            let escaped = clean.replace('{', "\\{").replace('}', "\\}");
            let glob = pattern(&escaped).map_err(|error| (n + 1, error))?;
            rules.push((ignore, glob.compile_matcher()));
        }
        let below = if below.is_empty() { Vec::new() } else { [below, b"/"].concat() };
        Ok(Self { rules, below })
    }

    /// Whether a path is left out.
    #[must_use]
    pub fn ignores(&self, path: &[u8]) -> bool {
        if self.rules.is_empty() {
            return false;
        }
        let path = [&self.below, path].concat();
        let mut ignored = false;
        for (ignore, glob) in &self.rules {
            if *ignore != ignored && ancestors(&path).any(|ancestor| glob.is_match(ancestor)) {
                ignored = *ignore;
            }
        }
        ignored
    }

    /// Whether a rule takes paths back, so that an ignored folder must still be read.
    fn reincludes(&self) -> bool {
        self.rules.iter().any(|(ignore, _)| !ignore)
    }
}

/// As Go's `filepath.Clean`: no `.`, `..` or doubled slash; Docker drops a leading slash.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        Filter::new(&owned(include), &owned(exclude), Ignore::default()).unwrap()
    }

    #[test]
    fn include_and_exclude_match_paths_and_the_folders_they_stand_in() {
        let f = filter(&["**/*.html", "css"], &["**/.git", "drafts/**"]);
        for (path, kept) in [
            ("index.html", true),
            ("a/b/c.html", true),
            ("a/b/c.js", false),
            ("css/deep/x.css", true),
            ("css/.git/config.html", false),
            ("drafts/a.html", false),
            ("a/css/x.css", false),
        ] {
            assert_eq!(f.keeps(path.as_bytes()), kept, "{path}");
        }
        assert!(f.prunes(b"x/.git"));
        assert!(filter(&["*.none"], &[]).unmatched().eq([0]));
    }

    #[test]
    fn a_dockerignore_is_read_as_docker_reads_it() {
        let ignore = Ignore::parse(
            "# comment\n\n*.log\n!keep.log\nnode_modules\n**/*.map\n/build/\ndocs/*\n!docs/README.md\ntemp?\n a b \n./x/../y\nlit{a,b}\n",
            b"",
        )
        .unwrap();
        for (path, ignored) in [
            ("a.log", true),
            ("keep.log", false),
            ("sub/a.log", false),
            ("node_modules/x/y", true),
            ("sub/node_modules", false),
            ("a/b/c.map", true),
            ("c.map", true),
            ("build/out", true),
            ("docs/a.md", true),
            ("docs/README.md", false),
            ("tempa", true),
            ("temp", false),
            ("a b", true),
            ("y", true),
            ("lit{a,b}", true),
            ("lita", false),
        ] {
            assert_eq!(ignore.ignores(path.as_bytes()), ignored, "{path}");
        }
        assert_eq!(Ignore::parse("ok\n[", b"").unwrap_err().0, 2);
    }
}
