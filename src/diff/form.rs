//! Which form a service keeps: what an earlier nself started goes on as it is, while it does as well.

use std::collections::BTreeSet;

use super::{Action, Changes, Effect, files::reads_as_wanted};
use crate::{
    desired::{Desired, Field, Form, Resource},
    model::{Keyring, ResourceId},
    observed::{Live, Observed, SeenContainer},
};

/// Gives each service the form in which it runs, or today's where it runs in none that is known. Those in
/// `anew` get today's.
pub fn settle(
    desired: &mut Desired,
    observed: &Observed,
    keyring: &Keyring,
    anew: &BTreeSet<ResourceId>,
) {
    let chosen: Vec<(ResourceId, Form)> = desired
        .forms
        .iter()
        .filter_map(|(id, forms)| {
            let today = forms.first()?;
            let kept = forms[1..].iter().find(|form| runs_in(id, form, today, observed, keyring));
            let form = kept.filter(|_| !anew.contains(id)).unwrap_or(today);
            Some((id.clone(), form.clone()))
        })
        .collect();
    for (id, Form { command, files }) in chosen {
        let ResourceId::Container(name) = &id else { continue };
        let set = ResourceId::Files(name.clone());
        if let Some(Resource::Container(container)) = desired.resources.get_mut(&id) {
            container.command = command;
        }
        if let Some(Resource::Files(there)) = desired.resources.get_mut(&set) {
            there.files = files;
        }
    }
}

/// Returns the services that are made anew although they have kept an earlier form: nothing keeps them from
/// having today's.
pub fn outgrown(desired: &Desired, changes: &Changes) -> BTreeSet<ResourceId> {
    let is_anew = |id: &&ResourceId| {
        let action = changes.get(id).map(|change| change.action);
        matches!(
            action,
            Some(Action::Create | Action::Change(Effect::Recreate | Effect::DataAtRisk))
        )
    };
    let is_earlier = |id: &&ResourceId| {
        let today = desired.forms.get(id).and_then(|forms| forms.first());
        today.is_some_and(|today| !is_in(desired, id, today))
    };
    desired.forms.keys().filter(is_earlier).filter(is_anew).cloned().collect()
}

fn is_in(desired: &Desired, id: &ResourceId, form: &Form) -> bool {
    let ResourceId::Container(name) = id else { return false };
    let container = match desired.resources.get(id) {
        Some(Resource::Container(container)) => container.command == form.command,
        _ => false,
    };
    let files = match desired.resources.get(&ResourceId::Files(name.clone())) {
        Some(Resource::Files(there)) => there.files == form.files,
        _ => false,
    };
    container && files
}

/// A command of its own tells a form; without one, its files do.
fn runs_in(
    id: &ResourceId,
    form: &Form,
    today: &Form,
    observed: &Observed,
    keyring: &Keyring,
) -> bool {
    let ResourceId::Container(name) = id else { return false };
    if form.command != today.command {
        let ours =
            |seen: &&SeenContainer| seen.owner.is_ours() && seen.owner.resource() == Some(id);
        let wanted = form.command.as_ref().map(|words| serde_json::json!(words).to_string());
        let live = observed.containers.iter().find(ours);
        let live = live.and_then(|seen| seen.fields.get(&Field::Command.path()));
        return match (live, wanted) {
            (Some(Live::Text(live)), Some(wanted)) => live.expose() == wanted,
            _ => false,
        };
    }
    let Some(seen) = observed.files.get(&ResourceId::Files(name.clone())) else { return false };
    seen.files.len() == form.files.len()
        && form.files.iter().all(|(path, file)| {
            seen.files.get(path).is_some_and(|stat| reads_as_wanted(file, stat, keyring))
        })
}
