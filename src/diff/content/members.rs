//! Archives and compressed streams inside an image, by their members, one level deep.

use super::trace::Trace;
use super::{ContentDifference, Context, Detail};
use crate::layer::decompress::{Compression, decoder};
use crate::layer::read::{RawKind, TarReader, is_header};
use crate::oci::{Digest, Sha256};
use crate::source::archive::{Slice, zip_mtime};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicBool, Ordering};

/// Members of an archive; one that has more is compared as bytes.
const MEMBERS: usize = 20_000;
/// Bytes that are unpacked of an archive; one that has more is compared as bytes.
const PLAIN: u64 = 256 << 20;
/// Differences that are kept.
const LISTED: usize = 100;
/// Bytes of a name that are kept.
const NAME: usize = 4096;

/// What differs between two archives of one format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// `zip`, `tar+gzip` and so on.
    pub format: &'static str,
    /// Members that differ, by name.
    pub members: Vec<MemberDifference>,
    /// How many members differ. 0: they are the same, and packed otherwise.
    pub total: u64,
    /// The members stand in another order.
    pub order: bool,
}

/// A member that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDifference {
    /// Its name; `content` for that of a compressed stream.
    pub name: Vec<u8>,
    /// In what.
    pub change: MemberChange,
}

/// In what a member differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    /// Only the second has it; its length.
    Added(u64),
    /// Only the first has it; its length.
    Removed(u64),
    /// Both have it.
    Changed(Vec<MemberField>),
}

/// What differs between two members, first to second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberField {
    /// Their content, of these lengths.
    Content(u64, u64),
    /// Seconds since 1970.
    Mtime(i64, i64),
    /// Type and permission bits, as the format has them.
    Mode(u32, u32),
    /// Numeric owner and group.
    Owner((u64, u64), (u64, u64)),
}

struct Member {
    name: Vec<u8>,
    size: u64,
    /// Of its content, or what stands for it.
    sum: Digest,
    mtime: i64,
    mode: u32,
    owner: (u64, u64),
}

/// None if they are no archives of one format, or cannot be read as such.
pub(super) fn compare(a: &Slice, b: &Slice, context: &Context) -> Option<ContentDifference> {
    let ((format, left), (other, right)) = (members(a, context.interrupt)?, members(b, context.interrupt)?);
    if format != other {
        return None;
    }
    // Of members of one name it depends on the reader which one counts.
    let repeats = |all: &[Member]| all.iter().map(|member| &member.name).collect::<BTreeSet<_>>().len() < all.len();
    if repeats(&left) || repeats(&right) {
        return None;
    }
    let members = differences(format, &left, &right);
    let is_time = |field: &MemberField| matches!(field, MemberField::Mtime(..));
    let timed = members.members.iter().any(|member| match &member.change {
        MemberChange::Changed(fields) => fields.iter().any(is_time),
        _ => false,
    });
    let traces = if timed { vec![Trace::MemberTimes(format)] } else { Vec::new() };
    Some(ContentDifference { detail: Detail::Members(members), traces })
}

fn differences(format: &'static str, left: &[Member], right: &[Member]) -> Members {
    let by_name = |all: &'_ [Member]| -> BTreeMap<Vec<u8>, usize> {
        all.iter().enumerate().map(|(n, member)| (member.name.clone(), n)).collect()
    };
    let (from, to) = (by_name(left), by_name(right));
    let mut found = Members { format, members: Vec::new(), total: 0, order: false };
    let mut tell = |name: &[u8], change: MemberChange| {
        found.total = found.total.saturating_add(1);
        if found.members.len() < LISTED {
            found.members.push(MemberDifference { name: name.to_vec(), change });
        }
    };
    for (name, &n) in &from {
        let Some(x) = left.get(n) else { continue };
        let Some(y) = to.get(name).and_then(|&m| right.get(m)) else {
            tell(name, MemberChange::Removed(x.size));
            continue;
        };
        let mut fields = Vec::new();
        if x.sum != y.sum || x.size != y.size {
            fields.push(MemberField::Content(x.size, y.size));
        }
        if x.mtime != y.mtime {
            fields.push(MemberField::Mtime(x.mtime, y.mtime));
        }
        if x.mode != y.mode {
            fields.push(MemberField::Mode(x.mode, y.mode));
        }
        if x.owner != y.owner {
            fields.push(MemberField::Owner(x.owner, y.owner));
        }
        if !fields.is_empty() {
            tell(name, MemberChange::Changed(fields));
        }
    }
    for (name, &m) in to.iter().filter(|(name, _)| !from.contains_key(*name)) {
        tell(name, MemberChange::Added(right.get(m).map_or(0, |member| member.size)));
    }
    let common = left.iter().filter(|member| to.contains_key(&member.name));
    let others = right.iter().filter(|member| from.contains_key(&member.name));
    found.order = common.zip(others).any(|(x, y)| x.name != y.name);
    found
}

