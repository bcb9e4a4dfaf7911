//! Tests of the static checks.

mod determinism;
mod graph_builder;
mod random_graphs;
mod repository_models;
mod row_independence;
