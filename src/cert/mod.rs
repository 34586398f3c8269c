//! Certificates: a person's own authority, and what it issues for the gateway.
//!
//! The authority belongs to the person, not to a project, so that trusting it once is enough. It calls
//! nobody; its key never leaves its folder.

pub mod store;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

use crate::{
    model::Sensitive,
    secret::{self, Lock, Mode, Pair},
};

/// How long an authority is good for.
const AUTHORITY_DAYS: u64 = 3650;
/// How long a certificate is good for; browsers take no more than 398 days.
const LEAF_DAYS: u64 = 397;
/// A certificate is due for renewal when this is left.
const RENEWAL_DAYS: u64 = 30;

const DAY: u64 = 24 * 60 * 60 * 1000;
const HOUR: u64 = 60 * 60 * 1000;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The authority's files could not be read or written.
    #[error("cannot use the local authority")]
    File(#[from] secret::Error),
    /// One of the authority's two files is gone or is not what it should be.
    #[error(
        "the local authority in {folder} is damaged: {why}; move the folder away to begin anew"
    )]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The authority's time is over.
    #[error("the local authority in {0} has expired; move the folder away to begin anew")]
    Expired(PathBuf),
    /// The certificate could not be made.
    #[error("cannot issue a certificate")]
    Issue(#[from] rcgen::Error),
}

/// A local certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    folder: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the authority in `folder`, and makes it first if there is none. `now` is in milliseconds
    /// since 1970.
    pub fn open(folder: &Path, now: u64) -> Result<Self, Error> {
        let lock = Lock::take(folder)?;
        let (key_path, pem_path) = (folder.join("ca-key.pem"), Self::path_in(folder));
        let damaged = |why: String| Error::Damaged { folder: folder.to_owned(), why };
        let key = secret::read(&key_path)?;
        // The certificate is written last: without one, whatever key there is was never used.
        let Some(pem) = secret::read(&pem_path)? else {
            let key = KeyPair::generate()?;
            let params = authority_params(now);
            let pem = params.self_signed(&key)?.pem();
            secret::replace(&key_path, &key.serialize_pem(), Mode::Private, &lock)?;
            secret::replace(&pem_path, &pem, Mode::Public, &lock)?;
            let issuer = Issuer::new(params, key);
            return Ok(Self { issuer, pem, folder: folder.to_owned() });
        };
        let Some(key) = key else { return Err(damaged("its key is gone".into())) };
        let key = KeyPair::from_pem(&key).map_err(|error| damaged(format!("key: {error}")))?;
        let der = der(&pem).ok_or_else(|| damaged("ca.pem is no certificate".into()))?;
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|error| damaged(format!("ca.pem: {error}")))?;
        if certificate.public_key().raw != rcgen::PublicKeyData::subject_public_key_info(&key) {
            return Err(damaged("ca.pem and ca-key.pem do not belong together".into()));
        }
        if expiry(&certificate) <= now {
            return Err(Error::Expired(folder.to_owned()));
        }
        let issuer = Issuer::from_ca_cert_pem(&pem, key)?;
        Ok(Self { issuer, pem, folder: folder.to_owned() })
    }

    /// Returns where an authority in `folder` keeps its own certificate, which is what people trust.
    pub fn path_in(folder: &Path) -> PathBuf {
        folder.join("ca.pem")
    }

    /// Returns the authority's own certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns a new certificate for exactly `hosts`, unless `there` is one, made by this authority,
    /// that is not due.
    pub fn renew(
        &self,
        hosts: &[String],
        there: Option<&Pair>,
        now: u64,
    ) -> Result<Option<Pair>, Error> {
        if there.is_some_and(|pair| self.is_good(pair, hosts, now)) {
            return Ok(None);
        }
        self.issue(hosts, now).map(Some)
    }

    /// Issues a certificate for exactly `hosts`.
    pub fn issue(&self, hosts: &[String], now: u64) -> Result<Pair, Error> {
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = DistinguishedName::new();
        // The first is for people; programs read the list of names. A longer one is not allowed here.
        if let Some(host) = hosts.iter().find(|host| host.len() <= 64) {
            params.distinguished_name.push(DnType::CommonName, host.as_str());
        }
        (params.not_before, params.not_after) = period(now, LEAF_DAYS);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let chain = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair { chain: Sensitive::new(chain), key: Sensitive::new(key.serialize_pem()) })
    }

    /// Returns whether a pair was made by this authority for exactly `hosts`, and is not due at `now`.
    pub fn is_good(&self, pair: &Pair, hosts: &[String], now: u64) -> bool {
        let chain = pair.chain.expose();
        let check = || {
            let (leaf, authority) = (der(chain)?, der(&self.pem)?);
            let (_, leaf) = X509Certificate::from_der(&leaf).ok()?;
            let (_, authority) = X509Certificate::from_der(&authority).ok()?;
            leaf.verify_signature(Some(authority.public_key())).ok()?;
            let key = KeyPair::from_pem(pair.key.expose()).ok()?;
            let is_pair =
                leaf.public_key().raw == rcgen::PublicKeyData::subject_public_key_info(&key);
            let wanted: BTreeSet<&str> = hosts.iter().map(String::as_str).collect();
            Some(is_pair && names(&leaf) == wanted)
        };
        check().unwrap_or(false) && !is_due(chain, now)
    }
}

