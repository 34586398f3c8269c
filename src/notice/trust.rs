//! Whose certificates are believed.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio_rustls::TlsConnector;

/// Whose certificates are believed. There is no way to believe everybody.
#[derive(Clone, Default)]
pub enum Trust {
    /// Those this machine believes, or those in the file that `SSL_CERT_FILE` names.
    #[default]
    Machine,
    /// These authorities only.
    Only(Vec<CertificateDer<'static>>),
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Machine => f.write_str("Machine"),
            Self::Only(all) => write!(f, "Only({})", all.len()),
        }
    }
}

impl Trust {
    /// Returns the certificates of the authorities that can be used.
    ///
    /// # Errors
    /// What there is to say when there is none.
    pub(super) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let all = match self {
            Self::Machine => rustls_native_certs::load_native_certs().certs,
            Self::Only(all) => all.clone(),
        };
        // Old roots are in many stores that no verifier can read.
        let mut store = RootCertStore::empty();
        let usable: Vec<_> =
            all.into_iter().filter(|certificate| store.add(certificate.clone()).is_ok()).collect();
        if usable.is_empty() {
            return Err("this machine has no certificates of authorities".to_owned());
        }
        Ok(usable)
    }

    /// Makes what speaks TLS.
    pub(super) fn connector(&self) -> Result<TlsConnector, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.authorities()?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// What to do where there are no authorities.
pub(super) const NO_AUTHORITIES: &str =
    "install the package ca-certificates, or name a file of certificates in SSL_CERT_FILE";