/// Format and members of an archive or a compressed stream.
fn members(content: &Slice, interrupt: &AtomicBool) -> Option<(&'static str, Vec<Member>)> {
    let head = head(&mut content.reader())?;
    let reader = || Bounded { inner: io::BufReader::with_capacity(64 << 10, content.reader()), left: PLAIN, interrupt };
    if head.starts_with(b"PK\x03\x04") {
        return Some(("zip", zip(content, interrupt)?));
    }
    if head.starts_with(b"!<arch>\n") {
        return Some(("ar", ar(reader())?));
    }
    match Compression::sniff(&head) {
        Compression::None if is_header(&head) => Some(("tar", tar(reader(), interrupt)?)),
        Compression::None => None,
        compression => {
            let (packed, stream) = match compression {
                Compression::Gzip => ("tar+gzip", "gzip"),
                Compression::Zstd => ("tar+zstd", "zstd"),
                Compression::Xz => ("tar+xz", "xz"),
                _ => ("tar+bzip2", "bzip2"),
            };
            let plain = decoder(io::BufReader::new(content.reader()), compression).ok()?;
            let mut plain = Bounded { inner: plain, left: PLAIN, interrupt };
            let inside = self::head(&mut plain)?;
            let is_tar = is_header(&inside);
            let plain = Cursor::new(inside).chain(plain);
            if is_tar {
                return Some((packed, tar(plain, interrupt)?));
            }
            let mtime = match *head {
                [0x1f, 0x8b, _, _, a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]),
                _ => 0,
            };
            let (sum, size) = hashed(plain)?;
            let name = b"content".to_vec();
            Some((stream, vec![Member { name, size, sum, mtime: i64::from(mtime), mode: 0, owner: (0, 0) }]))
        }
    }
}

fn head(reader: &mut dyn Read) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(512).read_to_end(&mut head).ok()?;
    Some(head)
}

fn hashed(mut content: impl Read) -> Option<(Digest, u64)> {
    let mut sha256 = Sha256::default();
    io::copy(&mut content, &mut sha256).ok()?;
    Some(sha256.finish())
}

/// The members that the central directory names. What it says of their content is not believed: a client unpacks that.
fn zip(content: &Slice, interrupt: &AtomicBool) -> Option<Vec<Member>> {
    let mut left = PLAIN;
    let mut archive = ::zip::ZipArchive::new(io::BufReader::new(content.reader())).ok()?;
    // Of members with one name only the last would be seen.
    if archive.len() > MEMBERS || archive.has_duplicate_names() {
        return None;
    }
    (0..archive.len())
        .map(|n| {
            let mut file = archive.by_index(n).ok()?;
            let name = file.name_raw().get(..NAME.min(file.name_raw().len()))?.to_vec();
            let mut bytes = Bounded { inner: &mut file, left, interrupt };
            let (sum, size) = hashed(&mut bytes)?;
            left = bytes.left;
            let mode = file.unix_mode().unwrap_or_default();
            Some(Member { name, size, sum, mtime: zip_mtime(&file), mode, owner: (0, 0) })
        })
        .collect()
}

