//! Digests: `sha256:` and 64 lower-case hex digits (image-spec, "descriptor.md").

use sha2::Digest as _;
use sha2::digest::common::hazmat::SerializableState as _;
use std::{fmt, io, str::FromStr};

/// A SHA-256 digest. Its text is `sha256:<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest that these bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The 64 hex digits, lower-case.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl FromStr for Digest {
    type Err = String;

    /// Strict, as the specification is: other algorithms than sha256 and upper-case digits are refused.
    fn from_str(text: &str) -> Result<Self, String> {
        let parsed: oci_spec::image::Digest = text.parse().map_err(|_| format!("`{text}` is no digest"))?;
        let hex = text.strip_prefix("sha256:").ok_or_else(|| format!("`{}` is no sha256 digest", parsed))?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| format!("`{text}` is no digest"))?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| format!("`{text}` is no digest"))?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Counts and hashes what is written to it.
#[derive(Debug, Clone, Default)]
pub struct Sha256 {
    state: sha2::Sha256,
    size: u64,
}

impl Sha256 {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// The state after all bytes so far, from which [`Sha256::resume`] goes on.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        self.state.serialize().to_vec()
    }

    /// Goes on where [`Sha256::state`] was taken, after `size` bytes. `None` if it is no state.
    #[must_use]
    pub fn resume(state: &[u8], size: u64) -> Option<Self> {
        let state = sha2::Sha256::deserialize(state.try_into().ok()?).ok()?;
        Some(Self { state, size })
    }

    /// The digest of all bytes so far, and how many they were.
    #[must_use]
    pub fn finish(self) -> (Digest, u64) {
        (Digest(self.state.finalize().into()), self.size)
    }
}

impl io::Write for Sha256 {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
