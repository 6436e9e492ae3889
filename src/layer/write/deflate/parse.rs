//! Bytes to tokens: the nearest match, made better from behind its end.
//!
//! A match is better if it goes on where this one ends. So the places are asked that have the four bytes around the end,
//! of which the last is the one that this match lacks: there are few of them, where those with the bytes at the start
//! are many. Each is also a candidate for a match that starts a byte or two later, so that what others call lazy
//! evaluation comes with it.

use super::WINDOW;
use super::links::Links;
use super::ring::Ring;
use super::token::{MAX, MIN, Span, Tokens};

// Edition 2026: every constant here.
/// Places that are asked for each better match; for the first one it is one place.
const DEPTH: usize = 3;
/// A match of this length is taken as it is.
const NICE: usize = 64;
/// A match of three bytes from further back costs more than three literals.
const NEAR: u16 = 4096;
/// After so many literals in a row (as a shift) a place is left out, after twice as many two, but never more than `LEAP`.
const PATIENCE: u32 = 8;
const LEAP: usize = 15;
/// What a match that starts later has to be better by, for each literal that this takes.
const LATER: [i32; 3] = [0, 2, 6];

#[derive(Clone, Copy)]
struct Match {
    length: usize,
    /// Distance less 1.
    back: u16,
}

impl Match {
    /// The worth of a match in about quarters of a byte: a bit of distance costs what a quarter of a byte saves.
    #[inline(always)]
    fn worth(self) -> i32 {
        let distance = u32::from(self.back).wrapping_add(1);
        4i32.wrapping_mul(self.length as i32).wrapping_sub(distance.ilog2() as i32)
    }
}

/// Parses the bytes of `span` into `tokens`, and says which byte comes next.
#[inline(never)]
pub fn parse(links: &mut Links, ring: &Ring, span: Span, tokens: &mut Tokens) -> usize {
    // Behind the last place of a shortest match all are literals.
    let limit = span.limit.min(span.end.saturating_sub(MIN - 1));
    let mut at = span.at;
    while at < limit {
        let max = MAX.min(span.end.wrapping_sub(at));
        let Some(mut best) = nearest(links, ring, at, max) else {
            // The longer there was nothing, the less is to be expected.
            at = at.wrapping_add(1).wrapping_add((tokens.run(at) >> PATIENCE).min(LEAP));
            continue;
        };
        while best.length < NICE && at < limit {
            let max = MAX.min(span.end.wrapping_sub(at));
            if best.length >= max {
                break;
            }
            let Some((later, better)) = better(links, ring, at, max, best) else { break };
            at = at.wrapping_add(later);
            best = better;
        }
        tokens.add(at, best.length, best.back);
        let next = at.wrapping_add(best.length);
        // Of the bytes of a match two are enough: matches of three begin where others begin or end.
        for at in [at.wrapping_add(1), next.wrapping_sub(1)] {
            links.note(at as u16, ring.four(at as u16));
        }
        at = next;
    }
    at
}

/// A match of at least four bytes with the latest place that has them, else one of three.
#[inline(always)]
fn nearest(links: &mut Links, ring: &Ring, at: usize, max: usize) -> Option<Match> {
    let place = at as u16;
    let reach = at.min(WINDOW) as u16;
    let here = ring.eight(place);
    let three = links.note(place, here as u32);
    let candidate = links.four(place);
    let back = place.wrapping_sub(candidate).wrapping_sub(1);
    let differ = ring.eight(candidate) ^ here;
    // Both are asked at once, here and below: a guess at each would often be wrong.
    if (back < reach) & (differ as u32 == 0) {
        let length = match differ {
            0 => ring.common(8, candidate, place, max),
            _ => max.min((differ.trailing_zeros() / 8) as usize),
        };
        return Some(Match { length, back });
    }
    let back = place.wrapping_sub(three).wrapping_sub(1);
    let same = (ring.four(three) ^ here as u32) << 8 == 0;
    ((back < reach.min(NEAR)) & same).then_some(Match { length: MIN, back })
}

/// The first match found that is better than `this` one at `at`, and how many bytes later it starts.
#[inline(always)]
fn better(links: &Links, ring: &Ring, at: usize, max: usize, this: Match) -> Option<(usize, Match)> {
    let start = at as u16;
    let reach = at.min(WINDOW) as u16;
    let offset = this.length.wrapping_sub(3).max(1) as u16;
    let place = start.wrapping_add(offset);
    let (head, tail) = (ring.eight(start), ring.four(place));
    let worth = this.worth();
    let mut candidate = links.four(place);
    let mut back = place.wrapping_sub(candidate).wrapping_sub(1);
    let mut left = DEPTH;
    while back < reach {
        let from = candidate.wrapping_sub(offset);
        let differ = ring.eight(from) ^ head;
        let (zero, one) = (differ as u32 == 0, (differ >> 8) as u32 == 0);
        let two = ((differ >> 16) as u32 == 0) & (offset >= 2);
        if (zero | one | two) & (ring.four(candidate) == tail) {
            let later = if zero { 0 } else { 2 - usize::from(one) };
            let skip = later as u16;
            let max = max.wrapping_sub(later);
            let length = ring.common(4, from.wrapping_add(skip), start.wrapping_add(skip), max);
            let better = Match { length, back };
            let longer = later == 0 && length > this.length;
            if longer || better.worth() > worth.wrapping_add(LATER[later]) {
                return Some((later, better));
            }
        }
        left = left.wrapping_sub(1);
        candidate = links.four(candidate);
        let next = place.wrapping_sub(candidate).wrapping_sub(1);
        // A link that leads out of the ring looks as if it led forward.
        if left == 0 || next <= back {
            return None;
        }
        back = next;
    }
    None
}
