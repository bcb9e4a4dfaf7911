//! The operator: changes settings, tokens, manifests and models while the server runs, and checks
//! that each change takes effect, or is refused where it must be.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::{GetModelInfoRequest, GetModelInfoResponse};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

use crate::report::OperationSummary;
use crate::settings_files::{ModelPair, SettingsFiles};

/// The most time that a change may take to be seen. The server looks at its files every 5 s at the
/// latest, and loads models in less than that.
const EFFECT_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
const OPERATOR_TOKEN: &str = "operator-token-of-the-soak";

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    ChangeAlpha,
    RotateToken,
    RefuseSettings,
    TouchManifest,
}

impl Operation {
    /// The operation of a slot: they take turns.
    pub fn of_turn(turn: u64) -> Self {
        match turn % 4 {
            0 => Self::ChangeAlpha,
            1 => Self::RotateToken,
            2 => Self::RefuseSettings,
            _ => Self::TouchManifest,
        }
    }
}

/// Changes the files of a running server.
pub struct Operator {
    files: SettingsFiles,
    address: SocketAddr,
    /// The tokens of honest callers and attacks, which stay valid.
    kept_tokens: Vec<String>,
    pair: ModelPair,
    alpha: f64,
    turn: u64,
    /// The turn in which the token was last rotated.
    rotated_in: u64,
    pub summary: OperationSummary,
}

/// The alpha of `config/cifar10.toml`.
const FIRST_ALPHA: f64 = 0.71;

impl Operator {
    /// Writes the first settings and tokens. The server does not run yet.
    pub fn prepare(files: SettingsFiles, kept_tokens: Vec<String>) -> anyhow::Result<Self> {
        let operator = Self {
            files,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            kept_tokens,
            pair: ModelPair::Lipschitz,
            alpha: FIRST_ALPHA,
            turn: 0,
            rotated_in: 0,
            summary: OperationSummary::default(),
        };
        operator.write_tokens(&rotating_token(0))?;
        operator.files.write_settings(operator.pair, operator.alpha)?;
        Ok(operator)
    }

    pub fn files(&self) -> &SettingsFiles {
        &self.files
    }

    /// The server runs at `address`.
    pub fn connect_to(&mut self, address: SocketAddr) {
        self.address = address;
    }

    /// Makes one change and waits for its effect. A change without effect is counted.
    pub fn operate(&mut self, operation: Operation) -> anyhow::Result<()> {
        self.turn += 1;
        match operation {
            Operation::ChangeAlpha => {
                self.alpha = 0.70 + (self.turn % 8) as f64 / 100.0;
                let alpha = self.alpha;
                self.files.write_settings(self.pair, alpha)?;
                self.await_info("alpha", |info| target_alpha(info) == Some(alpha));
            }
            Operation::RotateToken => {
                let (old, new) = (rotating_token(self.rotated_in), rotating_token(self.turn));
                self.rotated_in = self.turn;
                self.write_tokens(&new)?;
                self.await_effect("a new token", |operator| operator.info(&new).is_ok());
                self.await_effect("a revoked token", |operator| {
                    operator
                        .info(&old)
                        .is_err_and(|status| status.code() == Code::Unauthenticated)
                });
            }
            Operation::RefuseSettings => {
                self.files.write_refused_settings()?;
                self.await_info("refused settings", is_pending);
                self.files.write_settings(self.pair, self.alpha)?;
                self.await_info("mended settings", |info| !is_pending(info));
            }
            Operation::TouchManifest => self.files.touch_manifest(self.turn)?,
        }
        Ok(())
    }

    /// Serves another pair of models, and waits until it is in force.
    pub fn swap_models(&mut self, pair: ModelPair) -> anyhow::Result<()> {
        if pair == self.pair {
            return Ok(());
        }
        self.pair = pair;
        self.files.write_settings(pair, self.alpha)?;
        self.await_info("other models", |info| {
            info.robust
                .as_ref()
                .is_some_and(|robust| robust.name == pair.robust_name())
        });
        Ok(())
    }

    fn write_tokens(&self, rotating: &str) -> anyhow::Result<()> {
        let kept = self.kept_tokens.iter().map(String::as_str);
        let tokens: Vec<&str> = kept.chain([OPERATOR_TOKEN, rotating]).collect();
        self.files.write_tokens(&tokens)
    }

    fn await_info(&mut self, change: &str, holds: impl Fn(&GetModelInfoResponse) -> bool) {
        self.await_effect(change, |operator| {
            operator.info(OPERATOR_TOKEN).is_ok_and(|info| holds(&info))
        });
    }

    /// Waits until the change can be seen, and counts it.
    fn await_effect(&mut self, change: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        let mut seen = holds(self);
        while !seen && start.elapsed() < EFFECT_TIMEOUT {
            std::thread::sleep(POLL_INTERVAL);
            seen = holds(self);
        }
        let time = start.elapsed().as_secs_f64();
        self.summary.record(change, seen.then_some(time));
    }

    /// Asks the server as a caller with `token`, on a connection of its own.
    fn info(&self, token: &str) -> Result<GetModelInfoResponse, Status> {
        let call = async {
            let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).map_err(|error| anyhow!(error))?;
            let channel = endpoint.connect_timeout(CALL_TIMEOUT).connect().await?;
            let mut request = Request::new(GetModelInfoRequest {});
            request.set_timeout(CALL_TIMEOUT);
            let authorization = format!("Bearer {token}").parse()?;
            request.metadata_mut().insert("authorization", authorization);
            let mut client = MixedClassifierClient::new(channel);
            anyhow::Ok(tokio::time::timeout(CALL_TIMEOUT, client.get_model_info(request)).await?)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Status::internal(error.to_string()))?;
        let answer = runtime.block_on(call);
        let answer = answer.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(answer?.into_inner())
    }
}

fn rotating_token(turn: u64) -> String {
    format!("rotating-token-number-{turn}")
}

fn target_alpha(info: &GetModelInfoResponse) -> Option<f64> {
    Some(info.config.as_ref()?.target_alpha)
}

fn is_pending(info: &GetModelInfoResponse) -> bool {
    info.config
        .as_ref()
        .is_some_and(|config| config.pending_error.is_some())
}
