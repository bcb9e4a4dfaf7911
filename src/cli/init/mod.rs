//! `certimix init`: from two ONNX files to manifests and a settings file.
//!
//! [`command`] takes the steps in order. [`model_probe`] runs a model and looks at its outputs,
//! [`input_answers`], [`labels`] and [`guarantee_answer`] find or ask the rest, [`manifest_text`] and
//! [`config_text`] write it down, and [`output_files`] checks the files before they get their names.

mod arguments;
mod command;
mod config_text;
mod guarantee_answer;
mod input_answers;
mod labels;
mod manifest_text;
mod model_probe;
mod output_files;
mod prover;
mod questions;
mod summary;

pub(super) use arguments::InitArgs;
pub(super) use command::run;
