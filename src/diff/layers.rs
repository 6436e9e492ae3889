//! The layers of two manifests: which belong together, and how those differ.

use super::cause::Evidence;
use super::entries::{TarDifference, Wanted, compare};
use super::scan::{Scan, scan};
use super::{Context, DiffError, Encoding, Layers, Side, Which, content};
use crate::transport::Layer;
use std::io::{ErrorKind, Read};

/// Two layers that belong together, or one that is alone; numbers count from 0.
#[derive(Debug, Clone)]
pub struct LayerDifference {
    /// Which layer of the first.
    pub a: Option<usize>,
    /// Which layer of the second.
    pub b: Option<usize>,
    /// How they differ.
    pub change: LayerChange,
}

/// How two layers differ.
#[derive(Debug, Clone)]
pub enum LayerChange {
    /// Not at all.
    Same,
    /// The same tar, compressed in another way; none where a blob cannot be read.
    Recompressed(Option<Encoding>, Option<Encoding>),
    /// Another tar.
    Tar(Box<TarDifference>),
    /// Only one image has it.
    OneSided {
        /// How many entries it has.
        entries: u64,
        /// Bytes of the files in it.
        bytes: u64,
    },
    /// A layer cannot be read to its end, or is not what its diff_id says.
    Unreadable {
        /// Whose.
        which: Which,
        /// Why.
        why: String,
    },
}

/// A pair of manifests of one platform.
pub(super) struct Pair<'a> {
    pub(super) a: (Side<'a>, usize),
    pub(super) b: (Side<'a>, usize),
}

impl Pair<'_> {
    /// Compares all layers; what tells of causes goes to `evidence`.
    pub(super) fn layers(&self, context: &Context, evidence: &mut Evidence) -> Result<Vec<LayerDifference>, DiffError> {
        let of = |(side, manifest): (Side<'_>, usize)| -> Vec<Layer> {
            side.image.manifests.get(manifest).map(|manifest| manifest.layers.clone()).unwrap_or_default()
        };
        let (left, right) = (of(self.a), of(self.b));
        let mut differences = Vec::new();
        for (a, b) in pairs(&left, &right) {
            context.check()?;
            let (x, y) = (a.and_then(|a| left.get(a)), b.and_then(|b| right.get(b)));
            let change = match (a.zip(x), b.zip(y)) {
                (Some((a, x)), Some((b, y))) => self.pair((a, x), (b, y), context, evidence)?,
                (Some((a, _)), None) => one_sided(self.a, a, Which::A, context),
                (None, Some((b, _))) => one_sided(self.b, b, Which::B, context),
                (None, None) => continue,
            };
            context.check()?;
            differences.push(LayerDifference { a, b, change });
        }
        Ok(differences)
    }

    fn pair(
        &self,
        (a, x): (usize, &Layer),
        (b, y): (usize, &Layer),
        context: &Context,
        evidence: &mut Evidence,
    ) -> Result<LayerChange, DiffError> {
        if x.descriptor.digest == y.descriptor.digest {
            let why = || format!("its blob is that of A, whose diff_id is {}, and not {}", x.diff_id, y.diff_id);
            return Ok(match x.diff_id == y.diff_id {
                true => LayerChange::Same,
                false => LayerChange::Unreadable { which: Which::B, why: why() },
            });
        }
        if x.diff_id == y.diff_id {
            if let Some(why) = if context.prove { broken(self.b, b, context)? } else { None } {
                return Ok(LayerChange::Unreadable { which: Which::B, why });
            }
            let change = (encoding(self.a, a, x), encoding(self.b, b, y));
            evidence.encodings(&change.0, &change.1);
            return Ok(LayerChange::Recompressed(change.0, change.1));
        }
        let (from, to) = std::thread::scope(|threads| {
            let other = threads.spawn(|| read(self.b, b, context));
            let from = read(self.a, a, context);
            (from, other.join().unwrap_or_else(|_| Err("the thread that read it is gone".to_owned())))
        });
        let (from, to) = match (from, to) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(why), _) => return Ok(LayerChange::Unreadable { which: Which::A, why }),
            (_, Err(why)) => return Ok(LayerChange::Unreadable { which: Which::B, why }),
        };
        let (mut tar, wanted) = compare(&from, &to, (a, b) == (0, 0), context, evidence)?;
        // Contents are read from the layers again.
        drop((from, to));
        self.contents(&mut tar, wanted, (a, b), context)?;
        evidence.contents(&tar);
        if let (Some(from), Some(to)) = (encoding(self.a, a, x), encoding(self.b, b, y))
            && from.differs(&to)
        {
            evidence.encodings(&Some(from), &Some(to));
        }
        Ok(LayerChange::Tar(Box::new(tar)))
    }

    /// Compares what is in the files that differ.
    fn contents(
        &self,
        tar: &mut TarDifference,
        wanted: Vec<Wanted>,
        (a, b): (usize, usize),
        context: &Context,
    ) -> Result<(), DiffError> {
        let (x, y) = (|| self.a.0.layers.tar(self.a.1, a), || self.b.0.layers.tar(self.b.1, b));
        content::compare(&x, &y, wanted, tar, context)
    }
}

