//! The list of an archive's members, kept from one run to the next. Their content is unpacked again only when somebody wants
//! to read it. The file is known by its stamp, as everywhere.

use super::slice::{self, Backing, Slice};
use super::{Archive, Limits, Member};
use crate::file;
use crate::oci::Digest;
use crate::record::{self, In, Kept, Out, Stamp, is_old};
use crate::tree::{Attributes, EntryPath, Kind, LinkId};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

const FORM: &str = "rebake archive 1";
/// Contents that decide about others are looked at by every build: kept up to this size, in bytes.
const SMALL: u64 = 64 << 10;

/// The content of an archive that was not unpacked yet.
pub(super) struct Packed {
    path: PathBuf,
    stamp: Stamp,
    scratch: PathBuf,
    /// Some contents by where they stand.
    small: BTreeMap<u64, Vec<u8>>,
    unpacked: OnceLock<File>,
    unpacking: Mutex<()>,
}

impl Packed {
    /// Of a small content what begins at `offset`, if it is here.
    pub fn small(&self, offset: u64) -> Option<&[u8]> {
        let (start, bytes) = self.small.range(..=offset).next_back()?;
        bytes.get(usize::try_from(offset - start).ok()?..).filter(|rest| !rest.is_empty())
    }

    /// The unpacked content.
    ///
    /// # Errors
    /// If the archive is gone or another one; what the disk reports.
    pub fn file(&self, interrupt: &AtomicBool) -> io::Result<&File> {
        let _one = self.unpacking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = self.unpacked.get() {
            return Ok(file);
        }
        let changed = || io::Error::other(format!("{} changed while the image was built", self.path.display()));
        let file = file::open(&self.path)?;
        if Stamp::of(&file.metadata()?) != self.stamp {
            return Err(changed());
        }
        let read = super::read(file, &self.scratch, &Limits::default(), interrupt);
        let (members, spool) = read.map_err(|trouble| io::Error::other(trouble.fault.to_string()))?;
        drop(members);
        let file = spool.and_then(Arc::into_inner).and_then(Backing::into_file).ok_or_else(changed)?;
        Ok(self.unpacked.get_or_init(|| file))
    }
}

fn record_of(folder: &Path, stamp: Stamp) -> PathBuf {
    let mut key = Out::new(env!("CARGO_PKG_VERSION"));
    key.stamp(stamp);
    folder.join(format!("archive-{}", Digest::of(&key.finish()).hex()))
}

/// The archive at a path, if an earlier run has read and kept it.
pub fn recall(path: &Path, kept: Kept, scratch: &Path) -> Option<Archive> {
    let stamp = Stamp::of(&fs::metadata(path).ok().filter(fs::Metadata::is_file)?);
    let bytes = record::read(&record_of(kept.folder, stamp))?;
    let (list, small) = decode(&bytes)?;
    let (path, scratch) = (path.to_owned(), scratch.to_owned());
    let packed = Packed { path, stamp, scratch, small, unpacked: OnceLock::new(), unpacking: Mutex::default() };
    let backing = Arc::new(Backing::packed(packed, slice::Known::new(stamp).unpacked()));
    let part = |(offset, length)| Ok::<_, std::convert::Infallible>(Slice::new(&backing, offset, length));
    let members = list.into_iter().map(|Member { path, attributes, kind }| {
        let Ok(kind) = kind.try_map(part);
        Member { path, attributes, kind }
    });
    Some(Archive { members: members.collect() })
}

/// Keeps the list of an archive that was just read, if its content had to be unpacked. What cannot be kept is read again.
pub fn keep(archive: &Archive, kept: Kept) {
    let slice = |member: &Member| match &member.kind {
        Kind::File { content, .. } => Some(content.clone()),
        _ => None,
    };
    let Some(stamp) = archive.members.iter().find_map(slice).and_then(|slice| slice.unpacked_from()) else { return };
    let of_it = |slice: Slice| slice.unpacked_from() == Some(stamp);
    if is_old(stamp.newest(), kept.now)
        && archive.members.iter().filter_map(slice).all(of_it)
        && let Some(out) = encode(archive)
    {
        let _ = fs::create_dir_all(kept.folder).and_then(|()| out.write(&record_of(kept.folder, stamp)));
    }
}

/// The list, and contents that every build looks at; none if those cannot be read.
fn encode(archive: &Archive) -> Option<Out> {
    let mut out = Out::new(FORM);
    let mut small: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    out.number(archive.members.len() as u64);
    for Member { path, attributes, kind } in &archive.members {
        out.text(path.as_bytes());
        out.attributes(attributes);
        match kind {
            Kind::Directory => out.number(0),
            Kind::File { content, size, link } => {
                out.number(1 + u64::from(link.is_some()));
                out.number(link.map_or(0, |LinkId(id)| id));
                out.number(*size);
                out.number(content.offset());
                if *size <= SMALL && matches!(path.file_name(), b"passwd" | b"group") {
                    let mut bytes = Vec::new();
                    content.reader().read_to_end(&mut bytes).ok()?;
                    small.insert(content.offset(), bytes);
                }
            }
            Kind::Symlink { target } => {
                out.number(3);
                out.text(target);
            }
            Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } => {
                out.number(if matches!(kind, Kind::CharDevice { .. }) { 4 } else { 5 });
                out.number(u64::from(*major));
                out.number(u64::from(*minor));
            }
            Kind::Fifo => out.number(6),
        }
    }
    out.number(small.len() as u64);
    for (offset, bytes) in &small {
        out.number(*offset);
        out.text(bytes);
    }
    Some(out)
}

/// Where a content begins, and how long it is.
type Place = (u64, u64);
/// Members, and small contents by where they begin.
type Known = (Vec<Member<Place>>, BTreeMap<u64, Vec<u8>>);

fn decode(bytes: &[u8]) -> Option<Known> {
    let mut from = In::new(bytes, FORM)?;
    let mut members = Vec::new();
    for _ in 0..from.number()? {
        let path = EntryPath::parse(from.text()?).ok()?;
        let attributes: Attributes = from.attributes()?;
        let device = |from: &mut In| Some((u32::try_from(from.number()?).ok()?, u32::try_from(from.number()?).ok()?));
        let kind = match from.number()? {
            0 => Kind::Directory,
            linked @ (1 | 2) => {
                let (id, size, offset) = (from.number()?, from.number()?, from.number()?);
                Kind::File { content: (offset, size), size, link: (linked == 2).then_some(LinkId(id)) }
            }
            3 => Kind::Symlink { target: from.text()?.into() },
            4 => device(&mut from).map(|(major, minor)| Kind::CharDevice { major, minor })?,
            5 => device(&mut from).map(|(major, minor)| Kind::BlockDevice { major, minor })?,
            6 => Kind::Fifo,
            _ => return None,
        };
        members.push(Member { path, attributes, kind });
    }
    let mut small = BTreeMap::new();
    for _ in 0..from.number()? {
        small.insert(from.number()?, from.text()?.to_vec());
    }
    from.is_empty().then_some((members, small))
}
