//! Two contents as bytes, and which sections of an ELF file differ.

use super::trace::Trace;
use super::{ContentDifference, Detail, trace};
use crate::source::archive::Slice;
use object::{Object, ObjectSection, ReadCache};
use std::io::{self, Read, Seek, SeekFrom};

/// Runs of differing bytes that are kept.
const RUNS: usize = 8;
/// Bytes around the start of a run that are kept.
const SHOWN: usize = 16;
/// Sections that are compared; and bytes of them.
const SECTIONS: usize = 1000;
const SECTION_BYTES: u64 = 256 << 20;
/// Bytes before and behind a run that are searched for a date or a path; and how many runs are.
const NEAR: usize = 64;
const SEARCHED: usize = 64;

/// Bytes that differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytes {
    /// Length of both contents.
    pub sizes: (u64, u64),
    /// How many bytes differ, place by place, up to the end of the shorter one.
    pub differing: u64,
    /// The first runs of differing bytes: where they start, and how long they are.
    pub runs: Vec<(u64, u64)>,
    /// Bytes of both from the first difference on.
    pub shown: (Vec<u8>, Vec<u8>),
    /// Sections of ELF files that differ; empty for other files.
    pub sections: Vec<Section>,
}

/// A section that differs between two ELF files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `.text`; `headers` for what lies in none.
    pub name: String,
    /// Its length in both; none where it is not.
    pub sizes: (Option<u64>, Option<u64>),
}

pub(super) fn compare(path: &[u8], a: &Slice, b: &Slice) -> Option<ContentDifference> {
    let (mut bytes, windows) = runs(a, b).ok()?;
    let mut traces = trace::of_bytes(&windows);
    if is_elf(a) && is_elf(b) {
        bytes.sections = sections(a, b).unwrap_or_default();
        let is_id = |section: &Section| matches!(section.name.as_str(), ".note.gnu.build-id" | ".note.go.buildid");
        if bytes.sections.iter().any(is_id) {
            traces.push(Trace::BuildId);
        }
    }
    // A flag word of 0, then the source's time and size (PEP 552).
    if path.ends_with(b".pyc") && bytes.runs.first().is_some_and(|(start, _)| (8..12).contains(start)) {
        traces.push(Trace::CompiledPython);
    }
    Some(ContentDifference { detail: Detail::Bytes(bytes), traces })
}

/// The bytes around a run on both sides.
pub(super) type Window = (Vec<u8>, Vec<u8>);

fn runs(a: &Slice, b: &Slice) -> io::Result<(Bytes, Vec<Window>)> {
    let mut bytes = Bytes { sizes: (a.len(), b.len()), ..Bytes::default() };
    let mut starts = Vec::new();
    let (mut left, mut right) =
        (io::BufReader::with_capacity(64 << 10, a.reader()), io::BufReader::with_capacity(64 << 10, b.reader()));
    let (mut x, mut y) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let common = a.len().min(b.len());
    let (mut at, mut run): (u64, Option<(u64, u64)>) = (0, None);
    while at < common {
        let n = usize::try_from(common - at).map_or(x.len(), |left| left.min(x.len()));
        let (Some(p), Some(q)) = (x.get_mut(..n), y.get_mut(..n)) else { break };
        left.read_exact(p)?;
        right.read_exact(q)?;
        if p == q && run.is_none() {
            at = at.saturating_add(n as u64);
            continue;
        }
        for (p, q) in p.iter().zip(&*q) {
            match (p == q, &mut run) {
                (true, None) => {}
                (true, Some(done)) => {
                    if bytes.runs.len() < RUNS {
                        bytes.runs.push(*done);
                    }
                    run = None;
                }
                (false, Some(run)) => run.1 = run.1.saturating_add(1),
                (false, none) => {
                    *none = Some((at, 1));
                    if starts.len() < SEARCHED
                        && starts.last().is_none_or(|last| at.saturating_sub(*last) > NEAR as u64)
                    {
                        starts.push(at);
                    }
                }
            }
            bytes.differing = bytes.differing.saturating_add(u64::from(p != q));
            at = at.saturating_add(1);
        }
    }
    if let Some(run) = run.filter(|_| bytes.runs.len() < RUNS) {
        bytes.runs.push(run);
    }
    let first = bytes.runs.first().map_or(common, |(start, _)| *start);
    bytes.shown = (piece(a, first, SHOWN)?, piece(b, first, SHOWN)?);
    let window = |&start: &u64| {
        let from = start.saturating_sub(NEAR as u64);
        Ok((piece(a, from, 2 * NEAR)?, piece(b, from, 2 * NEAR)?))
    };
    let windows = starts.iter().map(window).collect::<io::Result<_>>()?;
    Ok((bytes, windows))
}

fn piece(content: &Slice, from: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut reader = content.reader();
    reader.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_elf(content: &Slice) -> bool {
    piece(content, 0, 4).is_ok_and(|start| start == b"\x7fELF")
}

/// Name, and where it stands in the file, if it has bytes there.
type Place = (String, (u64, u64));

fn places(content: &Slice) -> object::Result<Vec<Place>> {
    let cache = ReadCache::new(content.reader());
    let file = object::File::parse(&cache)?;
    let place = |section: object::Section<'_, '_, &ReadCache<_>>| {
        let name = String::from_utf8_lossy(section.name_bytes().unwrap_or_default()).into_owned();
        Some((name, section.file_range()?))
    };
    Ok(file.sections().take(SECTIONS).filter_map(place).collect())
}

/// Sections by their names, as their places move when one before them grows.
fn sections(a: &Slice, b: &Slice) -> Option<Vec<Section>> {
    let (left, mut right) = (places(a).ok()?, places(b).ok()?);
    let mut found = Vec::new();
    let mut budget = SECTION_BYTES;
    for (name, x) in left {
        let Some(at) = right.iter().position(|(other, _)| *other == name) else {
            found.push(Section { name, sizes: (Some(x.1), None) });
            continue;
        };
        let (_, y) = right.remove(at);
        budget = budget.saturating_sub(x.1);
        if x.1 != y.1 || (budget > 0 && !same(a, x, b, y)?) {
            found.push(Section { name, sizes: (Some(x.1), Some(y.1)) });
        }
    }
    found.extend(right.into_iter().map(|(name, y)| Section { name, sizes: (None, Some(y.1)) }));
    if found.is_empty() {
        found.push(Section { name: "headers".to_owned(), sizes: (None, None) });
    }
    Some(found)
}

fn same(a: &Slice, x: (u64, u64), b: &Slice, y: (u64, u64)) -> Option<bool> {
    let open = |content: &Slice, (from, size): (u64, u64)| {
        let mut reader = content.reader();
        reader.seek(SeekFrom::Start(from)).ok()?;
        Some(io::BufReader::with_capacity(64 << 10, reader.take(size)))
    };
    let (mut left, mut right) = (open(a, x)?, open(b, y)?);
    let (mut p, mut q) = ([0; 4096], [0; 4096]);
    loop {
        let n = crate::source::fill(&mut left, &mut p).ok()?;
        let m = crate::source::fill(&mut right, &mut q).ok()?;
        if p.get(..n) != q.get(..m) {
            return Some(false);
        }
        if n == 0 {
            return Some(true);
        }
    }
}
