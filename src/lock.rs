//! From intent to fact: which digest each input of a recipe has. How facts are found out is not decided here.

use crate::oci::Transport;
use crate::recipe::{Diagnostic, Input, Recipe, Source};

/// The phase of a recipe whose inputs are all pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned;

impl Recipe<Source> {
    /// Pins every input that the recipe uses. An image layout or archive on disk is what it is; everything else needs
    /// `rebake.lock`.
    ///
    /// # Errors
    /// One diagnostic for each input that is not pinned.
    pub fn pin(self) -> Result<Recipe<Pinned>, Vec<Diagnostic>> {
        let unpinned: Vec<Diagnostic> = self
            .inputs
            .iter()
            .filter_map(|(name, input)| {
                let (span, what) = match &input.value {
                    Input::Image { image } => match image.transport {
                        Transport::Registry(_) => (image.span, "an image in a registry"),
                        _ => return None,
                    },
                    Input::Url { url, sha256, .. } if !sha256.is_empty() => {
                        let message = format!("the input `{name}` is pinned, but this version of rebake cannot fetch it");
                        return Some(Diagnostic::at(url.span, message).help(
                            "`rebake lock` is to fetch it; until then put the file beside the recipe and name it in `from`",
                        ));
                    }
                    Input::Url { url, .. } => (url.span, "a URL"),
                    Input::Git { git, .. } => (git.span, "a git tree"),
                };
                Some(
                    Diagnostic::at(span, format!("the input `{name}` is not pinned"))
                        .label(format!("{what}, which may be another tomorrow"))
                        .help(
                            "`rebake lock` pins and fetches it; this version of rebake has no `lock` yet and takes \
                             images from `oci:DIR`, `oci-archive:FILE` and `docker-archive:FILE` only",
                        ),
                )
            })
            .collect();
        if !unpinned.is_empty() {
            return Err(unpinned);
        }
        let Self { edition, image, inputs, config, annotations, users, layers, phase: Source } = self;
        Ok(Recipe { edition, image, inputs, config, annotations, users, layers, phase: Pinned })
    }
}
