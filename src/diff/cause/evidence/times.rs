//! What the times of entries tell of how they came to be.

use super::count;
use crate::diff::{Cause, Which};

/// First and last of some instants.
#[derive(Default, Clone, Copy)]
struct Span(Option<(i64, i64)>);

impl Span {
    fn add(&mut self, at: i64) {
        let (first, last) = self.0.unwrap_or((at, at));
        self.0 = Some((first.min(at), last.max(at)));
    }
}

/// The value that nearly all have, found in one pass (Boyer and Moore): each that differs from it takes one vote away.
#[derive(Default, Clone, Copy)]
struct Vote {
    value: i64,
    ahead: u64,
    /// How often it was seen since it stands; it may have been seen before.
    seen: u64,
    all: u64,
}

impl Vote {
    fn add(&mut self, value: i64) {
        count(&mut self.all);
        match () {
            () if self.ahead == 0 && (self.value != value || self.seen == 0) => {
                (self.value, self.ahead, self.seen) = (value, 1, 1);
            }
            () if self.value == value => {
                count(&mut self.ahead);
                count(&mut self.seen);
            }
            () => self.ahead = self.ahead.saturating_sub(1),
        }
    }

    /// The value of nine in ten at least.
    fn one(self) -> Option<i64> {
        (self.all > 0 && self.seen >= most(self.all)).then_some(self.value)
    }

    fn is_all(self) -> bool {
        self.seen == self.all
    }
}

/// Nine in ten, rounded up.
fn most(n: u64) -> u64 {
    n.saturating_sub(n / 10)
}

#[derive(Default)]
pub(super) struct Times {
    differing: u64,
    later: u64,
    all: (Vote, Vote),
    /// Of those that differ.
    apart: (Span, Span),
    votes: (Vote, Vote),
    shift: Vote,
}

impl Times {
    /// The times of one path, equal or not.
    pub(super) fn pair(&mut self, a: i64, b: i64) {
        self.all.0.add(a);
        self.all.1.add(b);
        if a != b {
            self.differ(a, b);
        }
    }

    fn differ(&mut self, a: i64, b: i64) {
        count(&mut self.differing);
        self.apart.0.add(a);
        self.apart.1.add(b);
        self.votes.0.add(a);
        self.votes.1.add(b);
        if b > a {
            count(&mut self.later);
        }
        self.shift.add(b.saturating_sub(a));
    }

    /// A pattern may be broken by a few entries, as those of an archive keep the times that they have there.
    pub(super) fn cause(&self, pairs: u64) -> Option<(Cause, u64)> {
        let n = self.differing;
        if n == 0 {
            return None;
        }
        // One entry, or a few of many, show no pattern.
        let pattern = n >= 2 && n.saturating_mul(2) >= pairs;
        let earlier = n.saturating_sub(self.later);
        let cause = match (self.all.0.one(), self.all.1.one(), self.shift.one()) {
            _ if !pattern => Cause::Times,
            (Some(a), Some(b), _) if a != b => {
                Cause::SourceDateEpoch(a, b, !(self.all.0.is_all() && self.all.1.is_all()))
            }
            (None, _, Some(shift)) if n >= most(pairs) && shift % 900 == 0 && shift.abs() <= 26 * 3600 => {
                Cause::TimeZone(shift, !self.shift.is_all() || n < pairs)
            }
            _ if self.votes.0.one().is_some() && self.later >= most(n) => {
                self.built(Which::B, self.later == pairs && self.votes.0.is_all())
            }
            _ if self.votes.1.one().is_some() && earlier >= most(n) => {
                self.built(Which::A, earlier == pairs && self.votes.1.is_all())
            }
            _ if self.later == n && self.is_after() => self.built(Which::B, n == pairs),
            _ => Cause::Times,
        };
        Some((cause, n))
    }

    /// Whether B was made when A was there already.
    fn is_after(&self) -> bool {
        matches!((self.apart.0.0, self.apart.1.0), (Some((_, last)), Some((first, _))) if first > last)
    }

    fn built(&self, which: Which, all: bool) -> Cause {
        let span = if which == Which::A { self.apart.0 } else { self.apart.1 };
        let (first, last) = span.0.unwrap_or_default();
        Cause::TimesNotNormalised { which, first, last, most: !all }
    }
}
