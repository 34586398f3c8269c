//! One change in Terraform's shape: `actions`, `before`, `after`, what is sensitive, what forces a
//! replacement.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
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
struct Identity {
    address: String,
    r#type: &'static str,
    name: String,
}

/// What happens to one resource.
#[derive(Serialize, JsonSchema)]
pub(super) struct ResourceChange {
    /// The resource as people and `--allow` name it, such as `container/shop-api`.
    pub(super) address: String,
    /// Always `managed`.
    mode: &'static str,
    /// What it is: `image`, `network`, `volume`, `files`, `container`, or what a service has inside.
    r#type: &'static str,
    /// Its name on the engine or in its service.
    name: String,
    /// Always `nself`.
    provider_name: &'static str,
    /// From what to what.
    change: ChangeJson,
    /// Why it is replaced or removed, in Terraform's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    action_reason: Option<&'static str>,
}

/// From what to what a resource changes.
#[derive(Serialize, JsonSchema)]
struct ChangeJson {
    /// One action, or two for a replacement, in their order.
    actions: Vec<ActionJson>,
    /// The values as they are; `null` where it does not exist.
    before: Json,
    /// The values as they will be; `null` where it will not exist.
    after: Json,
    /// In the shape of `after`, `true` for each value that only apply makes.
    after_unknown: Json,
    /// In the shape of `before`, `true` for each value that is secret and stands as a fingerprint.
    before_sensitive: Json,
    /// The same for `after`.
    after_sensitive: Json,
    /// The paths that no running object can change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replace_paths: Vec<Vec<String>>,
    /// The object that is taken over as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    importing: Option<Importing>,
}

/// An object that is taken over as it is.
#[derive(Serialize, JsonSchema)]
struct Importing {
    /// Its id on the engine.
    id: String,
}

/// What is done, in Terraform's words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ActionJson {
    /// Nothing.
    NoOp,
    /// It is made.
    Create,
    /// The same object changes; starts, restarts and reloads are updates too.
    Update,
    /// It is removed.
    Delete,
}

/// A resource as it is or will be.
#[derive(Serialize, JsonSchema)]
pub(super) struct ResourceValues {
    /// The resource, as in `resource_changes`.
    pub(super) address: String,
    /// Always `managed`.
    mode: &'static str,
    /// What it is.
    r#type: &'static str,
    /// Its name.
    name: String,
    /// Always `nself`.
    provider_name: &'static str,
    /// The version of the shape of `values`.
    schema_version: u32,
    /// Its values, without those that only apply makes.
    values: Json,
    /// In the shape of `values`, `true` for each that is secret.
    sensitive_values: Json,
}

/// A resource as the file asks for it.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConfiguredResource {
    /// The resource, as in `resource_changes`.
    address: String,
    /// Always `managed`.
    mode: &'static str,
    /// What it is.
    r#type: &'static str,
    /// Its name.
    name: String,
    /// Always `nself`.
    provider_config_key: &'static str,
    /// The version of the shape of its values.
    schema_version: u32,
    /// What must be there before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
}

