//! Why a call, or the whole session, could not go on.

use tonic::Code;

use crate::link::Call;

/// A call that will not be sent again.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallError {
    /// The coordinator answered, and would answer the same again.
    #[error("the coordinator refused `{call}`: {message}")]
    Refused {
        /// What was asked.
        call: Call,
        /// Kind of refusal.
        code: Code,
        /// The coordinator's words.
        message: String,
    },
    /// One side does not trust the other.
    #[error("{reason}")]
    Distrusted {
        /// Whose certificate, and what is wrong with it.
        reason: String,
    },
    /// No answer for longer than the session waits.
    #[error("the coordinator was not reached for {seconds} s: {message}")]
    Unreachable {
        /// For how long it was tried.
        seconds: u64,
        /// What the last try met.
        message: String,
    },
}

/// Why a session ended before the study was over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The coordinator does not work with this worker: another version.
    #[error("the coordinator refused this worker: {message}")]
    VersionRefused {
        /// The coordinator's words.
        message: String,
    },
    /// The coordinator does not know who this is.
    #[error("the coordinator did not let this worker in: {message}")]
    Unauthenticated {
        /// The coordinator's words.
        message: String,
    },
    /// One side does not trust the other's certificate.
    #[error("no trust between this worker and what listens there: {message}")]
    Untrusted {
        /// Whose certificate, and what is wrong with it.
        message: String,
    },
    /// The coordinator answered what no coordinator of this version answers.
    #[error("what listens there does not answer as a coordinator does: {message}")]
    Protocol {
        /// What was wrong.
        message: String,
    },
    /// The coordinator was not reached for longer than `--give-up-after`.
    #[error("gave up: the coordinator was not reached for {seconds} s: {message}")]
    Unreachable {
        /// For how long it was tried.
        seconds: u64,
        /// What the last try met.
        message: String,
    },
    /// This machine cannot hold the dataset.
    #[error("dataset: {message}")]
    Cache {
        /// Which file or folder, and why.
        message: String,
    },
    /// This machine cannot train.
    #[error("this machine cannot train: {message}")]
    Host {
        /// Why.
        message: String,
    },
}

impl SessionError {
    /// The usual way to mend it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::VersionRefused { .. } => {
                "coordinator and workers must be of the same version: install the coordinator's \
                 version of the worker on this machine"
            }
            Self::Unauthenticated { .. } => {
                "start the worker the way the coordinator's first lines say"
            }
            Self::Untrusted { .. } => {
                "is this the line that the coordinator printed, and nobody in between? \
                 it also lies in the run's folder, as `join`"
            }
            Self::Protocol { .. } => {
                "is this the address that the coordinator printed when it started?"
            }
            Self::Unreachable { .. } => {
                "is the coordinator running, and may this machine connect to it? \
                 --give-up-after sets how long a worker waits"
            }
            Self::Cache { .. } => {
                "--cache names the folder for datasets: it needs space, and must be writable; \
                 --cache-size says how much is kept there"
            }
            Self::Host { .. } => {
                "look at `nvidia-smi` and at the system's log (`dmesg`); a new process of the \
                 worker may fare better"
            }
        }
    }
}

impl From<CallError> for SessionError {
    /// What a call's failure means when the session cannot go on without it.
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unreachable { seconds, message } => Self::Unreachable { seconds, message },
            CallError::Distrusted { reason } => Self::Untrusted { message: reason },
            CallError::Refused { code: Code::FailedPrecondition, message, .. } => {
                Self::VersionRefused { message }
            }
            CallError::Refused {
                code: Code::Unauthenticated | Code::PermissionDenied,
                message,
                ..
            } => Self::Unauthenticated { message },
            CallError::Refused { call, code, message } => {
                Self::Protocol { message: format!("`{call}` gave {code:?}: {message}") }
            }
        }
    }
}
