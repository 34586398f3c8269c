//! Who trusts the local certificate authority, as JSON.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::FORMAT_VERSION;

/// Who trusts the local certificate authority.
#[derive(Serialize, JsonSchema)]
pub(super) struct TrustJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The file of the authority's certificate.
    authority: &'a Path,
    /// The stores of this machine and user.
    stores: Vec<StoreJson>,
}

/// A store of certificates.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StoreJson {
    /// Its name.
    pub store: String,
    /// Where it keeps certificates.
    pub place: PathBuf,
    /// What it does about the authority, in words.
    pub state: &'static str,
    /// Why, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to type to have it trust the authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Returns who trusts the authority whose certificate is in a file.
pub fn trust(authority: &Path, stores: Vec<StoreJson>) -> String {
    super::text(&TrustJson { format_version: FORMAT_VERSION, authority, stores })
}
