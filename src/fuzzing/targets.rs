//! The list of fuzz targets.

/// Defines the function of each target, the list of their names, and a test of each.
macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident = $body:path;)*) => {
        $($(#[$doc])* pub fn $name(data: &[u8]) {
            $body(data);
        })*

        /// The names of all targets. `fuzz/` has a program and a corpus for each.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        #[cfg(test)]
        mod tests {
            $(#[test] fn $name() {
                crate::fuzzing::tests::run(stringify!($name), super::$name);
            })*
        }
    };
}

targets! {
    /// JSON of `certimix predict --json`, as `certimix verify` reads it.
    certificate_records = crate::cli::audit::fuzzing::certificate_records;
    /// Numbers for the formulas of `certificate`.
    certificates = crate::certificate::fuzzing::certificates;
    /// Files of inputs: images and NumPy arrays.
    client_inputs = crate::cli::client::client_inputs;
    /// Messages that are compressed, or should be.
    compressed_messages = crate::rpc::fuzzing::compressed_messages;
    /// Bytes of a connection: HTTP/2 frames, or anything else.
    connections = super::connections::connections;
    /// Files of certificates, keys and tokens.
    credentials = super::credentials::credentials;
    /// Data sets of each format, files of labels, and record files.
    data_sets = super::data_sets::data_sets;
    /// Manifests of models.
    manifests = crate::onnx::fuzzing::manifests;
    /// ONNX files, as the static checks read them.
    onnx_graphs = crate::onnx::fuzzing::onnx_graphs;
    /// Records of proofs, and statements that a trusted key has signed.
    proof_records = crate::onnx::fuzzing::proof_records;
    /// Lines for `certimix radius`.
    radius_queries = crate::cli::audit::fuzzing::radius_queries;
    /// Messages of both protocols to a server with models.
    requests = super::requests::requests;
    /// Steps of callers and executors against admission and the queue.
    scheduler = crate::scheduler::fuzzing::scheduler;
    /// Settings files.
    settings = super::settings::settings;
}
