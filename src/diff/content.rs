//! What differs inside files: lines of a text, sections of an ELF file, members of an archive, else bytes.
//!
//! Files whose content differs are read from both layers a second time and put aside; how many and how large they may be is
//! bounded. Archives are opened one level deep.

mod binary;
mod members;
mod text;
mod trace;

pub use binary::{Bytes, Section};
pub use members::{MemberChange, MemberDifference, MemberField, Members};
pub use text::Lines;
pub use trace::Trace;

use super::entries::{TarDifference, Wanted};
use super::{Context, DiffError, Which};
use crate::layer::read::TarReader;
use crate::source::archive::{Fault, Limits, Slice, Spool};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// What differs in the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentDifference {
    /// What was found.
    pub detail: Detail,
    /// What the differing bytes look like.
    pub traces: Vec<Trace>,
}

/// What differs in the content of a file, by what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Both are texts.
    Text(Lines),
    /// Both are archives of one format, or compressed streams.
    Members(Members),
    /// Anything else.
    Bytes(Bytes),
    /// It is larger than is looked at: the MiB, from 0, in which the first difference lies.
    Large(u64),
    /// It was not compared.
    Skipped(Skipped),
}

/// Why a content was not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    /// It is larger than is looked at.
    TooLarge,
    /// Enough others were compared.
    TooMany,
    /// It could not be read again.
    Unreadable,
}

impl From<Skipped> for ContentDifference {
    fn from(skipped: Skipped) -> Self {
        Self { detail: Detail::Skipped(skipped), traces: Vec::new() }
    }
}

/// Opens the tar of a layer again.
pub(super) type Open<'a> = dyn Fn() -> io::Result<Box<dyn Read + Send + 'a>> + Sync + 'a;

/// Compares the contents of files, and puts what was found to their entries.
pub(super) fn compare(
    a: &Open,
    b: &Open,
    mut wanted: Vec<Wanted>,
    tar: &mut TarDifference,
    context: &Context,
) -> Result<(), DiffError> {
    let limits = &context.limits;
    if limits.files == 0 || wanted.is_empty() {
        return Ok(());
    }
    wanted.sort_by(|x, y| x.path.cmp(&y.path));
    let (mut sums, mut files) = ((0_u64, 0_u64), 0);
    let mut chosen = Vec::new();
    for file in wanted {
        let sizes = (file.a.size, file.b.size);
        let sum = (sums.0.saturating_add(sizes.0), sums.1.saturating_add(sizes.1));
        let skipped = match () {
            () if sizes.0.max(sizes.1) > limits.file => Some(Skipped::TooLarge),
            () if files >= limits.files || sum.0.max(sum.1) > limits.files_bytes => Some(Skipped::TooMany),
            () => None,
        };
        match skipped {
            Some(skipped) => tar.tell(
                &file.path,
                match file.mib.filter(|_| skipped == Skipped::TooLarge) {
                    Some(mib) => ContentDifference { detail: Detail::Large(mib), traces: Vec::new() },
                    None => skipped.into(),
                },
            ),
            None => {
                (sums, files) = (sum, files.saturating_add(1));
                chosen.push(file);
            }
        }
    }
    let places = |which: Which| {
        let place = |file: &Wanted| (if which == Which::A { file.a.place } else { file.b.place }, ());
        chosen.iter().map(place).collect::<BTreeMap<usize, ()>>()
    };
    let (from, to) = std::thread::scope(|threads| {
        let other = threads.spawn(|| fetch(b, places(Which::B), context));
        let from = fetch(a, places(Which::A), context);
        (from, other.join().unwrap_or_else(|_| Ok(BTreeMap::new())))
    });
    let (from, to) = (from?, to?);
    for file in &chosen {
        context.check()?;
        let difference = match (from.get(&file.a.place), to.get(&file.b.place)) {
            (Some(x), Some(y)) => contents(&file.path, x, y, context),
            _ => Skipped::Unreadable.into(),
        };
        tar.tell(&file.path, difference);
    }
    Ok(())
}

