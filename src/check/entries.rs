//! The entries of one layer, in their order (image-spec, "layer.md"; what extracts them goes from first to last).

use super::fault::Fault;
use super::finding::{Findings, Place, Subject, brief};
use super::shape::{Key, Kind, Shape, key, keys};
use crate::layer::read::{RawEntry, RawKind, TarError, TarReader};
use crate::tree::{EntryPath, PathError};
use std::collections::BTreeMap;
use std::io::Read;

/// Entries of a layer, folders that have none included: more of them are an attack.
const ENTRIES: usize = 4_000_000;

/// Bytes of names that are kept to be judged at the end of the layer, or by what the layers below have.
const NAMES: usize = 32 << 20;

/// Hard links that wait for their target.
const WAITING: usize = 1000;

/// Judges the entries of a layer. None if there are too many of them.
pub(super) fn entries(
    tar: &mut impl Read,
    subject: &Subject,
    findings: &mut Findings,
    count: &mut u64,
) -> Result<Option<Shape>, TarError> {
    let mut walk = Walk::new(subject, findings);
    let mut reader = TarReader::new(tar);
    while let Some(entry) = reader.next()? {
        *count += 1;
        walk.entry(&entry);
        if matches!(entry.kind, RawKind::File { .. }) && reader.contiguous().is_none() {
            walk.wrong(&entry.path, Fault::Sparse);
        }
        if walk.known.len() > ENTRIES || *count > ENTRIES as u64 {
            let what = "paths";
            walk.findings.add(Place::whole(subject), Fault::TooMany { what, limit: ENTRIES as u64 });
            return Ok(None);
        }
    }
    let ending = reader.finish()?;
    let mut wrong = |fault| walk.findings.add(Place::whole(subject), fault);
    if !ending.padded {
        wrong(Fault::Padding);
    } else if ending.blocks < 2 {
        wrong(Fault::EndBlocks(ending.blocks));
    }
    if ending.trailing {
        wrong(Fault::AfterEnd);
    }
    Ok(Some(walk.finish()))
}

struct Walk<'w> {
    subject: &'w Subject,
    findings: &'w mut Findings,
    known: BTreeMap<Key, Kind>,
    /// Folders that have no entry yet.
    implied: BTreeMap<Key, Box<[u8]>>,
    /// Hard links whose target did not come yet: its key and name, and the name of the link.
    waiting: Vec<(Key, Vec<u8>, Vec<u8>)>,
    removed: Vec<Key>,
    emptied: Vec<Key>,
    whiteouts: Vec<(EntryPath, Vec<u8>)>,
    /// The folder of the last entry, which was looked at.
    folder: Option<EntryPath>,
    /// Bytes of names that may still be kept; whether that was too little.
    room: usize,
    cut: bool,
}

/// What the name of an entry means.
enum Meaning {
    Root,
    Path(EntryPath),
    /// A whiteout: the path of its own entry, and what it takes away.
    Removal {
        folder: Option<EntryPath>,
        path: EntryPath,
    },
    Opaque {
        folder: Option<EntryPath>,
    },
    Aufs,
}

fn meaning(name: &[u8]) -> Result<Meaning, Fault> {
    let parts: Vec<&[u8]> = name.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&b"..".as_slice()) {
        return Err(Fault::Parent);
    }
    let Some((last, above)) = parts.split_last() else { return Ok(Meaning::Root) };
    let opaque = *last == b".wh..wh..opq";
    let aufs = |part: &&[u8]| matches!(*part, b".wh..wh.plnk" | b".wh..wh.aufs" | b".wh..wh.orph");
    if parts.iter().any(aufs) {
        return Ok(Meaning::Aufs);
    }
    let Some(rest) = last.strip_prefix(b".wh.") else { return Ok(Meaning::Path(EntryPath::parse(name)?)) };
    let folder = match EntryPath::parse(above.join(&b'/')) {
        Err(PathError::Root) => None,
        folder => Some(folder?),
    };
    if opaque {
        return Ok(Meaning::Opaque { folder });
    }
    if matches!(rest, b"" | b"." | b"..") || rest.starts_with(b".wh.") {
        return Err(Fault::WhiteoutName);
    }
    let path = EntryPath::parse(rest)?.below(folder.as_ref())?;
    Ok(Meaning::Removal { folder, path })
}

impl<'w> Walk<'w> {
    fn new(subject: &'w Subject, findings: &'w mut Findings) -> Self {
        Self {
            subject,
            findings,
            known: BTreeMap::new(),
            implied: BTreeMap::new(),
            waiting: Vec::new(),
            removed: Vec::new(),
            emptied: Vec::new(),
            whiteouts: Vec::new(),
            folder: None,
            room: NAMES,
            cut: false,
        }
    }

    fn wrong(&mut self, name: &[u8], fault: Fault) {
        self.findings.add(Place::entry(self.subject, name), fault);
    }

    fn entry(&mut self, entry: &RawEntry) {
        let name = entry.path.as_slice();
        if name.is_empty() {
            return self.wrong(b"", Fault::EmptyName);
        }
        let meaning = match meaning(name) {
            Ok(meaning) => meaning,
            Err(fault) => return self.wrong(name, fault),
        };
        if name.starts_with(b"/") && !matches!(meaning, Meaning::Root) {
            self.wrong(name, Fault::Absolute);
        }
        match meaning {
            Meaning::Aufs => self.wrong(name, Fault::Aufs),
            Meaning::Root => {
                if entry.kind != RawKind::Directory {
                    self.wrong(name, Fault::Root);
                }
                self.put(key(b""), Kind::Folder, name);
            }
            Meaning::Path(path) => {
                self.folders(path.parent(), name);
                let kind = self.kind(entry, &path);
                self.put(key(path.as_bytes()), kind, name);
            }
            Meaning::Removal { folder, path } => {
                self.whiteout(entry, folder, name);
                self.removed.push(key(path.as_bytes()));
                if self.keep(2 * name.len() + 64) {
                    self.whiteouts.push((path, name.to_vec()));
                }
            }
            Meaning::Opaque { folder } => {
                self.emptied.push(key(folder.as_ref().map_or(b"", EntryPath::as_bytes)));
                self.whiteout(entry, folder, name);
            }
        }
    }

