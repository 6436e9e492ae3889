//! Recipe and sources become a plan: what an image of one platform holds, before any of its bytes are written.
//!
//! Statements are gathered, laid over what lower layers hold, and conflicts are found here. Contents are not read, but
//! for those few that decide about others (`/etc/passwd`, two files that may be the same).

mod config;
mod gather;
mod inputs;
mod owners;
mod settle;
mod stamp;
mod users;

pub use stamp::{dirty_tag, tags};

use crate::layer::write::MTIME;
use crate::lock::Pinned;
use crate::oci::{Compression, Digest, Platform};
use crate::recipe::{Created, Diagnostic, Input, Label, Mtime, Recipe, Span, Stamp, Variables};
use crate::record::Kept;
use crate::source::{Bench, Content, Inputs, Ready, disk::Root, image, lower::Lower};
use crate::tree::{Origin, Tree};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where a statement stands in the recipe.
pub type Place = Span;

/// What a plan needs from the world.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The recipe's folder.
    pub root: &'a Root,
    /// The recipe's inputs, at hand.
    pub inputs: &'a Inputs,
    /// Where unpacked archives may lie while the image is built.
    pub scratch: &'a Path,
    /// Where it is kept what archives and bases hold, for the next build; none: they are read.
    pub kept: Option<Kept<'a>>,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
    /// What is known of the recipe's commit, if the recipe asks for it.
    pub stamp: Option<&'a Stamp>,
    /// `SOURCE_DATE_EPOCH`, in seconds since 1970.
    pub source_date_epoch: Option<i64>,
}