const MODE: &str = "managed";
const PROVIDER: &str = "nself";
const SCHEMA_VERSION: u32 = 1;

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
        Self { address: id.to_string(), r#type, name: name.clone() }
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
        let taken_over = change.subject.as_ref().filter(|_| verdict == Verdict::Adopt);
        let importing = taken_over.map(|subject| Importing { id: subject.id.clone() });
        let reason = match verdict {
            Verdict::Remove => Some("delete_because_no_resource_config"),
            _ if replaced => Some("replace_because_cannot_update"),
            _ => None,
        };
        let mut entry = Self::new(&change.id, actions, before, after, reason);
        entry.change.importing = importing;
        if replaced {
            entry.change.replace_paths = forcing.map(|field| steps(&field.path)).collect();
        }
        entry
    }

    /// Returns the entry of a resource that is as it should be.
    pub(super) fn unchanged(id: &ResourceId, wanted: Option<&Fields>) -> Self {
        let side = wanted.map(Side::of).unwrap_or_default();
        Self::new(id, vec![ActionJson::NoOp], Some(side.clone()), Some(side), None)
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
            Action::Create => (vec![ActionJson::Delete], Some(before), None),
            Action::Remove | Action::Conflict => (vec![ActionJson::Create], None, Some(after)),
            _ => (vec![ActionJson::Update], Some(before), Some(after)),
        };
        Self::new(&change.id, actions, before, after, None)
    }

    fn new(
        id: &ResourceId,
        actions: Vec<ActionJson>,
        before: Option<Side>,
        after: Option<Side>,
        action_reason: Option<&'static str>,
    ) -> Self {
        let Identity { address, r#type, name } = Identity::of(id);
        let before = Halves::of(before);
        let after = Halves::of(after);
        let change = ChangeJson {
            actions,
            before: before.values,
            after: after.values,
            after_unknown: after.unknown,
            before_sensitive: before.sensitive,
            after_sensitive: after.sensitive,
            replace_paths: Vec::new(),
            importing: None,
        };
        Self { address, mode: MODE, r#type, name, provider_name: PROVIDER, change, action_reason }
    }
}

impl ResourceValues {
    /// Returns a resource as the file wants it.
    pub(super) fn wanted(id: &ResourceId, wanted: &Fields) -> Self {
        let halves = Halves::of(Some(Side::of(wanted)));
        Self::new(Identity::of(id), halves.values, halves.sensitive)
    }

    /// Returns the resource of an entry as it is, if it is there.
    pub(super) fn prior(entry: &ResourceChange) -> Option<Self> {
        let ResourceChange { address, r#type, name, change, .. } = entry;
        if change.before.is_null() {
            return None;
        }
        let identity = Identity { address: address.clone(), r#type, name: name.clone() };
        Some(Self::new(identity, change.before.clone(), change.before_sensitive.clone()))
    }

    fn new(identity: Identity, values: Json, sensitive_values: Json) -> Self {
        let Identity { address, r#type, name } = identity;
        let (provider_name, schema_version) = (PROVIDER, SCHEMA_VERSION);
        Self {
            address,
            mode: MODE,
            r#type,
            name,
            provider_name,
            schema_version,
            values,
            sensitive_values,
        }
    }
}

impl ConfiguredResource {
    /// Returns a resource with what it needs.
    pub(super) fn of<'a>(id: &ResourceId, needs: impl Iterator<Item = &'a ResourceId>) -> Self {
        let Identity { address, r#type, name } = Identity::of(id);
        Self {
            address,
            mode: MODE,
            r#type,
            name,
            provider_config_key: PROVIDER,
            schema_version: SCHEMA_VERSION,
            depends_on: needs.map(ToString::to_string).collect(),
        }
    }
}

fn actions(plan: &Plan, change: &Change, verdict: Verdict) -> Vec<ActionJson> {
    use ActionJson::{Create, Delete, NoOp, Update};
    match (verdict, change.action) {
        (Verdict::Held | Verdict::Blocked, Action::Remove) | (Verdict::Remove, _) => {
            vec![Delete]
        }
        (Verdict::Held | Verdict::Blocked, Action::Create) | (Verdict::Create, _) => {
            vec![Create]
        }
        (Verdict::Pull | Verdict::Build, _) => match change.action {
            Action::Create => vec![Create],
            _ => vec![Update],
        },
        (Verdict::Recreate | Verdict::Replace | Verdict::Held, _) => {
            match verdict::starts_first(plan, &change.id) {
                Some(true) => vec![Create, Delete],
                Some(false) | None => vec![Delete, Create],
            }
        }
        (Verdict::NotChecked, _) => vec![NoOp],
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
        ) => vec![Update],
    }
}

/// Returns a path in steps, as in `replace_paths`.
pub(super) fn steps(path: &Path) -> Vec<String> {
    let words = path.field.word().split('.').map(str::to_owned);
    words.chain((!path.key.is_empty()).then(|| path.key.clone())).collect()
}

/// The values of one side of a change, which of them are secret, and which only apply makes.
#[derive(Clone, Default)]
struct Side {
    values: BTreeMap<Path, Json>,
    secret: BTreeSet<Path>,
    unknown: BTreeSet<Path>,
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
        self.unknown.remove(path);
        match value {
            Shown::Absent => {
                self.values.remove(path);
            }
            Shown::Plain(text) => {
                self.values.insert(path.clone(), typed(path.field, text));
            }
            Shown::Secret(_) | Shown::Hidden => {
                self.values.insert(path.clone(), Json::String(shown(path, value)));
                self.secret.insert(path.clone());
            }
            Shown::SecretToCome => {
                self.values.remove(path);
                self.secret.insert(path.clone());
                self.unknown.insert(path.clone());
            }
        }
    }
}

/// A side as nested objects. One that does not exist is `null`, with nothing sensitive in it.
struct Halves {
    values: Json,
    sensitive: Json,
    unknown: Json,
}

impl Halves {
    fn of(side: Option<Side>) -> Self {
        let Some(Side { values, secret, unknown }) = side else {
            let none = Json::Bool(false);
            return Self { values: Json::Null, sensitive: none, unknown: Json::Object(Map::new()) };
        };
        let marks =
            |paths: BTreeSet<Path>| nested(paths.into_iter().map(|p| (p, Json::Bool(true))));
        Self {
            values: nested(values.into_iter()),
            sensitive: marks(secret),
            unknown: marks(unknown),
        }
    }
}

fn nested(values: impl Iterator<Item = (Path, Json)>) -> Json {
    let mut map = Map::new();
    for (path, value) in values {
        nest(&mut map, &steps(&path), value);
    }
    Json::Object(map)
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
