//! What the statements ask for becomes one tree: symlinks in the way are followed, folders above are added, each path is
//! settled once, and what disagrees is reported with both its statements.

use super::consumed;
use super::gather::{Gathered, Work};
use crate::recipe::{Diagnostic, Span};
use crate::source::Content;
use crate::source::lower::Below;
use crate::tree::{Attributes, Conflict, Difference, Entry, EntryPath, Firmness, Kind, LinkId, Origin, Tree, through};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Symlinks inside a layer may stand below each other; more rounds than this to find where they all stand are a loop.
const ROUNDS: usize = 40;

/// Settles a layer; mistakes are added to `mistakes`.
pub fn settle(mut gathered: Gathered, work: &Work, mistakes: &mut Vec<Diagnostic>) -> Tree<Content> {
    let mut settling = Settling {
        work,
        tree: Tree::default(),
        gone: BTreeSet::new(),
        links: BTreeMap::new(),
        folders: BTreeMap::new(),
        solid: BTreeSet::new(),
        files: 0,
        blocked: BTreeSet::new(),
        mistakes,
    };
    // What settles a folder comes before those that only pass through it, wherever it stands in the recipe.
    gathered.entries.sort_by_key(|(_, entry)| Reverse(entry.firmness));
    settling.removals(gathered.removals);
    let solid = |entry: &Entry<Content>| !matches!(entry.kind, Kind::Directory | Kind::Symlink { .. });
    let statements = gathered.entries.iter().filter(|(_, entry)| solid(entry)).map(|(path, _)| path);
    settling.solid = statements.filter(|path| work.lower.link(path).is_some()).cloned().collect();
    settling.find_links(&gathered.entries);
    for (path, entry) in consumed(gathered.entries) {
        settling.entry(path, entry);
    }
    settling.hard_links(gathered.hard_links);
    settling.tree
}

struct Settling<'a> {
    work: &'a Work<'a>,
    tree: Tree<Content>,
    /// What it takes away.
    gone: BTreeSet<EntryPath>,
    /// The symlinks of this layer.
    links: BTreeMap<EntryPath, Box<[u8]>>,
    /// Where folders lead that were already followed.
    folders: BTreeMap<EntryPath, Option<EntryPath>>,
    /// Where this layer states something that is neither a folder nor a symlink.
    solid: BTreeSet<EntryPath>,
    /// How many files were given names by hard links of the recipe.
    files: u64,
    /// What was said to be no folder, and to whom: all that was to be in it is not said again.
    blocked: BTreeSet<(Origin, EntryPath)>,
    mistakes: &'a mut Vec<Diagnostic>,
}

