//! Rules that hold for requests of every RPC.

mod answer_size;
mod cancellation;
mod compression;
mod deadline;
mod fuzzing;
mod invalid_tensors;
mod overload;
mod priority;
mod range_ends;
