//! The parts of a version that tags are made of: `1.4.2` → `1.4` → `1`.

/// The text of `image.version`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version<'a>(pub &'a str);

/// Why a version has no such part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// No number at its start.
    #[error("the version `{0}` does not start with a number")]
    Major(String),
    /// No second number.
    #[error("the version `{0}` has no second number")]
    Minor(String),
}

impl<'a> Version<'a> {
    /// The first number; a `v` before it is kept.
    pub(super) fn major(self) -> Result<&'a str, VersionError> {
        self.numbers(1).ok_or_else(|| VersionError::Major(self.0.to_owned()))
    }

    /// The first two numbers.
    pub(super) fn minor(self) -> Result<&'a str, VersionError> {
        self.major()?;
        self.numbers(2).ok_or_else(|| VersionError::Minor(self.0.to_owned()))
    }

    /// The text up to the end of the `count`th number. What follows `-` or `+` (a pre-release, a build) has none.
    fn numbers(self, count: usize) -> Option<&'a str> {
        let core = self.0.split(['-', '+']).next()?;
        let digits = core.strip_prefix('v').unwrap_or(core);
        let mut end = core.len() - digits.len();
        for (index, number) in digits.split('.').take(count).enumerate() {
            if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            end += number.len() + usize::from(index > 0);
        }
        (digits.split('.').count() >= count).then(|| &self.0[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_that_tags_use() {
        for (version, major, minor) in [
            ("1.4.2", Some("1"), Some("1.4")),
            ("v1.4.2", Some("v1"), Some("v1.4")),
            ("12.34", Some("12"), Some("12.34")),
            ("7", Some("7"), None),
            ("2.0.0-rc.1", Some("2"), Some("2.0")),
            ("2026-11-20", Some("2026"), None),
            ("1.x", Some("1"), None),
            ("nightly", None, None),
            ("version", None, None),
            ("", None, None),
            (".1", None, None),
        ] {
            assert_eq!(Version(version).major().ok(), major, "{version}");
            assert_eq!(Version(version).minor().ok(), minor, "{version}");
        }
    }
}
