//! States, addresses, origins, secrets, mistakes: what single commands print as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::FORMAT_VERSION;
use crate::{
    controller::Recovery,
    desired::{Desired, Explained},
    diff::Condition,
    model::{Diagnostic, Severity},
    plan::Plan,
    report::{
        LogLine, Status,
        diagnostic::{DiagnosticJson, Sources, twins},
    },
};

/// Why a command ended without its result.
#[derive(Serialize, JsonSchema)]
pub(super) struct ErrorJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// What went wrong.
    error: Wrong<'a>,
}

/// What went wrong.
#[derive(Serialize, JsonSchema)]
struct Wrong<'a> {
    /// What was attempted, then each cause.
    chain: &'a [String],
    /// What to do about it.
    remedy: Option<&'a str>,
    /// The code the program ends with.
    exit: u8,
}

/// Returns why a command failed as a whole, as one line.
pub fn failure(chain: &[String], remedy: Option<&str>, exit: u8) -> String {
    let error = Wrong { chain, remedy, exit };
    super::line(&ErrorJson { format_version: FORMAT_VERSION, error })
}

/// The state of a project.
#[derive(Serialize, JsonSchema)]
pub(super) struct StatusJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The project, and the environment where it has one.
    title: &'a str,
    /// The engine's name and version.
    engine: &'a str,
    /// How many applies changed something.
    generation: u64,
    /// Whether all is as the file says.
    in_sync: bool,
    /// How many resources are not as the file says.
    pending: usize,
    /// What waits for a person's word: each the word behind `--allow`.
    held: Vec<String>,
    /// The services, by name.
    services: Vec<ServiceJson<'a>>,
}

/// The state of a service: that of its worst container.
#[derive(Serialize, JsonSchema)]
struct ServiceJson<'a> {
    /// Its name.
    service: &'a str,
    /// How many containers it should have.
    replicas: usize,
    /// `healthy`, `running`, `done`, `starting`, `unhealthy`, `stopped`, `missing`, or the engine's words.
    state: String,
    /// Whether `nself stop` stopped it.
    stopped_by_person: bool,
    /// For how long it has been running, in milliseconds.
    for_ms: Option<u64>,
    /// How often the engine started its containers again.
    restarts: u64,
    /// Bytes of memory in use, where they were measured.
    memory: Option<u64>,
    /// The limit in bytes over all its containers.
    memory_limit: Option<u64>,
    /// The first address it is reachable at.
    url: Option<&'a str>,
}

/// Returns the state of a project.
pub fn status(status: &Status, plan: &Plan) -> String {
    super::text(&StatusJson {
        format_version: FORMAT_VERSION,
        title: &plan.title,
        engine: &plan.engine.name,
        generation: plan.generation(),
        in_sync: status.pending == 0,
        pending: status.pending,
        held: plan.held.iter().map(|held| held.release.to_string()).collect(),
        services: status
            .services
            .iter()
            .map(|one| ServiceJson {
                service: one.service.as_str(),
                replicas: one.replicas,
                state: match &one.condition {
                    Condition::Suspended => "stopped".to_owned(),
                    other => other.to_string(),
                },
                stopped_by_person: one.condition == Condition::Suspended,
                for_ms: one.for_ms,
                restarts: one.restarts,
                memory: one.memory,
                memory_limit: one.memory_limit,
                url: one.url.as_deref(),
            })
            .collect(),
    })
}

/// The addresses of a project.
#[derive(Serialize, JsonSchema)]
pub(super) struct UrlsJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// By service.
    urls: Vec<UrlJson<'a>>,
}

/// An address.
#[derive(Serialize, JsonSchema)]
struct UrlJson<'a> {
    /// Of which service.
    service: &'a str,
    /// The address.
    url: &'a str,
}

/// Returns the addresses.
pub fn urls(desired: &Desired) -> String {
    let urls = desired.urls.iter();
    super::text(&UrlsJson {
        format_version: FORMAT_VERSION,
        urls: urls.map(|one| UrlJson { service: one.service.as_str(), url: &one.url }).collect(),
    })
}

/// What is wrong with a configuration, if anything.
#[derive(Serialize, JsonSchema)]
pub(super) struct CheckJson {
    /// The version of this shape.
    format_version: &'static str,
    /// Whether it can be used.
    valid: bool,
    /// How many mistakes there are.
    errors: usize,
    /// How many things are probably not meant.
    warnings: usize,
    /// All of them, in the order of the file.
    diagnostics: Vec<DiagnosticJson>,
}

/// Returns what is wrong with a configuration, if anything, as one line.
pub fn check(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    let count = |severity| diagnostics.iter().filter(|one| one.severity == severity).count();
    super::line(&CheckJson {
        format_version: FORMAT_VERSION,
        valid: count(Severity::Error) == 0,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        diagnostics: twins(diagnostics, sources),
    })
}

/// What needs what.
#[derive(Serialize, JsonSchema)]
pub(super) struct GraphJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The resources.
    nodes: Vec<String>,
    /// From each resource to what it needs.
    edges: Vec<Edge<'a>>,
}

