//! Tests of the mathematics: against 60-digit tables, by properties, on classifiers with a known
//! radius, and by simulation.

mod certification_rules;
mod coverage;
mod delta_split;
mod examples;
mod gated_mixture;
mod gated_mixture_rounding;
mod input_validation;
mod known_classifiers;
mod numerics;
mod overflow;
mod properties;
mod reference_lipschitz;
mod reference_radii;
mod reference_tables;
mod reference_votes;
mod settled_class;
mod simulation;
mod target_limit;
mod target_out_of_reach;
mod vote_rule;
