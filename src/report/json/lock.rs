//! Who holds a project's lock, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::FORMAT_VERSION;
use crate::{
    engine::{Holder, Life},
    report::lock::moment,
};

/// Whether a project is being applied, and by whom.
#[derive(Serialize, JsonSchema)]
pub(super) struct LockJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// What the names of the project's objects begin with.
    project: &'a str,
    /// Whether somebody holds the lock.
    held: bool,
    /// Whether it was broken by this command.
    broken: bool,
    /// Who holds it, or held it before it was broken.
    holder: Option<HolderJson<'a>>,
}

/// Who holds a lock.
#[derive(Serialize, JsonSchema)]
struct HolderJson<'a> {
    /// The user.
    user: &'a str,
    /// The host.
    host: &'a str,
    /// The process on that host.
    process: u32,
    /// Since when; `null` where the lock does not say.
    since: Option<String>,
    /// Whether that process is still there.
    life: LifeJson,
}

/// Whether a process is still there, as seen from here.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LifeJson {
    /// It runs.
    Alive,
    /// It has ended.
    Dead,
    /// It is elsewhere.
    Unknown,
}

/// Returns who holds a project's lock, if anybody, and whether it was broken.
pub fn lock(project: &str, holder: Option<(&Holder, Life)>, broken: bool) -> String {
    super::text(&LockJson {
        format_version: FORMAT_VERSION,
        project,
        held: holder.is_some() && !broken,
        broken,
        holder: holder.map(|(holder, life)| HolderJson {
            user: &holder.user,
            host: &holder.host,
            process: holder.pid,
            since: moment(holder),
            life: match life {
                Life::Alive => LifeJson::Alive,
                Life::Dead => LifeJson::Dead,
                Life::Unknown => LifeJson::Unknown,
            },
        }),
    })
}
