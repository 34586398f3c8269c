//! What to bring about, and whether it may be done now.

use super::{Ledger, Mode, Revision};

/// What the next pass is to bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    /// The head of the source.
    Head(Revision),
    /// The revision before, since the head is quarantined.
    LastGood(Revision),
    /// Nothing: the head is quarantined, and no other revision was ever good.
    Nothing,
}

impl Aim {
    /// Returns the revision, if there is one to bring about.
    pub fn revision(&self) -> Option<&Revision> {
        match self {
            Self::Head(revision) | Self::LastGood(revision) => Some(revision),
            Self::Nothing => None,
        }
    }
}

/// Decides what the next pass is to bring about, given the head of the source.
///
/// A quarantine is about one commit: as soon as the head is another one it is no obstacle, also when that other
/// one is an older one that was pushed again.
pub fn aim(ledger: &Ledger, head: &Revision) -> Aim {
    if !ledger.is_quarantined(&head.commit) {
        return Aim::Head(head.clone());
    }
    match &ledger.applied {
        // What was good once may be what failed now, since images and secrets change too.
        Some(applied) if !ledger.is_quarantined(&applied.commit) => Aim::LastGood(applied.clone()),
        Some(_) | None => Aim::Nothing,
    }
}

/// Whether the loop may change anything now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leave {
    /// It may.
    Given,
    /// A person paused it.
    Paused,
    /// It only reports.
    Detect,
    /// It waits for its window, which opens at this time in milliseconds since 1970; for ever when absent.
    Closed(Option<u64>),
}

/// Decides whether the loop may change anything now. `window` is, where there are windows, whether one is open,
/// and if not when the next opens.
pub fn leave(ledger: &Ledger, mode: Mode, window: Option<Result<(), Option<u64>>>) -> Leave {
    if ledger.pause.is_some() {
        return Leave::Paused;
    }
    match (mode, window) {
        (Mode::Detect, _) => Leave::Detect,
        (Mode::Heal, Some(Err(opens))) => Leave::Closed(opens),
        (Mode::Heal, None | Some(Ok(()))) => Leave::Given,
    }
}