/// One resource needs another.
#[derive(Serialize, JsonSchema)]
struct Edge<'a> {
    /// The one that needs.
    from: String,
    /// The one that is needed.
    to: String,
    /// Why.
    why: &'a str,
}

/// Returns what needs what.
pub fn graph(desired: &Desired) -> String {
    let mut edges = Vec::new();
    for (from, needs) in &desired.after {
        for (to, why) in needs {
            edges.push(Edge { from: from.to_string(), to: to.to_string(), why });
        }
    }
    let nodes = desired.resources.keys().map(ToString::to_string).collect();
    super::text(&GraphJson { format_version: FORMAT_VERSION, nodes, edges })
}

/// Where effective values come from.
#[derive(Serialize, JsonSchema)]
pub(super) struct ExplainJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// Each value that was asked for.
    values: Vec<ExplainedJson<'a>>,
}

/// A value with its origin.
#[derive(Serialize, JsonSchema)]
struct ExplainedJson<'a> {
    /// What it belongs to and its name there.
    path: &'a str,
    /// The value; a secret is named only.
    value: &'a str,
    /// Where it comes from.
    origin: &'a str,
    /// The places of the values it took the place of.
    overridden: &'a [String],
}

/// Returns where effective values come from.
pub fn explain(values: &[Explained]) -> String {
    let mut twins = Vec::new();
    for Explained { path, value, origin, overridden } in values {
        twins.push(ExplainedJson { path, value, origin, overridden });
    }
    super::text(&ExplainJson { format_version: FORMAT_VERSION, values: twins })
}

/// The secrets of a project.
#[derive(Serialize, JsonSchema)]
pub(super) struct SecretsJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// By name.
    secrets: Vec<SecretJson<'a>>,
}

/// A secret.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SecretJson<'a> {
    /// Its name.
    pub name: &'a str,
    /// The beginning of its keyed fingerprint.
    pub fingerprint: &'a str,
    /// Since when it has this value; `null` where that is not known.
    pub since: Option<String>,
    /// How it came: `generated`, `given`, `rotated` and so on; empty where that is not known.
    pub how: &'a str,
    /// The beginning of the fingerprint of the value that the next apply brings.
    pub pending: Option<&'a str>,
    /// How many earlier values are kept.
    pub earlier: usize,
    /// The addresses of what refers to it.
    pub used_by: Vec<String>,
}

/// What was read back into the vault.
#[derive(Serialize, JsonSchema)]
pub(super) struct RecoveredJson {
    /// The version of this shape.
    format_version: &'static str,
    /// Secrets that were found.
    recovered: Vec<String>,
    /// Secrets that were not.
    lost: Vec<String>,
    /// Secrets of which another value stands somewhere, with the addresses.
    differing: BTreeMap<String, Vec<String>>,
}

/// Returns what was read back into the vault.
pub fn recovered(recovery: &Recovery) -> String {
    let Recovery { found, lost, differing } = recovery;
    let differing = differing
        .iter()
        .map(|(name, ids)| (name.to_string(), ids.iter().map(ToString::to_string).collect()));
    super::text(&RecoveredJson {
        format_version: FORMAT_VERSION,
        recovered: found.iter().map(ToString::to_string).collect(),
        lost: lost.iter().map(|(name, _)| name.to_string()).collect(),
        differing: differing.collect(),
    })
}

/// Returns secrets.
pub fn secrets(secrets: Vec<SecretJson<'_>>) -> String {
    super::text(&SecretsJson { format_version: FORMAT_VERSION, secrets })
}

/// One line of a log.
#[derive(Serialize, JsonSchema)]
pub(super) struct LogJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The service; with a number behind it for a further replica.
    service: &'a str,
    /// When it was written, as the engine says.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
    /// `stdout` or `stderr`.
    stream: &'static str,
    /// The line.
    text: &'a str,
}

/// Returns one line of a log as one line.
pub fn log(line: &LogLine<'_>) -> String {
    let LogLine { service, at, stream, text } = *line;
    super::line(&LogJson { format_version: FORMAT_VERSION, service, at, stream, text })
}

/// This program and the engine it would use.
#[derive(Serialize, JsonSchema)]
pub(super) struct VersionJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The version of this program.
    version: &'a str,
    /// The engine.
    engine: EngineVersion<'a>,
}

/// The engine that would be used.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct EngineVersion<'a> {
    /// Its address.
    pub address: &'a str,
    /// What chose it.
    pub chosen_by: &'a str,
    /// Its name and version, where it answers.
    pub name: Option<&'a str>,
    /// The version of its API.
    pub api: Option<&'a str>,
    /// Why it does not answer.
    pub error: Option<&'a str>,
}

/// Returns this program's version and the engine it would use.
pub fn version(version: &str, engine: EngineVersion<'_>) -> String {
    super::text(&VersionJson { format_version: FORMAT_VERSION, version, engine })
}

/// What was written for a new project.
#[derive(Serialize, JsonSchema)]
pub(super) struct InitJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The file.
    file: &'a str,
    /// The project's name.
    name: &'a str,
}

/// Returns what was written for a new project, as one line.
pub fn init(file: &str, name: &str) -> String {
    super::line(&InitJson { format_version: FORMAT_VERSION, file, name })
}
