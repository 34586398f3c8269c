//! What somebody changed behind nself's back, taken into the file.

use toml_edit::DocumentMut;

use super::{
    document::{get, put},
    way::{self, Way},
};
use crate::{
    compose::looks_secret,
    desired::{Desired, Field, Path},
    diff::{Action, Change, Changes, FieldChange, Mover, Shown},
    model::{Origin, ResourceId},
    observed::Observed,
    spec::{Source, Spec},
};

/// What is to be taken into the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Everything that moved.
    All,
    /// What these name: `container/shop-redis`, or `container/shop-redis.limits.memory`.
    Named(Vec<String>),
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Acceptance {
    /// What was taken, such as `container/shop-redis.limits.memory`.
    pub taken: Vec<String>,
    /// What was not, each with why.
    pub refused: Vec<Refusal>,
    /// The files that change.
    pub files: Vec<Changed>,
    /// Names that nothing goes by that moved.
    pub unknown: Vec<String>,
}

/// Something that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What.
    pub path: String,
    /// Why, and what to do instead.
    pub why: String,
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Its name, as the person knows it.
    pub name: String,
    /// Its text as it was.
    pub before: String,
    /// Its text with the live values in it.
    pub after: String,
}

/// Puts live values into the files that a project was read from.
///
/// `sources` are the main file and, where there is one, the overlay. The overlay wins over the table of
/// the environment, and that over the rest of the file: a value is written where the effective one stands.
pub fn accept(
    spec: &Spec,
    sources: &[Source],
    desired: &Desired,
    observed: &Observed,
    changes: &Changes,
    wish: &Wish,
) -> Acceptance {
    let mut result = Acceptance::default();
    let mut files: Vec<(String, String, DocumentMut)> = sources
        .iter()
        .filter_map(|source| {
            let text = source.text().into_owned();
            Some((source.name.to_string(), text.clone(), text.parse().ok()?))
        })
        .collect();
    let mut met = vec![false; named(wish).len()];
    for change in &changes.changes {
        if let Some(why) = as_a_whole(change) {
            let id = change.id.to_string();
            if note(wish, &id, "", &mut met) {
                result.refused.push(Refusal { path: id, why });
            }
            continue;
        }
        for field in change.fields.iter().filter(|field| field.mover != Mover::You) {
            let (id, path) = (change.id.to_string(), field.path.to_string());
            if !note(wish, &id, &path, &mut met) {
                continue;
            }
            let whole = format!("{id}.{path}");
            match write(spec, &mut files, desired, observed, change, field) {
                Ok(()) => result.taken.push(whole),
                Err(why) => result.refused.push(Refusal { path: whole, why }),
            }
        }
    }
    let unmet = named(wish).iter().zip(met).filter(|(_, met)| !met);
    result.unknown = unmet.map(|(name, _)| name.clone()).collect();
    let changed = files.into_iter().map(|(name, before, document)| Changed {
        name,
        before,
        after: document.to_string(),
    });
    result.files = changed.filter(|file| file.before != file.after).collect();
    result
}

fn named(wish: &Wish) -> &[String] {
    match wish {
        Wish::All => &[],
        Wish::Named(names) => names,
    }
}

/// Returns whether a field was wished for, and notes by which names.
fn note(wish: &Wish, id: &str, path: &str, met: &mut [bool]) -> bool {
    let Wish::Named(names) = wish else { return true };
    let whole = format!("{id}.{path}");
    let mut any = false;
    for (name, met) in names.iter().zip(met) {
        let below = whole.strip_prefix(name.as_str());
        if name == id || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            (*met, any) = (true, true);
        }
    }
    any
}

/// Returns why a change that is not about fields cannot be taken into the file.
fn as_a_whole(change: &Change) -> Option<String> {
    if !change.is_drift() || !change.fields.is_empty() && change.action != Action::Conflict {
        return None;
    }
    Some(match change.action {
        Action::Create => "it is gone; take its service out of the file to leave it so".to_owned(),
        Action::Remove => "the file does not want it; write a service that does".to_owned(),
        Action::Conflict => format!("it is not ours; to take it: nself adopt {}", name_of(change)),
        Action::Settle | Action::Change(_) | Action::Deferred | Action::NotChecked => {
            format!("{}; there is nothing to write", change.reason)
        }
    })
}

