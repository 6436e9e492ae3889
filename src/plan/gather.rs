//! What the statements of a layer ask for, each by itself: nothing is followed, merged or compared yet.

mod copy;
mod extract;
mod from;

use super::inputs::Inputs;
use super::owners;
use super::{Context, Pinned, consumed, instant};
use crate::recipe::{
    Capabilities, Diagnostic, Filter, Layer, Link, Mkdir, Modes, Owner, Recipe, Remove, Span, Spanned, Statement,
    Template, Variables, Write,
};
use crate::source::Content;
use crate::source::lower::{Below, Lower};
use crate::tree::{Attributes, Entry, EntryPath, Firmness, Kind, Origin, PathError, through};

/// What every statement of a layer can see.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub recipe: &'a Recipe<Pinned>,
    pub layer: &'a Layer,
    pub variables: &'a Variables,
    pub context: Context<'a>,
    pub inputs: &'a Inputs<'a>,
    pub created: i64,
    pub mtime: i64,
    pub lower: &'a Lower,
}

impl Work<'_> {
    /// Where the recipe says what a statement brings.
    pub fn content_span(&self, origin: Origin) -> Span {
        let statement = usize::try_from(origin.0).ok().and_then(|n| self.layer.statements.get(n));
        statement.map_or(self.layer.span, |statement| statement.content_span())
    }
}

/// What the statements ask for.
#[derive(Default)]
pub struct Gathered {
    /// Entries at the paths that the statements name.
    pub entries: Vec<(EntryPath, Entry<Content>)>,
    /// Hard links: path, the path it is to be the same file as, who asked.
    pub hard_links: Vec<(EntryPath, EntryPath, Origin)>,
    /// Paths to take away: path, whether it may be missing, who asked.
    pub removals: Vec<(EntryPath, bool, Origin)>,
}

/// Gathers all statements of a layer; mistakes are added to `mistakes`.
pub fn gather(work: &Work, mistakes: &mut Vec<Diagnostic>) -> Gathered {
    let mut gathered = Gathered::default();
    // Archives first: they may bring the `/etc/passwd` that `owner = "name"` of the others is looked up in. That changes
    // nothing else, because a layer is a set.
    let is_extract = |statement: &Spanned<Statement>| matches!(statement.value, Statement::Extract(_));
    let mut gathering = Gathering { work, gathered: &mut gathered, passwd: None, group: None, origin: Origin(0) };
    for extracts in [true, false] {
        for (n, statement) in work.layer.statements.iter().enumerate() {
            if is_extract(statement) == extracts {
                gathering.origin = Origin(u32::try_from(n).unwrap_or(u32::MAX));
                if let Err(found) = gathering.statement(statement) {
                    mistakes.extend(found);
                }
            }
        }
        if extracts {
            gathering.read_accounts();
        }
    }
    gathered
}

/// One statement after the other.
struct Gathering<'a, 'b> {
    work: &'a Work<'a>,
    gathered: &'b mut Gathered,
    /// What an archive of this layer brings as `/etc/passwd`.
    passwd: Option<Vec<u8>>,
    group: Option<Vec<u8>>,
    origin: Origin,
}

type Mistakes = Vec<Diagnostic>;

impl Gathering<'_, '_> {
    fn statement(&mut self, statement: &Spanned<Statement>) -> Result<(), Mistakes> {
        match &statement.value {
            Statement::Copy(copy) => self.copy(copy),
            Statement::Write(write) => self.write(write),
            Statement::Mkdir(mkdir) => self.mkdir(mkdir),
            Statement::Link(link) => self.link(link),
            Statement::Extract(extract) => self.extract(extract),
            Statement::Remove(remove) => self.remove(remove),
        }
    }

    fn write(&mut self, write: &Write) -> Result<(), Mistakes> {
        let path = self.file_path(&write.to)?;
        let text = write.text.expand(self.work.variables).into_bytes();
        let mode = write.mode.as_ref().map(|mode| mode.value).or(self.modes(&Modes::default()).files).unwrap_or(0o644);
        let attributes = self.attributes(mode, write.owner.as_ref(), write.capabilities.as_ref())?;
        let kind = Kind::File { size: text.len() as u64, content: Content::Text(text.into()), link: None };
        self.add(path, attributes, kind, Firmness::Stated);
        Ok(())
    }

