//! The files of an image: its layers on top of each other (image-spec, "layer.md", Applying changesets).
//!
//! The layers are read twice: for what there is, and then for the content that is wanted. So a file out of a large
//! image takes no more room than itself.

use super::change::{Change, relative};
use super::error::broken;
use super::{Image, ImageError};
use crate::layer::read::{RawEntry, RawKind};
use crate::source::archive::{ArchiveError, Fault, Limits, Member, Members, Slice, Spool, symlink};
use crate::source::files::InputMember;
use crate::tree::{Astray, EntryPath, Kind, through};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where a content stands: layer and entry in it, counted from 0.
pub type Spot = (usize, u64);

impl Image {
    /// What its layers hold together. Of files that stand at or below a path of `wanted`, symlinks followed, the content is
    /// put aside in `scratch`.
    ///
    /// # Errors
    /// If a layer cannot be read, is not what its digests say, or cannot be applied.
    pub fn files(
        &self,
        wanted: &[String],
        scratch: &Path,
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<Vec<InputMember>, ImageError> {
        let mut members: Members<Spot> = Members::new(limits);
        for (number, layer) in self.layers.iter().enumerate() {
            let mut read = |visit: &mut Visit| layer.read(|entry, _| visit(entry));
            apply(number, &layer.what(), &mut read, &mut members, (limits, interrupt))?;
        }
        let places: Vec<Option<EntryPath>> = (wanted.iter())
            // A path that leads nowhere is reported by who asks for it.
            .filter_map(|path| match relative(path.as_bytes()).ok()? {
                Some(path) => through(&path, true, |at| members.symlink(at)).ok(),
                None => Some(None),
            })
            .collect();
        let is_wanted =
            |path: &EntryPath| places.iter().any(|place| place.as_ref().is_none_or(|place| path.starts_with(place)));
        let members = members.finish();
        let spots: BTreeSet<Spot> = (members.iter().filter(|member| is_wanted(&member.path)))
            .filter_map(|member| match member.kind {
                Kind::File { content, .. } => Some(content),
                _ => None,
            })
            .collect();
        let slices = self.put_aside(&spots, scratch, limits, interrupt)?;
        let with_slice = |member: Member<Spot>| {
            let kind = member.kind.try_map(|spot| Ok::<_, ImageError>(slices.get(&spot).cloned()))?;
            Ok(InputMember { path: member.path, attributes: member.attributes, kind })
        };
        members.into_iter().map(with_slice).collect()
    }

    /// Puts contents aside; layers without one are not read.
    fn put_aside(
        &self,
        spots: &BTreeSet<Spot>,
        scratch: &Path,
        limits: &Limits,
        interrupt: &AtomicBool,
    ) -> Result<BTreeMap<Spot, Slice>, ImageError> {
        let mut slices = BTreeMap::new();
        let mut spool = Spool::new(scratch, limits);
        for (number, layer) in self.layers.iter().enumerate() {
            if spots.range((number, 0)..=(number, u64::MAX)).next().is_none() {
                continue;
            }
            let what = layer.what();
            let mut count = 0;
            layer.read(|entry, data| -> Result<(), ImageError> {
                stop(interrupt)?;
                let spot = (number, count);
                count += 1;
                if let (RawKind::File { size }, true) = (&entry.kind, spots.contains(&spot)) {
                    let slice = spool.copy(*size, data).map_err(|fault| match fault {
                        Fault::Spool { source, .. } => {
                            let fault = Fault::Spool { folder: Some(scratch.to_owned()), source };
                            ArchiveError { archive: PathBuf::new(), member: Some(entry.path), fault }.into()
                        }
                        fault => {
                            let error = ArchiveError { archive: PathBuf::new(), member: Some(entry.path), fault };
                            broken(&what, error.why())
                        }
                    })?;
                    slices.insert(spot, slice);
                }
                Ok(())
            })?;
        }
        spool.finish().map_err(|fault| broken("the image", fault.to_string()))?;
        Ok(slices)
    }
}

/// Takes an entry of a layer.
pub type Visit<'a> = dyn FnMut(RawEntry) -> Result<(), ImageError> + 'a;
/// Gives all entries of a layer to whoever asks.
pub type ReadLayer<'a> = dyn FnMut(&mut Visit) -> Result<(), ImageError> + 'a;

/// What layers hold together; `read` reads the entries of one, by its number. The content of a file is where it stands: layer
/// and entry in it, counted from 0.
///
/// # Errors
/// What `read` reports; layers that cannot be applied.
pub fn merged(
    layers: usize,
    read: &mut dyn FnMut(usize, &mut Visit) -> Result<(), ImageError>,
    interrupt: &AtomicBool,
) -> Result<Vec<Member<Spot>>, ImageError> {
    let limits = Limits::default();
    let mut members: Members<Spot> = Members::new(&limits);
    for number in 0..layers {
        let what = format!("layer {}", number + 1);
        apply(number, &what, &mut |visit| read(number, visit), &mut members, (&limits, interrupt))?;
    }
    Ok(members.finish())
}

/// Lays a layer on top.
fn apply(
    number: usize,
    what: &str,
    read: &mut ReadLayer,
    members: &mut Members<Spot>,
    (limits, interrupt): (&Limits, &AtomicBool),
) -> Result<(), ImageError> {
    let wrong = |why: String| broken(what, why);
    let astray = |astray: Astray| broken(what, astray.to_string());
    let fault = |name: &[u8], fault| {
        let error = ArchiveError { archive: PathBuf::new(), member: Some(name.to_vec()), fault };
        broken(what, error.why())
    };
    // Whiteouts speak of the layers below only, wherever they stand in the tar; the rest waits.
    let mut added: Vec<(u64, EntryPath, RawEntry)> = Vec::new();
    let mut count = 0;
    read(&mut |entry| {
        stop(interrupt)?;
        members.weigh(&entry).map_err(|why| fault(&entry.path, why))?;
        let resolved = |members: &Members<Spot>, path: &EntryPath, leaf| {
            through(path, leaf, |at| members.symlink(at)).map_err(astray)
        };
        match Change::of(&entry.path).map_err(wrong)? {
            Change::Entry(path) => added.push((count, path, entry)),
            Change::Removal(path) => {
                resolved(members, &path, false)?.iter().for_each(|path| members.remove(path));
            }
            Change::Opaque(Some(folder)) => {
                resolved(members, &folder, true)?.iter().for_each(|folder| members.remove_below(folder));
            }
            Change::Opaque(None) => members.clear(),
            Change::Nothing => {}
        }
        if added.len() > limits.members {
            return Err(fault(b"", Fault::Limit { what: "members", limit: limits.members as u64 }));
        }
        count += 1;
        Ok(())
    })?;
    // A folder, and where it leads, as long as no symlink comes or goes: much stands in one folder.
    let mut known: Option<(EntryPath, Option<EntryPath>)> = None;
    for (entry_number, path, entry) in added {
        stop(interrupt)?;
        let name = entry.path;
        // What stands in the way as a symlink is gone through, as by a client that unpacks.
        if let Some(folder) = path.parent()
            && known.as_ref().is_none_or(|(known, _)| *known != folder)
        {
            let leads = through(&folder, true, |at| members.symlink(at)).map_err(astray)?;
            known = Some((folder, leads));
        }
        let last = EntryPath::parse(path.file_name()).map_err(|error| astray(error.into()))?;
        let folder = path.parent().and_then(|_| known.as_ref()?.1.as_ref());
        let path = last.below(folder).map_err(|error| astray(error.into()))?;
        if matches!(entry.kind, RawKind::Symlink(_) | RawKind::HardLink(_)) || members.has(&path) {
            known = None;
        }
        let kind = match entry.kind {
            RawKind::HardLink(target) => {
                let resolved = match relative(&target).map_err(wrong)? {
                    Some(target) => through(&target, false, |at| members.symlink(at)).map_err(astray)?,
                    None => None,
                };
                let target = resolved.map_or(target, |target| target.as_bytes().to_vec());
                members.link(path, &target).map_err(|why| fault(&name, why))?;
                continue;
            }
            RawKind::File { size } => Kind::File { content: (number, entry_number), size, link: None },
            RawKind::Symlink(target) => symlink(target).map_err(|why| fault(&name, why))?,
            RawKind::Directory => Kind::Directory,
            RawKind::CharDevice(major, minor) => Kind::CharDevice { major, minor },
            RawKind::BlockDevice(major, minor) => Kind::BlockDevice { major, minor },
            RawKind::Fifo => Kind::Fifo,
        };
        members.add(path, entry.attributes, kind);
    }
    Ok(())
}

fn stop(interrupt: &AtomicBool) -> Result<(), ImageError> {
    match interrupt.load(Ordering::Relaxed) {
        true => Err(broken("the image", "interrupted")),
        false => Ok(()),
    }
}