fn tar(plain: impl Read, interrupt: &AtomicBool) -> Option<Vec<Member>> {
    // Holes are not read from the stream, so that they are counted here.
    let mut left = PLAIN;
    let mut reader = TarReader::new(plain);
    let mut members = Vec::new();
    while let Some(entry) = reader.next().ok()? {
        let (sum, size) = match &entry.kind {
            RawKind::File { .. } => {
                let mut data = Bounded { inner: reader.data(), left, interrupt };
                let hashed = hashed(&mut data)?;
                left = data.left;
                hashed
            }
            RawKind::HardLink(target) => (Digest::of(target), 0),
            RawKind::Symlink(target) => (Digest::of(&[b"->", target.as_slice()].concat()), 0),
            other => (Digest::of(format!("{other:?}").as_bytes()), 0),
        };
        if members.len() >= MEMBERS || entry.path.len() > NAME {
            return None;
        }
        let s = entry.attributes;
        members.push(Member { name: entry.path, size, sum, mtime: s.mtime, mode: s.mode, owner: (s.uid, s.gid) });
    }
    Some(members)
}

/// The common format of `ar`, with the long names of GNU and BSD: static libraries and Debian packages.
fn ar(mut plain: impl Read) -> Option<Vec<Member>> {
    plain.read_exact(&mut [0; 8]).ok()?;
    let (mut members, mut long) = (Vec::new(), Vec::new());
    loop {
        let mut header = [0; 60];
        match crate::source::fill(&mut plain, &mut header).ok()? {
            0 => return Some(members),
            60 if header.ends_with(b"`\n") && members.len() < MEMBERS => {}
            _ => return None,
        }
        let text = |from: usize, to: usize| header.get(from..to).unwrap_or_default().trim_ascii_end();
        let number = |from, to, radix| {
            let digits = std::str::from_utf8(text(from, to)).ok()?;
            if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, radix).ok() }
        };
        let size = number(48, 58, 10)?;
        let mut body = (&mut plain).take(size);
        let name = text(0, 16);
        let place = name.strip_prefix(b"/").and_then(|n| std::str::from_utf8(n).ok()?.parse::<usize>().ok());
        let bsd = name.strip_prefix(b"#1/").and_then(|n| std::str::from_utf8(n).ok()?.parse::<u64>().ok());
        let name = match (place, bsd) {
            _ if name == b"//" => {
                (&mut body).take(PLAIN >> 8).read_to_end(&mut long).ok()?;
                name.to_vec()
            }
            (Some(at), _) => {
                let rest: &[u8] = long.get(at..)?;
                rest.split(|&b| b == b'\n').next()?.strip_suffix(b"/")?.get(..)?.to_vec()
            }
            (None, Some(length)) => {
                let mut name = Vec::new();
                (&mut body).take(length.min(NAME as u64)).read_to_end(&mut name).ok()?;
                name.trim_ascii_end().split(|&b| b == 0).next()?.to_vec()
            }
            _ => name.strip_suffix(b"/").filter(|name| !name.is_empty()).unwrap_or(name).to_vec(),
        };
        let (sum, _) = hashed(&mut body)?;
        if body.limit() > 0 || name.len() > NAME {
            return None;
        }
        if size % 2 == 1 {
            crate::source::fill(&mut plain, &mut [0; 1]).ok()?;
        }
        let mtime = i64::try_from(number(16, 28, 10)?).ok()?;
        let mode = u32::try_from(number(40, 48, 8)?).ok()?;
        members.push(Member { name, size, sum, mtime, mode, owner: (number(28, 34, 10)?, number(34, 40, 10)?) });
    }
}

/// Fails where there is more than is worth it, and when the user wants to stop.
struct Bounded<'a, R> {
    inner: R,
    left: u64,
    interrupt: &'a AtomicBool,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        match self.left.checked_sub(n as u64) {
            Some(left) if !self.interrupt.load(Ordering::Relaxed) => {
                self.left = left;
                Ok(n)
            }
            _ => Err(io::Error::other("it holds too much")),
        }
    }
}
