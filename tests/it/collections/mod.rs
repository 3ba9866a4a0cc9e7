//! Collections, in memory and in a store: the same promises for both.

mod bounds;
mod crashes;
mod histories;
mod indexes;
mod model;
mod nodes;
mod places;
mod plans;
mod races;
mod steps;
mod windows;
