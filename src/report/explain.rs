//! Where the effective values come from.

use serde::Serialize;

use crate::{
    desired::{Desired, Path, Resource, Value},
    diff::Shown,
    model::{Origin, ResourceId},
};

use super::{
    style::{Style, Tone, columns, pad},
    value::shown,
};

/// One effective value with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The resource it belongs to.
    pub id: ResourceId,
    /// Which value.
    pub path: Path,
    /// What it is, as it may be seen.
    pub value: Shown,
    /// Where it comes from, if anybody wrote it down.
    pub origin: Option<Origin>,
}

/// Returns the values that `key` is about: `api` and `container/shop-api` name all of a service or a
/// resource, `api.limits` a part of them, `api.limits.memory` one. Empty when there are none.
pub fn explained(desired: &Desired, key: &str) -> Vec<Explained> {
    let key = key.strip_prefix("services.").unwrap_or(key);
    let mut all = Vec::new();
    for (id, resource) in &desired.resources {
        let Some(path) = names(id, resource).iter().find_map(|name| below(key, name)) else {
            continue;
        };
        let fields = resource.fields().0.into_iter();
        for (at, value) in fields.filter(|(at, _)| below(&at.to_string(), path).is_some()) {
            let origin = desired.origins.get(&(id.clone(), at.clone())).cloned();
            let value = match value {
                Value::Plain(text) => Shown::Plain(text),
                Value::Secret(_) => Shown::Hidden,
            };
            all.push(Explained { id: id.clone(), path: at, value, origin });
        }
    }
    all
}

/// What a resource goes by: its own name, and for the first container of a service the service's.
fn names(id: &ResourceId, resource: &Resource) -> Vec<String> {
    let mut names = vec![id.to_string()];
    if let Resource::Container(container) = resource
        && container.replica == 1
    {
        names.push(container.service.to_string());
    }
    names
}

/// Returns what stands behind `front` and a dot; nothing when they are the same; `None` when `text`
/// begins otherwise.
fn below<'a>(text: &'a str, front: &str) -> Option<&'a str> {
    if front.is_empty() {
        return Some(text);
    }
    let rest = text.strip_prefix(front)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('.') }
}

/// Returns the values as text, each with its origin.
pub fn explain(values: &[Explained], style: Style) -> String {
    let mut out = String::new();
    let width = values.iter().map(|one| columns(&one.path.to_string())).max().unwrap_or(0);
    let texts: Vec<String> = values.iter().map(|one| shown(&one.path, &one.value)).collect();
    let middle = texts.iter().map(|text| columns(text)).filter(|w| *w <= 40).max().unwrap_or(0);
    let mut last = None;
    for (one, text) in values.iter().zip(&texts) {
        if last != Some(&one.id) {
            out += &format!("{}\n", style.paint(Tone::Strong, &one.id.to_string()));
            last = Some(&one.id);
        }
        let origin = one.origin.as_ref().map_or_else(|| "default".to_owned(), Origin::brief);
        let (path, text) = (pad(&one.path.to_string(), width), pad(text, middle));
        out += &format!("  {path}  {text}  {}\n", style.paint(Tone::Dim, &origin));
    }
    out
}

/// Returns the values as JSON.
pub fn json(values: &[Explained]) -> String {
    #[derive(Serialize)]
    struct ExplainedJson {
        address: String,
        path: String,
        value: String,
        origin: Option<String>,
    }
    let values: Vec<ExplainedJson> = values
        .iter()
        .map(|one| ExplainedJson {
            address: one.id.to_string(),
            path: one.path.to_string(),
            value: shown(&one.path, &one.value),
            origin: one.origin.as_ref().map(Origin::brief),
        })
        .collect();
    super::json::text(&values)
}
