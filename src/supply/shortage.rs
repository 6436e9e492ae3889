//! Inputs that are not to be had: why, and what a user is told of it.

use super::{Reach, Supply};
use crate::lock::{Pinned, PinnedInput};
use crate::mask::masked;
use crate::oci::Platform;
use crate::recipe::{Diagnostic, Input, Recipe, Span};
use crate::store::{Store, StoreError};
use std::io;

/// Why an input is not to be had; each in words that go on behind the input's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SupplyError {
    /// It is nowhere that may be looked at.
    #[error("{0}")]
    Missing(String),
    /// It is not where it was when it was pinned.
    #[error("{0}")]
    Gone(String),
    /// Where it was, there is something else now.
    #[error("{0}")]
    Changed(String),
    /// It could not be fetched or kept.
    #[error("{why}")]
    Failed {
        /// What happened.
        why: String,
        /// What to do about it, if anybody knows.
        help: Option<String>,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl SupplyError {
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: why.into(), help: None }
    }
}

/// An input that is not to be had.
#[derive(Debug, Clone)]
pub struct Shortage {
    /// Its name.
    pub input: String,
    /// Why.
    pub why: SupplyError,
    /// What to tell the user.
    pub mistake: Diagnostic,
}

impl Supply<'_> {
    /// It is nowhere that may be looked at.
    pub(super) fn missing(&self) -> SupplyError {
        let store = self.store.map(|store| format!("the store ({})", store.folder().display()));
        let looked = match (self.pantries, store) {
            ([], Some(store)) => format!("it is not in {store}"),
            ([], None) => "there is no place for a store (set REBAKE_CACHE or HOME)".to_owned(),
            ([one], None) => format!("it is not in the pantry {}", one.name()),
            ([one], Some(store)) => format!("it is neither in the pantry {} nor in {store}", one.name()),
            (several, None) => format!("it is in none of the {} pantries", several.len()),
            (several, Some(store)) => format!("it is neither in one of the {} pantries nor in {store}", several.len()),
        };
        let offline = if matches!(self.reach, Reach::Disk) { ", and `--offline` forbids to fetch it" } else { "" };
        SupplyError::Missing(looked + offline)
    }

    /// It is not where the recipe says. Where nothing else than the recipe's folder and pantries may be looked at, that is to
    /// be expected.
    pub(super) fn gone(&self, why: String) -> SupplyError {
        match self.reach {
            Reach::Folder => SupplyError::Missing(why),
            _ => SupplyError::Gone(why),
        }
    }

    /// That pantries were of no help, for a message that says what happened elsewhere.
    pub(super) fn no_pantry(&self) -> String {
        match self.pantries {
            [] => "no pantry is given that could have it".to_owned(),
            [one] => format!("the pantry {} does not have it", one.name()),
            several => format!("none of the {} pantries has it", several.len()),
        }
    }

    /// What to tell the user of an input that some platforms lack, each group of them for a reason of its own.
    pub(super) fn mistake(
        &self,
        recipe: &Recipe<Pinned>,
        name: &str,
        lacking: &[(SupplyError, Vec<&Platform>)],
        why: &SupplyError,
    ) -> Diagnostic {
        let input = recipe.inputs.get(name);
        let (span, called) = input.map_or((Span::default(), format!("`{name}`")), |input| place(name, input));
        let names =
            |platforms: &[&Platform]| platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let all = recipe.image.platforms.len();
        let several = matches!(recipe.phase.inputs.get(name), Some(PinnedInput::Files(_)));
        let why_not = match lacking {
            [(why, platforms)] if several && platforms.len() < all => format!(" for {}: {why}", names(platforms)),
            [(why, _)] => format!(": {why}"),
            each => each.iter().map(|(why, platforms)| format!("\n- for {}: {why}", names(platforms))).collect(),
        };
        let mistake = Diagnostic::at(span, format!("the input {called} cannot be had{why_not}"));
        let help = match (why, self.reach) {
            (SupplyError::Interrupted, _) => None,
            (SupplyError::Failed { help: Some(help), .. }, _) => Some(help.clone()),
            (SupplyError::Missing(_), Reach::Network(_)) => None,
            (SupplyError::Missing(_), Reach::Disk) => Some(
                "leave `--offline` out, and it is fetched; or name a pantry that has it: `--pantry DIR`".to_owned(),
            ),
            (SupplyError::Missing(_), Reach::Folder) => {
                Some("`rebake pantry fill` puts it into a pantry, as long as it is to be had elsewhere".to_owned())
            }
            (SupplyError::Gone(_), _) => Some(format!(
                "a pantry that was filled in time gives it back: `--pantry DIR`; else `rebake lock --update {name}` \
                 pins what is there now"
            )),
            (SupplyError::Changed(_), _) => Some(format!(
                "if you trust what is there now, `rebake lock --update {name}` pins it; a pantry may have what was: \
                 `--pantry DIR`"
            )),
            (SupplyError::Failed { .. }, _) => {
                Some("if it is gone for good, a pantry may have it: `--pantry DIR`".to_owned())
            }
        };
        Diagnostic { help, ..mistake }
    }
}

/// Where an input's reference stands in the recipe, and what to call it: by its name, its kind and that reference.
#[must_use]
pub fn place(name: &str, input: &Input) -> (Span, String) {
    let (span, reference) = match input {
        Input::Image { image } => (image.span, format!("image {}", image.value)),
        Input::Url { url, .. } => (url.span, format!("url {}", url.value)),
        Input::Git { git, .. } => (git.span, format!("git {}", git.value)),
    };
    (span, format!("`{name}` ({})", masked(&reference)))
}

pub(super) fn cannot_write(store: &Store, error: &io::Error) -> SupplyError {
    SupplyError::Failed {
        why: format!("the store {} cannot be written: {error}", store.folder().display()),
        help: Some("REBAKE_CACHE names another folder; `rebake cache prune` makes room in this one".to_owned()),
    }
}

impl From<StoreError> for SupplyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Interrupted => Self::Interrupted,
            StoreError::Io { folder, source } => Self::Failed {
                why: format!("the store {} cannot be used: {source}", folder.display()),
                help: Some("REBAKE_CACHE names another folder; `rebake cache prune` makes room in this one".to_owned()),
            },
            error @ StoreError::Digest { .. } => Self::failed(error.to_string()),
        }
    }
}