impl TarDifference {
    fn tell(&mut self, path: &[u8], content: ContentDifference) {
        if let Ok(at) = self.entries.binary_search_by(|entry| entry.path.as_slice().cmp(path))
            && let Some(entry) = self.entries.get_mut(at)
        {
            entry.content = Some(content);
        }
    }
}

/// Puts the contents of some entries aside, by their places in the tar. What cannot be read is left out.
fn fetch(open: &Open, places: BTreeMap<usize, ()>, context: &Context) -> Result<BTreeMap<usize, Slice>, DiffError> {
    let mut found = BTreeMap::new();
    let Some((&last, ())) = places.last_key_value() else { return Ok(found) };
    let Ok(tar) = open() else { return Ok(found) };
    let limits = Limits { bytes: context.limits.files_bytes, ..Limits::default() };
    let mut spool = Spool::new(context.scratch, &limits);
    let mut reader = TarReader::new(tar);
    for place in 0..=last {
        context.check()?;
        let Ok(Some(entry)) = reader.next() else { break };
        if let crate::layer::read::RawKind::File { size } = entry.kind
            && places.contains_key(&place)
        {
            match spool.copy(size, reader.data()) {
                Ok(slice) => {
                    found.insert(place, slice);
                }
                Err(Fault::Spool { source, .. }) => {
                    return Err(DiffError::Scratch { folder: context.scratch.to_owned(), source });
                }
                Err(_) => break,
            }
        }
    }
    match spool.finish() {
        Err(Fault::Spool { source, .. }) => Err(DiffError::Scratch { folder: context.scratch.to_owned(), source }),
        _ => Ok(found),
    }
}

/// What differs between two contents that do differ.
fn contents(path: &[u8], a: &Slice, b: &Slice, context: &Context) -> ContentDifference {
    let found = members::compare(a, b, context).or_else(|| text::compare(a, b)).or_else(|| binary::compare(path, a, b));
    found.unwrap_or_else(|| Skipped::Unreadable.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    fn slice(bytes: &[u8], scratch: &Path) -> Slice {
        let limits = Limits::default();
        Spool::new(scratch, &limits).copy(bytes.len() as u64, bytes).unwrap()
    }

    /// Damaged files of every kind are compared like any other.
    #[test]
    fn damage_is_no_panic() {
        let interrupt = AtomicBool::new(false);
        let limits = crate::diff::Limits::default();
        let scratch = tempfile::tempdir().unwrap();
        let scratch = scratch.path();
        let context = Context { scratch, interrupt: &interrupt, platform: None, prove: false, limits };
        let mut elf = vec![0; 4096];
        std::fs::File::open("/proc/self/exe").unwrap().read_exact(&mut elf).unwrap();
        // The section headers stand at the end of the file: they are moved to where they are seen.
        elf[0x28..0x30].copy_from_slice(&1024_u64.to_le_bytes());
        let ar = b"!<arch>\n//                                              10        `\nlong.o/\n\n\n/0              1           0     0     100644  3         `\nabc\n";
        let zip = [
            &b"PK\x03\x04"[..],
            &[0; 60],
            b"PK\x01\x02",
            &[0; 42],
            b"PK\x05\x06\0\0\0\0\x01\0\x01\0",
            &[46, 0, 0, 0, 64, 0, 0, 0, 0, 0],
        ]
        .concat();
        let gzip =
            [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0][..], &[0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0]].concat();
        for whole in [elf.as_slice(), ar, &zip, &gzip, b"a text\nof lines\n"] {
            let other = slice(whole, scratch);
            let mut state = 1_u32;
            for _ in 0..200 {
                let mut bytes = whole.to_vec();
                for _ in 0..3 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let at = state as usize >> 8;
                    bytes[at % whole.len().min(1200)] = state as u8;
                }
                bytes.truncate(whole.len() - (state as usize >> 4) % 8);
                contents(b"x", &other, &slice(&bytes, scratch), &context);
            }
        }
    }
}
