//! The way to a running coordinator, for commands that ask it something.
//!
//! Whatever it takes to be let in is put together here, and nowhere else.

use std::error::Error;
use std::time::Duration;

use sweep_proto::MAX_MESSAGE_BYTES;
use sweep_proto::v1::StatusRequest;
use sweep_proto::v1::coordinator_client::CoordinatorClient;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};

use super::Failure;
use crate::status;

/// How long connecting may take, and then each call.
const LIMIT: Duration = Duration::from_secs(5);

/// Address of a coordinator: HOST:PORT, or http://HOST:PORT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address(Uri);

impl Address {
    /// Reads an address as `sweep-worker --coordinator` does; `None` if it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let authority = text.strip_prefix("http://").unwrap_or(text);
        let uri: Uri = format!("http://{authority}").parse().ok()?;
        let is_plain = uri.authority().is_some_and(|known| known.as_str() == authority)
            && !authority.contains('@')
            && uri.host().is_some_and(|host| !host.is_empty());
        (is_plain && uri.port_u16().is_some()).then_some(Self(uri))
    }

    /// HOST:PORT.
    pub(super) fn text(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    async fn connect(&self) -> Result<CoordinatorClient<Channel>, Failure> {
        let endpoint = Endpoint::from(self.0.clone()).connect_timeout(LIMIT).timeout(LIMIT);
        let channel = endpoint.connect().await.map_err(|error| {
            let reason = innermost(&error);
            Failure::unexpected(format!("no coordinator was reached at {}: {reason}", self.text()))
                .with_hint(
                    "is it running, and is this the address that it printed when it started?",
                )
        })?;
        Ok(CoordinatorClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES))
    }

    /// Asks where the study and its workers stand.
    ///
    /// # Errors
    ///
    /// When nobody answers, or not as a coordinator of this version does.
    pub(super) fn status(&self) -> Result<status::Status, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::unexpected)?;
        let answer = runtime.block_on(async {
            let mut client = self.connect().await?;
            client.status(StatusRequest {}).await.map_err(|status| self.refusal(&status))
        })?;
        status::Status::try_from(answer.into_inner())
            .map_err(|error| Failure::unexpected(format!("{}: {error}", self.text())))
    }

    fn refusal(&self, status: &Status) -> Failure {
        let address = self.text();
        if status.code() == Code::Unimplemented {
            return Failure::unexpected(format!(
                "what listens at {address} is no coordinator of this version of sweep"
            ));
        }
        let reason = match status.source() {
            Some(source) => innermost(source),
            None => status.message().to_owned(),
        };
        Failure::unexpected(format!("the coordinator at {address} did not answer: {reason}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (text, shown) in [
            ("127.0.0.1:7077", "127.0.0.1:7077"),
            ("http://node-3:7077/", "node-3:7077"),
            ("[::1]:7077", "[::1]:7077"),
        ] {
            assert_eq!(Address::parse(text).expect(text).text(), shown);
        }
        for text in [
            "",
            "node-3",
            "runs/crnn",
            ":7077",
            "a@b:1",
            "https://a:1",
            "a:70777",
            "a:1/b",
            "a b:1",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