fn name_of(change: &Change) -> &str {
    change.subject.as_ref().map_or("", |subject| subject.name.as_str())
}

fn write(
    spec: &Spec,
    files: &mut [(String, String, DocumentMut)],
    desired: &Desired,
    observed: &Observed,
    change: &Change,
    field: &FieldChange,
) -> Result<(), String> {
    if matches!(field.after, Shown::Secret(_) | Shown::SecretToCome) {
        return Err("it is a secret; give it with nself secret set NAME".to_owned());
    }
    let ResourceId::Container(name) = &change.id else {
        return match way::way(&field.path, &crate::observed::LiveFields::default()) {
            Way::None(why) => Err(why.to_owned()),
            Way::Key(..) => Err("only containers are written in the words of the file".to_owned()),
        };
    };
    let service = desired.container(name).map(|container| container.service.clone());
    let service = service.filter(|service| spec.services.contains_key(service));
    let Some(service) = service else {
        return Err("it is no service of the file; see [gateway]".to_owned());
    };
    let seen = change
        .subject
        .as_ref()
        .and_then(|subject| observed.containers.iter().find(|seen| seen.id == subject.id));
    let Some(seen) = seen else { return Err("it is not there any more".to_owned()) };
    let live = way::text(&seen.fields, &field.path);
    refuse_by_value(spec, &service, field, live.as_deref())?;
    let (key, value) = match way::way(&field.path, &seen.fields) {
        Way::None(why) => return Err(why.to_owned()),
        Way::Key(key, value) => (key, value),
    };
    let is_of_kind = matches!(field.origin, Some(Origin::Kind(_)));
    if value.is_none() && is_of_kind {
        return Err("its kind brings it along, and the file cannot take it away".to_owned());
    }
    let mut path = vec!["services".to_owned(), service.to_string()];
    path.extend(key);
    let (document, path) = home(spec, files, path);
    if let Some(text) = get(document, &path).and_then(toml_edit::Item::as_str)
        && text.replace("$$", "").contains("${")
    {
        return Err(format!(
            "it comes from `{text}`; change it there, or write a value of its own in its place"
        ));
    }
    put(document, &path, value);
    Ok(())
}

fn refuse_by_value(
    spec: &Spec,
    service: &crate::model::ServiceName,
    field: &FieldChange,
    live: Option<&str>,
) -> Result<(), String> {
    let Path { field: which, key } = &field.path;
    match (which, live) {
        (Field::Env, Some(live)) if looks_secret(key, live) => Err(format!(
            "it looks like a secret: write {key} = \"${{secret.NAME}}\", and then nself secret set NAME"
        )),
        (Field::Image, _) => {
            let settings = &spec.services[service].settings;
            let wanted = settings.image.as_ref().map(|image| image.value.to_string());
            match (wanted, live) {
                (None, _) => {
                    Err("the image is nself's own or built; say `image` by hand".to_owned())
                }
                (Some(wanted), Some(live)) if wanted == live => {
                    Err("the tag means another image by now; say the one you want by its digest"
                        .to_owned())
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Returns the document in which a path is written, and the path there.
fn home<'f>(
    spec: &Spec,
    files: &'f mut [(String, String, DocumentMut)],
    path: Vec<String>,
) -> (&'f mut DocumentMut, Vec<String>) {
    let overlay = files.get(1).is_some_and(|(_, _, document)| get(document, &path).is_some());
    if overlay {
        return (&mut files[1].2, path);
    }
    let main = &mut files[0].2;
    if let Some(environment) = &spec.environment {
        let mut inner = vec!["environments".to_owned(), environment.to_string()];
        inner.extend(path.iter().cloned());
        if get(main, &inner).is_some() {
            return (main, inner);
        }
    }
    (main, path)
}
