//! What was taken over, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::FORMAT_VERSION;
use crate::{
    model::Diagnostic,
    report::diagnostic::{DiagnosticJson, Sources, twins},
};

/// A project of Docker Compose that was brought into `nself.toml`.
#[derive(Serialize, JsonSchema)]
pub(super) struct ImportJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The file that was written.
    file: &'a str,
    /// The project's name.
    name: &'a str,
    /// How many services it has.
    services: usize,
    /// The names of the secrets that were put into the vault.
    secrets: Vec<&'a str>,
    /// What could not be carried over, and why.
    findings: Vec<DiagnosticJson>,
}

/// Returns what was imported.
pub fn imported(
    file: &str,
    name: &str,
    services: usize,
    secrets: Vec<&str>,
    findings: (&[Diagnostic], &Sources),
) -> String {
    let findings = twins(findings.0, findings.1);
    let format_version = FORMAT_VERSION;
    super::text(&ImportJson { format_version, file, name, services, secrets, findings })
}

/// Live values that were written into `nself.toml`.
#[derive(Serialize, JsonSchema)]
pub(super) struct AcceptedJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// Whether files were written.
    written: bool,
    /// The paths of what was accepted.
    accepted: &'a [String],
    /// What could not be.
    refused: Vec<RefusedJson<'a>>,
    /// Paths of which nothing moved.
    unknown: &'a [String],
    /// The files it stands in.
    files: Vec<&'a str>,
}

/// A value that cannot be written.
#[derive(Serialize, JsonSchema)]
struct RefusedJson<'a> {
    /// Its path.
    path: &'a str,
    /// Why.
    why: &'a str,
}

/// Returns what was accepted; `refused` are pairs of a path and why.
pub fn accepted<'a>(
    written: bool,
    accepted: &'a [String],
    refused: impl Iterator<Item = (&'a str, &'a str)>,
    unknown: &'a [String],
    files: Vec<&'a str>,
) -> String {
    super::text(&AcceptedJson {
        format_version: FORMAT_VERSION,
        written,
        accepted,
        refused: refused.map(|(path, why)| RefusedJson { path, why }).collect(),
        unknown,
        files,
    })
}
