//! A tree as the blocks of its tar stream. Edition 2026 decides every byte of it.

use super::{Content, Header, Type, WriteError, cut, header::BLOCK};
use crate::oci::Compression;
use crate::tree::{Attributes, Entry, EntryPath, Item, Kind, LinkId, Tree};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// The mode of a whiteout's empty file. Edition 2026.
const WHITEOUT_MODE: u32 = 0o644;
/// The largest major or minor number: seven octal digits.
const DEVICE: u32 = 0o7_777_777;
/// Two zero blocks end the stream.
const END: usize = 2 * BLOCK;

/// Writes the tar of `tree`, piece by piece; whiteouts carry `mtime` (seconds).
///
/// # Errors
/// [`WriteError::Content`], or what `emit` returns.
pub fn tar<C: Content>(tree: &Tree<C>, mtime: i64, emit: &mut Emit) -> Result<(), WriteError> {
    blocks(tree, mtime, cut::step(Compression::None), emit)
}

/// What takes the blocks.
pub type Emit<'a> = dyn FnMut(Vec<u8>) -> Result<(), WriteError> + 'a;

/// Writes the tar of `tree`, cut into blocks of about `step` bytes as [`cut`] says.
pub(super) fn blocks<C: Content>(tree: &Tree<C>, mtime: i64, step: u64, emit: &mut Emit) -> Result<(), WriteError> {
    let mut blocks = Blocks { block: Vec::new(), step, emit };
    let mut first_paths: BTreeMap<LinkId, &EntryPath> = BTreeMap::new();
    for item in tree.iter() {
        match item {
            Item::Whiteout(path) => {
                let attributes = Attributes { mode: WHITEOUT_MODE, mtime, ..Attributes::default() };
                let name = whiteout_name(path);
                let head = Header {
                    kind: Type::File,
                    name: &name,
                    attributes: &attributes,
                    size: 0,
                    link: b"",
                    device: (0, 0),
                };
                blocks.entry(path, &head.encode(), 0)?;
            }
            Item::Entry(path, entry) => blocks.tree_entry(tree, path, entry, &mut first_paths)?,
        }
    }
    blocks.block.resize(blocks.block.len() + END, 0);
    blocks.flush()
}

/// `.wh.` before the last part (image-spec, "layer.md", Whiteouts).
fn whiteout_name(path: &EntryPath) -> Vec<u8> {
    let parent = &path.as_bytes()[..path.as_bytes().len() - path.file_name().len()];
    [parent, b".wh.", path.file_name()].concat()
}

struct Blocks<'a, 'b> {
    block: Vec<u8>,
    step: u64,
    emit: &'a mut Emit<'b>,
}

impl Blocks<'_, '_> {
    fn tree_entry<'a, C: Content>(
        &mut self,
        tree: &Tree<C>,
        path: &'a EntryPath,
        entry: &Entry<C>,
        first_paths: &mut BTreeMap<LinkId, &'a EntryPath>,
    ) -> Result<(), WriteError> {
        let mut name = path.as_bytes().to_vec();
        let (mut size, mut link, mut device) = (0, &b""[..], (0, 0));
        let mut content = None;
        let kind = match &entry.kind {
            Kind::Directory => {
                name.push(b'/');
                Type::Directory
            }
            // The first path in order carries the content.
            Kind::File { content: bytes, size: bytes_size, link: id } => {
                match id.map(|id| *first_paths.entry(tree.file(id)).or_insert(path)).filter(|first| *first != path) {
                    Some(first) => {
                        link = first.as_bytes();
                        Type::HardLink
                    }
                    None => {
                        (size, content) = (*bytes_size, Some(bytes));
                        Type::File
                    }
                }
            }
            Kind::Symlink { target } => {
                link = target;
                Type::Symlink
            }
            Kind::CharDevice { major, minor } => {
                device = (*major, *minor);
                Type::CharDevice
            }
            Kind::BlockDevice { major, minor } => {
                device = (*major, *minor);
                Type::BlockDevice
            }
            Kind::Fifo => Type::Fifo,
        };
        let failed = |source| WriteError::Content { path: path.clone(), origin: entry.origin, source };
        // Neither ustar nor PAX can say a larger one, and no system that runs containers has one.
        if device.0.max(device.1) > DEVICE {
            let why = format!("the device number {},{} is too large for a layer", device.0, device.1);
            return Err(failed(io::Error::other(why)));
        }
        let head = Header { kind, name: &name, attributes: &entry.attributes, size, link, device }.encode();
        self.entry(path, &head, size)?;
        if let Some(content) = content {
            let mut reader = content.open().map_err(failed)?;
            self.data(&mut reader, head.len() as u64, size, failed)?;
        }
        Ok(())
    }

    /// Begins an entry: a cut before it perhaps, then its headers.
    fn entry(&mut self, path: &EntryPath, head: &[u8], size: u64) -> Result<(), WriteError> {
        let length = head.len() as u64 + size.next_multiple_of(BLOCK as u64);
        if cut::before(self.step, self.block.len() as u64, path, length) {
            self.flush()?;
        }
        self.block.extend_from_slice(head);
        Ok(())
    }

    /// The data of an entry whose headers were `at` bytes long, with its padding.
    fn data(
        &mut self,
        reader: &mut dyn Read,
        mut at: u64,
        size: u64,
        failed: impl Fn(io::Error) -> WriteError,
    ) -> Result<(), WriteError> {
        let end = at + size;
        while at < end {
            if at.is_multiple_of(self.step) {
                self.flush()?;
            }
            let step = (end - at).min(self.step - at % self.step);
            let before = self.block.len();
            (&mut *reader).take(step).read_to_end(&mut self.block).map_err(&failed)?;
            if (self.block.len() - before) as u64 != step {
                return Err(failed(changed()));
            }
            at += step;
        }
        let mut more = Vec::new();
        if reader.take(1).read_to_end(&mut more).map_err(&failed)? != 0 {
            return Err(failed(changed()));
        }
        self.block.resize(self.block.len().next_multiple_of(BLOCK), 0);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        let next = Vec::with_capacity(self.block.len());
        (self.emit)(std::mem::replace(&mut self.block, next))
    }
}

fn changed() -> io::Error {
    io::Error::other("it changed while it was read")
}
