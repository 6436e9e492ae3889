//! The text of a lock → [`Lock`]. It may have been merged by hand or edited, so every mistake has its line.

use super::{Expected, Files, Lock, Locked, Pin, VERSION};
use crate::oci::Platform;
use crate::recipe::{Diagnostic, Span};
use std::collections::BTreeMap;
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The longest lock, in bytes.
const LONGEST: usize = 16 << 20;
const HELP: &str = "take the file from source control again, or delete it and run `rebake lock`";

type Value<'t> = Spanned<DeValue<'t>>;
type Result<T> = std::result::Result<T, Diagnostic>;

impl Lock {
    /// Reads a lock. Line ends may be those of any system.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > LONGEST {
            return Err(Diagnostic::new("the lock is longer than 16 MiB").help(HELP));
        }
        if let Some(start) = conflict(text) {
            let message = "the lock has the marks of a merge that is not finished";
            let help = "keep the blocks of both sides, or take one side and run `rebake lock`";
            return Err(Diagnostic::at(Span { start, end: start + 7 }, message).help(help));
        }
        let root = DeTable::parse(text).map_err(|error| {
            let message = format!("the lock cannot be read: {}", error.message());
            let mistake = match error.span() {
                Some(span) => Diagnostic::at(Span { start: span.start, end: span.end }, message),
                None => Diagnostic::new(message),
            };
            mistake.help(HELP)
        })?;
        let mut root = Block::new(root.get_ref().clone(), Span::default(), "the lock");
        let at = root.span_of("version");
        let version = root.integer("version")?;
        if version != VERSION as u64 {
            let message = format!("the lock is of version {version}, and this rebake knows version {VERSION}");
            return Err(Diagnostic::at(at, message).help("use a newer rebake"));
        }
        let mut lock = Self::default();
        if let Some((inputs, span)) = root.table("inputs")? {
            for (name, value) in inputs {
                let (table, span) = as_table(&value, name.get_ref())?.unwrap_or((DeTable::new(), span));
                let block = Block::new(table, span, &format!("[inputs.{}]", name.get_ref()));
                lock.inputs.insert(name.get_ref().to_string(), block.input()?);
            }
        }
        if let Some((table, span)) = root.table("expected")? {
            lock.expected = Block::new(table, span, "[expected]").expected()?;
        }
        root.finish()?;
        Ok(lock)
    }
}

/// Where a line is a conflict mark of git's.
fn conflict(text: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") {
            return Some(start);
        }
        start += line.len();
    }
    None
}

fn span<T>(value: &Spanned<T>) -> Span {
    let range = value.span();
    Span { start: range.start, end: range.end }
}

fn as_table<'t>(value: &Value<'t>, name: &str) -> Result<Option<(DeTable<'t>, Span)>> {
    match value.get_ref() {
        DeValue::Table(table) => Ok(Some((table.clone(), span(value)))),
        _ => Err(Diagnostic::at(span(value), format!("`{name}` is no table")).help(HELP)),
    }
}

/// One table, whose keys are taken out one by one.
struct Block<'t> {
    table: DeTable<'t>,
    span: Span,
    name: String,
}

impl<'t> Block<'t> {
    fn new(table: DeTable<'t>, span: Span, name: &str) -> Self {
        Self { table, span, name: name.to_owned() }
    }

    fn span_of(&self, key: &str) -> Span {
        self.table.iter().find(|(known, _)| known.get_ref() == key).map_or(self.span, |(_, value)| span(value))
    }

