//! Whether a delivery is from whom it says: by a signature over its bytes, or by a token in a header.
//!
//! Every comparison takes the same time whatever differs, and all secrets are tried whichever fits.

use std::fmt;

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::Sensitive;

/// By how much the clock of a sender that signs the time may differ from ours, either way.
const LEEWAY_MS: u64 = 5 * 60 * 1000;
/// What a secret begins with that is a key in base64, as Standard Webhooks has it.
const SIGNING: &str = "whsec_";

/// The secrets of one provider.
#[derive(Default)]
pub struct Keys(Vec<Sensitive>);

impl Keys {
    /// Adds one, unless it is empty: that would prove nothing.
    pub fn add(&mut self, secret: Sensitive) {
        if !secret.expose().is_empty() {
            self.0.push(secret);
        }
    }

    /// Returns whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether one of them is a signing key, which is never sent.
    pub(super) fn has_signing(&self) -> bool {
        self.0.iter().any(|secret| secret.expose().starts_with(SIGNING))
    }

    /// Returns the bytes of those that are signing keys.
    fn signing(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.0
            .iter()
            .filter_map(|secret| STANDARD.decode(secret.expose().strip_prefix(SIGNING)?).ok())
    }

    /// Returns the bytes of those that are not.
    fn shared(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let shared = self.0.iter().map(Sensitive::expose);
        shared.filter(|secret| !secret.starts_with(SIGNING)).map(str::as_bytes)
    }
}

/// What the headers of a delivery offer as proof.
pub enum Claim {
    /// A shared secret itself.
    Token(Vec<u8>),
    /// The HMAC-SHA-256 of the body under a shared secret, with something before the body.
    Signature {
        /// What stands before the body.
        before: Vec<u8>,
        /// The signature.
        tag: Vec<u8>,
    },
    /// The same under a signing key, perhaps under several.
    Signatures {
        /// What stands before the body.
        before: Vec<u8>,
        /// The signatures; one must fit.
        tags: Vec<Vec<u8>>,
    },
}

/// Why a delivery proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature or token.
    #[error("it carries no signature: set the same secret at the sender")]
    Unsigned,
    /// It is not a signature.
    #[error("its signature is not in the form that this sender uses")]
    Malformed,
    /// It was signed too long ago, or in the future.
    #[error("it was signed more than 5 minutes away from now: check both clocks")]
    Stale,
    /// It does not fit.
    #[error("its signature does not fit: the secret is another, or the body was changed")]
    Wrong,
}

/// A delivery that is being checked while it arrives.
pub struct Checker {
    macs: Vec<Hmac<Sha256>>,
    tags: Vec<Vec<u8>>,
    is_token: bool,
}

/// A delivery that proved right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The signature, which no other body has; none where a token was the proof.
    pub signature: Option<Vec<u8>>,
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a delivery being checked)")
    }
}

impl Checker {
    pub(super) fn new(claim: Claim, keys: &Keys) -> Self {
        match claim {
            // A token is the signature of nothing under a key that is the token: so two are compared without
            // their length or their first difference showing in the time.
            Claim::Token(token) => Self {
                macs: keys.shared().map(|key| mac(key, &[])).collect(),
                tags: vec![mac(&token, &[]).finalize().into_bytes().to_vec()],
                is_token: true,
            },
            Claim::Signature { before, tag } => Self {
                macs: keys.shared().map(|key| mac(key, &before)).collect(),
                tags: vec![tag],
                is_token: false,
            },
            Claim::Signatures { before, tags } => Self {
                macs: keys.signing().map(|key| mac(&key, &before)).collect(),
                tags,
                is_token: false,
            },
        }
    }

    /// Takes the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        if !self.is_token {
            self.macs.iter_mut().for_each(|mac| mac.update(bytes));
        }
    }

    /// Says whether the proof holds, now that the whole body is there.
    ///
    /// # Errors
    /// [`Refusal::Wrong`].
    pub fn finish(self) -> Result<Proven, Refusal> {
        let mut fits = None;
        for mac in &self.macs {
            for tag in &self.tags {
                if mac.clone().verify_slice(tag).is_ok() {
                    fits = Some(tag.clone());
                }
            }
        }
        let tag = fits.ok_or(Refusal::Wrong)?;
        Ok(Proven { signature: (!self.is_token).then_some(tag) })
    }
}

fn mac(key: &[u8], before: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(before);
    mac
}

/// Returns the text of a header, unless it is there twice: then nobody knows which one was meant.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok().filter(|text| !text.is_empty())?;
    all.next().is_none().then_some(first)
}

/// Reads the signature of a body in hexadecimal from the first of `names` that is there, each with what
/// stands before the digits.
pub(super) fn hexadecimal(
    headers: &HeaderMap,
    names: &[(&str, &str)],
    before: Vec<u8>,
) -> Result<Claim, Refusal> {
    for (name, prefix) in names {
        if !headers.contains_key(*name) {
            continue;
        }
        let text = header(headers, name).and_then(|text| text.strip_prefix(prefix));
        let tag = text.and_then(digits).ok_or(Refusal::Malformed)?;
        return Ok(Claim::Signature { before, tag });
    }
    Err(Refusal::Unsigned)
}

/// Refuses what was signed too far from now. `seconds` are since 1970.
pub(super) fn fresh(seconds: &str, now: u64) -> Result<(), Refusal> {
    let is_plain = seconds.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: u64 = seconds.parse().ok().filter(|_| is_plain).ok_or(Refusal::Malformed)?;
    let apart = seconds.saturating_mul(1000).abs_diff(now);
    if apart > LEEWAY_MS { Err(Refusal::Stale) } else { Ok(()) }
}

/// Reads the 64 hexadecimal digits of a SHA-256.
fn digits(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    (text.len() == 64).then(|| text.chunks_exact(2).map(pair).collect())?
}
