//! Generated files: wanted, present and loaded.

use super::{Action, Change, Changes, Effect, FieldChange, Look, Mover, Shown, shown};
use crate::{
    desired::{Field, File, Files, Path, Reload, Value},
    model::{Keyring, ResourceId},
    observed::FileStat,
};

/// Compares a wanted set of files with what lies in its volume and with what its reader has loaded.
pub(super) fn compare(look: &Look<'_>, id: &ResourceId, files: &Files, changes: &mut Changes) {
    // Without a digest some secret is still to be generated, or this is a clone without the vault.
    let digest = files.digest(look.keyring).map(|digest| digest.as_str().to_owned());
    let Some(seen) = look.observed.files.get(id) else {
        let change = Change::new(id, Action::Create, "not written yet");
        changes.push(change.moved_by(look.mover_of_absence(id)));
        return;
    };
    if digest.is_none() && !look.keyring.is_present() {
        changes.push(Change::new(id, Action::NotChecked, "its secrets are not known here"));
        return;
    }
    let loaded = look.record.and_then(|record| record.loaded.get(id));
    // What we wrote last and nobody touched since: then it is the file that changed.
    let mover = match (&seen.current, loaded) {
        (Some(current), Some(loaded)) if current == loaded => Mover::You,
        (_, None) => Mover::Unknown,
        (_, Some(loaded)) if Some(loaded) == digest.as_ref() => Mover::Drift,
        (_, Some(_)) => Mover::Both,
    };
    // A digest holds for one vault. With another one, that every file reads as wanted says the same.
    let is_alike = || {
        let same = |(path, file): (&String, &File)| {
            let stat = seen.files.get(path);
            stat.is_some_and(|stat| {
                stat.content.is_some() && reads_as_wanted(file, stat, look.keyring)
            })
        };
        seen.files.len() == files.files.len() && files.files.iter().all(same)
    };
    let is_loaded_as_it_is = loaded.is_some() && seen.current.as_ref() == loaded && is_alike();
    let switched = digest.is_none() || (seen.current != digest && !is_loaded_as_it_is);
    let effect_of = |path: &str| match &files.reload {
        Reload::Signal(_) => Effect::Reload,
        Reload::RestartFor(some) if !path.is_empty() && !some.contains(path) => Effect::InPlace,
        Reload::Restart | Reload::RestartFor(_) => Effect::Restart,
    };
    let mut fields: Vec<FieldChange> = Vec::new();
    let file_mover = if switched { mover } else { Mover::Drift };
    let mut differs = |path: Path, before, after| {
        let origin = look.origin(id, &path);
        let effect = effect_of(&path.key);
        fields.push(FieldChange {
            path,
            before,
            after,
            last: None,
            mover: file_mover,
            origin,
            effect,
        });
    };
    for (path, file) in &files.files {
        let stat = seen.files.get(path);
        let Some(stat) = stat.filter(|stat| reads_as_wanted(file, stat, look.keyring)) else {
            let before = before(stat, file_mover, Some(file), look);
            differs(Field::Content.key(path), before, shown(&Value::of(&file.content), look));
            continue;
        };
        if stat.mode != file.mode {
            let [before, after] = [stat.mode, file.mode].map(|mode| format!("{mode:04o}"));
            differs(Field::FileMode.key(path), Shown::Plain(before), Shown::Plain(after));
        }
        if let Some(owner) = stat.owner.filter(|owner| *owner != files.owner) {
            let [before, after] =
                [owner, files.owner].map(|(user, group)| format!("{user}:{group}"));
            differs(Field::FileOwner.key(path), Shown::Plain(before), Shown::Plain(after));
        }
    }
    // A service may read whatever lies beside its files, so nothing may.
    for (path, stat) in seen.files.iter().filter(|(path, _)| !files.files.contains_key(*path)) {
        let before = before(Some(stat), file_mover, None, look);
        differs(Field::Content.key(path), before, Shown::Absent);
    }
    let is_loaded = is_loaded_as_it_is || (loaded.is_some() && loaded == digest.as_ref());
    if fields.is_empty() && (switched || !is_loaded) {
        // Alike file by file, so it is the set as a whole: another one is in use, or nobody knows which
        // one the service has loaded.
        let set = |digest: Option<&String>| {
            digest.map_or(Shown::Absent, |digest| Shown::Plain(short(digest)))
        };
        fields.push(FieldChange {
            path: if switched { Field::Content.path() } else { Field::Loaded.path() },
            before: set(if switched { seen.current.as_ref() } else { loaded }),
            after: set(digest.as_ref()),
            last: None,
            mover: if switched { mover } else { Mover::Unknown },
            origin: None,
            effect: effect_of(""),
        });
    }
    if fields.is_empty() {
        changes.unchanged.insert(id.clone());
        return;
    }
    changes.push(Change::of_fields(id, fields, "").about(&files.volume, &files.volume));
}

/// Returns whether a file reads as wanted, as far as was looked.
pub(super) fn reads_as_wanted(file: &File, stat: &FileStat, keyring: &Keyring) -> bool {
    let Some(content) = keyring.reveal(&file.content) else { return false };
    match &stat.content {
        Some(live) => *live == content,
        // Whoever edits a file moves its time; ours is a fixed one.
        None => stat.untouched && stat.size == content.expose().len() as u64,
    }
}

/// Returns the live content as a person may see it: ours from before, and nobody else's.
fn before(stat: Option<&FileStat>, mover: Mover, file: Option<&File>, look: &Look<'_>) -> Shown {
    let Some(stat) = stat else { return Shown::Absent };
    let Some(content) = &stat.content else { return Shown::Hidden };
    let is_plain = file.is_some_and(|file| file.content.as_plain().is_some());
    // What is no secret's place in today's file was one in an earlier form.
    let is_open = look.keyring.scrub(content.expose()) == content.expose();
    let ours = mover == Mover::You && stat.untouched && is_plain && is_open;
    if ours {
        return Shown::Plain(content.expose().to_owned());
    }
    look.keyring.fingerprint(content.expose()).map_or(Shown::Hidden, Shown::Secret)
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}
