//! What differing bytes look like: dates, and paths of a machine that builds.
//!
//! Only where both sides have one in the same place, and nothing else differs there.

mod date;

use date::date;

/// What differing bytes look like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trace {
    /// A date or a time, on both sides.
    Date(String, String),
    /// A path of a building machine, on both sides.
    Path(String, String),
    /// The build id of an ELF file.
    BuildId,
    /// The time of its source in a compiled Python file.
    CompiledPython,
    /// Times of an archive's members, or of a gzip header, by the format.
    MemberTimes(&'static str),
}

/// Traces that are kept of a file.
const TRACES: usize = 8;

pub(super) fn of_lines(pairs: &[(String, String)]) -> Vec<Trace> {
    let mut traces = Vec::new();
    for (a, b) in pairs {
        traces.extend(of_texts(a, b));
        if traces.len() >= TRACES {
            break;
        }
    }
    traces.dedup();
    traces
}

/// Texts that are equal but for a date or a path.
fn of_texts(a: &str, b: &str) -> Option<Trace> {
    let (dates, rest) = taken(a, date);
    let (others, other) = taken(b, date);
    if !dates.is_empty() && dates.len() == others.len() && rest == other {
        let (from, to) = dates.into_iter().zip(others).find(|(x, y)| x != y)?;
        return Some(Trace::Date(from, to));
    }
    let (paths, rest) = taken(a, path);
    let (others, other) = taken(b, path);
    if !paths.is_empty() && paths.len() == others.len() && rest == other {
        let (from, to) = paths.into_iter().zip(others).find(|(x, y)| x != y)?;
        return Some(Trace::Path(from, to));
    }
    None
}

/// Windows around bytes that differ: the printable texts in them.
pub(super) fn of_bytes(windows: &[(Vec<u8>, Vec<u8>)]) -> Vec<Trace> {
    let mut traces = Vec::new();
    for (a, b) in windows {
        let (x, y) = (printable(a), printable(b));
        for (x, y) in x.iter().zip(&y).filter(|(x, y)| x != y) {
            traces.extend(of_texts(x, y));
        }
        if traces.len() >= TRACES {
            break;
        }
    }
    traces.dedup();
    traces
}

fn printable(bytes: &[u8]) -> Vec<String> {
    let texts = bytes.split(|b| !matches!(b, b' '..=b'~'));
    texts.filter(|text| text.len() >= 8).map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

/// Takes out of a text all that `find` finds at a place, by its length; what is left has a NUL in each place.
fn taken(text: &str, find: fn(&str) -> Option<usize>) -> (Vec<String>, String) {
    let (mut found, mut rest) = (Vec::new(), String::new());
    let mut at = text;
    // Nothing starts within a word or a number.
    let mut fresh = true;
    while let Some(c) = at.chars().next() {
        let length = if fresh { find(at) } else { None };
        if let Some((hit, behind)) = length.and_then(|length| at.split_at_checked(length)) {
            found.push(hit.to_owned());
            rest.push('\0');
            (at, fresh) = (behind, true);
            continue;
        }
        rest.push(c);
        fresh = !c.is_alphanumeric();
        at = at.get(c.len_utf8()..).unwrap_or_default();
    }
    (found, rest)
}

/// Where programs are built, not where they are installed.
const PLACES: [&str; 12] = [
    "/home/",
    "/build/",
    "/builds/",
    "/tmp/",
    "/var/tmp/",
    "/root/",
    "/Users/",
    "/workspace/",
    "/usr/src/",
    "/go/src/",
    "/work/",
    "/mnt/",
];

/// The length of the path at the start of a text.
fn path(text: &str) -> Option<usize> {
    PLACES.iter().find(|place| text.starts_with(**place))?;
    let end = text.find(|c: char| c.is_whitespace() || c.is_control() || "\"'`:;,()[]{}<>|=".contains(c));
    Some(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (a, b) in [
            ("built 2026-11-20T10:00:00Z", "built 2026-11-21T10:00:00Z"),
            ("on Nov 20 2026 at noon", "on Nov 21 2026 at noon"),
            ("\"Fri Nov 20 10:11:12 UTC 2026\"", "\"Sat Nov 21 10:11:12 UTC 2026\""),
            ("time=1795132800;", "time=1795132801;"),
            ("10:11:12 x", "10:11:13 x"),
            ("Fri, 20 Nov 2026 10:00:00 +0000", "Sat, 21 Nov 2026 10:00:00 +0000"),
            ("by me, 20261120.", "by me, 20261121."),
            ("on 5 Nov 2026", "on 21 Dec 2026"),
        ] {
            assert!(matches!(of_texts(a, b), Some(Trace::Date(..))), "{a}");
        }
        for (a, b) in [
            ("built 2026-11-20", "built today"),
            ("v 2026-11-20 a", "v 2026-11-21 b"),
            ("sum 17951328001", "sum 17951328002"),
            ("xyz 20 2026", "xyz 21 2026"),
            ("serial 1234", "serial 1235"),
        ] {
            assert_eq!(of_texts(a, b), None, "{a}");
        }
    }

    #[test]
    fn paths() {
        let found = of_texts("src=\"/home/ann/x.c\" 1", "src=\"/home/bob/y/x.c\" 1");
        assert_eq!(found, Some(Trace::Path("/home/ann/x.c".to_owned(), "/home/bob/y/x.c".to_owned())));
        assert_eq!(of_texts("/usr/bin/a", "/usr/bin/b"), None);
        assert_eq!(of_texts("x/home/a", "x/home/b"), None);
    }

    #[test]
    fn in_bytes() {
        let window = |text: &str| [b"\0\x01\xff", text.as_bytes(), b"\0abc\0"].concat();
        let windows = [(window("Nov 20 2026"), window("Nov 21 2026"))];
        assert_eq!(of_bytes(&windows), [Trace::Date("Nov 20 2026".to_owned(), "Nov 21 2026".to_owned())]);
    }
}