    /// What an entry is, its link judged.
    fn kind(&mut self, entry: &RawEntry, path: &EntryPath) -> Kind {
        let name = entry.path.as_slice();
        match &entry.kind {
            RawKind::Directory => Kind::Folder,
            RawKind::Symlink(target) => {
                if target.is_empty() || target.len() > 4095 || target.contains(&0) {
                    self.wrong(name, Fault::SymlinkTarget);
                }
                Kind::Symlink
            }
            RawKind::HardLink(target) => self.link(name, path, target),
            RawKind::File { .. } | RawKind::CharDevice(..) | RawKind::BlockDevice(..) | RawKind::Fifo => Kind::File,
        }
    }

    /// What a hard link is: what its target is.
    fn link(&mut self, name: &[u8], path: &EntryPath, target: &[u8]) -> Kind {
        let parsed = match EntryPath::parse(target) {
            Ok(parsed) => parsed,
            Err(error) => {
                let fault = match error {
                    PathError::Root => Fault::LinkToFolder(brief(target)),
                    PathError::Whiteout => Fault::LinkToWhiteout(brief(target)),
                    error => Fault::LinkPath { target: brief(target), error },
                };
                self.wrong(name, fault);
                return Kind::File;
            }
        };
        let target_key = key(parsed.as_bytes());
        match self.known.get(&target_key) {
            Some(Kind::Folder | Kind::Implied) => self.wrong(name, Fault::LinkToFolder(brief(target))),
            Some(Kind::Symlink) => return Kind::Symlink,
            Some(Kind::File | Kind::Whiteout) => {}
            None if parsed != *path && self.waiting.len() < WAITING => {
                self.waiting.push((target_key, brief(target), brief(name)));
            }
            None => self.wrong(name, Fault::LinkOutside(brief(target))),
        }
        Kind::File
    }

    /// A whiteout's own entry.
    fn whiteout(&mut self, entry: &RawEntry, folder: Option<EntryPath>, name: &[u8]) {
        let last = |path: &[u8]| path.rsplit(|&b| b == b'/').next().is_some_and(|last| last.starts_with(b".wh."));
        match &entry.kind {
            RawKind::File { size: 0 } => {}
            RawKind::HardLink(target) if last(target) => self.wrong(name, Fault::WhiteoutLink),
            _ => self.wrong(name, Fault::WhiteoutContent),
        }
        let own = name.rsplit(|&b| b == b'/').find(|part| !part.is_empty() && *part != b".").unwrap_or_default();
        let path = match &folder {
            Some(folder) => [folder.as_bytes(), b"/", own].concat(),
            None => own.to_vec(),
        };
        self.folders(folder, name);
        self.put(key(&path), Kind::Whiteout, name);
    }

    /// Looks at the folders above an entry.
    fn folders(&mut self, folder: Option<EntryPath>, name: &[u8]) {
        if folder == self.folder {
            return;
        }
        let mut sound = true;
        for (here, above) in folder.iter().flat_map(keys) {
            match self.known.get(&here) {
                Some(Kind::Folder | Kind::Implied) => {}
                Some(kind) => {
                    let symlink = *kind == Kind::Symlink;
                    self.wrong(name, Fault::Below { above: above.to_vec(), symlink });
                    sound = false;
                    break;
                }
                None => {
                    self.known.insert(here, Kind::Implied);
                    if self.keep(above.len() + 64) {
                        self.implied.insert(here, above.into());
                    }
                }
            }
        }
        self.folder = folder.filter(|_| sound);
    }

    /// Notes what stands at a path.
    fn put(&mut self, here: Key, kind: Kind, name: &[u8]) {
        match self.known.insert(here, kind) {
            None => {}
            Some(Kind::Implied) => {
                if let Some(name) = self.implied.remove(&here) {
                    self.room = self.room.saturating_add(name.len() + 64);
                }
                if kind != Kind::Folder {
                    self.wrong(name, Fault::Above { symlink: kind == Kind::Symlink });
                }
            }
            Some(_) => self.wrong(name, Fault::Duplicate),
        }
    }

    /// Whether there is room to keep a name.
    fn keep(&mut self, len: usize) -> bool {
        let left = self.room.checked_sub(len);
        self.cut |= left.is_none();
        self.room = left.unwrap_or(self.room);
        left.is_some()
    }

    fn finish(mut self) -> Shape {
        for (target, target_name, name) in std::mem::take(&mut self.waiting) {
            let fault = match self.known.get(&target) {
                Some(kind) if *kind != Kind::Implied => Fault::LinkForward(target_name),
                _ => Fault::LinkOutside(target_name),
            };
            self.wrong(&name, fault);
        }
        let mut shape = Shape::new(self.known, self.removed, self.emptied);
        shape.implied = self.implied.into_values().collect();
        shape.implied.sort_unstable();
        shape.whiteouts = self.whiteouts;
        shape.cut = self.cut;
        shape
    }
}
