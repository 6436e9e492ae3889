//! `[[layer.extract]]`: the members of an archive. It is pinned bytes, so what it says of mode, owner, time and extended
//! attributes counts, unless the statement says otherwise.

use super::from::{Source, Taken};
use super::{Gathering, Mistakes, instant};
use crate::plan::Context;
use crate::recipe::{Diagnostic, Extract};
use crate::source::Content;
use crate::source::archive::{self, Archive, Limits, Member, Slice};
use crate::source::filter::Ignore;
use crate::source::place::Found;
use crate::tree::{EntryPath, Firmness, Kind};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

impl Gathering<'_, '_> {
    pub(super) fn extract(&mut self, extract: &Extract) -> Result<(), Mistakes> {
        let taken = self.taken(&extract.from)?;
        let (at, from) = (taken.at, taken.called());
        let Some(archive) = self.archive(extract, &taken)? else { return Ok(()) };
        let to = self.place(&extract.to)?;
        let owner = extract.owner.as_ref().map(|owner| self.owner(owner)).transpose()?;
        let mtime = extract.mtime.as_ref().map(|mtime| instant(mtime.value, self.work.created));
        let filter = self.filter(&extract.filter, Ignore::default())?;
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
                vec![Diagnostic::at(at, format!("the path of `{}` in {from} {error}", member.path))]
            })?;
            let (mut attributes, kind) = (member.attributes, member.kind);
            if let Some((uid, gid)) = owner {
                (attributes.uid, attributes.gid) = (uid, gid);
            }
            self.check_owner(at, &attributes, || format!("`{}` in {from}", member.path))?;
            attributes.mtime = mtime.unwrap_or(attributes.mtime);
            let Ok(kind) = self.own(kind).try_map(|slice| Ok::<_, Infallible>(Content::Archive(slice)));
            let mode = match kind {
                Kind::Directory => extract.modes.dirs,
                Kind::Symlink { .. } => None,
                _ => extract.modes.files,
            };
            attributes.mode = mode.unwrap_or(attributes.mode);
            self.add(path, attributes, kind, Firmness::Stated);
        }
        if !extract.optional {
            self.unmatched(&extract.filter, &filter, &from)?;
        }
        Ok(())
    }

    /// The archive that a statement names; none if it may be missing, and is.
    fn archive(&self, extract: &Extract, taken: &Taken) -> Result<Option<Archive>, Mistakes> {
        let (at, from) = (taken.at, taken.called());
        let Context { scratch, interrupt, kept, .. } = self.work.context;
        let limits = Limits::default();
        let open = |slice: &Slice| archive::from_slice(slice, Path::new(""), scratch, &limits, interrupt);
        let archive = match &taken.source {
            Source::File { input, .. } => {
                self.work.inputs.archive(input).map_err(|mistake| vec![mistake])?.map(Arc::unwrap_or_clone)
            }
            Source::Path(place, path) => match place.find(Path::new(path)) {
                Ok((_, Found { kind: Kind::File { content: Content::Archive(slice), .. }, .. })) => open(&slice),
                Ok((_, Found { kind: Kind::File { content: Content::Disk(file), .. }, .. })) => {
                    let path = file.path();
                    archive::known(&path, scratch, kept, || archive::open(&path, scratch, &limits, interrupt))
                }
                Ok((_, found)) => {
                    let mistake = Diagnostic::at(at, format!("{from} is {}, not an archive", found.kind.noun()));
                    return Err(vec![mistake.help("[[layer.copy]] copies files and folders")]);
                }
                Err(error) if error.is_missing() && extract.optional => return Ok(None),
                Err(error) => return Err(vec![taken.unusable(&error)]),
            },
        };
        archive.map(Some).map_err(|error| {
            let help = error.help();
            vec![Diagnostic { help, ..Diagnostic::at(at, format!("cannot extract {from}: {}", error.why())) }]
        })
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
