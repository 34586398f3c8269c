//! What is about to go for good.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::ResourceId;

use super::{
    json,
    style::{Style, Tone, clean, columns, pad},
    value::{amount, count},
};

/// Everything that a reset destroys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The project, as people call it.
    pub title: String,
    /// Each resource, with how many bytes it holds where that is known.
    pub gone: Vec<(ResourceId, Option<u64>)>,
    /// What stays, each with what would come of removing it.
    pub kept: Vec<(ResourceId, String)>,
    /// Files of the project's folder.
    pub files: Vec<PathBuf>,
}

impl Removal {
    /// Returns whether there is nothing to destroy.
    pub fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.files.is_empty()
    }
}

/// Returns a line for each thing that goes.
pub fn removal(removal: &Removal, style: Style) -> String {
    let Removal { title, gone, kept, files } = removal;
    if removal.is_empty() {
        return format!("{title} · nothing is there\n");
    }
    let mut out = format!(
        "{} · {}\n\n",
        style.paint(Tone::Strong, title),
        style.paint(Tone::Risk, "ALL OF THIS GOES FOR GOOD")
    );
    let width = gone.iter().map(|(id, _)| columns(&id.to_string())).max().unwrap_or(0);
    let sign = style.paint(Tone::Bad, "-");
    for (id, size) in gone {
        let holds = match (id, size) {
            (ResourceId::Volume(_), Some(size)) => format!("with {}", amount(*size)),
            (ResourceId::Volume(_), None) => "with all that is in it".to_owned(),
            _ => String::new(),
        };
        let line = format!("  {sign} {}   {holds}", pad(&clean(&id.to_string()), width));
        out += line.trim_end();
        out.push('\n');
    }
    for file in files {
        out += &format!("  {sign} {}\n", clean(&file.display().to_string()));
    }
    for (id, what) in kept {
        let sign = style.paint(Tone::Risk, "!");
        out += &format!("  {sign} {id}   stays: it {}\n", clean(what));
    }
    let total: u64 = gone.iter().filter_map(|(_, size)| *size).sum();
    let things = count(gone.len() + files.len(), "thing");
    out + &format!("\n{things} · {} of data\n", amount(total))
}

/// What goes for good.
#[derive(Serialize, JsonSchema)]
pub(super) struct RemovalJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The project.
    title: &'a str,
    /// What goes.
    resources: Vec<GoneJson>,
    /// The addresses of what stays.
    kept: Vec<String>,
    /// Files that go.
    files: &'a [PathBuf],
}

/// Something that goes.
#[derive(Serialize, JsonSchema)]
struct GoneJson {
    /// The resource.
    address: String,
    /// How much data is in it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// Returns the same as JSON.
pub fn removal_json(removal: &Removal) -> String {
    let Removal { title, gone, kept, files } = removal;
    let one = |(id, bytes): &(ResourceId, Option<u64>)| GoneJson {
        address: id.to_string(),
        bytes: *bytes,
    };
    let kept = kept.iter().map(|(id, _)| id.to_string()).collect();
    let resources = gone.iter().map(one).collect();
    let format_version = json::FORMAT_VERSION;
    json::text(&RemovalJson { format_version, title, resources, kept, files })
}
