//! PAX extended headers: records, and what they override (POSIX pax, "pax Extended Header").
//!
//! A record is `length key=value\n`; it ends where its length says, so that a value may hold newlines and NULs.

use super::error::PaxFault;
use super::sparse::Extent;
use std::collections::BTreeMap;

/// The records of one header, or of all global ones so far. A later record of the same key replaces an earlier one.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The map of sparse format 0.0, which says it by repeating two keys.
    pub(super) sparse_pieces: Vec<Extent>,
}

impl Records {
    pub(super) fn parse(mut bytes: &[u8]) -> Result<Self, PaxFault> {
        let mut records = Self::default();
        let mut piece_offset = None;
        while !bytes.is_empty() {
            let (Record { key, value }, rest) = record(bytes)?;
            bytes = rest;
            match key {
                b"GNU.sparse.offset" => {
                    piece_offset = Some(unsigned(value).ok_or(PaxFault::Value("GNU.sparse.offset"))?)
                }
                b"GNU.sparse.numbytes" => {
                    let fault = PaxFault::Value("GNU.sparse.numbytes");
                    let offset = piece_offset.take().ok_or(fault)?;
                    records.sparse_pieces.push(Extent { offset, len: unsigned(value).ok_or(fault)? });
                }
                _ => {
                    records.values.insert(key.to_vec(), value.to_vec());
                }
            }
        }
        Ok(records)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// Keys and values, sorted by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.values.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Takes over what a further global header says; an empty value takes the key away again.
    pub(super) fn merge(&mut self, newer: Self) {
        for (key, value) in newer.values {
            if value.is_empty() {
                self.values.remove(&key);
            } else {
                self.values.insert(key, value);
            }
        }
    }

    /// Bytes of all keys and values.
    pub(super) fn weight(&self) -> usize {
        self.values.iter().map(|(key, value)| key.len().saturating_add(value.len())).fold(0, usize::saturating_add)
    }
}

/// What holds for one entry: its own records before the global ones, those before the header's fields.
#[derive(Clone, Copy)]
pub(super) struct Overrides<'a> {
    pub(super) own: &'a Records,
    pub(super) global: &'a Records,
}

impl<'a> Overrides<'a> {
    /// The value of a key; none if no record has it, or if the entry's own record is empty, which means the header's.
    pub(super) fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.own.get(key).or_else(|| self.global.get(key)).filter(|value| !value.is_empty())
    }

    /// A number without sign.
    pub(super) fn number(&self, key: &'static str) -> Result<Option<u64>, PaxFault> {
        let Some(value) = self.get(key.as_bytes()) else { return Ok(None) };
        unsigned(value).map(Some).ok_or(PaxFault::Value(key))
    }

    /// A time in seconds, floored: `-0.5` is -1.
    pub(super) fn seconds(&self, key: &'static str) -> Result<Option<i64>, PaxFault> {
        let Some(value) = self.get(key.as_bytes()) else { return Ok(None) };
        floor_seconds(value).map(Some).ok_or(PaxFault::Value(key))
    }

    /// `SCHILY.xattr.NAME`. An attribute may be empty; an empty record only removes one if a global header has it.
    pub(super) fn xattrs(&self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, PaxFault> {
        const PREFIX: &[u8] = b"SCHILY.xattr.";
        let mut xattrs = BTreeMap::new();
        for records in [self.global, self.own] {
            let from_prefix = records.values.range(PREFIX.to_vec()..);
            for (key, value) in from_prefix.take_while(|(key, _)| key.starts_with(PREFIX)) {
                let name = key.strip_prefix(PREFIX).unwrap_or_default();
                if name.is_empty() || name.contains(&0) {
                    return Err(PaxFault::Key);
                }
                if value.is_empty() && xattrs.remove(name).is_some() {
                    continue;
                }
                xattrs.insert(name.to_vec(), value.clone());
            }
        }
        Ok(xattrs)
    }
}

struct Record<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

