//! The inputs of a recipe, opened for one platform: each once, however many statements take from it.

use super::{Context, Pinned};
use crate::oci::Platform;
use crate::recipe::{Diagnostic, From, Input, Recipe, Spanned, Statement, Variables};
use crate::source::archive::{Archive, ArchiveError, Member, Slice};
use crate::source::files::Files;
use crate::source::filter::literal_prefix;
use crate::source::{AtHand, Ready};
use crate::tree::Top;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;

/// The inputs that statements take from.
pub struct Inputs<'a> {
    recipe: &'a Recipe<Pinned>,
    platform: &'a Platform,
    variables: &'a Variables,
    context: Context<'a>,
    /// What was opened, or why it could not be.
    opened: RefCell<BTreeMap<String, Result<Opened, Unusable>>>,
}

/// Why an input cannot be used, and what to do about it.
type Unusable = (String, Option<String>);

/// An input, opened.
#[derive(Clone)]
pub enum Opened {
    /// What a URL gave, and the last part of that URL.
    File(Slice, String),
    /// A git tree or an image.
    Files(Rc<Files>),
}

impl<'a> Inputs<'a> {
    /// Nothing is opened yet.
    pub fn new(
        recipe: &'a Recipe<Pinned>,
        platform: &'a Platform,
        variables: &'a Variables,
        context: Context<'a>,
    ) -> Self {
        Self { recipe, platform, variables, context, opened: RefCell::default() }
    }

    /// The input that a statement names.
    ///
    /// # Errors
    /// If it is not there for the platform, or cannot be read.
    pub fn open(&self, name: &Spanned<String>) -> Result<Opened, Diagnostic> {
        let ready = ready(name, self.platform, self.context)?;
        let mut opened = self.opened.borrow_mut();
        let opened = opened.entry(name.value.clone()).or_insert_with(|| self.opened(name, ready));
        opened.clone().map_err(|(why, help)| Diagnostic { help, ..Diagnostic::at(name.span, why) })
    }

    /// The input that a statement names, which [`Inputs::open`] says is a file, as the archive that it is.
    ///
    /// # Errors
    /// If it is not there for the platform; if it is no archive, or a broken one.
    pub fn archive(&self, name: &Spanned<String>) -> Result<Result<Arc<Archive>, ArchiveError>, Diagnostic> {
        let ready = ready(name, self.platform, self.context)?;
        Ok(ready.archive(self.context.bench(self.platform)))
    }

    fn opened(&self, name: &str, ready: &AtHand) -> Result<Opened, Unusable> {
        let bench = self.context.bench(self.platform);
        let unusable =
            |why: &dyn Display, help: Option<String>| (format!("the input `{name}` cannot be used: {why}"), help);
        let files = match &ready.ready {
            Ready::File(_) => {
                let slice = ready.file().map_err(|error| unusable(&error, None))?;
                return Ok(Opened::File(slice, self.file_name(name)));
            }
            Ready::Tree(_) => {
                let tree = ready.archive(bench).map_err(|error| unusable(&error.why(), error.help()))?;
                Files::new(name, Arc::unwrap_or_clone(tree).members.into_iter().map(Member::wanted), Top::Folder)
            }
            Ready::Blobs { .. } | Ready::Image(_) => {
                let members = ready.members(self.wanted(name), bench);
                let members = members.map_err(|error| unusable(&error, error.help()))?;
                Files::new(name, Arc::unwrap_or_clone(members), Top::Slash)
            }
        };
        Ok(Opened::Files(Rc::new(files.map_err(|error| unusable(&error, error.help()))?)))
    }

    /// The last part of an input's URL; empty if it has none.
    fn file_name(&self, name: &str) -> String {
        let Some(Input::Url { url, .. }) = self.recipe.inputs.get(name).map(|input| &input.value) else {
            return String::new();
        };
        let url = url.expand(self.variables);
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let below_host = path.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
        below_host.and_then(|path| path.rsplit('/').next()).unwrap_or_default().to_owned()
    }

    /// The paths at or below which the recipe's statements want something of an input.
    fn wanted(&self, name: &str) -> Vec<String> {
        let mut wanted = Vec::new();
        for statement in self.recipe.layers.iter().flat_map(|layer| &layer.statements) {
            let (from, ignore_file) = match &statement.value {
                Statement::Copy(copy) => (&copy.from.value, copy.ignore_file.as_ref()),
                Statement::Extract(extract) => (&extract.from.value, None),
                _ => continue,
            };
            if let From::Input { input, path } = from
                && input.value == name
            {
                let path = path.as_ref().map(|path| path.expand(self.variables)).unwrap_or_default();
                wanted.push(literal_prefix(&path).to_owned());
                wanted.extend(ignore_file.map(|file| file.expand(self.variables)));
            }
        }
        wanted
    }
}

/// What an input is on a platform.
///
/// # Errors
/// If it is not there.
pub fn ready<'a>(name: &Spanned<String>, platform: &Platform, context: Context<'a>) -> Result<&'a AtHand, Diagnostic> {
    context.inputs.get(name, platform).ok_or_else(|| {
        Diagnostic::at(name.span, format!("the input `{}` is not there for {platform}", name.value))
            .help("`rebake lock` pins and fetches every input for every platform of the recipe")
    })
}
