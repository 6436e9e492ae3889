//! Two texts, line by line.

use super::{ContentDifference, Detail, trace};
use crate::source::archive::Slice;
use imara_diff::{Algorithm, Diff, Hunk, InternedInput};
use std::io::Read;

/// Texts longer than this are compared as bytes.
const SIZE: u64 = 1 << 20;
/// Lines that are kept of a difference.
const LINES: usize = 200;
/// Bytes that are kept of a line.
const LINE: usize = 400;
/// Lines among which equal ones are searched for.
const SEARCHED: usize = 20_000;
/// Equal lines around a difference.
const AROUND: u32 = 3;

/// Lines that differ, as a unified diff has them: `@@ ... @@`, then lines that start with a space, `-` or `+`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    /// The lines, without their ends.
    pub lines: Vec<String>,
    /// How many more there are.
    pub omitted: usize,
}

impl Lines {
    fn push(&mut self, sign: char, line: &str) {
        if self.lines.len() >= LINES {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        let whole = line.strip_suffix('\n').unwrap_or(line);
        let mut end = whole.len().min(LINE);
        while !whole.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        let cut = if end < whole.len() { "..." } else { "" };
        self.lines.push(format!("{sign}{}{cut}", whole.get(..end).unwrap_or_default()));
        if whole.len() == line.len() && sign != '@' {
            self.lines.push("\\ no newline at the end".to_owned());
        }
    }
}

/// The text of a content, if it is one.
pub(super) fn text(content: &Slice) -> Option<String> {
    if content.len() > SIZE {
        return None;
    }
    let mut text = String::new();
    content.reader().read_to_string(&mut text).ok()?;
    (!text.contains('\0')).then_some(text)
}

pub(super) fn compare(a: &Slice, b: &Slice) -> Option<ContentDifference> {
    let (a, b) = (text(a)?, text(b)?);
    let (from, to): (Vec<&str>, Vec<&str>) = (a.split_inclusive('\n').collect(), b.split_inclusive('\n').collect());
    let hunks = hunks(&from, &to);
    let traces = trace::of_lines(&removed_and_added(&from, &to, &hunks));
    Some(ContentDifference { detail: Detail::Text(unified(&from, &to, hunks)), traces })
}

/// Hunks that are near each other are one.
fn unified(from: &[&str], to: &[&str], hunks: Vec<Hunk>) -> Lines {
    let mut lines = Lines::default();
    let mut groups: Vec<Vec<Hunk>> = Vec::new();
    for hunk in hunks {
        match groups.last_mut() {
            Some(group)
                if group.last().is_some_and(|l| hunk.before.start.saturating_sub(l.before.end) <= 2 * AROUND) =>
            {
                group.push(hunk);
            }
            _ => groups.push(vec![hunk]),
        }
    }
    let line = |all: &[&'_ str], n: u32| all.get(n as usize).map(|line| (*line).to_owned()).unwrap_or_default();
    for group in groups {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let lead = first.before.start.min(AROUND);
        let trail = (from.len() as u32).saturating_sub(last.before.end).min(AROUND);
        let range = |start: u32, end: u32| {
            format!("{},{}", start.saturating_add(u32::from(end > start)), end.saturating_sub(start))
        };
        let before = range(first.before.start.saturating_sub(lead), last.before.end.saturating_add(trail));
        let after = range(first.after.start.saturating_sub(lead), last.after.end.saturating_add(trail));
        lines.push('@', &format!("@ -{before} +{after} @@"));
        let mut at = first.before.start.saturating_sub(lead);
        for hunk in &group {
            (at..hunk.before.start).for_each(|n| lines.push(' ', &line(from, n)));
            hunk.before.clone().for_each(|n| lines.push('-', &line(from, n)));
            hunk.after.clone().for_each(|n| lines.push('+', &line(to, n)));
            at = hunk.before.end;
        }
        (at..at.saturating_add(trail)).for_each(|n| lines.push(' ', &line(from, n)));
    }
    lines
}

/// What differs between equal starts and ends. Of more lines than that, which only an attacker or a machine writes, all count
/// as other ones: the search takes time by their square at worst.
fn hunks(from: &[&str], to: &[&str]) -> Vec<Hunk> {
    let start = from.iter().zip(to).take_while(|(x, y)| x == y).count();
    let (x, y) = (from.get(start..).unwrap_or_default(), to.get(start..).unwrap_or_default());
    let end = x.iter().rev().zip(y.iter().rev()).take_while(|(x, y)| x == y).count();
    let (x, y) = (x.len().saturating_sub(end), y.len().saturating_sub(end));
    if x.max(y) > SEARCHED {
        let range = |length: usize| start as u32..start.saturating_add(length) as u32;
        return vec![Hunk { before: range(x), after: range(y) }];
    }
    let part = |all: &[&str], length: usize| -> Vec<String> {
        all.iter().skip(start).take(length).map(|line| (*line).to_owned()).collect()
    };
    let mut input = InternedInput::default();
    input.update_before(part(from, x).into_iter());
    input.update_after(part(to, y).into_iter());
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let moved =
        |range: std::ops::Range<u32>| range.start.saturating_add(start as u32)..range.end.saturating_add(start as u32);
    diff.hunks().map(|hunk| Hunk { before: moved(hunk.before), after: moved(hunk.after) }).collect()
}

/// Lines that took each other's place.
fn removed_and_added(from: &[&str], to: &[&str], hunks: &[Hunk]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for hunk in hunks {
        for (x, y) in hunk.before.clone().zip(hunk.after.clone()) {
            if let (Some(x), Some(y)) = (from.get(x as usize), to.get(y as usize))
                && pairs.len() < LINES
            {
                pairs.push(((*x).to_owned(), (*y).to_owned()));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unified(a: &str, b: &str) -> Lines {
        let (from, to): (Vec<&str>, Vec<&str>) = (a.split_inclusive('\n').collect(), b.split_inclusive('\n').collect());
        super::unified(&from, &to, hunks(&from, &to))
    }

    /// A long text of few different lines, against another one: it takes no longer than it may.
    #[test]
    fn no_quadratic_search() {
        let mut state = 1_u32;
        let mut text = |lines: usize| -> String {
            let mut line = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if state >> 31 == 0 { "a\n" } else { "b\n" }
            };
            (0..lines).map(|_| line()).collect()
        };
        let start = std::time::Instant::now();
        unified(&text(500_000), &text(500_000));
        unified(&text(SEARCHED), &text(SEARCHED));
        assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    }

    #[test]
    fn as_a_unified_diff() {
        let a: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        let b = a.replace("line 10\n", "line ten\n").replace("line 20\n", "line 20");
        assert_eq!(
            unified(&a, &b).lines,
            [
                "@@ -7,7 +7,7 @@",
                " line 7",
                " line 8",
                " line 9",
                "-line 10",
                "+line ten",
                " line 11",
                " line 12",
                " line 13",
                "@@ -17,4 +17,4 @@",
                " line 17",
                " line 18",
                " line 19",
                "-line 20",
                "+line 20",
                "\\ no newline at the end",
            ]
        );
        assert_eq!(unified("", "x\n").lines, ["@@ -0,0 +1,1 @@", "+x"]);
    }

    #[test]
    fn bounded() {
        let a: String = (0..50_000).map(|n| format!("{n}\n")).collect();
        let b: String = (0..50_000).rev().map(|n| format!("{n}{}\n", "x".repeat(10))).collect();
        let lines = unified(&a, &b);
        assert_eq!((lines.lines.len(), lines.omitted), (LINES, 100_001 - LINES));
        let long = unified("a\n", &"é".repeat(1000));
        assert!(long.lines.iter().all(|line| line.len() < 410));
    }
}