impl<'a> Context<'a> {
    /// Where inputs for a platform are opened.
    fn bench(&self, platform: &'a Platform) -> Bench<'a> {
        Bench { folder: self.root.path(), platform, scratch: self.scratch, kept: self.kept, interrupt: self.interrupt }
    }
}

/// An image of one platform, described.
#[derive(Debug)]
pub struct Plan {
    /// For what it is.
    pub platform: Platform,
    /// What it stands on.
    pub base: Option<Base>,
    /// Its own layers, lowest first.
    pub layers: Vec<PlannedLayer>,
    /// The image config, whole but for `rootfs` and the history of our layers.
    pub config: Value,
    /// The recipe's, for the manifest and the index.
    pub annotations: BTreeMap<String, String>,
    /// Seconds since 1970.
    pub created: i64,
}

/// The base of an image.
#[derive(Debug)]
pub struct Base {
    /// As the recipe names it, without its digest.
    pub name: String,
    /// Its manifest's digest, if it has a manifest.
    pub digest: Option<Digest>,
    /// Its layers, lowest first.
    pub layers: Vec<image::Layer>,
}

/// One layer, described.
#[derive(Debug)]
pub struct PlannedLayer {
    /// As it stands in the history.
    pub name: String,
    /// What it holds.
    pub tree: Tree<Content>,
    /// The time of its whiteouts, in seconds since 1970.
    pub mtime: i64,
    /// How its blob is compressed.
    pub compression: Compression,
    /// Where the statements are that its entries come from, by the number of their [`Origin`].
    spans: Vec<Span>,
}

impl PlannedLayer {
    /// Where the recipe says what an entry holds; none for what rebake adds.
    #[must_use]
    pub fn place(&self, origin: Origin) -> Option<Place> {
        self.spans.get(usize::try_from(origin.0).ok()?).copied()
    }
}

impl Plan {
    /// Plans the image for one of the recipe's platforms.
    ///
    /// # Errors
    /// Every mistake that can be found in one go.
    pub fn new(recipe: &Recipe<Pinned>, platform: &Platform, context: Context) -> Result<Self, Vec<Diagnostic>> {
        let created = created(recipe, context)?;
        let version = recipe.image.version.as_ref().map(|version| version.value.as_str());
        let variables = Variables::new(&recipe.image.name, version, platform);
        let (base, base_config, mut lower) = base(recipe, platform, context)?;
        let inputs = inputs::Inputs::new(recipe, platform, &variables, context);

        let mut mistakes = Vec::new();
        let mut layers = Vec::new();
        for (n, layer) in recipe.layers.iter().enumerate() {
            let mtime = layer.defaults.mtime.as_ref().or(recipe.image.defaults.mtime.as_ref());
            let mtime = mtime.map_or(MTIME, |mtime| instant(mtime.value, created));
            let (inputs, variables) = (&inputs, &variables);
            let work = gather::Work { recipe, layer, variables, context, inputs, created, mtime, lower: &lower };
            let gathered = gather::gather(&work, &mut mistakes);
            let tree = settle::settle(gathered, &work, &mut mistakes);
            // Above the last layer stand the users at most.
            let whole = n + 1 < recipe.layers.len() || !recipe.users.is_empty();
            if let Err(error) = if whole { lower.put(&tree) } else { lower.put_accounts(&tree) } {
                mistakes.push(Diagnostic::at(layer.span, error.to_string()));
            }
            layers.push(PlannedLayer {
                name: layer.name.as_ref().map_or_else(|| format!("layer-{}", n + 1), |name| name.value.clone()),
                tree,
                mtime,
                compression: layer.defaults.compression.or(recipe.image.defaults.compression).unwrap_or_default(),
                spans: layer.statements.iter().map(|statement| statement.content_span()).collect(),
            });
        }
        let mtime = recipe.image.defaults.mtime.as_ref().map_or(MTIME, |mtime| instant(mtime.value, created));
        match users::layer(recipe, &lower, mtime) {
            Ok(Some(tree)) => layers.push(PlannedLayer {
                name: "users".to_owned(),
                tree,
                mtime,
                compression: recipe.image.defaults.compression.unwrap_or_default(),
                spans: Vec::new(),
            }),
            Ok(None) => {}
            Err(found) => mistakes.extend(found),
        }
        owners::check_user(recipe, &lower, &mut mistakes);
        if !mistakes.is_empty() {
            mistakes.sort_by_key(|mistake| mistake.labels.first().map(|label| label.span));
            mistakes.dedup();
            return Err(mistakes);
        }

        let annotations = stamp::annotations(recipe, &variables, context.stamp);
        let labels = stamp::labels(recipe, &variables, context.stamp);
        let config = config::config(recipe, base_config, &variables, labels, platform, created);
        Ok(Self { platform: platform.clone(), base, layers, config, annotations, created })
    }
}

/// The items of a long list, whose memory is given back on the way: what they become grows as the list shrinks.
fn consumed<T>(mut list: Vec<T>) -> impl Iterator<Item = T> {
    const STEP: usize = 1 << 14;
    list.reverse();
    std::iter::from_fn(move || {
        if list.len().is_multiple_of(STEP) {
            list.shrink_to_fit();
        }
        list.pop()
    })
}

/// An image's `created`: the recipe's word, else `SOURCE_DATE_EPOCH`, else 1970.
fn created(recipe: &Recipe<Pinned>, context: Context) -> Result<i64, Vec<Diagnostic>> {
    match recipe.image.created.as_ref().map(|created| (created.value, created.span)) {
        Some((Created::Instant(instant), _)) => Ok(instant),
        Some((Created::Git, span)) => {
            let unknown = || vec![Diagnostic::at(span, "the commit is not known")];
            context.stamp.map(|stamp| stamp.time).ok_or_else(unknown)
        }
        None => Ok(context.source_date_epoch.unwrap_or(0)),
    }
}

fn instant(mtime: Mtime, created: i64) -> i64 {
    match mtime {
        Mtime::Instant(instant) => instant,
        Mtime::Created => created,
    }
}

/// The base, its config, and what its layers hold together.
fn base(
    recipe: &Recipe<Pinned>,
    platform: &Platform,
    context: Context,
) -> Result<(Option<Base>, Option<Value>, Lower), Vec<Diagnostic>> {
    let Some(input) = &recipe.image.base else { return Ok((None, None, Lower::default())) };
    let Some(Input::Image { image: name }) = recipe.inputs.get(&input.value).map(|input| &input.value) else {
        return Err(vec![Diagnostic::at(input.span, format!("`{}` is no input of kind `image`", input.value))]);
    };
    let failed = |error: image::ImageError| {
        let label = Label { span: input.span, text: "it is the base of this image".to_owned() };
        let mut mistake = Diagnostic::at(name.span, format!("the image `{}` cannot be used: {error}", name.value));
        mistake.labels.push(label);
        vec![mistake]
    };
    let opened = inputs::ready(input, platform, context).map_err(|mistake| vec![mistake])?;
    let image = opened.image(context.bench(platform)).map_err(failed)?;
    let name = match &opened.ready {
        Ready::Blobs { name, .. } => name.clone(),
        _ => name.without_digest(),
    };
    let lower = Arc::unwrap_or_clone(opened.lower(&image, context.bench(platform)).map_err(failed)?);
    let image = Arc::unwrap_or_clone(image);
    let base = Base { name, digest: image.digest, layers: image.layers };
    Ok((Some(base), Some(image.config), lower))
}
