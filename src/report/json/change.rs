//! One change in Terraform's shape: `actions`, `before`, `after`, what is sensitive, what forces a
//! replacement.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::{
    desired::{Field, Fields, Path, Value},
    diff::{Action, Change, Effect, FieldChange, Mover, Shown},
    model::ResourceId,
    plan::Plan,
    report::{
        value::{list, shown},
        verdict::{self, Verdict},
    },
};

/// What every resource says of itself.
#[derive(Serialize)]
pub(super) struct Identity {
    address: String,
    mode: &'static str,
    r#type: &'static str,
    name: String,
    provider_name: &'static str,
}

#[derive(Serialize)]
pub(super) struct ResourceChange {
    address: String,
    mode: &'static str,
    r#type: &'static str,
    name: String,
    provider_name: &'static str,
    change: ChangeJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct ChangeJson {
    actions: Vec<&'static str>,
    before: Json,
    after: Json,
    after_unknown: Json,
    before_sensitive: Json,
    after_sensitive: Json,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replace_paths: Vec<Vec<String>>,
}

#[derive(Serialize)]
pub(super) struct PlannedResource {
    address: String,
    mode: &'static str,
    r#type: &'static str,
    name: String,
    provider_name: &'static str,
    values: Json,
    sensitive_values: Json,
}

impl Identity {
    fn of(id: &ResourceId) -> Self {
        let (r#type, name) = match id {
            ResourceId::Image(name) => ("image", name),
            ResourceId::Network(name) => ("network", name),
            ResourceId::Volume(name) => ("volume", name),
            ResourceId::Files(name) => ("files", name),
            ResourceId::Container(name) => ("container", name),
            ResourceId::Inner(inner) => (inner.kind.word(), &inner.name),
        };
        let (address, name) = (id.to_string(), name.clone());
        Self { address, mode: "managed", r#type, name, provider_name: "nself" }
    }
}

impl ResourceChange {
    /// Returns what happens to the resource of `change`; `wanted` are its desired values, if any.
    pub(super) fn of(plan: &Plan, change: &Change, wanted: Option<&Fields>) -> Self {
        let verdict = Verdict::of(plan, change);
        let actions = actions(plan, change, verdict);
        let side = |pick: fn(&FieldChange) -> &Shown| {
            Some(wanted.map(Side::of).unwrap_or_default().with(change, pick))
        };
        let (before, after) = match change.action {
            Action::Create => (None, side(|field| &field.after)),
            Action::Remove => (side(|field| &field.before), None),
            _ => (side(|field| &field.before), side(|field| &field.after)),
        };
        let forces = |effect: Effect| matches!(effect, Effect::Recreate | Effect::DataAtRisk);
        let forcing = change.fields.iter().filter(|field| forces(field.effect));
        let replaced = actions.len() == 2;
        let reason = match verdict {
            Verdict::Remove => Some("delete_because_no_resource_config"),
            _ if replaced => Some("replace_because_cannot_update"),
            _ => None,
        };
        let paths = forcing.map(|field| steps(&field.path)).collect();
        Self::new(&change.id, actions, before, after, reason).replacing(if replaced {
            paths
        } else {
            Vec::new()
        })
    }

    /// Returns the entry of a resource that is as it should be.
    pub(super) fn unchanged(id: &ResourceId, wanted: Option<&Fields>) -> Self {
        let side = wanted.map(Side::of).unwrap_or_default();
        Self::new(id, vec!["no-op"], Some(side.clone()), Some(side), None)
    }

    /// Returns what moved behind our back: from the last applied values to the live ones.
    pub(super) fn drifted(change: &Change, wanted: Option<&Fields>) -> Self {
        let base = || wanted.map(Side::of).unwrap_or_default();
        // What only the file moved is no drift: such a field is on both sides as it is live.
        let before = base().with(change, |field| match (field.mover, &field.last) {
            (Mover::You, _) => &field.before,
            (_, Some(last)) => last,
            (_, None) => &field.after,
        });
        let after = base().with(change, |field| &field.before);
        let (actions, before, after) = match change.action {
            Action::Create => (vec!["delete"], Some(before), None),
            Action::Remove | Action::Conflict => (vec!["create"], None, Some(after)),
            _ => (vec!["update"], Some(before), Some(after)),
        };
        Self::new(&change.id, actions, before, after, None)
    }

