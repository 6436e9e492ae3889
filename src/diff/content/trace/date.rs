//! Dates and times as programs write them: words such as `Fri`, `20`, `Nov`, `10:00:00`, `UTC`, in any order.

const MONTHS: [&str; 24] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
];
const DAYS: [&str; 14] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Mon",
    "Tue",
    "Wed",
    "Thu",
    "Fri",
    "Sat",
    "Sun",
];
const ZONES: [&str; 18] = [
    "AM", "PM", "UTC", "GMT", "CEST", "CET", "BST", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT", "JST",
    "IST", "Z",
];
/// `9` is a digit, anything else itself.
const DATES: [&str; 3] = ["9999-99-99", "9999/99/99", "99.99.9999"];
const TIMES: [&str; 2] = ["99:99:99", "99:99"];
const OFFSETS: [&str; 2] = ["+99:99", "+9999"];
/// What may stand between two words; and nothing.
const BETWEEN: [&str; 6] = [", ", "  ", " ", "T", ",", ""];

/// One part of a date; each comes once.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Date,
    Time,
    Clock,
    Weekday,
    Month,
    Day,
    Year,
    Zone,
    Half,
}

/// The length of the date at the start of a text.
pub(super) fn date(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    // Seconds since 1970, from 2001 to 2033.
    if digits == 10 && text.starts_with('1') {
        return Some(10);
    }
    if matches!(digits, 8 | 12 | 14) {
        return compact(text).then_some(digits);
    }
    let (mut words, mut end) = (Vec::new(), 0_usize);
    while let Some((word, to)) = next(text, end, &words) {
        words.push(word);
        end = to;
    }
    let has = |all: &[Word]| all.iter().all(|word| words.contains(word));
    let is_date = has(&[Word::Date])
        || has(&[Word::Time])
        || has(&[Word::Month, Word::Day, Word::Year])
        || has(&[Word::Month, Word::Day, Word::Clock]);
    is_date.then_some(end)
}

/// The word behind `from` and what is between, and where it ends.
fn next(text: &str, from: usize, words: &[Word]) -> Option<(Word, usize)> {
    let rest = text.get(from..)?;
    let between = BETWEEN.iter().filter(|between| rest.starts_with(**between) && (between.is_empty() || from > 0));
    let clock = words.iter().any(|word| matches!(word, Word::Time | Word::Clock));
    between.filter(|b| **b != "T" || words.last() == Some(&Word::Date)).find_map(|between| {
        let start = from.saturating_add(between.len());
        let rest = text.get(start..)?;
        let (word, length) = word(rest, clock)?;
        // Only a zone may follow without anything between, as in 10:00:00Z.
        let joined = between.is_empty() && from > 0 && word != Word::Zone;
        (!joined && !words.contains(&word)).then(|| (word, start.saturating_add(length)))
    })
}

/// The word at the start of a text, and its length. A zone comes behind a time.
fn word(text: &str, clock: bool) -> Option<(Word, usize)> {
    let form = |forms: &[&str]| forms.iter().find(|form| fits(text, form)).map(|form| form.len());
    let name = |names: &[&str]| {
        let name = names.iter().find(|name| text.starts_with(**name) && ends(text, name.len(), char::is_alphanumeric));
        name.map(|name| name.len())
    };
    let fraction = |length: usize| {
        let digits = text.get(length..).and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
        match digits.bytes().take_while(u8::is_ascii_digit).count() {
            0 => length,
            n => length.saturating_add(n).saturating_add(1),
        }
    };
    if let Some(length) = form(&DATES) {
        return Some((Word::Date, length));
    }
    if let Some(length) = form(&TIMES) {
        return Some(if length == 8 { (Word::Time, fraction(length)) } else { (Word::Clock, length) });
    }
    if let Some(length) = name(&MONTHS) {
        return Some((Word::Month, length));
    }
    if let Some(length) = name(&DAYS) {
        return Some((Word::Weekday, length));
    }
    if let Some(length) = name(&ZONES).filter(|_| clock) {
        let half = text.starts_with("AM") || text.starts_with("PM");
        return Some((if half { Word::Half } else { Word::Zone }, length));
    }
    if let Some(length) = form(&OFFSETS).filter(|_| clock) {
        return Some((Word::Zone, length));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u32 = text.get(..digits)?.parse().ok()?;
    let number = (digits, number, ends(text, digits, char::is_alphanumeric));
    match number {
        (4, 1970..2100, true) => Some((Word::Year, 4)),
        (1 | 2, 1..=31, true) => Some((Word::Day, digits)),
        _ => None,
    }
}

fn fits(text: &str, form: &str) -> bool {
    let mut chars = text.chars();
    let same = form.chars().all(|f| {
        chars.next().is_some_and(|c| match f {
            '9' => c.is_ascii_digit(),
            '+' => c == '+' || c == '-',
            f => f == c,
        })
    });
    same && ends(text, form.len(), |c| c.is_ascii_digit())
}

/// Whether no such character stands behind the first `length` bytes.
fn ends(text: &str, length: usize, more: fn(char) -> bool) -> bool {
    text.get(length..).is_some_and(|rest| !rest.chars().next().is_some_and(more))
}

/// `20261120`, and a time behind it.
fn compact(digits: &str) -> bool {
    let number = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let is = |from, to, range: std::ops::RangeInclusive<u32>| number(from, to).is_some_and(|n| range.contains(&n));
    is(0, 4, 1980..=2099) && is(4, 6, 1..=12) && is(6, 8, 1..=31) && ends(digits, 8, char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn in_all_forms() {
        for text in [
            "Fri, 20 Nov 2026 10:00:00 +0000",
            "Fri 20 Nov 2026 10:00:00 AM UTC",
            "Fri Nov 20 10:00:00 UTC 2026",
            "Fri Nov  6 10:00:00 2026",
            "20 Nov 2026",
            "20 November 2026",
            "Nov 6, 2026",
            "Nov  6 2026",
            "20261120",
            "20261120100000",
            "2026-11-20",
            "2026-11-20T10:00:00Z",
            "2026-11-20T10:00:00.123456+01:00",
            "2026-11-20 10:00 UTC",
            "2026/11/20",
            "20.11.2026",
            "10:00:00",
            "1795132800",
        ] {
            assert_eq!(date(text), Some(text.len()), "{text}");
            assert_eq!(date(&format!("{text} by x")), Some(text.len()), "{text}");
        }
        for text in
            ["20", "2026", "Nov", "Nov 2026", "20 Mayors 2026", "10:00", "20269920", "123456789", "1.2.3", "Fri", ""]
        {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
