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

    fn one(self) -> Option<i64> {
        self.0.filter(|(first, last)| first == last).map(|(first, _)| first)
    }
}

#[derive(Default)]
pub(super) struct Times {
    differing: u64,
    later: u64,
    a: Span,
    b: Span,
    /// Of those that differ.
    apart: (Span, Span),
    shift: Span,
}

impl Times {
    /// The times of one path, equal or not.
    pub(super) fn pair(&mut self, a: i64, b: i64) {
        self.a.add(a);
        self.b.add(b);
        if a != b {
            self.differ(a, b);
        }
    }

    fn differ(&mut self, a: i64, b: i64) {
        count(&mut self.differing);
        self.apart.0.add(a);
        self.apart.1.add(b);
        if b > a {
            count(&mut self.later);
        }
        self.shift.add(b.saturating_sub(a));
    }

    pub(super) fn cause(&self, pairs: u64) -> Option<(Cause, u64)> {
        let n = self.differing;
        if n == 0 {
            return None;
        }
        // One entry, or a few of many, show no pattern.
        let pattern = n >= 2 && n.saturating_mul(2) >= pairs;
        let cause = match (self.a.one(), self.b.one(), self.shift.one()) {
            _ if !pattern => Cause::Times,
            (Some(a), Some(b), _) => Cause::SourceDateEpoch(a, b),
            (None, _, Some(shift)) if n == pairs && shift % 900 == 0 && shift.abs() <= 26 * 3600 => {
                Cause::TimeZone(shift)
            }
            (Some(_), _, _) if self.later == n => self.built(Which::B),
            (_, Some(_), _) if self.later == 0 => self.built(Which::A),
            _ if self.later == n && self.is_after() => self.built(Which::B),
            _ => Cause::Times,
        };
        Some((cause, n))
    }

    /// Whether B was made when A was there already.
    fn is_after(&self) -> bool {
        matches!((self.apart.0.0, self.apart.1.0), (Some((_, last)), Some((first, _))) if first > last)
    }

    fn built(&self, which: Which) -> Cause {
        let span = if which == Which::A { self.apart.0 } else { self.apart.1 };
        let (first, last) = span.0.unwrap_or_default();
        Cause::TimesNotNormalised { which, first, last }
    }
}
