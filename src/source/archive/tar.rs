//! The members of a tar.

use super::Trouble;
use super::error::Fault;
use super::members::{Members, symlink};
use super::slice::{Backing, Slice};
use super::spool::Spool;
use crate::layer::read::{RawKind, TarError, TarReader};
use crate::tree::Kind;
use std::io::Read;
use std::sync::Arc;

/// Reads a tar to the very end of its stream. `plain` is the file that `stream` reads from its start, if nothing is
/// between the two.
pub(super) fn read(
    stream: impl Read,
    plain: Option<&Arc<Backing>>,
    spool: &mut Spool<'_>,
    members: &mut Members<'_>,
) -> Result<(), Trouble> {
    let mut tar = TarReader::new(stream);
    let mut last = None;
    loop {
        let entry = match tar.next() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(e) => return Err(after(last, e)),
        };
        let path = members.admit(&entry).map_err(|fault| at(&entry.path, fault))?;
        last = Some(entry.path);
        let (Some(name), Some(path)) = (&last, path) else { continue };
        let kind = match entry.kind {
            RawKind::HardLink(target) => {
                members.link(path, &target).map_err(|fault| at(name, fault))?;
                continue;
            }
            RawKind::File { size } => {
                let content = content(&mut tar, size, plain, spool).map_err(|fault| at(name, fault))?;
                Kind::File { content, size, link: None }
            }
            RawKind::Symlink(target) => symlink(target).map_err(|fault| at(name, fault))?,
            RawKind::Directory => Kind::Directory,
            RawKind::CharDevice(major, minor) => Kind::CharDevice { major, minor },
            RawKind::BlockDevice(major, minor) => Kind::BlockDevice { major, minor },
            RawKind::Fifo => Kind::Fifo,
        };
        members.add(path, entry.attributes, kind);
    }
    tar.finish().map(drop).map_err(|e| after(last, e))
}

fn content<R: Read>(
    tar: &mut TarReader<R>,
    size: u64,
    plain: Option<&Arc<Backing>>,
    spool: &mut Spool<'_>,
) -> Result<Slice, Fault> {
    if let (Some(backing), Some(extent)) = (plain, tar.contiguous()) {
        return Ok(Slice::new(backing, extent.offset, extent.len));
    }
    let part = spool.begin(size)?;
    let mut buf = vec![0; 64 << 10];
    while let Some((offset, n)) = tar.read_piece(&mut buf)? {
        part.write(offset, buf.get(..n).unwrap_or_default())?;
    }
    Ok(part.slice())
}

fn at(name: &[u8], fault: Fault) -> Trouble {
    Trouble { member: Some(name.to_vec()), fault }
}

fn after(last: Option<Vec<u8>>, error: TarError) -> Trouble {
    let fault = if last.is_some() { Fault::After(error) } else { Fault::Tar(error) };
    Trouble { member: last, fault }
}
