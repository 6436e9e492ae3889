//! Tar headers of edition 2026: ustar (POSIX.1-1988), and a PAX extended header (POSIX.1-2001) only for what ustar
//! cannot say. Every constant here reaches a digest.

use crate::tree::Attributes;

/// A tar block.
pub const BLOCK: usize = 512;

/// What ustar calls the kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Type {
    /// A regular file, with `size` bytes behind its header.
    File = b'0',
    /// A hard link to an entry before it.
    HardLink = b'1',
    /// A symbolic link.
    Symlink = b'2',
    /// A character device.
    CharDevice = b'3',
    /// A block device.
    BlockDevice = b'4',
    /// A folder; its name ends in `/`.
    Directory = b'5',
    /// A named pipe.
    Fifo = b'6',
}

/// One entry, in tar's words.
#[derive(Debug)]
pub struct Header<'a> {
    /// Its kind.
    pub kind: Type,
    /// Its name in the archive: relative, folders with their slash.
    pub name: &'a [u8],
    /// Mode, owner, time, extended attributes.
    pub attributes: &'a Attributes,
    /// Bytes behind the header.
    pub size: u64,
    /// Target of a link; else empty.
    pub link: &'a [u8],
    /// Major and minor number of a device; else zero.
    pub device: (u32, u32),
}

/// The name of every extended header: no pid, no counter. Edition 2026.
const PAX_NAME: &[u8] = b"PaxHeader";
/// The largest number of 7 octal digits (uid, gid, device numbers).
const OCTAL_7: u64 = 0o7_777_777;
/// The largest number of 11 octal digits (size, mtime).
const OCTAL_11: u64 = 0o77_777_777_777;

impl Header<'_> {
    /// The header, with the extended header before it where one is needed: whole blocks. The same value always gives the
    /// same bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut pax = Pax::default();
        let name = split(self.name).unwrap_or_else(|| {
            pax.text("path", self.name);
            (&[], &[])
        });
        if self.link.len() > 100 || !self.link.is_ascii() {
            pax.text("linkpath", self.link);
        }
        let uid = pax.number("uid", self.attributes.uid, OCTAL_7);
        let gid = pax.number("gid", self.attributes.gid, OCTAL_7);
        let size = pax.number("size", self.size, OCTAL_11);
        let mtime = match u64::try_from(self.attributes.mtime) {
            Ok(mtime) => pax.number("mtime", mtime, OCTAL_11),
            Err(_) => {
                pax.record(b"mtime", self.attributes.mtime.to_string().as_bytes());
                0
            }
        };
        for (name, value) in &self.attributes.xattrs {
            pax.record(&[b"SCHILY.xattr.", name.as_slice()].concat(), value);
        }

        let mut out = pax.encode();
        let mut block = Block::new(self.kind as u8, self.attributes.mode & 0o7777, size);
        if name.1.is_empty() {
            block.put(0, &ascii(self.name));
        } else {
            block.put(0, name.1);
            block.put(345, name.0);
        }
        block.octal(108, 8, uid);
        block.octal(116, 8, gid);
        block.octal(136, 12, mtime);
        block.put(
            157,
            &if self.link.is_ascii() { self.link[..self.link.len().min(100)].to_vec() } else { ascii(self.link) },
        );
        block.octal(329, 8, self.device.0.into());
        block.octal(337, 8, self.device.1.into());
        out.extend(block.finish());
        out
    }
}

/// Prefix and name, as ustar splits a path at a slash: at most 155 and 100 bytes; the whole in `name` if it fits.
/// `None` if ustar cannot say it.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= 100 {
        return Some((&[], path));
    }
    // The last slash that leaves a prefix of at most 155 bytes; a folder's own slash at the end divides nothing.
    let end = (path.len() - 1).min(156);
    let slash = path[..end].iter().rposition(|&b| b == b'/')?;
    let (prefix, name) = (&path[..slash], &path[slash + 1..]);
    (!prefix.is_empty() && name.len() <= 100).then_some((prefix, name))
}

/// What stands in a ustar field when the real value stands in a PAX record: at most 100 bytes, others than ASCII as `_`.
fn ascii(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().take(100).map(|&b| if b.is_ascii() { b } else { b'_' }).collect()
}

