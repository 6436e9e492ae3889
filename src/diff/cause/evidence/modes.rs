//! What permission bits tell of the umask they were made under.

use super::count;
use crate::diff::{Cause, Which};

/// Umasks that people set.
const MASKS: [u32; 9] = [0o000, 0o002, 0o007, 0o022, 0o026, 0o027, 0o037, 0o066, 0o077];
/// The umask that nearly everybody has.
const USUAL: u32 = 0o022;

#[derive(Default)]
pub(super) struct Modes {
    differing: u64,
    /// For each mask.
    masks: [Mask; MASKS.len()],
}

/// How many modes a mask explains, if A had it, and if B had it.
#[derive(Default, Clone, Copy)]
struct Mask {
    /// One is what programs ask for under this mask, the other that under the usual one.
    asked: (u64, u64),
    /// It took bits away.
    taken: (u64, u64),
    /// Equal modes that it would have changed.
    spared: u64,
}

impl Modes {
    /// Bits that give rights are told elsewhere.
    pub(super) fn add(&mut self, a: u32, b: u32) {
        let (a, b) = (a & 0o777, b & 0o777);
        if a != b {
            count(&mut self.differing);
        }
        let asked = if (a | b) & 0o111 == 0 { 0o666 } else { 0o777 };
        for (mask, fits) in MASKS.iter().zip(&mut self.masks) {
            if a == b {
                fits.spared = fits.spared.saturating_add(u64::from(a & mask != 0));
                continue;
            }
            let is_asked = |other: u32, mode: u32| other == asked & !USUAL && mode == asked & !mask;
            let add = |n: &mut u64, fits: bool| *n = n.saturating_add(u64::from(fits));
            add(&mut fits.asked.0, is_asked(b, a));
            add(&mut fits.asked.1, is_asked(a, b));
            add(&mut fits.taken.0, a == b & !mask);
            add(&mut fits.taken.1, b == a & !mask);
        }
    }

    pub(super) fn cause(&self) -> Option<(Cause, u64)> {
        let n = self.differing;
        if n == 0 {
            return None;
        }
        let find = |which: Which, fits: &dyn Fn(&Mask) -> u64| {
            let all = MASKS.iter().zip(&self.masks);
            let (mask, _) = { all }.find(|(_, mask)| n >= 2 && fits(mask) == n && mask.spared <= n)?;
            Some(Cause::Umask { which, mask: *mask })
        };
        // The stricter pattern first.
        let cause = find(Which::B, &|mask| mask.asked.1)
            .or_else(|| find(Which::A, &|mask| mask.asked.0))
            .or_else(|| find(Which::B, &|mask| mask.taken.1))
            .or_else(|| find(Which::A, &|mask| mask.taken.0));
        Some((cause.unwrap_or(Cause::Modes), n))
    }
}
