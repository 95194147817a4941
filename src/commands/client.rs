//! The way to a running coordinator, for commands that ask it something.
//!
//! Whatever it takes to be let in is put together here, and nowhere else.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sweep_proto::address::Address;
use sweep_proto::connect::{self, Client, ConnectError, Credentials, distrust};
use sweep_proto::v1::StatusRequest;
use tonic::{Code, Request, Status};

use super::Failure;
use crate::status;

/// How long a call may take, connecting included.
const LIMIT: Duration = Duration::from_secs(10);

/// What is shown to a coordinator, and trusted.
#[derive(Debug, Args)]
pub(super) struct CredentialArgs {
    /// Certificates of the authorities that may have signed the coordinator's, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A certificate for a coordinator that wants one, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of --cert, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

impl CredentialArgs {
    fn client(&self, address: &Address) -> Result<Client, Failure> {
        let credentials = Credentials {
            authorities: self.ca.clone(),
            identity: self.cert.clone().zip(self.key.clone()),
        };
        connect::client(address, &credentials).map_err(|error| {
            let failure = Failure::bad_input(&error);
            match error {
                ConnectError::NobodyTrusted => failure
                    .with_hint("copy the whole line that the coordinator printed, or name --ca"),
                ConnectError::File { .. } => failure,
            }
        })
    }

    /// Asks where the study and its workers stand.
    ///
    /// # Errors
    ///
    /// When nobody answers, or not as a coordinator of this version does.
    pub(super) fn status(&self, address: &Address) -> Result<status::Status, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::unexpected)?;
        let answer = runtime.block_on(async {
            let mut client = self.client(address)?;
            let mut request = Request::new(StatusRequest {});
            request.set_timeout(LIMIT);
            client.status(request).await.map_err(|status| refusal(address, &status))
        })?;
        status::Status::try_from(answer.into_inner())
            .map_err(|error| Failure::unexpected(format!("{address}: {error}")))
    }
}

fn refusal(address: &Address, status: &Status) -> Failure {
    let place = address.authority();
    if let Some(reason) = distrust(status) {
        return Failure::unexpected(format!("{place} is not trusted: {reason}"));
    }
    if let Some(source) = status.source() {
        let reason = innermost(source);
        return Failure::unexpected(format!("no coordinator was reached at {place}: {reason}"))
            .with_hint("is it running, and is this the address that it printed when it started?");
    }
    match status.code() {
        Code::Unimplemented => Failure::unexpected(format!(
            "what listens at {place} is no coordinator of this version of sweep"
        )),
        Code::Unauthenticated => Failure::unexpected(format!(
            "the coordinator at {place} did not let this command in: {}",
            status.message()
        ))
        .with_hint("give the whole line that the coordinator keeps in the run's folder as `join`"),
        // A foreign enum that grows.
        _ => Failure::unexpected(format!(
            "the coordinator at {place} did not answer: {}",
            status.message()
        )),
    }
}

/// The innermost cause: "connection refused", not "transport error".
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
