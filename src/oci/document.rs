//! Manifests, indexes and configs as documents: how long one may be. Where their bytes come from is left to others.

use std::io::{self, Read};

/// No document is larger, in bytes; registries take no larger manifests (distribution-spec, "Pushing Manifests").
pub const LIMIT: u64 = 4 << 20;

/// Reads a document to its end.
///
/// # Errors
/// What the reader reports; [`io::ErrorKind::FileTooLarge`] if it is longer than a document may be.
pub fn read(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LIMIT + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LIMIT {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB")),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_up_to_the_limit() {
        let longest = || io::repeat(b' ').take(LIMIT);
        assert_eq!(read(longest()).unwrap().len() as u64, LIMIT);
        let longer = read(longest().chain(&b"x"[..])).unwrap_err();
        assert_eq!(longer.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(longer.to_string(), format!("it is larger than {} MiB", LIMIT >> 20));
    }
}