/// Returns whether the first certificate of `pem` must be renewed: it has 30 days or less, or cannot be
/// read. `now` is in milliseconds since 1970.
pub fn is_due(pem: &str, now: u64) -> bool {
    expires(pem).is_none_or(|expiry| expiry <= now + RENEWAL_DAYS * DAY)
}

/// Returns when the first certificate of `pem` expires, in milliseconds since 1970.
pub fn expires(pem: &str) -> Option<u64> {
    let der = der(pem)?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    Some(expiry(&certificate))
}

/// What the first certificate of a chain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The host names it is good for.
    pub hosts: BTreeSet<String>,
    /// When it expires, in milliseconds since 1970.
    pub expires: u64,
}

impl Leaf {
    /// Reads a chain; `None` when it is none.
    pub fn read(chain: &Sensitive) -> Option<Self> {
        let der = der(chain.expose())?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let hosts = names(&certificate).into_iter().map(str::to_owned).collect();
        Some(Self { hosts, expires: expiry(&certificate) })
    }
}

/// Returns whether the authority whose own certificate is `authority` issued the first one of `chain`.
pub fn is_issued_by(chain: &Sensitive, authority: &str) -> bool {
    let check = || {
        let (leaf, authority) = (der(chain.expose())?, der(authority)?);
        let (_, leaf) = X509Certificate::from_der(&leaf).ok()?;
        let (_, authority) = X509Certificate::from_der(&authority).ok()?;
        leaf.verify_signature(Some(authority.public_key())).ok()
    };
    check().is_some()
}

fn authority_params(now: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "nself");
    // Two authorities of one person must not look alike to a browser.
    params.distinguished_name.push(DnType::CommonName, format!("nself local authority {now}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = period(now, AUTHORITY_DAYS);
    params
}

/// Returns a period from a little before `now`, for clocks that go slow, to `days` later.
fn period(now: u64, days: u64) -> (OffsetDateTime, OffsetDateTime) {
    let time = |millis: u64| {
        let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    (time(now.saturating_sub(HOUR)), time(now.saturating_add(days * DAY - HOUR)))
}

fn der(pem: &str) -> Option<Vec<u8>> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
    (pem.label == "CERTIFICATE").then_some(pem.contents)
}

fn expiry(certificate: &X509Certificate<'_>) -> u64 {
    u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0) * 1000
}

fn names<'a>(certificate: &'a X509Certificate<'_>) -> BTreeSet<&'a str> {
    let alternative =
        certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
            _ => None,
        });
    let dns = |name: &'a GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    };
    alternative.into_iter().flatten().filter_map(dns).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the disk behind the room's back")]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn certificates_are_renewed_when_due_or_for_other_hosts() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open(folder.path(), NOW).unwrap();
        let wanted = hosts(&["api.shop.localhost", "shop.localhost"]);
        let pair = authority.renew(&wanted, None, NOW).unwrap().unwrap();
        let renewed = |hosts: &[String], now| {
            let again = Authority::open(folder.path(), now).unwrap();
            again.renew(hosts, Some(&pair), now).unwrap().is_some()
        };
        assert!(!renewed(&wanted, NOW + 366 * DAY));
        assert!(renewed(&wanted, NOW + 368 * DAY));
        assert!(renewed(&hosts(&["shop.localhost"]), NOW));
        assert!(renewed(&hosts(&["shop.localhost", "other.localhost"]), NOW));
        assert!(is_due("nonsense", NOW));
        let leaf = Leaf::read(&pair.chain).unwrap();
        assert_eq!(leaf.hosts, wanted.iter().cloned().collect());
        assert_eq!(Some(leaf.expires), expires(pair.chain.expose()));
        assert!(is_issued_by(&pair.chain, authority.pem()));

        let elsewhere = tempfile::tempdir().unwrap();
        let other = Authority::open(elsewhere.path(), NOW).unwrap();
        assert!(!is_issued_by(&pair.chain, other.pem()));
        assert!(other.renew(&wanted, Some(&pair), NOW).unwrap().is_some());
    }

    #[test]
    fn the_key_is_private_and_damage_is_not_repaired_by_guessing() {
        let folder = tempfile::tempdir().unwrap();
        let made = Authority::open(folder.path(), NOW).unwrap();
        let key = folder.path().join("ca-key.pem");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Authority::open(folder.path(), NOW).unwrap().pem(), made.pem());
        let after = NOW + (AUTHORITY_DAYS + 1) * DAY;
        assert!(matches!(Authority::open(folder.path(), after), Err(Error::Expired(_))));
        fs::remove_file(&key).unwrap();
        assert!(matches!(Authority::open(folder.path(), NOW), Err(Error::Damaged { .. })));
        fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        assert!(matches!(Authority::open(folder.path(), NOW), Err(Error::Damaged { .. })));
    }
}
