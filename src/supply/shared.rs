//! What several recipes of one command share: an input that two of them pin is looked for, fetched and checked once, and
//! whoever opens it does so for all.

use super::{Supply, SupplyError};
use crate::git::Location;
use crate::lock::PinnedInput;
use crate::oci::{Digest, ImageName, Platform};
use crate::source::{Opened, Ready};
use crate::together::Once;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

/// The inputs of several recipes, as far as they were asked for.
#[derive(Debug, Default)]
pub struct Shared {
    /// What came of asking. A failure is kept too: nobody waits for the same server twice.
    asked: Once<Question, Result<Ready, SupplyError>>,
    /// Where the bytes are that were held against their digests.
    blobs: Once<Digest, PathBuf>,
    opened: Once<Bytes, Arc<Opened>>,
}

/// An input, a platform, and the recipe's folder if the answer depends on it.
type Question = (PinnedInput, Platform, Option<PathBuf>);

/// What tells the bytes of an input from others.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bytes {
    File(PathBuf),
    Manifest(Digest, Platform),
    Place(ImageName, Platform),
}

impl Supply<'_> {
    /// An input, as everybody who shares it has it.
    pub(super) fn shared_input(&self, pinned: &PinnedInput, platform: &Platform) -> Result<Ready, SupplyError> {
        let Some(shared) = self.shared else { return self.input(pinned, platform) };
        let near = match pinned {
            PinnedInput::Files(_) => false,
            PinnedInput::Tree { git, .. } => !matches!(Location::parse(git, self.folder), Ok(Location::Remote(_))),
            PinnedInput::Image { name, .. } | PinnedInput::Archive { name, .. } | PinnedInput::OnDisk(name) => {
                name.path().is_some()
            }
        };
        let question = (pinned.clone(), platform.clone(), near.then(|| self.folder.to_owned()));
        let answer = shared.asked.get(question, || Ok::<_, Infallible>(self.input(pinned, platform)));
        answer.unwrap_or_else(|never| match never {})
    }

    /// A blob that nobody who shares it has to look for again.
    pub(super) fn once(
        &self,
        digest: Digest,
        get: impl FnOnce() -> Result<PathBuf, SupplyError>,
    ) -> Result<PathBuf, SupplyError> {
        match self.shared {
            Some(shared) => shared.blobs.get(digest, get),
            None => get(),
        }
    }

    /// Where those who have the same bytes keep what they open of them.
    pub(super) fn opened(&self, ready: &Ready, platform: &Platform) -> Arc<Opened> {
        let Some(shared) = self.shared else { return Arc::default() };
        let bytes = match ready {
            Ready::File(path) | Ready::Tree(path) => Bytes::File(path.clone()),
            Ready::Blobs { manifest, .. } => Bytes::Manifest(manifest.digest, platform.clone()),
            Ready::Image(name) => {
                let path = name.path().map(|path| self.folder.join(path)).unwrap_or_default();
                Bytes::Place(name.at(path.canonicalize().unwrap_or(path)), platform.clone())
            }
        };
        let opened = shared.opened.get(bytes, || Ok::<_, Infallible>(Arc::default()));
        opened.unwrap_or_else(|never| match never {})
    }
}
