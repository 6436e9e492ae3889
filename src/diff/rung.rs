//! How alike two images are, on one ladder.

use std::fmt;
use std::str::FromStr;

/// How alike two images are; a higher rung is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// A file, a right, a setting, the history or the division into layers differs; or something is missing or unreadable.
    Different,
    /// The same files with the same content; only tar metadata differs.
    SameTree,
    /// All diff_ids and the config's values are equal; only compression differs.
    Recompressed,
    /// Config and layers have the same digests; manifest, index or annotations differ.
    SameConfigAndLayers,
    /// The same digest.
    Identical,
}

impl Rung {
    /// All of them, lowest first.
    pub const ALL: [Self; 5] =
        [Self::Different, Self::SameTree, Self::Recompressed, Self::SameConfigAndLayers, Self::Identical];

    /// What it means, as a sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Different => {
                "files, rights, settings, history, platforms or the division into layers differ, or cannot be read"
            }
            Self::SameTree => "the files are the same; only metadata of the tar streams differs",
            Self::Recompressed => "every layer's tar and the config are the same; only compression differs",
            Self::SameConfigAndLayers => "config and layers are the same; manifest, index or annotations differ",
            Self::Identical => "every byte is the same",
        }
    }
}

/// As the command line and JSON have it.
impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Different => "different",
            Self::SameTree => "same-tree",
            Self::Recompressed => "recompressed",
            Self::SameConfigAndLayers => "same-config-and-layers",
            Self::Identical => "identical",
        })
    }
}

/// Some text that is no rung.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of different, same-tree, recompressed, same-config-and-layers, identical")]
pub struct UnknownRung(String);

impl FromStr for Rung {
    type Err = UnknownRung;

    fn from_str(text: &str) -> Result<Self, UnknownRung> {
        Self::ALL.into_iter().find(|rung| rung.to_string() == text).ok_or_else(|| UnknownRung(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_order() {
        for pair in Rung::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for rung in Rung::ALL {
            assert_eq!(rung.to_string().parse(), Ok(rung));
        }
        assert!("same".parse::<Rung>().is_err());
    }
}