/// The first record, and what follows it.
fn record(bytes: &[u8]) -> Result<(Record<'_>, &[u8]), PaxFault> {
    let space = bytes.iter().position(|&b| b == b' ').ok_or(PaxFault::Length)?;
    let (digits, _) = bytes.split_at_checked(space).ok_or(PaxFault::Length)?;
    let length = unsigned(digits).and_then(|n| usize::try_from(n).ok()).ok_or(PaxFault::Length)?;
    let (record, rest) = bytes.split_at_checked(length).ok_or(PaxFault::Bounds)?;
    let body = record.get(space.saturating_add(1)..).ok_or(PaxFault::Bounds)?;
    let body = body.strip_suffix(b"\n").ok_or(PaxFault::Newline)?;
    let equals = body.iter().position(|&b| b == b'=').filter(|&at| at > 0).ok_or(PaxFault::Key)?;
    let (key, value) = body.split_at_checked(equals).ok_or(PaxFault::Key)?;
    Ok((Record { key, value: value.strip_prefix(b"=").unwrap_or_default() }, rest))
}

/// Decimal digits and nothing else.
pub(super) fn unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

fn floor_seconds(value: &[u8]) -> Option<i64> {
    let (negative, value) = value.strip_prefix(b"-").map_or((false, value), |rest| (true, rest));
    let mut halves = value.splitn(2, |&b| b == b'.');
    let whole = i64::try_from(unsigned(halves.next()?)?).ok()?;
    let fraction = halves.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if !negative {
        return Some(whole);
    }
    let below = i64::from(fraction.iter().any(|&b| b != b'0'));
    whole.checked_neg()?.checked_sub(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_newline_nul_and_equals() {
        let records = Records::parse(b"12 a=b\n\0=cd\n9 path=x\n").unwrap();
        assert_eq!(records.get(b"a"), Some(&b"b\n\0=cd"[..]));
        assert_eq!(records.get(b"path"), Some(&b"x"[..]));
    }

    #[test]
    fn malformed_records_are_refused() {
        for (bytes, fault) in [
            (&b"path=x\n"[..], PaxFault::Length),
            (b"x path=x\n", PaxFault::Length),
            (b" 9 path=x\n", PaxFault::Length),
            (b"99999999999999999999999 a=b\n", PaxFault::Length),
            (b"11 path=x\n", PaxFault::Bounds),
            (b"0 path=x\n", PaxFault::Bounds),
            (b"2 path=x\n", PaxFault::Newline),
            (b"8 path=x\n", PaxFault::Newline),
            (b"7 path\n\n", PaxFault::Key),
            (b"5 =x\n", PaxFault::Key),
            (b"9 path=x\n\0\0\0", PaxFault::Length),
            (b"25 GNU.sparse.numbytes=1\n", PaxFault::Value("GNU.sparse.numbytes")),
        ] {
            assert_eq!(Records::parse(bytes).unwrap_err(), fault, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn times_are_floored() {
        for (text, seconds) in
            [("1.9", 1), ("0", 0), ("-1", -1), ("-0.5", -1), ("-1.000", -1), ("-1.001", -2), ("7.", 7)]
        {
            assert_eq!(floor_seconds(text.as_bytes()), Some(seconds), "{text}");
        }
        for text in ["", "-", ".5", "1.x", "+1", "1e3", "9223372036854775808", " 1"] {
            assert_eq!(floor_seconds(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn an_empty_value_undoes() {
        let mut global = Records::parse(b"12 path=abc\n20 SCHILY.xattr.a=1\n").unwrap();
        let own = Records::parse(b"8 path=\n19 SCHILY.xattr.a=\n19 SCHILY.xattr.b=\n").unwrap();
        let overrides = Overrides { own: &own, global: &global };
        assert_eq!(overrides.get(b"path"), None);
        assert_eq!(overrides.xattrs().unwrap(), BTreeMap::from([(b"b".to_vec(), vec![])]));
        global.merge(Records::parse(b"8 path=\n").unwrap());
        assert_eq!(global.get(b"path"), None);
    }
}
