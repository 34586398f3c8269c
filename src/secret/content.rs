//! What the file of the vault says, in each of its forms.

use std::collections::BTreeMap;

use rand::{RngExt as _, distr::Alphanumeric};
use serde::{Deserialize, Serialize};

use super::{Restored, Way};
use crate::model::{Fingerprint, Keyring, SecretName, Sensitive};

/// The form of the file that this nself writes. Form 1 had one value for each secret and nothing else.
pub(super) const FORM: u32 = 2;

/// So many values from before are kept of each secret.
const KEPT: usize = 8;

const HEAD: &str = "# The secrets of this project, kept by nself. Keep this file private, and keep a copy \
                    of it:\n# without it nself cannot change what it once set up.\n";

/// What the file says.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    form: u32,
    /// How often the file was written. Of two files the one with the higher number holds.
    #[serde(default)]
    pub(super) written: u64,
    /// The key of fingerprints.
    pub(super) key: String,
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, Secret>,
}

/// One secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secret {
    /// What is in use.
    pub(super) now: Held,
    /// How often the value in use has changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) turn: u32,
    /// The value that takes the place of the one in use once it has been delivered everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Held>,
    /// Values from before, the last one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) earlier: Vec<Held>,
}

/// A value, since when it is in use, and how it came.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Held {
    pub(super) value: String,
    /// Milliseconds since 1970; 0 when not known.
    #[serde(default)]
    pub(super) since: u64,
    #[serde(default)]
    pub(super) how: Way,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    #[serde(rename = "form")]
    _form: u32,
    key: String,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// Why a text is not a vault.
pub(super) enum Unreadable {
    /// The first line that cannot be read. What it says stays unsaid.
    Damaged(usize),
    /// A newer nself wrote it, in this form.
    Newer(u32),
}

impl Content {
    /// Returns a vault with nothing in it, and a new key.
    pub(super) fn new() -> Self {
        Self { form: FORM, written: 0, key: random(43), secrets: BTreeMap::new() }
    }

    /// Returns the secrets, for use: of each the value that is to be delivered.
    pub(super) fn keyring(&self) -> Keyring {
        let named =
            || self.secrets.iter().filter_map(|(name, it)| Some((SecretName::new(name).ok()?, it)));
        let wanted = named().map(|(name, it)| (name, Sensitive::new(&it.wanted().value)));
        Keyring::new(Some(Sensitive::new(&self.key)), wanted.collect())
            .with_turns(named().map(|(name, it)| (name, it.wanted_turn())).collect())
            .knowing(named().flat_map(|(_, it)| it.all()).map(|held| Sensitive::new(&held.value)))
    }

    /// Goes back to the values with these fingerprints; see [`Vault::restore`](super::Vault::restore).
    pub(super) fn restore(
        &mut self,
        wanted: &BTreeMap<SecretName, Fingerprint>,
        now: u64,
    ) -> Restored {
        let keyring = Keyring::new(Some(Sensitive::new(&self.key)), BTreeMap::new());
        let mut result = Restored::default();
        for (name, fingerprint) in wanted {
            let is_it =
                |held: &&Held| keyring.fingerprint(&held.value).as_ref() == Some(fingerprint);
            let secret = self.secrets.get(name.as_str());
            let Some(held) = secret.and_then(|secret| secret.all().find(is_it)).cloned() else {
                result.lost.push(name.clone());
                continue;
            };
            if self.get(name.as_str()) != Some(&held.value) {
                result.restored.push(name.clone());
                let held = Held { since: now, how: Way::Restored, ..held };
                if let Some(secret) = self.secrets.get_mut(name.as_str()) {
                    secret.abandon();
                }
                self.put(name.as_str(), held);
            }
        }
        result
    }

    /// Reads a file, of any form that is known.
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let damaged = |error: &toml::de::Error| {
            // Only the line: the parser's own words quote what stands there.
            let start = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.get(..start).map_or(0, |before| before.matches('\n').count()) + 1;
            Unreadable::Damaged(line)
        };
        // The form is read by itself first, since a newer one may have keys that are unknown here.
        let table: toml::Table = toml::from_str(text).map_err(|error| damaged(&error))?;
        let form = table.get("form").and_then(toml::Value::as_integer);
        match form.and_then(|form| u32::try_from(form).ok()) {
            Some(found) if found > FORM => Err(Unreadable::Newer(found)),
            Some(FORM) => toml::from_str(text).map_err(|error| damaged(&error)),
            Some(1) => {
                let First { _form, key, secrets } =
                    toml::from_str(text).map_err(|error| damaged(&error))?;
                let secrets = secrets.into_iter().map(|(name, value)| {
                    (name, Secret::of(Held { value, since: 0, how: Way::Unknown }))
                });
                Ok(Self { form: FORM, written: 0, key, secrets: secrets.collect() })
            }
            Some(_) | None => Err(Unreadable::Damaged(1)),
        }
    }

    /// Returns the whole file.
    pub(super) fn to_text(&self) -> String {
        let text = toml::to_string(self).expect("tables of texts and numbers are always TOML");
        format!("{HEAD}{text}")
    }

    /// Returns what is to be delivered of a secret: the value that is pending, or the one in use.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(|secret| secret.wanted().value.as_str())
    }

    /// Puts a value into use at once.
    pub(super) fn put(&mut self, name: &str, held: Held) {
        match self.secrets.get_mut(name) {
            None => {
                self.secrets.insert(name.to_owned(), Secret::of(held));
            }
            Some(secret) => {
                secret.pending = None;
                secret.replace(held);
            }
        }
    }
}

impl Secret {
    fn of(now: Held) -> Self {
        Self { now, turn: 0, pending: None, earlier: Vec::new() }
    }

    /// Returns what is to be delivered.
    pub(super) fn wanted(&self) -> &Held {
        self.pending.as_ref().unwrap_or(&self.now)
    }

    /// Returns the turn of what is to be delivered.
    pub(super) fn wanted_turn(&self) -> u32 {
        self.turn + u32::from(self.pending.is_some())
    }

    /// Puts a value into use; the one that was is kept.
    fn replace(&mut self, held: Held) {
        if held.value == self.now.value {
            return;
        }
        self.turn += 1;
        let value = held.value.clone();
        let before = std::mem::replace(&mut self.now, held);
        self.earlier.retain(|held| held.value != value && held.value != before.value);
        self.earlier.insert(0, before);
        self.earlier.truncate(KEPT);
    }

    /// Puts the pending value into use, and returns whether there was one.
    pub(super) fn settle(&mut self) -> bool {
        let Some(pending) = self.pending.take() else { return false };
        self.replace(pending);
        true
    }

    /// Takes the pending value away, and returns whether there was one. Whatever already had it goes
    /// back, so this is a turn there and one back.
    pub(super) fn abandon(&mut self) -> bool {
        let was_pending = self.pending.take().is_some();
        if was_pending {
            self.turn += 2;
        }
        was_pending
    }

    /// Returns all values that are known.
    pub(super) fn all(&self) -> impl Iterator<Item = &Held> {
        std::iter::once(&self.now).chain(&self.pending).chain(&self.earlier)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Returns so many random letters and digits, which need no quoting anywhere.
pub(super) fn random(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}
