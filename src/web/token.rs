//! Tokens, by which the network may ask the loop for something.
//!
//! A token is made at random, shown once, and kept as its Argon2id hash in the file `tokens`, which is its owner's
//! alone. `nself_ID_SECRET`: the id finds the line. Hashing costs 7 MiB and some milliseconds, so it is done once
//! for a right token, which is then known by a keyed digest; for an unknown id never; and for a known id with a
//! wrong secret a few times a minute, one at a time.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argon2::Argon2;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::{RngExt as _, distr::Alphanumeric};
use sha2::Sha256;
use tokio::sync::Semaphore;

use super::{clock::Steady, rate::Bucket, store};
use crate::model::Sensitive;

pub use store::TokenError;

/// The form of a hash: Argon2id with the least memory that is still advised, since a token has 256 bits of chance.
const HASH: &str = "$argon2id$v=19$m=7168,t=5,p=1$";
/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything that can be asked for.
    Everything,
    /// Asking for a look, as build servers do.
    Look,
}

/// The tokens in a folder.
pub struct Tokens {
    path: PathBuf,
    clock: Steady,
    /// The key of the digests by which right tokens are known; it goes with the process.
    key: [u8; 32],
    hashing: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    lines: Vec<Line>,
    stamp: Option<store::Stamp>,
    looked: Option<Duration>,
    /// The tokens that were right, by digest: their ids. No more than there are lines.
    known: BTreeMap<[u8; 32], String>,
    tries: Bucket,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    id: String,
    scope: Scope,
    name: String,
    hash: String,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// It is none of ours.
    Unknown,
    /// Too many were tried; how many seconds to wait.
    TooMany(u64),
}

impl Scope {
    /// Returns the word that stands in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Look => "look",
        }
    }

    fn read(word: &str) -> Option<Self> {
        [Self::Everything, Self::Look].into_iter().find(|scope| scope.word() == word)
    }
}

impl Line {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (id, scope) = (words.next()?.to_owned(), Scope::read(words.next()?)?);
        let (name, hash) = (words.next()?.to_owned(), words.next()?.to_owned());
        (words.next().is_none() && !id.starts_with('#')).then_some(Self { id, scope, name, hash })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.id, self.scope.word(), self.name, self.hash)
    }
}

impl Tokens {
    /// Takes the tokens in the file `tokens` of a folder; the file need not be there yet. What is added or taken
    /// out while this runs counts within a second.
    pub fn in_folder(folder: &Path) -> Self {
        let tries = Bucket::new(10, Duration::from_secs(6));
        let (lines, known) = (Vec::new(), BTreeMap::new());
        Self {
            path: folder.join("tokens"),
            clock: Steady::start(),
            key: rand::rng().random(),
            hashing: Arc::new(Semaphore::new(1)),
            state: Mutex::new(State { lines, stamp: None, looked: None, known, tries }),
        }
    }