    fn new(
        id: &ResourceId,
        actions: Vec<&'static str>,
        before: Option<Side>,
        after: Option<Side>,
        action_reason: Option<&'static str>,
    ) -> Self {
        let Identity { address, mode, r#type, name, provider_name } = Identity::of(id);
        let (before, before_sensitive) = Side::split(before);
        let (after, after_sensitive) = Side::split(after);
        let change = ChangeJson {
            actions,
            before,
            after,
            after_unknown: Json::Object(Map::new()),
            before_sensitive,
            after_sensitive,
            replace_paths: Vec::new(),
        };
        Self { address, mode, r#type, name, provider_name, change, action_reason }
    }

    fn replacing(mut self, paths: Vec<Vec<String>>) -> Self {
        self.change.replace_paths = paths;
        self
    }
}

impl PlannedResource {
    pub(super) fn of(id: &ResourceId, wanted: &Fields) -> Self {
        let Identity { address, mode, r#type, name, provider_name } = Identity::of(id);
        let (values, sensitive_values) = Side::split(Some(Side::of(wanted)));
        Self { address, mode, r#type, name, provider_name, values, sensitive_values }
    }
}

fn actions(plan: &Plan, change: &Change, verdict: Verdict) -> Vec<&'static str> {
    match (verdict, change.action) {
        (Verdict::Held | Verdict::Blocked, Action::Remove) | (Verdict::Remove, _) => {
            vec!["delete"]
        }
        (Verdict::Held | Verdict::Blocked, Action::Create) | (Verdict::Create, _) => {
            vec!["create"]
        }
        (Verdict::Pull | Verdict::Build, _) => match change.action {
            Action::Create => vec!["create"],
            _ => vec!["update"],
        },
        (Verdict::Recreate | Verdict::Replace | Verdict::Held, _) => {
            match verdict::starts_first(plan, &change.id) {
                Some(true) => vec!["create", "delete"],
                Some(false) | None => vec!["delete", "create"],
            }
        }
        (Verdict::NotChecked, _) => vec!["no-op"],
        (
            Verdict::Adopt
            | Verdict::Restart
            | Verdict::Reload
            | Verdict::InPlace
            | Verdict::Start
            | Verdict::Stop
            | Verdict::Settle
            | Verdict::Blocked
            | Verdict::Deferred,
            _,
        ) => vec!["update"],
    }
}

/// Returns a path in steps, as in `replace_paths`.
pub(super) fn steps(path: &Path) -> Vec<String> {
    let words = path.field.word().split('.').map(str::to_owned);
    words.chain((!path.key.is_empty()).then(|| path.key.clone())).collect()
}

/// The values of one side of a change, and which of them are secret.
#[derive(Clone, Default)]
struct Side {
    values: std::collections::BTreeMap<Path, Json>,
    secret: std::collections::BTreeSet<Path>,
}

impl Side {
    fn of(fields: &Fields) -> Self {
        let mut side = Self::default();
        for (path, value) in &fields.0 {
            match value {
                Value::Plain(text) => side.set(path, &Shown::Plain(text.clone())),
                Value::Secret(_) => side.set(path, &Shown::Hidden),
            }
        }
        side
    }

    fn with(mut self, change: &Change, pick: fn(&FieldChange) -> &Shown) -> Self {
        for field in &change.fields {
            self.set(&field.path, pick(field));
        }
        self
    }

    fn set(&mut self, path: &Path, value: &Shown) {
        self.secret.remove(path);
        match value {
            Shown::Absent => {
                self.values.remove(path);
            }
            Shown::Plain(text) => {
                self.values.insert(path.clone(), typed(path.field, text));
            }
            Shown::Secret(_) | Shown::SecretToCome | Shown::Hidden => {
                self.values.insert(path.clone(), Json::String(shown(path, value)));
                self.secret.insert(path.clone());
            }
        }
    }

    /// Returns the values as nested objects, and the like with `true` for each secret one. A side that
    /// does not exist is `null`, with nothing sensitive in it.
    fn split(side: Option<Self>) -> (Json, Json) {
        let Some(side) = side else {
            return (Json::Null, Json::Bool(false));
        };
        let (mut values, mut secret) = (Map::new(), Map::new());
        for (path, value) in side.values {
            if side.secret.contains(&path) {
                nest(&mut secret, &steps(&path), Json::Bool(true));
            }
            nest(&mut values, &steps(&path), value);
        }
        (Json::Object(values), Json::Object(secret))
    }
}

fn nest(map: &mut Map<String, Json>, steps: &[String], value: Json) {
    match steps {
        [] => {}
        [last] => {
            map.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = map.entry(first.clone()).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                nest(inner, rest, value);
            }
        }
    }
}

/// Returns a canonical text as the JSON type it stands for: bytes, billionths and milliseconds as
/// numbers, flags as booleans, lists as lists. What a person typed stays text.
fn typed(field: Field, text: &str) -> Json {
    let number = || text.parse::<i64>().map_or_else(|_| Json::from(text), Json::from);
    match field {
        Field::Memory
        | Field::Swap
        | Field::Reservation
        | Field::Cpus
        | Field::CpuShares
        | Field::Pids
        | Field::HealthInterval
        | Field::HealthTimeout
        | Field::HealthRetries
        | Field::HealthStartPeriod
        | Field::Shm
        | Field::StopGrace => number(),
        Field::Privileged | Field::ReadOnly | Field::Init | Field::Internal => {
            Json::Bool(text == "true")
        }
        Field::Command
        | Field::Entrypoint
        | Field::Port
        | Field::Alias
        | Field::HealthTest
        | Field::CapabilitiesAdded
        | Field::CapabilitiesDropped
        | Field::Security
        | Field::DnsServers
        | Field::DnsSearch
        | Field::DnsOptions
        | Field::ExtraHosts
        | Field::Groups
        | Field::Devices
        | Field::Subnet => list(text).map_or_else(|| Json::from(text), Json::from),
        _ => Json::from(text),
    }
}
