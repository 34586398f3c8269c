//! Where effective values come from.

use serde::Serialize;

use crate::desired::Explained;

use super::style::{Style, Tone, clean, columns, pad};

/// Longer paths and values do not push the columns of all others to the right.
const WIDEST: usize = 44;

/// Returns the values, each with its origin and with the places of those it took the place of.
pub fn explain(values: &[Explained], style: Style) -> String {
    let width = |text: fn(&Explained) -> &str| {
        let widths = values.iter().map(|one| columns(text(one)));
        widths.filter(|width| *width <= WIDEST).max().unwrap_or(0)
    };
    let (paths, texts) = (width(|one| &one.path), width(|one| &one.value));
    let line = |one: &Explained| {
        let Explained { path, value, origin, overridden } = one;
        let over = match overridden.as_slice() {
            [] => String::new(),
            places => format!(", over {}", places.join(", ")),
        };
        let (path, value) = (pad(path, paths), pad(&clean(value), texts));
        format!("{path}  {value}  {}\n", style.paint(Tone::Dim, &format!("{origin}{over}")))
    };
    values.iter().map(line).collect()
}

/// Returns the same as JSON.
pub fn explain_json(values: &[Explained]) -> String {
    #[derive(Serialize)]
    struct ExplainedJson<'a> {
        path: &'a str,
        value: &'a str,
        origin: &'a str,
        overridden: &'a [String],
    }
    let mut twins = Vec::new();
    for Explained { path, value, origin, overridden } in values {
        twins.push(ExplainedJson { path, value, origin, overridden });
    }
    super::json::text(&twins)
}