    fn mkdir(&mut self, mkdir: &Mkdir) -> Result<(), Mistakes> {
        let path = self.path(&mkdir.path)?;
        // What the statement does not say stays as the layers below have it.
        let lower = self.work.lower;
        // A path that leads nowhere is reported when it is settled.
        let place = through(&path, true, |at| lower.link(at)).ok().flatten();
        let below = place
            .filter(|place| !self.removed(place))
            .and_then(|place| lower.get(&place))
            .filter(|standing| standing.kind == Below::Directory);
        let below = below.map(|standing| standing.attributes.clone());
        let mode = mkdir.mode.as_ref().map(|mode| mode.value);
        let mode = mode.or(below.as_ref().map(|below| below.mode)).or(self.modes(&Modes::default()).dirs);
        let mut attributes = self.attributes(mode.unwrap_or(0o755), mkdir.owner.as_ref(), None)?;
        if let Some(below) = below {
            if mkdir.owner.is_none() {
                (attributes.uid, attributes.gid) = (below.uid, below.gid);
            }
            (attributes.mtime, attributes.xattrs) = (below.mtime, below.xattrs);
        }
        self.add(path, attributes, Kind::Directory, Firmness::Stated);
        Ok(())
    }

    /// Whether a statement of this layer takes away what stands at a path below it.
    fn removed(&self, path: &EntryPath) -> bool {
        self.work.layer.statements.iter().any(|statement| match &statement.value {
            Statement::Remove(remove) => {
                let gone = EntryPath::parse(remove.path.expand(self.work.variables)).ok();
                let gone = gone.and_then(|gone| through(&gone, false, |at| self.work.lower.link(at)).ok().flatten());
                gone.is_some_and(|gone| path.starts_with(&gone))
            }
            _ => false,
        })
    }

    fn link(&mut self, link: &Link) -> Result<(), Mistakes> {
        let path = self.file_path(&link.path)?;
        if link.hard {
            let target = self.path(&link.target)?;
            self.gathered.hard_links.push((path, target, self.origin));
            return Ok(());
        }
        let target = link.target.expand(self.work.variables).into_bytes();
        let attributes = self.attributes(0o777, link.owner.as_ref(), None)?;
        self.add(path, attributes, Kind::Symlink { target: target.into() }, Firmness::Stated);
        Ok(())
    }

    fn remove(&mut self, remove: &Remove) -> Result<(), Mistakes> {
        let path = self.path(&remove.path)?;
        self.gathered.removals.push((path, remove.optional, self.origin));
        Ok(())
    }

    fn add(&mut self, path: EntryPath, attributes: Attributes, kind: Kind<Content>, firmness: Firmness) {
        let entry = Entry { attributes, kind, firmness, origin: self.origin };
        self.gathered.entries.push((path, entry));
    }

    /// A path of the image that is not the root.
    fn path(&self, template: &Spanned<Template>) -> Result<EntryPath, Mistakes> {
        let text = template.expand(self.work.variables);
        EntryPath::parse(&text).map_err(|error| vec![bad_path(template.span, &text, error)])
    }

    /// A path of the image at which no folder is to stand.
    fn file_path(&self, template: &Spanned<Template>) -> Result<EntryPath, Mistakes> {
        let text = template.expand(self.work.variables);
        if text.ends_with('/') {
            let mistake = Diagnostic::at(template.span, format!("`{text}` names a folder"));
            return Err(vec![mistake.help("drop the slash at the end, or add the file's name")]);
        }
        self.path(template)
    }

    /// A path of the image; `None` is the root.
    fn place(&self, template: &Spanned<Template>) -> Result<Option<EntryPath>, Mistakes> {
        let text = template.expand(self.work.variables);
        match EntryPath::parse(&text) {
            Ok(path) => Ok(Some(path)),
            Err(PathError::Root) => Ok(None),
            Err(error) => Err(vec![bad_path(template.span, &text, error)]),
        }
    }

    /// The nearest word on modes: the statement's, the layer's, the image's.
    fn modes(&self, own: &Modes) -> Modes {
        let (layer, image) = (&self.work.layer.defaults.modes, &self.work.recipe.image.defaults.modes);
        Modes { dirs: own.dirs.or(layer.dirs).or(image.dirs), files: own.files.or(layer.files).or(image.files) }
    }

