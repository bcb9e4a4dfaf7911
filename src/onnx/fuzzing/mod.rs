//! The fuzz targets of manifests, of ONNX files and of proof records.

mod graphs;
mod manifests;
mod proof_records;

pub(crate) use graphs::onnx_graphs;
pub(crate) use manifests::manifests;
pub(crate) use proof_records::proof_records;
