//! Deliveries that were taken, so that none is taken twice.

use std::collections::{BTreeSet, VecDeque};

use sha2::{Digest as _, Sha256};

/// How many marks are remembered, one or two of each delivery; the oldest is forgotten first.
const MOST: usize = 2 * 1024;

/// Half of the digest of an id or a signature: whatever their length, all take the same room.
type Mark = [u8; 16];

/// The last deliveries. Only such as proved right come in, so that nobody else can push one out.
#[derive(Debug, Default)]
pub struct Replay {
    order: VecDeque<Mark>,
    known: BTreeSet<Mark>,
}

impl Replay {
    /// Notes a delivery by its id and its signature, as far as it has them, and returns whether it is new.
    ///
    /// The id is not signed by most senders, so whoever overheard a delivery can send it again under another one:
    /// the signature tells. The id does where there is only a token.
    pub fn is_new(&mut self, provider: &str, id: Option<&str>, signature: Option<&[u8]>) -> bool {
        let id = id.map(|id| mark(provider, "id", id.as_bytes()));
        let signature = signature.map(|tag| mark(provider, "signature", tag));
        let marks: Vec<Mark> = id.into_iter().chain(signature).collect();
        let is_new = !marks.iter().any(|mark| self.known.contains(mark));
        for mark in marks {
            if self.known.insert(mark) {
                self.order.push_back(mark);
            }
        }
        while self.order.len() > MOST {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        is_new
    }

    /// Returns how many marks are remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns whether none is.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

fn mark(provider: &str, kind: &str, bytes: &[u8]) -> Mark {
    let mut hasher = Sha256::new();
    for part in [provider.as_bytes(), kind.as_bytes(), bytes] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut mark = Mark::default();
    mark.copy_from_slice(&hasher.finalize()[..16]);
    mark
}
