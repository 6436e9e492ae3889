//! `[[layer.extract]]`: the members of an archive. It is pinned bytes, so what it says of mode, owner, time and extended
//! attributes counts, unless the statement says otherwise.

use super::{Gathering, Mistakes, instant};
use crate::recipe::{Diagnostic, Extract, Span};
use crate::source::Content;
use crate::source::archive::{self, Limits, Member};
use crate::source::disk::{DiskError, Found};
use crate::source::filter::Ignore;
use crate::tree::{EntryPath, Firmness, Kind, LinkId};
use std::collections::BTreeSet;

impl Gathering<'_, '_> {
    pub(super) fn extract(&mut self, extract: &Extract) -> Result<(), Mistakes> {
        let at = extract.from.span;
        let from = self.disk(&extract.from)?;
        let context = self.work.context;
        let path = match context.root.find(&from) {
            Ok((path, Found::File(_))) => path,
            Ok(_) => {
                return Err(vec![
                    Diagnostic::at(at, format!("`{from}` is a folder, not an archive"))
                        .help("[[layer.copy]] copies a folder"),
                ]);
            }
            Err(DiskError::Missing(_)) if extract.optional => return Ok(()),
            Err(error) => return Err(vec![from_disk(at, error)]),
        };
        let path = context.root.path().join(path);
        let archive =
            archive::open(&path, context.scratch, &Limits::default(), context.interrupt).map_err(|error| {
                let help = error.help();
                vec![Diagnostic { help, ..Diagnostic::at(at, format!("cannot extract `{from}`: {}", error.why())) }]
            })?;

        let to = self.place(&extract.to)?;
        let owner = extract.owner.as_ref().map(|owner| self.owner(owner)).transpose()?;
        let mtime = extract.mtime.as_ref().map(|mtime| instant(mtime.value, self.work.created));
        let mut filter = self.filter(&extract.filter, Ignore::default())?;
        let members =
            archive.members.into_iter().filter_map(|member| Some((stripped(&member.path, extract.strip)?, member)));
        let members: Vec<(EntryPath, Member)> = members.collect();
        let kept: Vec<bool> = members.iter().map(|(name, _)| filter.keeps(name.as_bytes())).collect();
        // A folder on the way to what is extracted comes along as the archive has it.
        let on_the_way: BTreeSet<EntryPath> = (members.iter().zip(&kept))
            .filter(|(_, kept)| **kept)
            .flat_map(|((name, _), _)| std::iter::successors(name.parent(), EntryPath::parent))
            .collect();
        for ((name, member), kept) in members.into_iter().zip(kept) {
            let passed = member.kind == Kind::Directory && on_the_way.contains(&name);
            if !kept && !passed {
                continue;
            }
            let path = name.below(to.as_ref()).map_err(|error| {
                vec![Diagnostic::at(at, format!("the path of `{}` in `{from}` {error}", member.path))]
            })?;
            let Member { mut attributes, kind, .. } = member;
            if let Some((uid, gid)) = owner {
                (attributes.uid, attributes.gid) = (uid, gid);
            }
            if attributes.uid.max(attributes.gid) >= u64::from(u32::MAX) {
                let why = format!("`{}` in `{from}` belongs to {}:{}", member.path, attributes.uid, attributes.gid);
                return Err(vec![
                    Diagnostic::at(at, format!("{why}, and no system has such a user"))
                        .help("give it another one with `owner`"),
                ]);
            }
            attributes.mtime = mtime.unwrap_or(attributes.mtime);
            let kind = self.own(kind);
            let mode = match kind {
                Kind::Directory => extract.modes.dirs,
                Kind::Symlink { .. } => None,
                _ => extract.modes.files,
            };
            attributes.mode = mode.unwrap_or(attributes.mode);
            self.add(path, attributes, kind, Firmness::Stated);
        }
        if !extract.optional {
            self.unmatched(&extract.filter, &filter, &format!("`{from}`"))?;
        }
        Ok(())
    }

    /// The member's kind with our content; its hard links stay apart from those of other archives.
    fn own(&self, kind: Kind<archive::Slice>) -> Kind<Content> {
        let statement = u64::from(self.origin.0) << 32;
        match kind {
            Kind::File { content, size, link } => Kind::File {
                content: Content::Archive(content),
                size,
                link: link.map(|link| LinkId(statement + link.0)),
            },
            Kind::Directory => Kind::Directory,
            Kind::Symlink { target } => Kind::Symlink { target },
            Kind::CharDevice { major, minor } => Kind::CharDevice { major, minor },
            Kind::BlockDevice { major, minor } => Kind::BlockDevice { major, minor },
            Kind::Fifo => Kind::Fifo,
        }
    }
}

/// What help there is for an archive that cannot be had.
fn from_disk(at: Span, error: DiskError) -> Diagnostic {
    let mistake = Diagnostic::at(at, error.to_string());
    match error {
        DiskError::Missing(_) => mistake.help("paths are relative to the recipe's folder; or set `optional = true`"),
        DiskError::Outside { .. } => mistake.help("copy it into the recipe's folder, or make it an input"),
        _ => mistake,
    }
}

/// The path without its first parts; `None` if nothing is left.
fn stripped(path: &EntryPath, strip: u32) -> Option<EntryPath> {
    if strip == 0 {
        return Some(path.clone());
    }
    let parts: Vec<&[u8]> = path.components().skip(usize::try_from(strip).ok()?).collect();
    EntryPath::parse(parts.join(&b'/')).ok()
}
