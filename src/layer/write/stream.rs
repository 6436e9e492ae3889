//! A tree as the pieces of its tar stream. Edition 2026 decides every byte of it.
//!
//! The pieces come before any content is read: who wants bytes has them put together by [`Filler`], and who wants to know
//! what a block depends on looks at the pieces alone.

use super::{Content, Header, Type, WriteError, cut, header::BLOCK};
use crate::oci::Compression;
use crate::tree::{Attributes, Entry, EntryPath, Item, Kind, LinkId, Origin, Tree};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// The mode of a whiteout's empty file. Edition 2026.
const WHITEOUT_MODE: u32 = 0o644;
/// The largest major or minor number: seven octal digits.
const DEVICE: u32 = 0o7_777_777;
/// Two zero blocks end the stream.
const END: usize = 2 * BLOCK;

/// A part of a file's content.
pub(super) struct Data<'t, C> {
    /// The file's path in the image.
    pub path: &'t EntryPath,
    /// Who asked for it.
    pub origin: Origin,
    /// All of its content.
    pub content: &'t C,
    /// The length of all of it.
    pub size: u64,
    /// Where the part begins.
    pub at: u64,
    /// How long the part is. A file has one part at least, which may be empty.
    pub length: u64,
}

/// What takes the pieces of a stream, in their order.
pub(super) trait Pieces<'t, C> {
    /// A block ends here, and another one begins.
    fn cut(&mut self) -> Result<(), WriteError>;
    /// The headers of an entry, which begins with them.
    fn head(&mut self, bytes: &[u8]) -> Result<(), WriteError>;
    /// A part of the content of the entry whose headers came before.
    fn data(&mut self, data: Data<'t, C>) -> Result<(), WriteError>;
    /// So many zeros.
    fn zeros(&mut self, count: usize) -> Result<(), WriteError>;
}

/// Gives out the tar of `tree` in pieces, cut into blocks of about `step` bytes as [`cut`] says; whiteouts carry `mtime`
/// (seconds).
///
/// # Errors
/// [`WriteError::Content`], or what `to` returns.
pub(super) fn pieces<'t, C>(
    tree: &'t Tree<C>,
    mtime: i64,
    step: u64,
    to: &mut dyn Pieces<'t, C>,
) -> Result<(), WriteError> {
    let mut walk = Walk { to, block: 0, step };
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
                walk.head(path, &head.encode(), 0)?;
            }
            Item::Entry(path, entry) => walk.entry(tree, path, entry, &mut first_paths)?,
        }
    }
    walk.to.zeros(END)
}

/// `.wh.` before the last part (image-spec, "layer.md", Whiteouts).
fn whiteout_name(path: &EntryPath) -> Vec<u8> {
    let parent = &path.as_bytes()[..path.as_bytes().len() - path.file_name().len()];
    [parent, b".wh.", path.file_name()].concat()
}

struct Walk<'a, 't, C> {
    to: &'a mut dyn Pieces<'t, C>,
    /// The length of the block so far.
    block: u64,
    step: u64,
}

impl<'t, C> Walk<'_, 't, C> {
    fn entry(
        &mut self,
        tree: &'t Tree<C>,
        path: &'t EntryPath,
        entry: &'t Entry<C>,
        first_paths: &mut BTreeMap<LinkId, &'t EntryPath>,
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
        // Neither ustar nor PAX can say a larger one, and no system that runs containers has one.
        if device.0.max(device.1) > DEVICE {
            let why = format!("the device number {},{} is too large for a layer", device.0, device.1);
            return Err(failed(path, entry.origin, io::Error::other(why)));
        }
        let head = Header { kind, name: &name, attributes: &entry.attributes, size, link, device }.encode();
        self.head(path, &head, size)?;
        match content {
            Some(content) => self.content(path, entry.origin, content, head.len() as u64, size),
            None => Ok(()),
        }
    }

    /// Begins an entry: a cut before it perhaps, then its headers.
    fn head(&mut self, path: &EntryPath, head: &[u8], size: u64) -> Result<(), WriteError> {
        let length = head.len() as u64 + size.next_multiple_of(BLOCK as u64);
        if cut::before(self.step, self.block, path, length) {
            self.cut()?;
        }
        self.block += head.len() as u64;
        self.to.head(head)
    }

    /// The content of an entry whose headers were `head` bytes long, with its padding.
    fn content(
        &mut self,
        path: &'t EntryPath,
        origin: Origin,
        content: &'t C,
        head: u64,
        size: u64,
    ) -> Result<(), WriteError> {
        let mut at = 0;
        loop {
            let length = (size - at).min(self.step - (head + at) % self.step);
            self.to.data(Data { path, origin, content, size, at, length })?;
            self.block += length;
            at += length;
            if at == size {
                break;
            }
            self.cut()?;
        }
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        self.block += padding;
        self.to.zeros(usize::try_from(padding).unwrap_or_default())
    }

    fn cut(&mut self) -> Result<(), WriteError> {
        self.block = 0;
        self.to.cut()
    }
}

