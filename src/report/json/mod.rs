//! The same values for machines.
//!
//! These shapes are a wire format of their own: they change only together with the format version, while
//! the types of other rooms are free to move. A plan follows Terraform's documented plan representation,
//! so that readers of that one understand this one; what is ours alone lies under `nself`.

mod change;
mod history;
mod lock;
mod own;
mod plan;
mod rest;
mod run;
mod schema;
mod takeover;
mod trust;
mod watch;

pub use history::{between, generation, history, verified};
pub use lock::lock;
pub use plan::{drift, plan};
pub use rest::{
    EngineVersion, SecretJson, check, explain, failure, graph, init, log, recovered, secrets,
    status, urls, version,
};
pub use run::{applied, event};
pub use schema::{OUTPUTS, Output};
pub use takeover::{accepted, imported};
pub use trust::{StoreJson, trust};
pub use watch::{noted, watch};

use serde::Serialize;

/// The version of our own shapes: the first number moves when a key goes or means something else, the
/// second when one is added.
pub const FORMAT_VERSION: &str = "1.0";

/// Returns `value` as indented JSON with a newline behind it.
pub(super) fn text(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("our shapes have text keys only") + "\n"
}

/// Returns `value` as one line of JSON with a newline behind it.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("our shapes have text keys only") + "\n"
}