impl Settling<'_> {
    /// Where a statement names the path that it is about.
    fn span(&self, origin: Origin) -> Span {
        let statement = usize::try_from(origin.0).ok().and_then(|n| self.work.layer.statements.get(n));
        statement.map_or(self.work.layer.span, |statement| statement.path_span())
    }

    /// Whiteouts. One inside a folder that goes too would bring that folder back, and says nothing.
    fn removals(&mut self, removals: Vec<(EntryPath, bool, Origin)>) {
        let lower = self.work.lower;
        let mut gone: Vec<(EntryPath, Origin)> = Vec::new();
        for (path, optional, origin) in removals {
            let span = self.span(origin);
            let place = match through(&path, false, |at| lower.link(at)) {
                Ok(place) => place.filter(|place| lower.get(place).is_some()),
                Err(error) => {
                    self.mistakes.push(Diagnostic::at(span, format!("{path}: {error}")));
                    continue;
                }
            };
            match place {
                Some(place) => gone.push((place, origin)),
                None if optional => {}
                None => self.mistakes.push(
                    Diagnostic::at(span, format!("there is no {path} to remove"))
                        .label("neither in the base nor in an earlier layer")
                        .help("a layer takes away what lies below it, not what it brings itself; or set `optional = true`"),
                ),
            }
        }
        self.gone = gone.iter().map(|(path, _)| path.clone()).collect();
        for (path, origin) in gone {
            if path.parent().is_none_or(|folder| !self.removed(&folder)) {
                self.tree.remove(path.clone());
                self.parents(&path, origin);
            }
        }
    }

    /// Whether this layer takes away what stands at a path below it.
    fn removed(&self, path: &EntryPath) -> bool {
        !self.gone.is_empty() && path.prefixes().any(|prefix| self.gone.contains(prefix))
    }

    /// Where the symlink at a path points, in this layer or below it.
    fn target(&self, path: &EntryPath) -> Option<&[u8]> {
        match self.links.get(path) {
            Some(target) => Some(target),
            // It is not there any more: this layer puts something else in its place.
            None if self.solid.contains(path) => None,
            None => self.work.lower.link(path).filter(|_| !self.removed(path)),
        }
    }

    /// Notes where this layer's symlinks stand; one may stand in a folder that another one leads to.
    fn find_links(&mut self, entries: &[(EntryPath, Entry<Content>)]) {
        let links: Vec<_> = entries
            .iter()
            .filter_map(|(path, entry)| match &entry.kind {
                Kind::Symlink { target } => Some((path, target)),
                _ => None,
            })
            .collect();
        for _ in 0..ROUNDS {
            let mut moved = false;
            for (path, target) in &links {
                if let Ok(Some(place)) = through(path, false, |at| self.target(at))
                    && !self.links.contains_key(&place)
                {
                    self.links.insert(place, (*target).clone());
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Where a path leads; `None` is the root, or a mistake that was noted.
    fn place(&mut self, path: &EntryPath, firmness: Option<Firmness>, origin: Origin) -> Option<EntryPath> {
        let followed = match firmness {
            // A folder goes through a symlink at its own place too. Only two statements of one layer that say "folder"
            // and "symlink" of the same path disagree.
            Some(firmness) => through(path, true, |at| {
                let own = at == path && firmness == Firmness::Stated && self.links.contains_key(at);
                if own { None } else { self.target(at) }
            }),
            None => match path.parent() {
                None => return Some(path.clone()),
                Some(parent) => {
                    let place = match self.folders.get(&parent) {
                        Some(place) => Ok(place.clone()),
                        None => through(&parent, true, |at| self.target(at)),
                    };
                    place.and_then(|place| {
                        self.folders.insert(parent, place.clone());
                        let name = EntryPath::parse(path.file_name())?;
                        Ok(Some(name.below(place.as_ref())?))
                    })
                }
            },
        };
        followed.unwrap_or_else(|error| {
            self.mistakes.push(Diagnostic::at(self.span(origin), format!("{path}: {error}")));
            None
        })
    }

    fn entry(&mut self, path: EntryPath, mut entry: Entry<Content>) {
        let is_folder = entry.kind == Kind::Directory;
        let Some(path) = self.place(&path, is_folder.then_some(entry.firmness), entry.origin) else { return };
        let below = self.work.lower.get(&path).filter(|_| !self.removed(&path));
        match below.map(|standing| (&standing.kind, &standing.attributes)) {
            // A folder that is only passed through stays as it is below.
            Some((Below::Directory, attributes)) if is_folder && entry.firmness < Firmness::Stated => {
                entry.attributes = attributes.clone();
                entry.firmness = Firmness::Implied;
            }
            Some((Below::Directory, _)) if !is_folder => {
                let (noun, span) = (entry.kind.noun(), self.span(entry.origin));
                self.mistakes.push(
                    Diagnostic::at(span, format!("{noun} at {path} would replace a folder and everything in it"))
                        .help(format!("if that is meant, say so: [[layer.remove]] path = \"{path}\"")),
                );
                return;
            }
            Some((Below::Other, _)) if is_folder => {
                if !self.blocked.insert((entry.origin, path.clone())) {
                    return;
                }
                let span = self.span(entry.origin);
                self.mistakes.push(
                    Diagnostic::at(
                        span,
                        format!("a folder at {path} would replace a file of the base or an earlier layer"),
                    )
                    .help(format!("if that is meant, say so: [[layer.remove]] path = \"{path}\"")),
                );
                return;
            }
            _ => {}
        }
        let origin = entry.origin;
        self.insert(path.clone(), entry);
        self.parents(&path, origin);
    }

    /// Every folder above a path, as the layers below have it, or else fresh.
    fn parents(&mut self, path: &EntryPath, origin: Origin) {
        let mut next = path.parent();
        while let Some(folder) = next {
            if self.tree.get(&folder).is_some_and(|entry| entry.kind == Kind::Directory) {
                return;
            }
            let below = self.work.lower.get(&folder).filter(|_| !self.removed(&folder));
            let attributes = match below {
                Some(standing) if standing.kind == Below::Directory => standing.attributes.clone(),
                Some(_) if !self.blocked.insert((origin, folder.clone())) => return,
                Some(_) => {
                    let span = self.span(origin);
                    self.mistakes.push(
                        Diagnostic::at(
                            span,
                            format!("{path} cannot be: {folder} is a file of the base or an earlier layer"),
                        )
                        .help(format!("if it is to become one, say [[layer.remove]] path = \"{folder}\"")),
                    );
                    return;
                }
                None => Attributes { mode: 0o755, mtime: self.work.mtime, ..Attributes::default() },
            };
            let entry = Entry { attributes, kind: Kind::Directory, firmness: Firmness::Implied, origin };
            self.insert(folder.clone(), entry);
            next = folder.parent();
        }
    }

    fn insert(&mut self, path: EntryPath, entry: Entry<Content>) {
        if self.tree.get(&path).is_none() {
            // Nothing can disagree with it.
            let _ = self.tree.insert(path, entry);
            return;
        }
        let Err(conflict) = self.tree.insert(path.clone(), entry.clone()) else { return };
        if conflict.difference == Difference::Content
            && let Some(same) = self.same_content(&path, &entry)
        {
            match self.tree.insert(path.clone(), same) {
                Ok(()) => {}
                Err(conflict) => self.report(&path, &conflict),
            }
            return;
        }
        self.report(&path, &conflict);
    }

    /// The entry with the content that already stands at its path, if both are the same bytes.
    fn same_content(&self, path: &EntryPath, entry: &Entry<Content>) -> Option<Entry<Content>> {
        let old = &self.tree.get(path)?.kind;
        let (Kind::File { content: a, size: x, .. }, Kind::File { content: b, size: y, link }) = (old, &entry.kind)
        else {
            return None;
        };
        // What cannot be read is reported when it is written.
        if x != y || !a.same_bytes(b).unwrap_or(false) {
            return None;
        }
        Some(Entry { kind: Kind::File { content: a.clone(), size: *x, link: *link }, ..entry.clone() })
    }

    fn report(&mut self, path: &EntryPath, conflict: &Conflict) {
        let [first, second] = conflict.origins.map(|origin| self.span(origin));
        let message = format!("two statements disagree about {path}: {}", conflict.difference);
        let mistake = if first == second {
            Diagnostic::at(second, format!("this gives {path} twice: {}", conflict.difference))
        } else {
            Diagnostic::at(second, message).label("this one").also(first, "and this one")
        };
        self.mistakes.push(mistake.help(match conflict.difference {
            Difference::Kind(..) | Difference::Content | Difference::Target(..) => {
                "a path of a layer stands once: leave one out, or put it into a later layer, which replaces the other"
            }
            _ => "make them agree; for a folder, a [[layer.mkdir]] with its mode and owner settles it",
        }));
    }

    /// Hard links become one file with their target, once all files are there.
    fn hard_links(&mut self, mut links: Vec<(EntryPath, EntryPath, Origin)>) {
        // A link may have a link as its target, so go round until nothing moves.
        loop {
            let before = links.len();
            let mut left = Vec::new();
            for (path, target, origin) in links {
                if !self.hard_link(&path, &target, origin) {
                    left.push((path, target, origin));
                }
            }
            if left.len() == before {
                for (path, target, origin) in left {
                    let span = self.work.content_span(origin);
                    let there = self.place(&target, None, origin).and_then(|place| self.tree.get(&place));
                    let message = match there.map(|entry| entry.kind.noun()) {
                        Some(noun) => format!("{target} is {noun}, and the hard link {path} needs a file"),
                        None => format!("the hard link {path} has no file {target} in this layer"),
                    };
                    self.mistakes.push(Diagnostic::at(span, message).help(
                        "a hard link and its file stand in one layer: copy the file here too, or make a symlink",
                    ));
                }
                return;
            }
            links = left;
        }
    }

    fn hard_link(&mut self, path: &EntryPath, target: &EntryPath, origin: Origin) -> bool {
        // A place that leads nowhere was reported.
        let Some(target) = self.place(target, None, origin) else { return true };
        let Some(entry) = self.tree.get_mut(&target) else { return false };
        let Kind::File { link, .. } = &mut entry.kind else { return false };
        // From above, where no number of an archive is; each number once, or two files would become one.
        link.get_or_insert(LinkId(u64::MAX - self.files));
        self.files += 1;
        let entry = Entry { origin, ..entry.clone() };
        self.entry(path.clone(), entry);
        true
    }
}
