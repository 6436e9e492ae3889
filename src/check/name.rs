//! Digests as an image writes them: also those of algorithms that rebake itself does not use.

use super::fault::Fault;
use super::fields::shortened;
use crate::oci::Digest;
use sha2::Digest as _;
use std::fmt;

/// A digest, its syntax right (image-spec, "descriptor.md", Digests).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Reads one. What is registered must have the form that it has there.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let wrong = || Fault::DigestSyntax(shortened(text));
        let (algorithm, encoded) = text.split_once(':').ok_or_else(wrong)?;
        let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let hex =
            |digits: usize| encoded.len() == digits && encoded.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let fits = match algorithm {
            "sha256" | "blake3" => hex(64),
            "sha512" => hex(128),
            other => {
                other.split(['+', '.', '_', '-']).all(part)
                    && !encoded.is_empty()
                    && encoded.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'_' | b'-'))
            }
        };
        if fits && text.len() <= 512 { Ok(Self(text.to_owned())) } else { Err(wrong()) }
    }

    /// One of rebake's own.
    pub(super) fn of(digest: Digest) -> Self {
        Self(digest.to_string())
    }

    /// The name of a file in `blobs`.
    pub(super) fn of_file(path: &str) -> Option<Self> {
        let (algorithm, encoded) = path.strip_prefix("blobs/")?.split_once('/')?;
        Self::parse(&format!("{algorithm}:{encoded}")).ok()
    }

    /// Where a layout keeps it.
    pub(super) fn file(&self) -> String {
        format!("blobs/{}", self.0.replacen(':', "/", 1))
    }

    /// `sha256`.
    pub(super) fn algorithm(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// As rebake has it, if it is sha256.
    pub(super) fn sha256(&self) -> Option<Digest> {
        self.0.parse().ok()
    }

    /// What computes one of the same algorithm, if it is known.
    pub(super) fn hash(&self) -> Hash {
        match self.algorithm() {
            "sha256" => Hash::Sha256(sha2::Sha256::default()),
            "sha512" => Hash::Sha512(sha2::Sha512::default()),
            _ => Hash::Unknown,
        }
    }

    /// Holds what was computed against it.
    pub(super) fn judge(&self, hash: Hash) -> Option<Fault> {
        match hash.finish() {
            None => Some(Fault::Unverified { algorithm: self.algorithm().to_owned() }),
            Some(found) => (found != self.0).then_some(Fault::Digest { found }),
        }
    }

    /// As it stands in documents.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A digest that is being computed.
pub(super) enum Hash {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    /// Nothing is computed.
    Unknown,
}

impl Hash {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(bytes),
            Self::Sha512(state) => state.update(bytes),
            Self::Unknown => {}
        }
    }

    /// As documents write it.
    fn finish(self) -> Option<String> {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Sha256(state) => Some(format!("sha256:{}", hex(&state.finalize()))),
            Self::Sha512(state) => Some(format!("sha512:{}", hex(&state.finalize()))),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn the_syntax_of_digests() {
        let hex = "0123456789abcdef".repeat(4);
        for good in [format!("sha256:{hex}"), format!("sha512:{hex}{hex}"), "md6+b64u:LCa0a2j_xo=".to_owned()] {
            assert!(Name::parse(&good).is_ok(), "{good}");
        }
        for bad in [
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{hex}0"),
            format!("sha512:{hex}"),
            format!("SHA256:{hex}"),
            format!("sha256-{hex}"),
            "sha256:../../../../etc/passwd".to_owned(),
            "x:".to_owned(),
            "x:a/b".to_owned(),
            "a..b:c".to_owned(),
        ] {
            assert!(Name::parse(&bad).is_err(), "{bad}");
        }
        let name = Name::parse(&format!("sha256:{hex}")).unwrap();
        assert_eq!(Name::of_file(&name.file()), Some(name));
    }
}