pub(super) fn failed(path: &EntryPath, origin: Origin, source: io::Error) -> WriteError {
    WriteError::Content { path: path.clone(), origin, source }
}

/// Reads contents, and puts a block together.
pub(super) struct Filler<'t> {
    block: Vec<u8>,
    step: u64,
    /// The file whose parts are being read.
    reader: Option<Box<dyn Read + 't>>,
}

impl<'t> Filler<'t> {
    pub fn new(step: u64) -> Self {
        Self { block: Vec::new(), step, reader: None }
    }

    /// The block so far; the next one is empty.
    pub fn cut(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.block)
    }

    pub fn head(&mut self, bytes: &[u8]) {
        if self.block.is_empty() {
            // Few blocks become longer.
            self.block.reserve_exact(usize::try_from(self.step * 2).unwrap_or_default());
        }
        self.block.extend_from_slice(bytes);
    }

    pub fn zeros(&mut self, count: usize) {
        self.block.resize(self.block.len() + count, 0);
    }

    /// # Errors
    /// The file cannot be read, or is longer or shorter than it was.
    pub fn data<C: Content>(&mut self, data: &Data<'t, C>) -> Result<(), WriteError> {
        self.read(data).map_err(|source| failed(data.path, data.origin, source))
    }

    fn read<C: Content>(&mut self, data: &Data<'t, C>) -> io::Result<()> {
        if data.at == 0 {
            self.reader = Some(data.content.open()?);
        }
        let Some(reader) = &mut self.reader else { return Err(changed()) };
        let start = self.block.len();
        self.block.resize(start + usize::try_from(data.length).map_err(io::Error::other)?, 0);
        reader.read_exact(self.block.get_mut(start..).unwrap_or_default()).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed(),
            _ => error,
        })?;
        if data.at + data.length == data.size {
            let mut more = Vec::new();
            if reader.take(1).read_to_end(&mut more)? != 0 {
                return Err(changed());
            }
            self.reader = None;
        }
        Ok(())
    }
}

fn changed() -> io::Error {
    io::Error::other("it changed while it was read")
}

/// What takes the blocks.
pub type Emit<'a> = dyn FnMut(Vec<u8>) -> Result<(), WriteError> + 'a;

/// Writes the tar of `tree`, piece by piece; whiteouts carry `mtime` (seconds).
///
/// # Errors
/// [`WriteError::Content`], or what `emit` returns.
pub fn tar<C: Content>(tree: &Tree<C>, mtime: i64, emit: &mut Emit) -> Result<(), WriteError> {
    let step = cut::step(Compression::None);
    let mut plain = Plain { filler: Filler::new(step), emit };
    pieces(tree, mtime, step, &mut plain)?;
    let last = plain.filler.cut();
    emit(last)
}

/// Every block as it is.
struct Plain<'a, 'e, 't> {
    filler: Filler<'t>,
    emit: &'a mut Emit<'e>,
}

impl<'t, C: Content> Pieces<'t, C> for Plain<'_, '_, 't> {
    fn cut(&mut self) -> Result<(), WriteError> {
        (self.emit)(self.filler.cut())
    }

    fn head(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.filler.head(bytes);
        Ok(())
    }

    fn data(&mut self, data: Data<'t, C>) -> Result<(), WriteError> {
        self.filler.data(&data)
    }

    fn zeros(&mut self, count: usize) -> Result<(), WriteError> {
        self.filler.zeros(count);
        Ok(())
    }
}
