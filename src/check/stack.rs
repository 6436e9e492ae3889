//! The layers of an image on top of each other: whether each finds below what it needs.

use super::fault::Fault;
use super::finding::{Findings, Place, Subject};
use super::shape::{Below, Kind, Shape, keys};
use crate::tree::EntryPath;
use std::collections::BTreeSet;

/// How often a layer is asked for a path, all images together, before it is enough: some seconds.
const QUESTIONS: usize = 20_000_000;

/// What was asked so far.
#[derive(Default)]
pub(super) struct Stack {
    asked: usize,
}

impl Stack {
    /// Judges the layers of one image, lowest first; a layer that could not be read is none.
    pub(super) fn judge(&mut self, layers: &[(Subject, Option<&Shape>)], findings: &mut Findings) {
        let mut below: Vec<&Shape> = Vec::new();
        for (subject, shape) in layers {
            // What is on top of an unknown layer cannot be judged.
            let Some(shape) = shape else { return };
            if shape.cut {
                findings.add(Place::whole(subject), Fault::Unfinished);
            }
            // Below what a lower layer made a symlink or a file, more cannot be said.
            let mut blocked: BTreeSet<&[u8]> = BTreeSet::new();
            for folder in &shape.implied {
                let Ok(path) = EntryPath::parse(folder) else { continue };
                if path.prefixes().any(|above| blocked.contains(above)) {
                    continue;
                }
                let Some(found) = self.find(&path, &below) else {
                    return findings.add(Place::whole(subject), Fault::Unfinished);
                };
                let fault = match found {
                    Below::Is(Kind::Folder | Kind::Implied) => continue,
                    Below::Is(kind @ (Kind::Symlink | Kind::File)) => {
                        blocked.insert(folder);
                        Fault::BelowLower { above: folder.to_vec(), symlink: kind == Kind::Symlink }
                    }
                    Below::Is(Kind::Whiteout) | Below::Nothing => Fault::NoParent,
                };
                findings.add(Place::entry(subject, folder), fault);
            }
            for (path, name) in &shape.whiteouts {
                if path.prefixes().any(|above| blocked.contains(above)) {
                    continue;
                }
                match self.find(path, &below) {
                    Some(Below::Nothing) => findings.add(Place::entry(subject, name), Fault::WhiteoutOfNothing),
                    Some(Below::Is(_)) => {}
                    None => return findings.add(Place::whole(subject), Fault::Unfinished),
                }
            }
            below.push(shape);
        }
    }

    /// What the layers below have at a path; none if too much was asked.
    fn find(&mut self, path: &EntryPath, below: &[&Shape]) -> Option<Below> {
        if below.is_empty() {
            return Some(Below::Nothing);
        }
        let prefixes: Vec<_> = keys(path).map(|(key, _)| key).collect();
        for shape in below.iter().rev() {
            self.asked += prefixes.len();
            if self.asked > QUESTIONS {
                return None;
            }
            if let Some(found) = shape.says(&prefixes) {
                return Some(found);
            }
        }
        Some(Below::Nothing)
    }
}
