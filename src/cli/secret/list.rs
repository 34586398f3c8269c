//! `nself secret list`

use std::collections::BTreeSet;

use clap::Args;

use crate::{
    cli::{Context, Error, Exit},
    controller::Project,
    desired::Desired,
    model::{Fingerprint, SecretName},
    report,
    secret::{Vault, Way},
};

/// List the secrets with their fingerprints, since when and how they came, and who uses them
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself secret list
  nself secret list --json | jq -r '.secrets[] | select(.pending) | .name'")]
pub(super) struct ListArgs {}

#[expect(clippy::unnecessary_wraps, reason = "the form of every command")]
pub(super) fn run(
    _: &ListArgs,
    project: &Project,
    vault: &Vault,
    context: &Context,
) -> Result<Exit, Error> {
    // A file that does not compile says nothing of who uses what; the secrets are there all the same.
    let desired = project.draw(super::now()).ok().map(|compiled| compiled.desired);
    let told = project.spec.watch.secrets();
    let used_by = |name: &SecretName| {
        let mut all = desired.as_ref().map_or_else(BTreeSet::new, |d| users(d, name));
        if told.contains_key(name) {
            all.insert("[watch]".to_owned());
        }
        all
    };
    let entries = vault.list();
    let date = |since: Option<u64>| {
        let since = jiff::Timestamp::from_millisecond(i64::try_from(since?).ok()?).ok()?;
        Some(format!("{since:.0}"))
    };
    if context.ui.json {
        let secrets = entries.iter().map(|entry| report::json::SecretJson {
            name: entry.name.as_str(),
            fingerprint: entry.fingerprint.short(),
            since: date(entry.since),
            how: word(entry.how),
            pending: entry.pending.as_ref().map(Fingerprint::short),
            earlier: entry.earlier,
            used_by: used_by(&entry.name).into_iter().collect(),
        });
        context.ui.data(&report::json::secrets(secrets.collect()));
    }
    if entries.is_empty() {
        context.ui.print("no secrets yet: they are made at the first apply\n");
    }
    let width = entries.iter().map(|entry| entry.name.as_str().len()).max().unwrap_or(0);
    for entry in entries {
        let (name, fingerprint) = (entry.name.as_str(), entry.fingerprint.short());
        let since = date(entry.since).unwrap_or_default();
        let since = since.split('T').next().unwrap_or_default();
        let how = word(entry.how);
        let users: Vec<String> = used_by(&entry.name).into_iter().collect();
        let users = if users.is_empty() { "nobody".to_owned() } else { users.join(", ") };
        let line = format!("{name:width$}  #{fingerprint}  {since:10}  {how:9}  used by {users}");
        context.ui.print(&format!("{line}\n"));
        if let Some(pending) = &entry.pending {
            let pending = pending.short();
            context.ui.print(&format!("{:width$}  #{pending}  after the next apply\n", ""));
        }
    }
    Ok(Exit::Done)
}

/// Returns the resources that refer to a secret.
fn users(desired: &Desired, name: &SecretName) -> BTreeSet<String> {
    let all = desired.resources.iter();
    let users = all.filter(|(_, resource)| resource.secrets().any(|secret| secret == name));
    users.map(|(id, _)| id.to_string()).collect()
}

fn word(how: Way) -> &'static str {
    match how {
        Way::Unknown => "",
        Way::Generated => "generated",
        Way::Given => "given",
        Way::Rotated => "rotated",
        Way::Issued => "issued",
        Way::Restored => "restored",
        Way::Recovered => "recovered",
    }
}
