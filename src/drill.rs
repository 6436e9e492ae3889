//! The disaster drill: a recipe is baked from what source control and pantries hold, and from nothing else, and compared with
//! what its lock expects.
//!
//! The network is refused by construction: what bakes here is given no [`Online`](crate::supply::Online), without which there
//! is no way to make a connection.

use crate::build::{Failure, Order, Stamping, difference, measure, record};
use crate::image::Batch;
use crate::lock::{Expected, Lock, Pinned};
use crate::pantry::Pantry;
use crate::recipe::{Diagnostic, Recipe, Syntax, parse};
use crate::store::Store;
use crate::supply::{Reach, Supply, SupplyError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// What a drill may take inputs from.
#[derive(Clone, Copy)]
pub struct Drill<'a> {
    /// The pantries. If there are any, they have to suffice.
    pub pantries: &'a [Pantry],
    /// The store; it counts as a copy, and is used if there is no pantry.
    pub store: Option<&'a Store>,
    /// Where temporary files may lie.
    pub scratch: &'a Path,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
    /// Is told what a user may want to know though it is no failure.
    pub notice: &'a (dyn Fn(&str) + Sync),
    /// What the images share: workers, layers.
    pub batch: &'a Batch,
}

/// A recipe that is drilled.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its notation.
    pub syntax: Syntax,
    /// Its lock.
    pub lock: Option<&'a Lock>,
    /// The folder with its files.
    pub folder: &'a Path,
}

/// What came of one recipe.
#[derive(Debug)]
pub struct Row {
    /// What its lock expects, if it expects anything.
    pub expected: Option<String>,
    /// What it gave.
    pub rebuilt: Option<String>,
    /// How the two compare.
    pub outcome: Outcome,
    /// How long it took.
    pub time: Duration,
    /// In how many places each input is known: pantries, the store, the recipe's own folder.
    pub copies: BTreeMap<String, usize>,
}

/// How a drill of one recipe ended.
#[derive(Debug)]
pub enum Outcome {
    /// The image is the expected one.
    Same,
    /// It is another one.
    Differs,
    /// The lock expects nothing.
    Unrecorded,
    /// Inputs are nowhere: their names, and what to tell the user.
    Missing(Vec<String>, Vec<Diagnostic>),
    /// It cannot be baked.
    Failed(Vec<Diagnostic>),
    /// The user asked to stop.
    Interrupted,
}

impl Row {
    /// Of a recipe that could not even be read.
    #[must_use]
    pub fn unread(mistakes: Vec<Diagnostic>) -> Self {
        let (time, copies) = (Duration::ZERO, BTreeMap::new());
        Self { expected: None, rebuilt: None, outcome: Outcome::Failed(mistakes), time, copies }
    }
}

impl Drill<'_> {
    /// Bakes a recipe and compares.
    #[must_use]
    pub fn run(&self, subject: &Subject) -> Row {
        let start = Instant::now();
        let expected = subject.lock.map(|lock| &lock.expected).filter(|expected| !expected.is_empty());
        let mut row = Row {
            expected: expected.map(shown),
            rebuilt: None,
            outcome: Outcome::Interrupted,
            time: Duration::ZERO,
            copies: BTreeMap::new(),
        };
        let recipe = parse(subject.text, subject.syntax).and_then(|recipe| recipe.pin(subject.lock));
        let stamped = recipe.as_ref().is_ok_and(|recipe| !recipe.stamps().is_empty());
        if let Ok(recipe) = &recipe {
            row.copies = self.copies(recipe, subject.folder);
        }
        let store = self.store.filter(|_| self.pantries.is_empty());
        let order = Order {
            text: subject.text,
            syntax: subject.syntax,
            lock: subject.lock,
            supply: self.supply(self.pantries, store, subject.folder),
            // What a lock expects does not depend on the environment.
            source_date_epoch: None,
            batch: self.batch,
            stamping: Stamping::Any,
        };
        row.outcome = match measure(&order) {
            Ok(image) => match expected {
                None => {
                    row.rebuilt = Some(shown(&record(&image, stamped)));
                    Outcome::Unrecorded
                }
                Some(expected) => match difference(expected, &record(&image, stamped)) {
                    None => {
                        row.rebuilt.clone_from(&row.expected);
                        Outcome::Same
                    }
                    Some((wanted, found)) => {
                        (row.expected, row.rebuilt) = (Some(wanted), Some(found));
                        Outcome::Differs
                    }
                },
            },
            Err(Failure::Inputs(shortages)) => {
                let missing = |why: &SupplyError| matches!(why, SupplyError::Missing(_));
                let all = shortages.iter().all(|shortage| missing(&shortage.why));
                let mut names: Vec<String> = shortages.iter().map(|shortage| shortage.input.clone()).collect();
                names.dedup();
                let mistakes = shortages.into_iter().map(|shortage| shortage.mistake).collect();
                if all { Outcome::Missing(names, mistakes) } else { Outcome::Failed(mistakes) }
            }
            Err(Failure::Interrupted) => Outcome::Interrupted,
            Err(failure) => match failure.mistakes() {
                Ok(mistakes) => Outcome::Failed(mistakes),
                Err(other) => Outcome::Failed(vec![Diagnostic::new(other.to_string())]),
            },
        };
        row.time = start.elapsed();
        row
    }

    fn supply<'s>(&'s self, pantries: &'s [Pantry], store: Option<&'s Store>, folder: &'s Path) -> Supply<'s> {
        let Self { scratch, interrupt, notice, .. } = *self;
        Supply { pantries, store, reach: Reach::Folder, folder, shared: None, scratch, interrupt, notice }
    }

    /// In how many places each input is whole.
    fn copies(&self, recipe: &Recipe<Pinned>, folder: &Path) -> BTreeMap<String, usize> {
        let silent = Self { notice: &|_| {}, ..*self };
        let pantries = self.pantries.iter().map(|pantry| silent.supply(std::slice::from_ref(pantry), None, folder));
        let places: Vec<Supply> = pantries.chain([silent.supply(&[], self.store, folder)]).collect();
        let nowhere = silent.supply(&[], None, folder);
        let count = |name: &str| match nowhere.has(recipe, name) {
            true => 1,
            false => places.iter().filter(|place| place.has(recipe, name)).count(),
        };
        recipe.phase.inputs.keys().map(|name| (name.clone(), count(name))).collect()
    }
}

/// What is expected, in a word.
fn shown(expected: &Expected) -> String {
    expected.image.or(expected.unstamped).map_or_else(|| "nothing".to_owned(), |digest| digest.to_string())
}
