//! `rebake check`: sound images are sound, and each kind of damage is told from the others.

mod builders;
mod damage;
mod documents;
mod entries;
mod hostile;
mod places;
mod streams;
