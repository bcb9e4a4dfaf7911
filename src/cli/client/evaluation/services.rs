//! The services of a run: they must serve the same models under the same conditions.

use std::sync::Arc;

use anyhow::bail;
use tokio::runtime::Handle;

use super::service_header::{RunIdentity, different_conditions, service_header};
use super::service_source::{ServiceEndpoint, ServiceSource};
use crate::cli::client::connection::{ConnectionArgs, ServerConnection};
use crate::domain::InputSpec;
use crate::evaluation::{DataSetIdentity, EvaluationHeader};
use crate::rpc::proto::GetModelInfoResponse;

/// The requests that wait for one service at a time. A server batches the rows of several.
const REQUESTS_PER_SERVICE: usize = 4;

/// Connected services that serve the same models.
pub struct Services {
    connections: Vec<ServerConnection>,
    infos: Vec<GetModelInfoResponse>,
    /// The description of the first one, for a data set without a name.
    first: EvaluationHeader,
    votes: Option<u64>,
}

impl Services {
    /// Connects to each service of `addresses`, and checks that they serve the same models under the
    /// same conditions. `votes` are the estimation votes of each input.
    ///
    /// # Errors
    /// When one is unreachable, is of an earlier version, or differs from the first one. The message
    /// names it and what differs.
    pub async fn open(addresses: &[ConnectionArgs], votes: Option<u64>, created: String) -> anyhow::Result<Self> {
        let (mut connections, mut infos) = (Vec::new(), Vec::new());
        for args in addresses {
            let connection = ServerConnection::open(args).await?;
            infos.push(connection.model_info().await?);
            connections.push(connection);
        }
        let run = RunIdentity {
            data_set: DataSetIdentity {
                name: String::new(),
                sha256: String::new(),
            },
            votes,
            created,
        };
        let mut first: Option<EvaluationHeader> = None;
        for (connection, info) in connections.iter().zip(&infos) {
            let address = &connection.address;
            let header = match service_header(info, run.clone()) {
                Ok(header) => header,
                Err(reason) => bail!("{address}: {reason}"),
            };
            match &first {
                None => first = Some(header),
                Some(first) => {
                    if let Some(difference) = different_conditions(first, &header) {
                        bail!(
                            "{address} differs from {} in {difference}: an evaluation needs the same on every endpoint",
                            connections[0].address
                        );
                    }
                }
            }
        }
        let Some(first) = first else {
            bail!("expected at least one --endpoint");
        };
        if let (Some(votes), Some(limits)) = (
            votes,
            infos
                .iter()
                .filter_map(|info| info.certification.as_ref())
                .min_by_key(|limits| limits.max_votes),
        ) && votes > limits.max_votes
        {
            bail!("--votes {votes}: the service allows at most {} votes", limits.max_votes);
        }
        Ok(Self {
            connections,
            infos,
            first,
            votes,
        })
    }

    /// The input of the models.
    #[must_use]
    pub fn spec(&self) -> &InputSpec {
        &self.first.input
    }

    /// The name of each class.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.first.labels
    }

    /// The header of the records of `data_set`.
    #[must_use]
    pub fn header(&self, data_set: DataSetIdentity) -> EvaluationHeader {
        EvaluationHeader {
            data_set,
            ..self.first.clone()
        }
    }

    /// The sources of outputs: several for each service, so that it always has rows to run. Their
    /// requests run on `runtime`.
    #[must_use]
    pub fn sources(self, header: &EvaluationHeader, runtime: &Handle) -> Vec<ServiceSource> {
        let header = Arc::new(header.clone());
        let endpoints = self.connections.into_iter().zip(self.infos);
        let endpoints: Arc<[ServiceEndpoint]> = endpoints
            .map(|(connection, info)| ServiceEndpoint::new(connection, &info, self.votes))
            .collect();
        (0..endpoints.len() * REQUESTS_PER_SERVICE)
            .map(|number| {
                let home = number % endpoints.len();
                ServiceSource::new(runtime.clone(), Arc::clone(&endpoints), home, Arc::clone(&header))
            })
            .collect()
    }
}