    fn take(&mut self, key: &str) -> Option<Value<'t>> {
        self.table.remove(key)
    }

    fn missing<T>(&self, key: &str) -> Result<T> {
        Err(Diagnostic::at(self.span, format!("{} has no `{key}`", self.name)).help(HELP))
    }

    fn optional(&mut self, key: &str) -> Result<Option<String>> {
        self.take(key).map(|value| string(&value, key)).transpose()
    }

    fn string(&mut self, key: &str) -> Result<String> {
        self.optional(key)?.map_or_else(|| self.missing(key), Ok)
    }

    fn integer(&mut self, key: &str) -> Result<u64> {
        let span_of = self.span_of(key);
        let Some(value) = self.take(key) else { return self.missing(key) };
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number.ok_or_else(|| Diagnostic::at(span_of, format!("`{key}` is no number")).help(HELP))
    }

    fn table(&mut self, key: &str) -> Result<Option<(DeTable<'t>, Span)>> {
        match self.take(key) {
            Some(value) => as_table(&value, key),
            None => Ok(None),
        }
    }

    /// A hex id of git's.
    fn id(&mut self, key: &str) -> Result<String> {
        let at = self.span_of(key);
        let id = self.string(key)?;
        match matches!(id.len(), 40 | 64) && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            true => Ok(id),
            false => Err(Diagnostic::at(at, format!("`{key}` is no id of git's")).help(HELP)),
        }
    }

    fn pin(&mut self) -> Result<Pin> {
        let at = self.span_of("digest");
        let digest = parsed(&self.string("digest")?, at)?;
        Ok(Pin { digest, size: self.integer("size")? })
    }

    /// What is left, by platform.
    fn platforms(&mut self) -> Result<BTreeMap<Platform, Pin>> {
        let mut pins = BTreeMap::new();
        for (key, value) in std::mem::take(&mut self.table) {
            let platform = self.platform(&key)?;
            if let Some((table, at)) = as_table(&value, key.get_ref())? {
                let mut block = Block::new(table, at, &format!("`{}`", key.get_ref()));
                pins.insert(platform, block.pin()?);
                block.finish()?;
            }
        }
        Ok(pins)
    }

    fn platform(&self, key: &Spanned<std::borrow::Cow<'_, str>>) -> Result<Platform> {
        key.get_ref().parse().map_err(|_| {
            let message = format!("unknown key `{}` in {}", key.get_ref(), self.name);
            Diagnostic::at(span(key), message).help(HELP)
        })
    }

    fn finish(self) -> Result<()> {
        match self.table.iter().next() {
            None => Ok(()),
            Some((key, _)) => {
                let message = format!("unknown key `{}` in {}", key.get_ref(), self.name);
                Err(Diagnostic::at(span(key), message).help(HELP))
            }
        }
    }

    fn input(mut self) -> Result<Locked> {
        if let Some(image) = self.optional("image")? {
            let pin = self.pin()?;
            let platforms = self.platforms()?;
            return Ok(match image.starts_with("docker-archive:") {
                true => Locked::Archive { image, file: pin },
                false => Locked::Image { image, top: pin, platforms },
            });
        }
        if let Some(url) = self.optional("url")? {
            let files = match self.table.contains_key("digest") {
                true => Files::One(self.pin()?),
                false => Files::Each(self.platforms()?),
            };
            self.finish()?;
            return Ok(Locked::Url { url, files });
        }
        let git = match self.optional("git")? {
            Some(git) => git,
            None => return self.missing("image`, `url` or `git"),
        };
        let (rev, subdir) = (self.optional("rev")?, self.optional("subdir")?);
        let (commit, tree, tar) = (self.id("commit")?, self.id("tree")?, self.pin()?);
        self.finish()?;
        Ok(Locked::Git { git, rev, subdir, commit, tree, tar })
    }

    fn expected(mut self) -> Result<Expected> {
        let mut digest = |key: &str| {
            let at = self.span_of(key);
            self.optional(key)?.map(|digest| parsed(&digest, at)).transpose()
        };
        let (image, unstamped) = (digest("image")?, digest("unstamped")?);
        let mut expected = Expected { image, unstamped, ..Expected::default() };
        for (key, value) in std::mem::take(&mut self.table) {
            let platform = self.platform(&key)?;
            expected.manifests.insert(platform, parsed(&string(&value, key.get_ref())?, span(&value))?);
        }
        Ok(expected)
    }
}

fn string(value: &Value<'_>, key: &str) -> Result<String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(Diagnostic::at(span(value), format!("`{key}` is no string")).help(HELP)),
    }
}

fn parsed<T: FromStr<Err: ToString>>(text: &str, at: Span) -> Result<T> {
    text.parse().map_err(|error: T::Err| Diagnostic::at(at, error.to_string()).help(HELP))
}
