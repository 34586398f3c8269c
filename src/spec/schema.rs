//! The JSON Schema of `nself.toml`, for editors.
//!
//! Everything in it comes from the shapes of the tables; nothing is said a second time here. It refuses
//! no file that [`parse`](super::parse()) takes, and cannot refuse all that `parse` does.

use serde_json::{Map, Value, json};

use super::{
    Gateway, IgnoreRule, Images, NetworkRule, PolicyRule, Project, SecretRule, Settings, Variable,
    Vault, VolumeRule, Watch, service::choosable, template::RESERVED,
};
use crate::{
    catalog::{Kind, Options},
    model::decode::{Key, Shape},
};

/// Returns the JSON Schema (draft 2020-12) of `nself.toml`.
pub fn schema() -> Value {
    let mut defs = Map::new();
    for kind in choosable() {
        let keys = Settings::keys().into_iter().chain(Options::keys(kind));
        let mut service = table(keys, Need::Whole);
        service["description"] = json!(kind.summary);
        service["properties"]["kind"] = json!({ "const": kind.name, "description": kind.summary });
        if !kind.releases.is_empty() {
            let releases: Vec<_> = kind.releases.iter().map(|release| release.version).collect();
            service["properties"]["version"]["enum"] = json!(releases);
        }
        defs.insert(format!("service-{}", kind.name), service);
    }
    defs.insert("service-changes".to_owned(), changes_of_a_service());
    defs.insert("environment".to_owned(), environment());
    let mut root = root(Need::Whole);
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("nself.toml");
    root["properties"]["environments"] = json!({
        "description": "What is different in an environment, chosen with -e NAME.",
        "type": "object",
        "additionalProperties": { "$ref": "#/$defs/environment" },
    });
    root["required"] = json!(["project"]);
    root["$defs"] = Value::Object(defs);
    root
}

/// Whether a table is written out or only changes one that is.
#[derive(Clone, Copy, PartialEq)]
enum Need {
    Whole,
    Changes,
}

fn root(need: Need) -> Value {
    let named = |name: &str, keys: Vec<Key>| {
        let mut table = table(keys, need);
        table["description"] = json!(format!("[{name}]"));
        table
    };
    let services = match need {
        Need::Whole => services(),
        Need::Changes => json!({
            "type": "object",
            "additionalProperties": { "$ref": "#/$defs/service-changes" },
        }),
    };
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "project": named("project", Project::keys()),
            "services": services,
            "gateway": named("gateway", Gateway::keys()),
            "images": named("images", Images::keys()),
            "variables": map(&table(Variable::keys(), need)),
            "networks": map(&table(NetworkRule::keys(), need)),
            "volumes": map(&table(VolumeRule::keys(), need)),
            "secrets": map(&table(SecretRule::keys(), need)),
            "vault": named("vault", Vault::keys()),
            "watch": named("watch", Watch::keys()),
            "ignore": { "type": "array", "items": table(IgnoreRule::keys(), Need::Whole) },
            "policy": { "type": "array", "items": table(PolicyRule::keys(), Need::Whole) },
            "engine": {
                "description": "The engine's address, such as \"tcp://203.0.113.7:2375\".",
                "type": "string",
            },
            "production": {
                "description": "Whether the production rules hold.",
                "type": "boolean",
            },
        },
    })
}

/// A service's keys depend on its kind, and its kind on the key `kind` or on its name.
fn services() -> Value {
    let mut by_name = Map::new();
    for kind in choosable() {
        by_name.insert(kind.name.to_owned(), one_of_kind(kind));
    }
    let container = choosable().find(|kind| kind.name == "container");
    json!({
        "description": "The services by name. Where the name is a kind, the kind need not be said.",
        "type": "object",
        "propertyNames": { "not": { "enum": RESERVED } },
        "properties": by_name,
        "additionalProperties": container.map_or(json!(true), one_of_kind),
    })
}

/// A service that is of kind `default` unless it says otherwise.
fn one_of_kind(default: &Kind) -> Value {
    let reference = |kind: &Kind| json!({ "$ref": format!("#/$defs/service-{}", kind.name) });
    let mut rules: Vec<Value> = choosable()
        .map(|kind| {
            json!({
                "if": { "properties": { "kind": { "const": kind.name } }, "required": ["kind"] },
                "then": reference(kind),
            })
        })
        .collect();
    rules.push(json!({ "if": { "not": { "required": ["kind"] } }, "then": reference(default) }));
    let kinds: Vec<_> = choosable().map(|kind| kind.name).collect();
    json!({ "type": "object", "properties": { "kind": { "enum": kinds } }, "allOf": rules })
}

/// What an environment says of a service: its kind stands elsewhere, so the keys of all are good.
fn changes_of_a_service() -> Value {
    let mut service = table(Settings::keys(), Need::Changes);
    for key in choosable().flat_map(Options::keys) {
        let schema = one(&key, Need::Changes);
        let slot = &mut service["properties"][key.name];
        *slot = match slot.take() {
            Value::Null => schema,
            known if known == schema => known,
            known => json!({ "anyOf": [known, schema] }),
        };
    }
    service
}

fn environment() -> Value {
    let mut environment = root(Need::Changes);
    environment["properties"]["unset"] = json!({
        "description": "Paths that are removed, such as \"services.api.limits\".",
        "type": "array",
        "items": { "type": "string" },
    });
    environment
}

fn table(keys: impl IntoIterator<Item = Key>, need: Need) -> Value {
    let keys: Vec<Key> = keys.into_iter().collect();
    let required: Vec<_> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let properties: Map<_, _> =
        keys.iter().map(|key| (key.name.to_owned(), one(key, need))).collect();
    let mut table = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if need == Need::Whole && !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

fn one(key: &Key, need: Need) -> Value {
    let mut schema = of(&key.shape, need);
    schema["description"] = json!(key.doc);
    schema
}

fn map(values: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

fn of(shape: &Shape, need: Need) -> Value {
    match shape {
        Shape::Text(words) => json!({ "type": "string", "title": words }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Number => json!({ "type": "number" }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::List(item) => json!({ "type": "array", "items": of(item, need) }),
        Shape::Map(value) => map(&of(value, need)),
        Shape::Table(keys) => table(keys.iter().cloned(), need),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|shape| of(shape, need)).collect::<Vec<_>>() })
        }
    }
}
