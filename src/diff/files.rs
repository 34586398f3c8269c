//! Generated files: wanted, present and loaded.

use super::{Action, Change, Changes, Effect, FieldChange, Look, Mover, Shown, shown};
use crate::{
    desired::{Field, File, Files, Value},
    model::{Keyring, ResourceId},
    observed::FileStat,
};

/// Compares a wanted set of files with what lies in its volume and with what its reader has loaded.
pub(super) fn compare(look: &Look<'_>, id: &ResourceId, files: &Files, changes: &mut Changes) {
    let Some(digest) = files.digest(look.keyring) else {
        let missing = look.observed.files.contains_key(id);
        let change = if missing {
            Change::new(id, Action::NotChecked, "its secrets are not known here")
        } else {
            Change::new(id, Action::Create, "its secrets are generated first")
                .moved_by(look.mover_of_absence(id))
        };
        changes.push(change);
        return;
    };
    let Some(seen) = look.observed.files.get(id) else {
        let change = Change::new(id, Action::Create, "not written yet");
        changes.push(change.moved_by(look.mover_of_absence(id)));
        return;
    };
    let loaded = look.record.and_then(|record| record.loaded.get(id));
    // What we wrote last and nobody touched since: then it is the file that changed.
    let mover = match (&seen.current, loaded) {
        (Some(current), Some(loaded)) if current == loaded => Mover::You,
        (_, None) => Mover::Unknown,
        (_, Some(loaded)) if loaded == digest.as_str() => Mover::Drift,
        (_, Some(_)) => Mover::Both,
    };
    let switched = seen.current.as_deref() != Some(digest.as_str());
    let mut fields: Vec<FieldChange> = Vec::new();
    for (path, file) in &files.files {
        let stat = seen.files.get(path);
        if is_as_wanted(file, stat, look.keyring) {
            continue;
        }
        let mover = if switched { mover } else { Mover::Drift };
        fields.push(FieldChange {
            path: Field::Content.key(path),
            before: before(stat, mover, file, look),
            after: shown(&Value::of(&file.content), look),
            last: None,
            mover,
            origin: look.origin(id, &Field::Content.key(path)),
            effect: Effect::Reload,
        });
    }
    let is_loaded = loaded.is_some_and(|loaded| loaded == digest.as_str());
    if fields.is_empty() && (switched || !is_loaded) {
        // Alike file by file, so it is the set as a whole: a file was dropped from it, another set is
        // in use, or nobody knows which one the service has loaded.
        let set = |digest: Option<&String>| {
            digest.map_or(Shown::Absent, |digest| Shown::Plain(short(digest)))
        };
        fields.push(FieldChange {
            path: if switched { Field::Content.path() } else { Field::Loaded.path() },
            before: set(if switched { seen.current.as_ref() } else { loaded }),
            after: Shown::Plain(digest.short().to_owned()),
            last: None,
            mover: if switched { mover } else { Mover::Unknown },
            origin: None,
            effect: Effect::Reload,
        });
    }
    if fields.is_empty() {
        changes.unchanged.insert(id.clone());
        return;
    }
    changes.push(Change::of_fields(id, fields, "").about(&files.volume, &files.volume));
}

/// Returns whether a file is as wanted, as far as was looked.
fn is_as_wanted(file: &File, stat: Option<&FileStat>, keyring: &Keyring) -> bool {
    let (Some(stat), Some(content)) = (stat, keyring.reveal(&file.content)) else { return false };
    match &stat.content {
        Some(live) => *live == content && stat.mode == file.mode,
        // Whoever edits a file moves its time; ours is a fixed one.
        None => {
            stat.untouched && stat.size == content.expose().len() as u64 && stat.mode == file.mode
        }
    }
}

/// Returns the live content as a person may see it: ours from before, and nobody else's.
fn before(stat: Option<&FileStat>, mover: Mover, file: &File, look: &Look<'_>) -> Shown {
    let Some(stat) = stat else { return Shown::Absent };
    let Some(content) = &stat.content else { return Shown::Hidden };
    let ours = mover == Mover::You && stat.untouched && file.content.as_plain().is_some();
    if ours {
        return Shown::Plain(content.expose().to_owned());
    }
    look.keyring.fingerprint(content.expose()).map_or(Shown::Hidden, Shown::Secret)
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}