/// The records of one extended header.
#[derive(Default)]
struct Pax {
    /// Key to value, sorted by key as the bytes of edition 2026 are.
    records: std::collections::BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Pax {
    fn record(&mut self, key: &[u8], value: &[u8]) {
        self.records.insert(key.to_vec(), value.to_vec());
    }

    /// A value that POSIX wants in UTF-8; `hdrcharset=BINARY` says that it is not.
    fn text(&mut self, key: &str, value: &[u8]) {
        if std::str::from_utf8(value).is_err() {
            self.record(b"hdrcharset", b"BINARY");
        }
        self.record(key.as_bytes(), value);
    }

    /// The number for the ustar field: itself, or 0 if it is too large and stands in a record.
    fn number(&mut self, key: &str, value: u64, most: u64) -> u64 {
        if value <= most {
            return value;
        }
        self.record(key.as_bytes(), value.to_string().as_bytes());
        0
    }

    fn encode(self) -> Vec<u8> {
        if self.records.is_empty() {
            return Vec::new();
        }
        let mut body = Vec::new();
        for (key, value) in &self.records {
            // "LENGTH KEY=VALUE\n", where LENGTH counts its own digits.
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            body.extend_from_slice(length.to_string().as_bytes());
            body.push(b' ');
            body.extend_from_slice(key);
            body.push(b'=');
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        let mut block = Block::new(b'x', 0o644, body.len() as u64);
        block.put(0, PAX_NAME);
        block.octal(108, 8, 0);
        block.octal(116, 8, 0);
        block.octal(136, 12, 0);
        block.octal(329, 8, 0);
        block.octal(337, 8, 0);
        let mut out = block.finish().to_vec();
        out.extend(body);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        out
    }
}

/// One ustar header block under construction.
struct Block([u8; BLOCK]);

impl Block {
    fn new(kind: u8, mode: u32, size: u64) -> Self {
        let mut block = Self([0; BLOCK]);
        block.octal(100, 8, mode.into());
        block.octal(124, 12, size);
        block.0[156] = kind;
        block.put(257, b"ustar\x0000");
        block
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Zero-padded octal digits and a NUL: `width` bytes in all.
    fn octal(&mut self, at: usize, width: usize, value: u64) {
        let mut value = value;
        for place in self.0[at..at + width - 1].iter_mut().rev() {
            *place = b'0' + (value & 7) as u8;
            value >>= 3;
        }
        self.0[at + width - 1] = 0;
    }

    /// Six digits, a NUL and a space: the sum of all bytes with this field as spaces.
    fn finish(mut self) -> [u8; BLOCK] {
        self.put(148, b"        ");
        let sum: u32 = self.0.iter().map(|&b| u32::from(b)).sum();
        self.octal(148, 7, sum.into());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(name: &[u8], attributes: &Attributes) -> Vec<u8> {
        Header { kind: Type::File, name, attributes, size: 5, link: b"", device: (0, 0) }.encode()
    }

    #[test]
    fn a_plain_entry_is_one_ustar_block() {
        let attributes = Attributes { mode: 0o644, uid: 8080, gid: 8080, mtime: 315_532_800, ..Attributes::default() };
        let bytes = encode(b"etc/motd", &attributes);
        assert_eq!(bytes.len(), 512);
        let text = String::from_utf8(bytes.iter().map(|&b| if b == 0 { b'.' } else { b }).collect()).unwrap();
        assert_eq!(&text[..8], "etc/motd");
        assert_eq!(&text[100..157], "0000644.0017620.0017620.00000000005.02263523000.010730. 0");
        assert_eq!(&text[257..345], format!("ustar.00{}0000000.0000000.", ".".repeat(64)));
    }

    #[test]
    fn a_long_path_is_split_where_ustar_can_and_goes_to_pax_where_it_cannot() {
        let long = |a: usize, b: usize| [vec![b'p'; a], vec![b'/'], vec![b'n'; b]].concat();
        assert_eq!(encode(&long(155, 100), &Attributes::default()).len(), 512);
        assert_eq!(encode(&long(0, 100)[1..], &Attributes::default()).len(), 512);
        let pax = encode(&long(156, 100), &Attributes::default());
        assert_eq!(pax.len(), 3 * 512);
        assert!(pax[512..].starts_with(b"267 path=ppp"));
        assert_eq!(encode(&long(50, 101), &Attributes::default()).len(), 3 * 512);
        let folder = [long(60, 60), vec![b'/']].concat();
        assert_eq!(encode(&folder, &Attributes::default()).len(), 512, "a folder's own slash is no place to split");
    }

    #[test]
    fn pax_counts_the_digits_of_its_own_length() {
        for length in 80..120 {
            let mut pax = Pax::default();
            pax.record(b"k", &vec![b'v'; length]);
            let bytes = pax.encode();
            let body = &bytes[512..];
            let space = body.iter().position(|&b| b == b' ').unwrap();
            let said: usize = std::str::from_utf8(&body[..space]).unwrap().parse().unwrap();
            assert_eq!(body[said - 1], b'\n');
            assert!(body[said..].iter().all(|&b| b == 0));
        }
    }

    #[test]
    fn what_is_not_utf8_is_marked_binary() {
        let bytes = encode(b"a\xff", &Attributes::default());
        assert!(bytes[512..].starts_with(b"21 hdrcharset=BINARY\n11 path=a\xff\n"));
        assert!(encode("é".as_bytes(), &Attributes::default())[512..].starts_with("11 path=é\n".as_bytes()));
    }
}
