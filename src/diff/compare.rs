//! One field: equal or not, and if not, who moved it.

use super::{
    FieldChange, Last, Look, Mover, Remembered, Shown, effect, effect::is_free_text, shown,
};
use crate::{
    catalog,
    desired::{Fields, Path, Value},
    model::{Keyring, ResourceId},
    observed::{Live, LiveFields, Mark},
};

/// The three pictures of one resource, and the values that hold where nothing is wanted.
pub(super) struct Pictures<'a> {
    /// What should be.
    pub(super) wanted: &'a Fields,
    /// What holds where nothing is wanted: what the image brings along.
    pub(super) inherited: &'a Fields,
    /// What is.
    pub(super) live: &'a LiveFields,
    /// What was last applied.
    pub(super) last: Last<'a>,
}

/// Whether a live value is the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Equality {
    Equal,
    Different,
    /// A secret is missing that it would take to tell.
    CannotTell,
}

/// Compares one path. `None` means equal, or that it cannot be told without a secret that is missing.
pub(super) fn field(
    look: &Look<'_>,
    id: &ResourceId,
    pictures: &Pictures<'_>,
    path: &Path,
) -> Option<FieldChange> {
    let own = pictures.wanted.get(path);
    let inherited = pictures.inherited.get(path);
    let wanted = own.or(inherited);
    let live = pictures.live.get(path);
    match equal(wanted, live, look.keyring) {
        Equality::Equal | Equality::CannotTell => return None,
        Equality::Different => {}
    }
    let last = pictures.last.get(path);
    Some(FieldChange {
        path: path.clone(),
        before: live
            .map_or(Shown::Absent, |live| show_live(look, path, live, wanted, inherited, last)),
        after: wanted.map_or(Shown::Absent, |value| shown(value, look)),
        last: show_remembered(last),
        mover: mover(look.keyring, own, inherited, live, last),
        origin: look.origin(id, path),
        effect: effect(path.field),
    })
}

/// Returns whether `live` is what is wanted.
pub(super) fn equal(wanted: Option<&Value>, live: Option<&Live>, keyring: &Keyring) -> Equality {
    let told = |equal: bool| if equal { Equality::Equal } else { Equality::Different };
    match (wanted, live) {
        (None, None) => Equality::Equal,
        (None, Some(_)) | (Some(_), None) => Equality::Different,
        (Some(Value::Plain(wanted)), Some(Live::Text(live))) => told(wanted == live.expose()),
        (Some(Value::Plain(wanted)), Some(Live::Verifier(live))) => {
            told(catalog::verifies(wanted, live.expose()))
        }
        (Some(Value::Secret(text)), Some(live)) => match (keyring.reveal(text), live) {
            (None, _) => Equality::CannotTell,
            (Some(wanted), Live::Text(live)) => told(wanted == *live),
            (Some(wanted), Live::Verifier(live)) => {
                told(catalog::verifies(wanted.expose(), live.expose()))
            }
        },
    }
}

/// Tells "the file changed" from "the engine was changed".
fn mover(
    keyring: &Keyring,
    own: Option<&Value>,
    inherited: Option<&Value>,
    live: Option<&Live>,
    last: Remembered<'_>,
) -> Mover {
    let last = match last {
        Remembered::Nothing => return Mover::Unknown,
        Remembered::Unset => None,
        Remembered::Set(mark) => Some(mark),
    };
    let you = match (own, last) {
        (None, None) => false,
        (None, Some(_)) | (Some(_), None) => true,
        (Some(value), Some(mark)) => Mark::of(value, keyring).is_none_or(|now| now != *mark),
    };
    let drift = match (last, inherited, live) {
        (None, None, live) => live.is_some(),
        (None, Some(inherited), live) => {
            equal(Some(inherited), live, keyring) == Equality::Different
        }
        (Some(_), _, None) => true,
        (Some(mark), _, Some(Live::Text(live))) => {
            !mark.matches(live.expose(), keyring).unwrap_or(false)
        }
        // A verifier cannot be held against a fingerprint; that the password differs from the wanted
        // one although the file did not change says enough.
        (Some(_), _, Some(Live::Verifier(_))) => !you,
    };
    match (you, drift) {
        (true, false) => Mover::You,
        (false, true) => Mover::Drift,
        (true, true) => Mover::Both,
        (false, false) => Mover::Unknown,
    }
}

/// Returns a live value as a person may see it: free text only where it is known not to be a secret.
fn show_live(
    look: &Look<'_>,
    path: &Path,
    live: &Live,
    wanted: Option<&Value>,
    inherited: Option<&Value>,
    last: Remembered<'_>,
) -> Shown {
    let text = match live {
        Live::Verifier(_) => return Shown::Hidden,
        Live::Text(text) => text.expose(),
    };
    let known = !is_free_text(path.field)
        || [wanted, inherited]
            .into_iter()
            .flatten()
            .any(|v| matches!(v, Value::Plain(p) if p == text))
        || matches!(last, Remembered::Set(Mark::Plain(plain)) if plain == text);
    if known {
        return Shown::Plain(text.to_owned());
    }
    look.keyring.fingerprint(text).map_or(Shown::Hidden, Shown::Secret)
}

fn show_remembered(last: Remembered<'_>) -> Option<Shown> {
    match last {
        Remembered::Nothing => None,
        Remembered::Unset => Some(Shown::Absent),
        Remembered::Set(Mark::Plain(text)) => Some(Shown::Plain(text.clone())),
        Remembered::Set(Mark::Digest(_)) => Some(Shown::Hidden),
        Remembered::Set(Mark::Secret(fingerprint)) => Some(Shown::Secret(fingerprint.clone())),
    }
}
