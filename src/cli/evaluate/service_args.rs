//! The services that compute the outputs.

use crate::cli::client::{ConnectionArgs, CredentialArgs};

/// The services that run the models, instead of this process.
#[derive(Debug, Clone, clap::Args)]
pub struct ServiceArgs {
    /// Ask the running service at this address, instead of running the models here. Repeat it for
    /// several services, which share the inputs
    #[arg(long = "endpoint", value_name = "URL")]
    pub endpoints: Vec<String>,

    /// How long a service may take for one request
    #[arg(long, value_name = "DURATION", default_value = "60s", requires = "endpoints")]
    pub deadline: humantime::Duration,

    /// TLS and tokens of the services
    #[command(flatten)]
    pub credentials: CredentialArgs,
}

impl ServiceArgs {
    /// The connection of each service.
    pub(super) fn connections(&self) -> Vec<ConnectionArgs> {
        let connection =
            |address: &String| ConnectionArgs::new(address.clone(), self.deadline, self.credentials.clone());
        self.endpoints.iter().map(connection).collect()
    }
}