fn read((side, manifest): (Side<'_>, usize), layer: usize, context: &Context) -> Result<Scan, String> {
    let tar = side.layers.tar(manifest, layer).map_err(|error| error.to_string())?;
    let stored = side.image.manifests.get(manifest).and_then(|manifest| manifest.layers.get(layer));
    scan(tar, stored.map_or(0, |layer| layer.descriptor.size), &context.limits, context.interrupt)
}

/// What is wrong with a layer, read to its end.
fn broken((side, manifest): (Side<'_>, usize), layer: usize, context: &Context) -> Result<Option<String>, DiffError> {
    let mut tar = match side.layers.tar(manifest, layer) {
        Ok(tar) => tar,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let mut buffer = vec![0; 64 << 10];
    loop {
        context.check()?;
        match tar.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Ok(Some(error.to_string())),
        }
    }
}

fn one_sided(side: (Side<'_>, usize), layer: usize, which: Which, context: &Context) -> LayerChange {
    match read(side, layer, context) {
        Ok(scan) => LayerChange::OneSided { entries: scan.entries.len() as u64, bytes: scan.bytes() },
        Err(why) => LayerChange::Unreadable { which, why },
    }
}

fn encoding((side, manifest): (Side<'_>, usize), number: usize, layer: &Layer) -> Option<Encoding> {
    let layers: &dyn Layers = side.layers;
    let mut blob = layers.blob(manifest, number).ok()??;
    Encoding::of(&mut *blob, layer.descriptor.size).ok()
}

/// Cells of the table of common subsequences: 2000 layers against 2000.
const TABLE: usize = 4_000_000;

/// Which layers belong together: those with one diff_id (as many as can be, in order), and what lies between them in order.
fn pairs(a: &[Layer], b: &[Layer]) -> Vec<(Option<usize>, Option<usize>)> {
    let mut all = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (x, y) in common(a, b).into_iter().chain([(a.len(), b.len())]) {
        between(i..x, j..y, &mut all);
        if x < a.len() {
            all.push((Some(x), Some(y)));
        }
        (i, j) = (x.saturating_add(1), y.saturating_add(1));
    }
    all
}

fn between(a: std::ops::Range<usize>, b: std::ops::Range<usize>, all: &mut Vec<(Option<usize>, Option<usize>)>) {
    let (mut a, mut b) = (a, b);
    loop {
        match (a.next(), b.next()) {
            (None, None) => return,
            pair => all.push(pair),
        }
    }
}

/// The longest common subsequence of the diff_ids. Of lists that only an attacker makes so long, the common start.
fn common(a: &[Layer], b: &[Layer]) -> Vec<(usize, usize)> {
    let same = |x: usize, y: usize| matches!((a.get(x), b.get(y)), (Some(x), Some(y)) if x.diff_id == y.diff_id);
    let start = (0..a.len().min(b.len())).take_while(|&n| same(n, n)).count();
    let mut found: Vec<(usize, usize)> = (0..start).map(|n| (n, n)).collect();
    let (height, width) = (a.len().saturating_sub(start), b.len().saturating_sub(start));
    if height.saturating_add(1).saturating_mul(width.saturating_add(1)) > TABLE {
        return found;
    }
    let row = width.saturating_add(1);
    // The length of what is common to what stands from (x, y) on.
    let mut table = vec![0_u32; height.saturating_add(1).saturating_mul(row)];
    let at = |x: usize, y: usize| x.saturating_mul(row).saturating_add(y);
    for x in (0..height).rev() {
        for y in (0..width).rev() {
            let cell = |x, y| table.get(at(x, y)).copied().unwrap_or_default();
            let best = match same(start.saturating_add(x), start.saturating_add(y)) {
                true => cell(x.saturating_add(1), y.saturating_add(1)).saturating_add(1),
                false => cell(x.saturating_add(1), y).max(cell(x, y.saturating_add(1))),
            };
            if let Some(cell) = table.get_mut(at(x, y)) {
                *cell = best;
            }
        }
    }
    let cell = |x, y| table.get(at(x, y)).copied().unwrap_or_default();
    let (mut x, mut y) = (0, 0);
    while x < height && y < width {
        if same(start.saturating_add(x), start.saturating_add(y)) {
            found.push((start.saturating_add(x), start.saturating_add(y)));
            (x, y) = (x.saturating_add(1), y.saturating_add(1));
        } else if cell(x.saturating_add(1), y) >= cell(x, y.saturating_add(1)) {
            x = x.saturating_add(1);
        } else {
            y = y.saturating_add(1);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::{Descriptor, Digest};

    fn layers(names: &str) -> Vec<Layer> {
        let digest = |c: char| Digest::of(c.to_string().as_bytes());
        names.chars().map(|c| Layer { descriptor: Descriptor::new("", digest(c), 1), diff_id: digest(c) }).collect()
    }

    fn paired(a: &str, b: &str) -> String {
        let name = |of: &str, n: Option<usize>| n.map_or('-', |n| of.chars().nth(n).unwrap());
        pairs(&layers(a), &layers(b)).iter().map(|&(x, y)| format!("{}{} ", name(a, x), name(b, y))).collect()
    }

    #[test]
    fn layers_that_belong_together() {
        assert_eq!(paired("abc", "abc"), "aa bb cc ");
        assert_eq!(paired("abc", "xbc"), "ax bb cc ");
        assert_eq!(paired("abc", "bc"), "a- bb cc ");
        assert_eq!(paired("abc", "abxyc"), "aa bb -x -y cc ");
        assert_eq!(paired("ab", "xy"), "ax by ");
        assert_eq!(paired("", "a"), "-a ");
        assert_eq!(paired("abcd", "bxd"), "a- bb cx dd ");
    }
}
