//! Whoever is not let in, and whoever is and asks for what it may not: each gets
//! the right status, and nothing is changed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use sweep::coordinator::door::Door;
use sweep::coordinator::door::keys::Identity;
use sweep::oracle::RandomSearch;
use sweep_proto::address::{Address, Security};
use sweep_proto::connect::{self, Client, Credentials};
use sweep_proto::digest::hexadecimal;
use sweep_proto::secret::Token;
use sweep_proto::v1;
use tokio::task::spawn_blocking;
use tonic::{Code, Status};

use crate::service::{Site, space};

const TOKEN: &str = "the-token-of-this-test";

fn token() -> Token {
    TOKEN.parse().expect("a token")
}

/// A coordinator that wants a token, over TLS.
async fn guarded(folder: &Path, clients: Option<&Path>) -> (Site, Security) {
    let identity = Identity::of_run(folder).expect("made");
    let tls = Some(identity.config(clients).expect("usable"));
    let door = Door { token: Some(token()), tls };
    let site = Site::behind(door, Box::new(RandomSearch::new(space()))).await;
    (site, Security::Pinned(identity.fingerprint().expect("there")))
}

fn client(
    site: &Site,
    token: Option<Token>,
    security: Security,
    credentials: &Credentials,
) -> Client {
    let (host, port) = (site.address.ip().to_string(), site.address.port());
    let address = Address::new(&host, port, token, security).expect("an address");
    connect::client(&address, credentials).expect("a client")
}

async fn knock(client: &mut Client) -> Result<(), Status> {
    let id = Some(v1::AttemptId { trial: 99, execution: 0, attempt: 1 });
    client.report(v1::ReportRequest { id, instance: 1, measurements: vec![] }).await.map(drop)
}

