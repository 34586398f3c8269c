//! Secret values, and the keyring that turns a [`Text`] into what it reads as.
//!
//! **Invariant:** nothing here can be printed. `Debug` shows the word "sensitive", there is no `Display`, and
//! only [`Sensitive::expose`] hands the bytes out; the tidy test lists the rooms that may call it.

use std::{collections::BTreeMap, fmt};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Encoding, Part, SecretName, Text, digest::hex};

/// Bytes that must not be shown: a secret, or a live value of which nobody knows what it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sensitive(String);

impl Sensitive {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Hands the value out. The caller answers for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

/// A keyed hash (HMAC-SHA-256, 128 bits) of a value: equal values of one project have equal
/// fingerprints, and without the project's key nothing can be learned from one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Reads a fingerprint that was stored with [`Fingerprint::as_str`].
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns all digits, for storing and comparing.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first four digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..4).unwrap_or(&self.0)
    }
}

/// The project's secrets and its fingerprint key.
#[derive(Clone, Default)]
pub struct Keyring {
    key: Option<Sensitive>,
    values: BTreeMap<SecretName, Sensitive>,
    turns: BTreeMap<SecretName, u32>,
    /// What is struck out of texts, the longest first.
    struck: Vec<Sensitive>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Keyring {
    /// Makes a keyring; without a `key` nothing can be fingerprinted.
    pub fn new(key: Option<Sensitive>, values: BTreeMap<SecretName, Sensitive>) -> Self {
        let known: Vec<Sensitive> = values.values().cloned().collect();
        Self { key, values, turns: BTreeMap::new(), struck: Vec::new() }.knowing(known)
    }

    /// Adds how often each secret has changed; see [`turns`](Self::turns).
    #[must_use]
    pub fn with_turns(self, turns: BTreeMap<SecretName, u32>) -> Self {
        Self { turns, ..self }
    }

    /// Adds values that are not in use and must not be shown either.
    #[must_use]
    pub fn knowing(mut self, values: impl IntoIterator<Item = Sensitive>) -> Self {
        let long = values.into_iter().filter(|value| value.expose().len() >= SHORTEST);
        self.struck.extend(long.flat_map(|value| forms(value.expose())).map(Sensitive));
        self.struck.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        self.struck.dedup();
        self
    }

    /// Returns how often a secret has changed. What is set up twice so that two values are valid for a
    /// while takes one of them at each turn.
    pub fn turns(&self) -> &BTreeMap<SecretName, u32> {
        &self.turns
    }

    /// Returns whether there is a key, that is, a vault.
    pub fn is_present(&self) -> bool {
        self.key.is_some()
    }

    /// Returns the value of one secret.
    pub fn get(&self, name: &SecretName) -> Option<&Sensitive> {
        self.values.get(name)
    }

    /// Returns the names of all secrets.
    pub fn names(&self) -> impl Iterator<Item = &SecretName> {
        self.values.keys()
    }

    /// Returns what `text` reads as, or `None` if one of its secrets is not known.
    pub fn reveal(&self, text: &Text) -> Option<Sensitive> {
        let mut out = String::new();
        for part in &text.0 {
            match part {
                Part::Plain(plain) => out.push_str(plain),
                Part::Secret(name, encoding) => {
                    out.push_str(&encoding.apply(self.values.get(name)?.expose()));
                }
            }
        }
        Some(Sensitive(out))
    }

    /// Returns the fingerprint of a value, or `None` without a key.
    pub fn fingerprint(&self, value: &str) -> Option<Fingerprint> {
        let key = self.key.as_ref()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(value.as_bytes());
        Some(Fingerprint(hex(&mac.finalize().into_bytes()[..16])))
    }

    /// Returns the fingerprint of what `text` reads as, or `None` if one of its secrets, or the key, is
    /// not known.
    pub fn fingerprint_of(&self, text: &Text) -> Option<Fingerprint> {
        self.fingerprint(self.reveal(text)?.expose())
    }

    /// Returns `text` with every known secret of eight or more characters struck out, as it is and in
    /// every encoding in which it is delivered or in which programs show it. Shorter ones would strike out
    /// ordinary words.
    pub fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for shown in &self.struck {
            if text.contains(&shown.0) {
                text = text.replace(&shown.0, "(secret)");
            }
        }
        text
    }
}

/// Secrets below so many characters are not struck out.
const SHORTEST: usize = 8;

/// Returns what a secret can look like in the output of a program.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    forms.extend(
        [Encoding::Url, Encoding::Quoted].map(|encoding| encoding.apply(value).into_owned()),
    );
    let json = serde_json::Value::from(value).to_string();
    forms.push(json[1..json.len() - 1].to_owned());
    forms.extend([STANDARD.encode(value), STANDARD_NO_PAD.encode(value)]);
    forms.extend([URL_SAFE.encode(value), URL_SAFE_NO_PAD.encode(value)]);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> Keyring {
        let name = SecretName::new("db").unwrap();
        Keyring::new(
            Some(Sensitive::new("k")),
            BTreeMap::from([(name, Sensitive::new("p@ss/word"))]),
        )
    }

    #[test]
    fn secrets_are_encoded_for_urls_and_never_printed() {
        let name = SecretName::new("db").unwrap();
        let text = Text(vec![Part::Plain("pg://u:".into()), Part::Secret(name, Encoding::Url)]);
        let keyring = keyring();
        assert_eq!(keyring.reveal(&text).unwrap().expose(), "pg://u:p%40ss%2Fword");
        assert!(!format!("{text:?}{keyring:?}{:?}", keyring.reveal(&text)).contains("ss"));
    }

    #[test]
    fn scrubbing_strikes_known_secrets() {
        assert_eq!(keyring().scrub("login p@ss/word failed"), "login (secret) failed");
        let shown = "pg://u:p%40ss%2Fword@db, cEBzcy93b3Jk";
        assert_eq!(keyring().scrub(shown), "pg://u:(secret)@db, (secret)");
    }
}
