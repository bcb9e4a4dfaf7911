//! Tests of the mathematics: against 60-digit tables, by properties, on classifiers known exactly, and by
//! simulation.

mod coverage;
mod exactly_known;
mod fuzz;
mod loop_rules;
mod overflow;
mod parts;
mod properties;
mod reference;
mod rules;
mod simulation;
mod tables_lipschitz;
mod tables_radii;
mod tables_votes;
mod vote_rule;
mod wide;
mod wide_normal;