    /// Makes a token under a name, which is then said to be who asks. Returns it, to be shown once, and the line
    /// that is kept of it.
    ///
    /// # Errors
    /// [`TokenError`] when the name is none or taken, or the file cannot be written.
    pub fn create(&self, name: &str, scope: Scope) -> Result<(Sensitive, String), TokenError> {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_letter) {
            return Err(TokenError::Name(name.to_owned()));
        }
        let (id, secret) = (letters(12), letters(43));
        let hash = format!("{HASH}{}", hashed(&secret, &rand::rng().random::<[u8; 16]>()));
        let line = Line { id, scope, name: name.to_owned(), hash };
        store::change(&self.path, |before| {
            if before.iter().filter_map(|text| Line::read(text)).any(|one| one.name == name) {
                return Err(TokenError::Taken(name.to_owned()));
            }
            before.push(line.to_string());
            Ok(())
        })?;
        Ok((Sensitive::new(format!("nself_{}_{secret}", line.id)), line.to_string()))
    }

    /// Takes out the token of this name. Returns whether there was one.
    ///
    /// # Errors
    /// [`TokenError`] when the file cannot be read or written.
    pub fn revoke(&self, name: &str) -> Result<bool, TokenError> {
        let mut was_there = false;
        store::change(&self.path, |lines| {
            let before = lines.len();
            lines.retain(|text| Line::read(text).is_none_or(|line| line.name != name));
            was_there = lines.len() < before;
            Ok(())
        })?;
        Ok(was_there)
    }

    /// Returns the names of all tokens, with what they are good for.
    ///
    /// # Errors
    /// [`TokenError`] when the file cannot be read.
    pub fn names(&self) -> Result<Vec<(String, Scope)>, TokenError> {
        let lines = store::read(&self.path)?;
        Ok(lines.iter().filter_map(|text| Line::read(text)).map(|l| (l.name, l.scope)).collect())
    }

    /// Says whose token this is and what it is good for.
    pub(super) async fn whose(&self, token: &str) -> Result<(String, Scope), Bad> {
        self.look();
        let digest = self.digest(token);
        let Some((id, secret)) = token.strip_prefix("nself_").and_then(|rest| rest.split_once('_'))
        else {
            return Err(Bad::Unknown);
        };
        let line = self.with(|state, _| {
            let known = state.known.get(&digest).is_some_and(|known| known == id);
            let line = state.lines.iter().find(|line| line.id == id).cloned();
            line.map(|line| (line, known))
        });
        let (line, is_known) = line.ok_or(Bad::Unknown)?;
        if is_known {
            return Ok((line.name, line.scope));
        }
        self.with(|state, now| state.tries.take(now)).map_err(Bad::TooMany)?;
        // A few wait for the one, and each of them took a try out of the bucket.
        let Ok(permit) = Arc::clone(&self.hashing).acquire_owned().await else {
            return Err(Bad::Unknown);
        };
        let (secret, hash) = (secret.to_owned(), line.hash.clone());
        let checked = tokio::task::spawn_blocking(move || {
            let fits = fits(&secret, &hash);
            drop(permit);
            fits
        });
        if !checked.await.unwrap_or(false) {
            return Err(Bad::Unknown);
        }
        self.with(|state, _| {
            // It may have been taken out meanwhile.
            if state.lines.contains(&line) {
                state.known.retain(|_, id| *id != line.id);
                state.known.insert(digest, line.id.clone());
            }
        });
        Ok((line.name, line.scope))
    }

    /// Reads the file again if it is another one than before.
    fn look(&self) {
        self.with(|state, now| {
            if state.looked.is_some_and(|looked| now.saturating_sub(looked) < LOOK) {
                return;
            }
            state.looked = Some(now);
            let stamp = store::stamp(&self.path);
            if stamp == state.stamp {
                return;
            }
            match store::read(&self.path) {
                Ok(lines) => {
                    state.lines = lines.iter().filter_map(|text| Line::read(text)).collect();
                    state.known.clear();
                    state.stamp = stamp;
                }
                Err(error) => {
                    state.lines.clear();
                    state.known.clear();
                    state.stamp = None;
                    tracing::warn!("no token is good for now: {error}");
                }
            }
        });
    }

    fn digest(&self, token: &str) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(token.as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn with<T>(&self, work: impl FnOnce(&mut State, Duration) -> T) -> T {
        let now = self.clock.read();
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("path", &self.path).finish_non_exhaustive()
    }
}

fn letters(count: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(count).map(char::from).collect()
}

/// Returns salt and hash as they stand in the file.
fn hashed(secret: &str, salt: &[u8]) -> String {
    let mut hash = [0; 32];
    let params = argon2::Params::new(7168, 5, 1, Some(32)).expect("these are in range");
    Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(secret.as_bytes(), salt, &mut hash)
        .expect("the lengths are in range");
    format!("{}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash))
}

fn fits(secret: &str, stored: &str) -> bool {
    let read = || {
        let (salt, _) = stored.strip_prefix(HASH)?.split_once('$')?;
        // Argon2 takes no other lengths, and we write none.
        let salt = STANDARD_NO_PAD.decode(salt).ok().filter(|salt| salt.len() == 16)?;
        Some(format!("{HASH}{}", hashed(secret, &salt)))
    };
    // Both sides are hashes: what a comparison shows of them by its time is of no use to anybody.
    read().is_some_and(|hash| hash == stored)
}
