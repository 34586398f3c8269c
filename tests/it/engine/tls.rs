//! Engines behind TLS: a front of our own before the machine's engine, which asks its clients for a
//! certificate.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use nself::{
    engine::{
        Error,
        docker::{Address, Client, Docker},
    },
    model::Keyring,
};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

const SOCKET: &str = "/var/run/docker.sock";

/// The engine of this machine, over TLS.
pub async fn engine() -> Docker {
    let front = front();
    let address = format!("tcp://localhost:{}", front.good.port());
    let client = Client { certificates: Some(front.folder("good")), ..Client::default() };
    let address = Address::parse(&address, &client).unwrap();
    Docker::connect_to(&address, super::keyring()).await.expect("an engine behind TLS")
}

/// The engine of this machine, over a plain port of this machine.
pub async fn plain_engine() -> Docker {
    let address = format!("tcp://{}", front().plain);
    Docker::connect(&address, super::keyring()).await.expect("an engine behind a port")
}

/// What listens, and the certificates to speak with it.
struct Front {
    folder: tempfile::TempDir,
    good: SocketAddr,
    expired: SocketAddr,
    elsewhere: SocketAddr,
    plain: SocketAddr,
}

impl Front {
    fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Returns a certificate and its key.
    fn issue(&self, name: &str, until: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn front() -> &'static Front {
    static FRONT: OnceLock<Front> = OnceLock::new();
    FRONT.get_or_init(|| {
        let (ours, others) = (Authority::new(), Authority::new());
        let folder = tempfile::tempdir().unwrap();
        let write = |set: &str, file: &str, text: &str| {
            let place = folder.path().join(set);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(file), text).unwrap();
        };
        let client = ours.issue("client", 4000);
        let stranger = others.issue("client", 4000);
        let late = ours.issue("client", 2000);
        for (set, ca, pair) in [
            ("good", &ours, Some(&client)),
            ("nothing of its own", &ours, None),
            ("another authority", &others, Some(&client)),
            ("a stranger's", &ours, Some(&stranger)),
            ("expired", &ours, Some(&late)),
            ("no key", &ours, Some(&client)),
            ("another key", &ours, Some(&client)),
            ("no certificate in it", &ours, None),
        ] {
            write(set, "ca.pem", &ca.pem);
            if let Some((certificate, key)) = pair {
                write(set, "cert.pem", certificate);
                write(set, "key.pem", key);
            }
        }
        std::fs::remove_file(folder.path().join("no key/key.pem")).unwrap();
        write("another key", "key.pem", &stranger.1);
        write("no certificate in it", "ca.pem", "nothing\n");
        std::fs::create_dir(folder.path().join("empty")).unwrap();

        let [good, expired, elsewhere, plain] =
            std::array::from_fn(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let address = |listener: &std::net::TcpListener| listener.local_addr().unwrap();
        let front = Front {
            folder,
            good: address(&good),
            expired: address(&expired),
            elsewhere: address(&elsewhere),
            plain: address(&plain),
        };
        let fronts = [
            (good, Some(ours.issue("localhost", 4000))),
            (expired, Some(ours.issue("localhost", 2000))),
            (elsewhere, Some(ours.issue("elsewhere.example", 4000))),
            (plain, None),
        ];
        let fronts = fronts.map(|(listener, pair)| {
            listener.set_nonblocking(true).unwrap();
            (listener, pair.map(|pair| acceptor(&ours.pem, &pair)))
        });
        // On a thread of its own, since the runtimes of tests come and go.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let serving = fronts.map(|(listener, acceptor)| {
                    serve(TcpListener::from_std(listener).unwrap(), acceptor)
                });
                futures_util::future::join_all(serving).await;
            });
        });
        front
    })
}

fn acceptor(authority: &str, (certificate, key): &(String, String)) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // Who is not let in, and who hangs up, is what some tests are about.
            let _ = pass_on(stream, acceptor).await;
        });
    }
}

async fn pass_on(mut client: TcpStream, acceptor: Option<TlsAcceptor>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    match acceptor {
        None => {
            let mut engine = UnixStream::connect(SOCKET).await?;
            tokio::io::copy_bidirectional(&mut client, &mut engine).await?;
        }
        Some(acceptor) => {
            let mut client = acceptor.accept(client).await?;
            let mut engine = UnixStream::connect(SOCKET).await?;
            tokio::io::copy_bidirectional(&mut client, &mut engine).await?;
        }
    }
    Ok(())
}

async fn failure(address: &str, certificates: Option<&Path>) -> String {
    let client = Client { certificates: certificates.map(Path::to_owned), ..Client::default() };
    let address = Address::parse(address, &client).unwrap();
    match Docker::connect_to(&address, Keyring::default()).await {
        Err(Error::Unreachable { cause, .. }) => {
            cause.to_string().replace(&front().folder.path().display().to_string(), "FOLDER")
        }
        other => panic!("{address} with {certificates:?}: {other:?}"),
    }
}

#[tokio::test]
async fn certificates_that_do_not_fit_are_told_apart() {
    let front = front();
    let good = format!("https://localhost:{}", front.good.port());
    for (set, words) in [
        ("empty", "FOLDER/empty/ca.pem: No such file or directory (os error 2)"),
        (
            "no certificate in it",
            "FOLDER/no certificate in it/ca.pem: there is no certificate in it",
        ),
        ("no key", "FOLDER/no key/key.pem: No such file or directory (os error 2)"),
        (
            "another key",
            "FOLDER/another key/key.pem: is not the key of FOLDER/another key/cert.pem",
        ),
        (
            "another authority",
            "the engine's certificate was not issued by FOLDER/another authority/ca.pem",
        ),
        (
            "nothing of its own",
            "the engine wants a certificate, and there is no FOLDER/nothing of its own/cert.pem",
        ),
        ("expired", "the engine does not accept FOLDER/expired/cert.pem: it has expired"),
        (
            "a stranger's",
            "the engine does not accept FOLDER/a stranger's/cert.pem: it was issued by another \
             authority, or not for clients",
        ),
    ] {
        assert_eq!(failure(&good, Some(&front.folder(set))).await, words);
    }
}

#[tokio::test]
async fn engines_that_are_not_who_they_should_be_are_refused() {
    let front = front();
    let with = front.folder("good");
    let at = |address: SocketAddr| format!("tcp://localhost:{}", address.port());
    for (address, words) in [
        (at(front.expired), "the engine's certificate has expired"),
        (
            at(front.elsewhere),
            "the engine's certificate is for elsewhere.example, and not for localhost",
        ),
    ] {
        assert_eq!(failure(&address, Some(&with)).await, words);
    }
    let unencrypted = failure(&at(front.plain), Some(&with)).await;
    let host = format!("localhost:{}", front.plain.port());
    assert_eq!(
        unencrypted,
        format!("what answers there does not speak TLS; without it: http://{host}")
    );
    let encrypted = failure(&at(front.good), None).await;
    assert!(encrypted.contains("it may be TLS that is spoken there"), "{encrypted}");
}