async fn is_untouched(site: Site) {
    let study = site.dispatcher.close().await.expect("the store works");
    assert!(study.trials.is_empty(), "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token_nobody_is_heard() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (site, security) = guarded(folder.path(), None).await;
    let none = Credentials::default();
    let other: Token = "another-token-than-this".parse().expect("a token");
    for token in [None, Some(other)] {
        let refused = knock(&mut client(&site, token, security, &none)).await.expect_err("refused");
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    }
    let heard =
        knock(&mut client(&site, Some(token()), security, &none)).await.expect_err("no such trial");
    assert_eq!(heard.code(), Code::NotFound, "{heard}");

    // Not over TLS, and not even HTTP/2.
    let plain = knock(&mut client(&site, Some(token()), Security::Plain, &none)).await;
    assert_ne!(plain.expect_err("refused").code(), Code::NotFound);
    let wrong: [u8; 32] = [7; 32];
    let print = hexadecimal(&wrong);
    let pinned = Security::Pinned(print.parse().expect("a fingerprint"));
    let distrusted = knock(&mut client(&site, Some(token()), pinned, &none)).await;
    let distrusted = distrusted.expect_err("another certificate");
    assert!(connect::distrust(&distrusted).is_some_and(|why| why.contains("fingerprint")));
    is_untouched(site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_refused_often_is_ended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (site, security) = guarded(folder.path(), None).await;
    let mut stranger = client(&site, None, security, &Credentials::default());
    let mut codes = Vec::new();
    for _ in 0..12 {
        codes.push(knock(&mut stranger).await.expect_err("refused").code());
    }
    assert!(codes.contains(&Code::Unauthenticated), "{codes:?}");
    // Some met the end of their connection.
    assert!(codes.iter().any(|code| *code != Code::Unauthenticated), "{codes:?}");
    let mut known = client(&site, Some(token()), security, &Credentials::default());
    assert_eq!(knock(&mut known).await.expect_err("no such trial").code(), Code::NotFound);
    is_untouched(site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_call_ends_the_connection_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (encrypted, security) = guarded(folder.path(), None).await;
    let door = Door { token: Some(token()), tls: None };
    let plain = Site::behind(door, Box::new(RandomSearch::new(space()))).await;
    let noise: Vec<u8> =
        (0..4096_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let one_gigabyte = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0xff; 64]].concat();
    for address in [encrypted.address, plain.address] {
        for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], &noise, &one_gigabyte] {
            let bytes = bytes.to_vec();
            let ended = spawn_blocking(move || {
                let mut stream = TcpStream::connect(address).expect("connected");
                stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
                // It may be ended before all is sent.
                let _ = stream.write_all(&bytes);
                let mut answer = Vec::new();
                match stream.read_to_end(&mut answer) {
                    Ok(_) => true,
                    Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
                }
            });
            assert!(ended.await.expect("no panic"), "the connection is ended");
        }
    }
    let mut known = client(&encrypted, Some(token()), security, &Credentials::default());
    assert_eq!(knock(&mut known).await.expect_err("no such trial").code(), Code::NotFound);
    is_untouched(encrypted).await;
    is_untouched(plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_beyond_all_bounds_is_refused() {
    let site = Site::behind(Door::default(), Box::new(RandomSearch::new(space()))).await;
    let mut client = client(&site, None, Security::Plain, &Credentials::default())
        .max_encoding_message_size(usize::MAX);
    let metrics = vec![v1::Metric::measured("m".repeat(16 << 20), 1.0)];
    let measurements = vec![v1::Measurement { epoch: 1, metrics, seconds: 0.0 }];
    let id = Some(v1::AttemptId { trial: 0, execution: 0, attempt: 1 });
    let refused = client
        .report(v1::ReportRequest { id, instance: 1, measurements })
        .await
        .expect_err("too long");
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");

    let metric = |index: u32| v1::Metric::measured(format!("m{index}"), 1.0);
    let measurements = vec![v1::Measurement {
        epoch: 1,
        metrics: (0..10_000).map(metric).collect(),
        seconds: 0.0,
    }];
    let refused = client
        .report(v1::ReportRequest { id, instance: 1, measurements })
        .await
        .expect_err("too many");
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    is_untouched(site).await;
}

/// An authority, and a client's certificate that it has signed.
fn client_identity(folder: &Path, valid: (i32, i32)) -> (std::path::PathBuf, Credentials) {
    let mut authority = CertificateParams::new(vec![]).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("made");
    let mut worker = CertificateParams::new(vec!["worker".to_owned()]).expect("a name");
    worker.not_before = date_time_ymd(valid.0, 1, 1);
    worker.not_after = date_time_ymd(valid.1, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let certificate = worker.signed_by(&key, &authority).expect("signed");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let ca = write("ca.pem", authority.pem());
    let identity = Some((
        write("worker.pem", certificate.pem()),
        write("worker-key.pem", key.serialize_pem()),
    ));
    (ca, Credentials { authorities: None, identity })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_workers_show_certificates_only_valid_ones_count() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ca, valid) = client_identity(folder.path(), (2000, 2999));
    let (site, security) = guarded(folder.path(), Some(&ca)).await;
    let mut known = client(&site, Some(token()), security, &valid);
    assert_eq!(knock(&mut known).await.expect_err("no such trial").code(), Code::NotFound);

    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let (_, foreign) = client_identity(elsewhere.path(), (2000, 2999));
    for credentials in [Credentials::default(), foreign] {
        let mut stranger = client(&site, Some(token()), security, &credentials);
        let refused = knock(&mut stranger).await.expect_err("refused");
        assert_ne!(refused.code(), Code::NotFound, "{refused}");
    }
    is_untouched(site).await;

    let (ca, expired) = client_identity(folder.path(), (2000, 2001));
    let (site, security) = guarded(folder.path(), Some(&ca)).await;
    let mut late = client(&site, Some(token()), security, &expired);
    let refused = knock(&mut late).await.expect_err("expired");
    assert_ne!(refused.code(), Code::NotFound, "{refused}");
    is_untouched(site).await;
}
