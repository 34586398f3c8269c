//! Why something could not be delivered.

use std::{io, time::Duration};

use rustls::{CertificateError, Error as Tls, InvalidMessage};

use crate::model::Keyring;

/// Something could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot tell {receiver}: {why}{}", remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default())]
pub struct Error {
    /// Whom, such as `the webhook at hooks.example.org`.
    pub receiver: String,
    /// Why, in a clause.
    pub why: String,
    /// What can be done about it.
    pub remedy: Option<String>,
    /// Whether it is worth another try.
    pub(super) again: Again,
}

/// What was set cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{receiver} cannot be told anything: {why}; {remedy}")]
pub struct Invalid {
    /// Whom it is about, such as `the webhook`.
    pub receiver: String,
    /// Why, in a clause.
    pub why: String,
    /// What to write instead.
    pub remedy: String,
}

/// Whether something that failed is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It would fail in the same way.
    Never,
    /// It is, after a while.
    Soon,
    /// It is, and the other side said when.
    After(Duration),
}

/// Why a try failed, whoever was to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) why: String,
    pub(super) remedy: Option<String>,
    pub(super) again: Again,
}

impl Fault {
    /// Makes one that would come again.
    pub(super) fn lasting(why: impl Into<String>, remedy: Option<String>) -> Self {
        Self { why: why.into(), remedy, again: Again::Never }
    }

    /// Makes one that may pass.
    pub(super) fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), remedy: None, again: Again::Soon }
    }

    /// Puts a failure of a connection into words.
    pub(super) fn of_connection(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>()) {
            Some(tls) => Self::of_tls(tls),
            None if error.kind() == io::ErrorKind::ConnectionRefused => {
                Self::passing("nobody answers there: the connection is refused")
            }
            None => Self::passing(line(&error.to_string())),
        }
    }

    /// Puts a failure of TLS into words.
    pub(super) fn of_tls(error: &Tls) -> Self {
        let lasting = |why: &str, remedy| Self::lasting(why, remedy);
        match error {
            Tls::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => lasting(
                "its certificate was issued by nobody this machine trusts",
                Some(
                    "add the issuer to the certificates of this machine, or name them in SSL_CERT_FILE"
                        .to_owned(),
                ),
            ),
            Tls::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => lasting("its certificate has expired", None),
            Tls::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            ) => lasting("its certificate is not valid yet", Some("is the clock right?".to_owned())),
            Tls::InvalidCertificate(
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. },
            ) => lasting("its certificate is for another name", None),
            Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
                lasting("what answers there does not speak TLS", None)
            }
            other => lasting(&format!("TLS fails: {}", line(&other.to_string())), None),
        }
    }

    /// Says whom it is about, and strikes out what nobody may see.
    pub(super) fn about(self, receiver: &str, secrets: &Keyring) -> Error {
        Error {
            receiver: receiver.to_owned(),
            why: secrets.scrub(&self.why),
            remedy: self.remedy,
            again: self.again,
        }
    }
}

/// Returns what others wrote as one short line.
pub(super) fn line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    cut(&words.join(" "), 200)
}

/// Returns a text with at most `longest` characters; of a longer one the end is an ellipsis.
pub(super) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}
