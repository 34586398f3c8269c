//! Encrypted connections: both sides show a certificate, and both check.
//!
//! The engine's certificate is always checked, against the one authority in `ca.pem`. There is no way
//! around that: who wants none of it says `http://`.

use std::{
    error::Error as StdError,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as Tls, InvalidMessage, RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{Error as Pem, PemObject as _},
    },
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::address::Host;

/// What is needed to speak TLS with one engine.
pub(super) struct Identity {
    connector: TlsConnector,
    name: ServerName<'static>,
    host: Host,
    folder: PathBuf,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads `ca.pem`, and `cert.pem` with `key.pem` where there are any: an engine may ask for none.
    pub(super) fn read(host: &Host, folder: &Path) -> io::Result<Self> {
        let wrong = |path: &Path, why: String| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()))
        };
        let authority = folder.join("ca.pem");
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&authority)? {
            let added = roots.add(certificate);
            added.map_err(|error| wrong(&authority, error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_root_certificates(roots);
        let (own, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let config = if own.exists() || key.exists() {
            let chain = certificates(&own)?;
            let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| pem(&key, error))?;
            config.with_client_auth_cert(chain, secret).map_err(|error| match error {
                Tls::InconsistentKeys(_) => {
                    wrong(&key, format!("is not the key of {}", own.display()))
                }
                error => wrong(&key, error.to_string()),
            })?
        } else {
            config.with_no_client_auth()
        };
        let name = ServerName::try_from(host.name.clone()).map_err(|_| {
            io::Error::other(format!("`{}` is no name that a certificate can have", host.name))
        })?;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
            host: host.clone(),
            folder: folder.to_owned(),
        })
    }

    /// Greets whoever is at the other end, and checks that it is the engine.
    pub(super) async fn greet(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }

    /// Puts a failure of TLS, wherever in the chain it is, into words that say what to do about it.
    /// An engine that wants a certificate says so only after the greeting, in answer to a request.
    pub(super) fn explain(&self, error: io::Error) -> io::Error {
        let found = in_chain(&error).map(|tls| self.words(tls));
        match found {
            Some(words) => io::Error::new(error.kind(), words),
            None => error,
        }
    }

    fn words(&self, error: &Tls) -> String {
        let Self { host, folder, .. } = self;
        let authority = folder.join("ca.pem").display().to_string();
        let own = folder.join("cert.pem").display().to_string();
        match error {
            Tls::InvalidCertificate(why) => match why {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    format!("the engine's certificate was not issued by {authority}")
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "the engine's certificate has expired".to_owned()
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "the engine's certificate is not valid yet; is the clock right?".to_owned()
                }
                CertificateError::NotValidForName => {
                    format!("the engine's certificate is not for {}", host.name)
                }
                CertificateError::NotValidForNameContext { presented, .. } => {
                    let names: Vec<String> = presented.iter().map(|name| plain(name)).collect();
                    let names = if names.is_empty() { "nobody".into() } else { names.join(", ") };
                    format!("the engine's certificate is for {names}, and not for {}", host.name)
                }
                why => format!("the engine's certificate is not accepted: {why}"),
            },
            Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
                format!("what answers there does not speak TLS; without it: http://{host}")
            }
            Tls::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRequired => {
                    format!("the engine wants a certificate, and there is no {own}")
                }
                AlertDescription::CertificateExpired => {
                    format!("the engine does not accept {own}: it has expired")
                }
                AlertDescription::UnknownCA
                | AlertDescription::DecryptError
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::AccessDenied => {
                    let why = "it was issued by another authority, or not for clients";
                    format!("the engine does not accept {own}: {why}")
                }
                // Engines that speak no later TLS than 1.2 say nothing more precise.
                AlertDescription::HandshakeFailure if !folder.join("cert.pem").exists() => {
                    format!("the engine hangs up; does it want a certificate? There is no {own}")
                }
                alert => format!("the engine hangs up: {alert:?}"),
            },
            other => format!("TLS fails: {other}"),
        }
    }
}

/// Returns the certificates in a file; there must be one.
fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|error| pem(path, error))?;
    if all.is_empty() { Err(pem(path, Pem::NoItemsFound)) } else { Ok(all) }
}

fn pem(path: &Path, error: Pem) -> io::Error {
    let place = path.display();
    match error {
        Pem::Io(error) => io::Error::new(error.kind(), format!("{place}: {error}")),
        Pem::NoItemsFound => {
            let what = if path.ends_with("key.pem") { "private key" } else { "certificate" };
            io::Error::new(io::ErrorKind::InvalidData, format!("{place}: there is no {what} in it"))
        }
        error => io::Error::new(io::ErrorKind::InvalidData, format!("{place}: {error}")),
    }
}

/// rustls writes names as its types are called.
fn plain(name: &str) -> String {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    inside.trim_matches('"').to_owned()
}

fn in_chain(error: &io::Error) -> Option<&Tls> {
    let mut link: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = link {
        if let Some(tls) = error.downcast_ref() {
            return Some(tls);
        }
        // An I/O error hides its own cause from the chain.
        link = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
