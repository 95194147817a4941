//! Who gets in: everything between an open port and the service.
//!
//! A connection is made in steps, each bounded: few strangers of one host at a
//! time (`visitor`), a handshake that ends soon, a first call with the right
//! token soon after (`guard`), and so many calls a second (`connection` ends what
//! breaks these rules). So that a flood of strangers costs those who belong
//! little, and nothing of a stranger's is read before its token was. `keys` makes
//! and reads certificates and tokens.

mod connection;
mod guard;
pub mod keys;
mod visitor;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sweep_proto::secret::Token;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_stream::wrappers::ReceiverStream;

pub use self::connection::Connection;
pub use self::guard::Guard;
use self::visitor::Register;
pub use self::visitor::Visitor;

/// How long a handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// How long to wait where the system has no connection left to give.
const RESPITE: Duration = Duration::from_millis(100);

/// Connections that wait to be served.
const WAITING: usize = 64;

/// What is asked of whoever connects.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// What every call has to present.
    pub token: Option<Token>,
    /// The certificate that is shown, and those that are asked for; without it,
    /// nothing is encrypted.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Door {
    /// What every call passes through.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard::new(self.token.clone())
    }

    /// Connections as they come, once their handshake is done.
    ///
    /// To be called within a tokio runtime.
    #[must_use]
    pub fn receive(&self, listener: TcpListener) -> ReceiverStream<io::Result<Connection>> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let acceptor = self.tls.clone().map(TlsAcceptor::from);
        tokio::spawn(accept(listener, acceptor, sender));
        ReceiverStream::new(receiver)
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    sender: mpsc::Sender<io::Result<Connection>>,
) {
    let register = Arc::new(Register::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = sender.closed() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // One connection's failure, or no descriptor left: the next may do.
            Err(error) => {
                tracing::debug!("no connection: {error}");
                tokio::time::sleep(RESPITE).await;
                continue;
            }
        };
        let Some(visitor) = Visitor::enter(&register, peer) else { continue };
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE_LIMIT, greet(stream, acceptor, &visitor)).await {
                Ok(Ok(connection)) => drop(sender.send(Ok(connection)).await),
                Ok(Err(error)) => visitor.tell("no handshake", &error),
                Err(_) => visitor.tell("no handshake", &"it took too long"),
            }
        });
    }
}

async fn greet(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    visitor: &Arc<Visitor>,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    Ok(match acceptor {
        None => Connection::plain(stream, Arc::clone(visitor)),
        Some(acceptor) => {
            Connection::encrypted(acceptor.accept(stream).await?, Arc::clone(visitor))
        }
    })
}
