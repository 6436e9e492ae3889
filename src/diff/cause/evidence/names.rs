//! Names of owners, and folders that hold what only one side has.

use super::{count, lossy};
use crate::diff::{Cause, Which};

/// Paths that one side has.
#[derive(Default)]
pub(super) struct Only {
    count: u64,
    folder: Option<Vec<u8>>,
}

impl Only {
    /// The deepest folder that holds all of them, and how many they are.
    pub(super) fn folder(self) -> Option<(Vec<u8>, u64)> {
        Some((self.folder?, self.count))
    }

    pub(super) fn add(&mut self, path: &[u8]) {
        self.count = self.count.saturating_add(1);
        let parent = path.iter().rposition(|&b| b == b'/').and_then(|at| path.get(..at)).unwrap_or_default();
        let Some(folder) = &mut self.folder else {
            self.folder = Some(parent.to_vec());
            return;
        };
        while !(parent.starts_with(folder) && matches!(parent.get(folder.len()), None | Some(b'/'))
            || folder.is_empty())
        {
            let end = folder.iter().rposition(|&b| b == b'/').unwrap_or(0);
            folder.truncate(end);
        }
    }
}

#[derive(Default)]
pub(super) struct Names {
    differing: u64,
    only_a: u64,
    only_b: u64,
    example: Option<(String, String)>,
}

/// Names of a user and a group.
type Pair = (Vec<u8>, Vec<u8>);

impl Names {
    pub(super) fn differ(&mut self, a: &Pair, b: &Pair) {
        count(&mut self.differing);
        let empty = |(user, group): &Pair| user.is_empty() && group.is_empty();
        match (empty(a), empty(b)) {
            (true, false) => count(&mut self.only_b),
            (false, true) => count(&mut self.only_a),
            _ => {}
        }
        let (user, group) = if empty(b) { a } else { b };
        self.example.get_or_insert_with(|| (lossy(user), lossy(group)));
    }

    pub(super) fn cause(self) -> Option<(Cause, u64)> {
        let (user, group) = self.example?;
        let which = match self.differing {
            n if n == self.only_b => Some(Which::B),
            n if n == self.only_a => Some(Which::A),
            _ => None,
        };
        Some((Cause::OwnerNames { which, user, group }, self.differing))
    }
}
