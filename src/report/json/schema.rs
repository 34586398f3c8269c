//! The JSON Schemas of what commands print with `--json`, made from the shapes themselves.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{
    history::{BetweenJson, HistoryJson, VerifiedJson},
    lock::LockJson,
    plan::{DriftJson, PlanJson},
    rest::{
        CheckJson, ErrorJson, ExplainJson, GraphJson, InitJson, LogJson, RecoveredJson,
        SecretsJson, StatusJson, UrlsJson, VersionJson,
    },
    run::EventLine,
    takeover::{AcceptedJson, ImportJson},
    trust::TrustJson,
    watch::{NotedJson, WatchJson},
};
use crate::report::{doctor::DoctorJson, removal::RemovalJson};

/// One kind of output.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Its name: `schemas/NAME.schema.json` is its schema.
    pub name: &'static str,
    /// Which commands print it.
    pub printed_by: &'static str,
    generate: fn(&mut SchemaGenerator) -> schemars::Schema,
}

/// All of them. A shape that is printed is a line here.
pub const OUTPUTS: &[Output] = &[
    output::<PlanJson>("plan", "nself plan --json"),
    output::<DriftJson>("drift", "nself drift --json"),
    output::<EventLine<'_>>("event", "apply, start, stop, restart and destroy: each line"),
    output::<HistoryJson<'_>>("history", "nself history --json, nself history show --json"),
    output::<BetweenJson>("history-diff", "nself history diff --json"),
    output::<VerifiedJson<'_>>("history-verify", "nself history verify --json"),
    output::<LockJson<'_>>("lock", "nself lock --json"),
    output::<StatusJson<'_>>("status", "nself status --json"),
    output::<UrlsJson<'_>>("urls", "nself urls --json"),
    output::<CheckJson>("check", "nself check --json, and every command for a file with mistakes"),
    output::<ErrorJson<'_>>("error", "every command that ends without its result"),
    output::<GraphJson<'_>>("graph", "nself graph --json"),
    output::<ExplainJson<'_>>("explain", "nself explain --json"),
    output::<SecretsJson<'_>>("secrets", "nself secret list --json"),
    output::<RecoveredJson>("secret-recover", "nself secret recover --json"),
    output::<DoctorJson<'_>>("doctor", "nself doctor --json"),
    output::<RemovalJson<'_>>("reset", "nself reset --dry-run --json"),
    output::<TrustJson<'_>>("trust", "nself trust --json"),
    output::<ImportJson<'_>>("import", "nself import --json"),
    output::<AcceptedJson<'_>>("drift-accept", "nself drift accept --json"),
    output::<LogJson<'_>>("log", "nself logs --json: each line"),
    output::<VersionJson<'_>>("version", "nself version --json"),
    output::<InitJson<'_>>("init", "nself init --json"),
    output::<WatchJson<'_>>("watch", "nself watch: GET /api/status"),
    output::<NotedJson>(
        "watch-noted",
        "nself watch: POST /api/look, pause, resume, retry, approve",
    ),
];

const fn output<T: JsonSchema>(name: &'static str, printed_by: &'static str) -> Output {
    Output { name, printed_by, generate: SchemaGenerator::root_schema_for::<T> }
}

impl Output {
    /// Returns the JSON Schema (draft 2020-12). It allows keys that it does not name: later versions of
    /// the same format add some.
    pub fn schema(&self) -> Value {
        let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = (self.generate)(&mut generator).to_value();
        schema["title"] = json!(self.name);
        schema["$comment"] = json!(self.printed_by);
        schema
    }
}