    /// Mode, owner and time of something that has none of its own.
    fn attributes(
        &self,
        mode: u32,
        owner: Option<&Spanned<Owner>>,
        capabilities: Option<&Spanned<Capabilities>>,
    ) -> Result<Attributes, Mistakes> {
        let (layer, image) = (&self.work.layer.defaults, &self.work.recipe.image.defaults);
        let owner = owner.or(layer.owner.as_ref()).or(image.owner.as_ref());
        let (uid, gid) = owner.map_or(Ok((0, 0)), |owner| self.owner(owner))?;
        let xattrs = capabilities.map(|set| (b"security.capability".to_vec(), set.value.to_xattr().to_vec()));
        Ok(Attributes { mode, uid, gid, mtime: self.work.mtime, xattrs: xattrs.into_iter().collect() })
    }

    fn owner(&self, owner: &Spanned<Owner>) -> Result<(u64, u64), Mistakes> {
        let lower = self.work.lower;
        let passwd = self.passwd.as_deref().or(lower.passwd.as_deref());
        let group = self.group.as_deref().or(lower.group.as_deref());
        owners::resolve(owner, self.work.recipe, passwd, group).map_err(|mistake| vec![mistake])
    }

    /// Takes note of the accounts that this layer's archives bring.
    fn read_accounts(&mut self) {
        let read = |name: &[u8]| {
            let (_, entry) = self.gathered.entries.iter().rfind(|(path, _)| path.as_bytes() == name)?;
            let Kind::File { content, size, .. } = &entry.kind else { return None };
            let mut bytes = Vec::new();
            // One that cannot be read is reported when it is written.
            let opened = crate::layer::write::Content::open(content).ok().filter(|_| *size <= 4 << 20);
            std::io::Read::read_to_end(&mut opened?, &mut bytes).ok()?;
            Some(bytes)
        };
        (self.passwd, self.group) = (read(b"etc/passwd"), read(b"etc/group"));
    }

    /// The patterns of a statement, compiled.
    fn filter(
        &self,
        filter: &Filter,
        ignore: crate::source::filter::Ignore,
    ) -> Result<crate::source::filter::Filter, Mistakes> {
        let expand = |patterns: &[Spanned<Template>]| -> Vec<String> {
            patterns.iter().map(|pattern| pattern.expand(self.work.variables)).collect()
        };
        for pattern in filter.include.iter().chain(&filter.exclude) {
            crate::source::filter::pattern(&pattern.expand(self.work.variables))
                .map_err(|error| vec![Diagnostic::at(pattern.span, error.to_string())])?;
        }
        crate::source::filter::Filter::new(&expand(&filter.include), &expand(&filter.exclude), ignore).map_err(
            |error| {
                let at = filter.include.iter().chain(&filter.exclude).next().map(|pattern| pattern.span);
                vec![Diagnostic::at(at.unwrap_or_default(), error.to_string())]
            },
        )
    }

    /// Patterns of `include` that matched nothing are a mistake.
    fn unmatched(&self, filter: &Filter, compiled: &crate::source::filter::Filter, what: &str) -> Result<(), Mistakes> {
        let mistakes: Mistakes = compiled
            .unmatched()
            .filter_map(|n| filter.include.get(n))
            .map(|pattern| {
                let text = pattern.expand(self.work.variables);
                Diagnostic::at(pattern.span, format!("the pattern `{text}` matches nothing in {what}")).help(
                    "patterns are relative to what is copied, and `*` does not cross a `/`; or set `optional = true`",
                )
            })
            .collect();
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// Pinned bytes may say an owner that no system has.
    fn check_owner(&self, at: Span, attributes: &Attributes, what: impl Fn() -> String) -> Result<(), Mistakes> {
        let Attributes { uid, gid, .. } = *attributes;
        if uid.max(gid) < u64::from(u32::MAX) {
            return Ok(());
        }
        let why = format!("{} belongs to {uid}:{gid}, and no system has such a user", what());
        Err(vec![Diagnostic::at(at, why).help("give it another one with `owner`")])
    }
}

fn bad_path(span: Span, text: &str, error: PathError) -> Diagnostic {
    Diagnostic::at(span, format!("the path `{text}` {error}"))
}
