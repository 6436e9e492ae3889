//! Instants and durations, as text.

use super::{Created, Diagnostic, Mtime};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// `"git"`, or an instant.
pub(super) fn created(text: &str) -> Result<Created, Diagnostic> {
    if text == "git" { Ok(Created::Git) } else { instant(text, "git").map(Created::Instant) }
}

/// `"created"`, or an instant.
pub(super) fn mtime(text: &str) -> Result<Mtime, Diagnostic> {
    if text == "created" { Ok(Mtime::Created) } else { instant(text, "created").map(Mtime::Instant) }
}

/// Seconds since 1970-01-01T00:00:00Z of an RFC 3339 text.
fn instant(text: &str, word: &str) -> Result<i64, Diagnostic> {
    let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        let mistake = Diagnostic::new(format!("`{text}` is no instant"));
        if OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339).is_ok() {
            return mistake.help(format!("it needs an offset from UTC: {text}Z"));
        }
        mistake.help(format!("write it as RFC 3339 says, \"2026-11-20T00:00:00Z\", or write \"{word}\""))
    })?;
    if instant.nanosecond() != 0 {
        return Err(Diagnostic::new(format!("`{text}` is not a whole second")));
    }
    let seconds = instant.unix_timestamp();
    // 9999-12-31T23:59:59Z
    if (0..=253_402_300_799).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Diagnostic::new(format!("`{text}` is not in the years 1970 to 9999")))
    }
}

/// Nanoseconds in an hour and in everything shorter, by Go's names (`time.ParseDuration`).
const UNITS: [(&str, u128); 8] = [
    ("h", 3_600_000_000_000),
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ns", 1),
];

/// Nanoseconds of a Go duration (`1h30m`, `1.5s`); at least a millisecond, which is the least that docker takes.
pub(super) fn duration(text: &str) -> Result<u64, Diagnostic> {
    let shape = || {
        let mistake = Diagnostic::new(format!("`{text}` is no duration"));
        let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        mistake.help(if number {
            format!("it needs a unit: \"{text}s\"")
        } else {
            "write numbers with units: \"1h30m\", \"30s\", \"1.5s\", \"500ms\"".to_owned()
        })
    };
    let long = || Diagnostic::new(format!("the duration `{text}` is too long"));
    if text == "0" {
        return Err(too_short(text));
    }
    let mut total = 0_u128;
    let mut rest = text;
    loop {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').map(|end| &rest[..end]).ok_or_else(shape)?;
        rest = &rest[number.len()..];
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return Err(shape());
        }
        let &(unit, nanoseconds) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit)).ok_or_else(shape)?;
        rest = &rest[unit.len()..];
        let digits = |text: &str| if text.is_empty() { Ok(0) } else { text.parse::<u64>() };
        let whole = digits(whole).map_err(|_| long())?;
        // Digits beyond those of a nanosecond in an hour count for nothing.
        let fraction = &fraction[..fraction.len().min(15)];
        let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or_default());
        let fraction = digits(fraction).map_err(|_| long())?;
        total += u128::from(whole) * nanoseconds + u128::from(fraction) * nanoseconds / scale;
        if total > i64::MAX as u128 {
            return Err(long());
        }
        if rest.is_empty() {
            break;
        }
    }
    match u64::try_from(total) {
        Ok(total) if total >= 1_000_000 => Ok(total),
        Ok(_) => Err(too_short(text)),
        Err(_) => Err(long()),
    }
}

fn too_short(text: &str) -> Diagnostic {
    let mistake = Diagnostic::new(format!("the duration `{text}` is shorter than a millisecond"));
    mistake.help("leave the key out to get the default of whoever runs the image")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanoseconds) in [
            ("30s", 30_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("500ms", 500_000_000),
            ("1ms", 1_000_000),
            ("1000us", 1_000_000),
            ("1000µs", 1_000_000),
            ("1000000ns", 1_000_000),
            ("0.00000000000000000000001h1ms", 1_000_000),
        ] {
            assert_eq!(duration(text), Ok(nanoseconds), "{text}");
        }
        for (text, message) in [
            ("", "is no duration"),
            ("30", "is no duration"),
            ("s", "is no duration"),
            (".s", "is no duration"),
            ("1.2.3s", "is no duration"),
            ("-1s", "is no duration"),
            ("1 s", "is no duration"),
            ("1d", "is no duration"),
            ("1s5", "is no duration"),
            ("0", "is shorter than a millisecond"),
            ("0s", "is shorter than a millisecond"),
            ("999us", "is shorter than a millisecond"),
            ("9999999h", "is too long"),
            ("99999999999999999999999s", "is too long"),
        ] {
            assert!(duration(text).unwrap_err().message.ends_with(message), "{text}");
        }
        assert_eq!(duration("30").unwrap_err().help.unwrap(), "it needs a unit: \"30s\"");
    }

    #[test]
    fn instants_are_whole_seconds_from_1970_to_9999() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-20T00:00:00Z", 1_795_132_800),
            ("2026-11-20T01:00:00+01:00", 1_795_132_800),
            ("2026-11-20T00:00:00.000Z", 1_795_132_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(created(text), Ok(Created::Instant(seconds)), "{text}");
            assert_eq!(mtime(text), Ok(Mtime::Instant(seconds)), "{text}");
        }
        assert_eq!((created("git"), mtime("created")), (Ok(Created::Git), Ok(Mtime::Created)));
        for (text, message) in [
            ("now", "`now` is no instant"),
            ("created", "`created` is no instant"),
            ("2026-11-20", "`2026-11-20` is no instant"),
            ("2026-11-20T00:00:00", "`2026-11-20T00:00:00` is no instant"),
            ("2026-02-30T00:00:00Z", "`2026-02-30T00:00:00Z` is no instant"),
            ("2026-11-20T00:00:00.5Z", "`2026-11-20T00:00:00.5Z` is not a whole second"),
            ("1969-12-31T23:59:59Z", "`1969-12-31T23:59:59Z` is not in the years 1970 to 9999"),
            ("9999-12-31T23:59:59-01:00", "`9999-12-31T23:59:59-01:00` is not in the years 1970 to 9999"),
        ] {
            assert_eq!(created(text).unwrap_err().message, message);
        }
        let help = created("2026-11-20T00:00:00").unwrap_err().help.unwrap();
        assert_eq!(help, "it needs an offset from UTC: 2026-11-20T00:00:00Z");
    }
}
