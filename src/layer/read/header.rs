//! One block of 512 bytes as a tar header: fields and numbers, no meaning across blocks.

/// The unit of the format: headers are one block, data is padded to whole ones.
pub(super) const BLOCK: u64 = 512;

/// A block, looked at as a header.
#[derive(Clone)]
pub(super) struct Header(pub(super) [u8; 512]);

/// Which of the three layouts a header has; told by its magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// No magic: nothing after the link name counts.
    V7,
    /// `ustar` of POSIX 1003.1, with or without a PAX header before it: a prefix for the name.
    Ustar,
    /// `ustar` with two spaces, GNU tar's own before POSIX: times and a sparse map in place of the prefix.
    Gnu,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::V7 => "V7",
            Self::Ustar => "ustar",
            Self::Gnu => "GNU",
        })
    }
}

impl Header {
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|&b| b == 0)
    }

    /// Whether the sum of all bytes, those of the sum itself counted as spaces, is what the header states. Some old
    /// programs summed signed bytes; both sums pass (GNU tar, `tar_checksum`).
    pub(super) fn checksum_holds(&self) -> bool {
        let Ok(stated) = number(&self.0[148..156]) else { return false };
        let spaces = 8 * i64::from(b' ');
        let others = || self.0[..148].iter().chain(&self.0[156..]);
        let unsigned = others().map(|&b| i64::from(b)).sum::<i64>() + spaces;
        let signed = others().map(|&b| i64::from(b.cast_signed())).sum::<i64>() + spaces;
        stated == unsigned || stated == signed
    }

    pub(super) fn format(&self) -> Format {
        match &self.0[257..265] {
            b"ustar  \0" => Format::Gnu,
            magic if magic.starts_with(b"ustar\0") => Format::Ustar,
            _ => Format::V7,
        }
    }

    /// The name; in a ustar header behind its prefix. (star's variant keeps times in the last 24 bytes of the prefix
    /// and says so by `tar` at the end of the block.)
    pub(super) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = match self.format() {
            Format::Ustar if self.0[508..] == *b"tar\0" => text(&self.0[345..476]),
            Format::Ustar => text(&self.0[345..500]),
            Format::Gnu | Format::V7 => &[],
        };
        match prefix {
            [] => name.to_vec(),
            prefix => [prefix, b"/", name].concat(),
        }
    }

    pub(super) fn link_name(&self) -> &[u8] {
        text(&self.0[157..257])
    }

    pub(super) fn type_flag(&self) -> u8 {
        self.0[156]
    }

    pub(super) fn mode(&self) -> Result<i64, BadNumber> {
        number(&self.0[100..108])
    }

    pub(super) fn uid(&self) -> Result<i64, BadNumber> {
        number(&self.0[108..116])
    }

    pub(super) fn gid(&self) -> Result<i64, BadNumber> {
        number(&self.0[116..124])
    }

    pub(super) fn size(&self) -> Result<i64, BadNumber> {
        number(&self.0[124..136])
    }

    pub(super) fn mtime(&self) -> Result<i64, BadNumber> {
        number(&self.0[136..148])
    }

    /// Major and minor number of a device.
    pub(super) fn device(&self) -> Result<(i64, i64), BadNumber> {
        Ok((number(&self.0[329..337])?, number(&self.0[337..345])?))
    }

    /// The four pieces of an old GNU sparse map that fit into the header.
    pub(super) fn sparse_pieces(&self) -> &[u8] {
        &self.0[386..482]
    }

    /// Whether a block with 21 more pieces follows.
    pub(super) fn sparse_continues(&self) -> bool {
        self.0[482] != 0
    }

    /// The size of a sparse file with its holes.
    pub(super) fn sparse_size(&self) -> Result<i64, BadNumber> {
        number(&self.0[483..495])
    }
}

/// Up to the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

/// A field that holds no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadNumber;

/// Reads a numeric field. Octal digits after spaces or NULs, ended by a space, a NUL or the field (POSIX, and what GNU
/// tar forgives); a field of nothing else is 0. If the first bit is set, the rest is a big-endian number in two's
/// complement (GNU tar, "Storing numbers in base 256").
pub(super) fn number(field: &[u8]) -> Result<i64, BadNumber> {
    match field.split_first() {
        Some((&first, rest)) if first & 0x80 != 0 => base_256(first, rest),
        _ => octal(field),
    }
}

fn base_256(first: u8, rest: &[u8]) -> Result<i64, BadNumber> {
    let sign = if first & 0x40 == 0 { 0 } else { -1 };
    let top = if sign == 0 { i64::from(first & 0x3f) } else { i64::from((first | 0x80).cast_signed()) };
    rest.iter().try_fold(top, |value: i64, &byte| value.checked_mul(256)?.checked_add(i64::from(byte))).ok_or(BadNumber)
}

fn octal(field: &[u8]) -> Result<i64, BadNumber> {
    let blank = |b: &u8| matches!(b, b' ' | 0);
    let digits = field.iter().skip_while(|b| blank(b)).take_while(|b| !blank(b));
    digits
        .copied()
        .try_fold(0_i64, |value, digit| match digit {
            b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
            _ => None,
        })
        .ok_or(BadNumber)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_octal() {
        assert_eq!(number(b"0000644\0"), Ok(0o644));
        assert_eq!(number(b"   644 \0"), Ok(0o644));
        assert_eq!(number(b"00000000644\0"), Ok(0o644));
        assert_eq!(number(b"77777777777"), Ok(0o77_777_777_777));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Ok(0));
        assert_eq!(number(b""), Ok(0));
        assert_eq!(number(b"0000684\0"), Err(BadNumber));
        assert_eq!(number(b"-000064\0"), Err(BadNumber));
    }

    #[test]
    fn numbers_base_256() {
        assert_eq!(number(b"\x80\0\0\0\0\0\0\0\0\0\x01\0"), Ok(256));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), Ok(-1));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0"), Ok(-256));
        assert_eq!(number(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"), Err(BadNumber));
        assert_eq!(number(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), Ok(i64::MAX));
        assert_eq!(number(b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0"), Ok(i64::MIN));
    }
}
