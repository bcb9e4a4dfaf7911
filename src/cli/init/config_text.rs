//! The text of the settings file.

use std::path::Path;

use super::manifest_text::string;
use crate::domain::{InputSpec, PerRole, ValueEncoding, one_input_request};

/// The default of `server.max_message_bytes`.
const DEFAULT_MESSAGE_BYTES: usize = 4 << 20;

/// The settings that differ from pair to pair.
pub(super) struct ConfigDraft<'a> {
    /// The manifests, relative to the folder of the settings file.
    pub(super) manifests: PerRole<&'a str>,
    pub(super) library: &'a Path,
    pub(super) spec: &'a InputSpec,
    pub(super) is_smoothed: bool,
}

impl ConfigDraft<'_> {
    /// The settings file in TOML.
    pub(super) fn text(&self) -> String {
        let needed = one_input_request(self.spec, ValueEncoding::Float32);
        let message_bytes = if needed > DEFAULT_MESSAGE_BYTES {
            format!("max_message_bytes = {needed}          # one input\n")
        } else {
            String::new()
        };
        let temperature = if self.is_smoothed {
            ""
        } else {
            "# robust_temperature = 1.0              # T of h = softmax(logits / T)\n"
        };
        format!(
            "# Written by `certimix init`. `certimix check-config` prints every key with its value in force, and explains each.\n\
             # Paths are relative to this file.\n\
             \n\
             [server]\n\
             listen = \"127.0.0.1:50051\"\n\
             {message_bytes}\
             \n\
             [models]\n\
             standard = {standard}\n\
             robust = {robust}\n\
             \n\
             # Not tuned for these models: which values are best depends on data.\n\
             [mixture]\n\
             alpha = 0.76                            # the weight of the robust model; above 0.5 for certificates\n\
             {temperature}\
             # fallback_alpha = 0.0                  # its weight where nothing can be certified\n\
             \n\
             [runtime]\n\
             library = {library}\n\
             provider = \"auto\"                       # cpu | cuda | auto\n\
             \n\
             [metrics]\n\
             listen = \"127.0.0.1:9464\"               # /metrics, /livez and /readyz; \"\" disables the port\n",
            standard = string(self.manifests.standard),
            robust = string(self.manifests.robust),
            library = string(&self.library.to_string_lossy()),
        )
    }
}
