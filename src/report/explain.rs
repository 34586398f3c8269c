//! Where effective values come from.

use crate::{
    desired::{Explained, Path},
    diff::Shown,
};

use super::{
    style::{Style, Tone, clean, columns, pad, wrapped},
    value,
};

/// Longer names and values do not push the columns of all others to the right.
const WIDEST_NAME: usize = 32;
const WIDEST_VALUE: usize = 36;

/// Returns the values below what they belong to, each with its origin and with the places of those it took
/// the place of. What does not fit beside its origin goes below, on as many lines as it takes.
pub fn explain(values: &[Explained], style: Style) -> String {
    let rows: Vec<Row<'_>> = values.iter().map(Row::of).collect();
    let widest = |widths: &mut dyn Iterator<Item = usize>, most: usize| {
        widths.filter(|width| *width <= most).max().unwrap_or(0)
    };
    let names = widest(&mut rows.iter().map(|row| columns(row.name)), WIDEST_NAME);
    let texts = widest(&mut rows.iter().map(|row| columns(&row.value)), WIDEST_VALUE);
    let mut out = String::new();
    let mut above = "";
    for Row { owner, name, value, origin } in &rows {
        if *owner != above {
            out += &format!("{}\n", style.paint(Tone::Strong, owner));
            above = owner;
        }
        let indent = if owner.is_empty() { "" } else { "  " };
        let name = pad(name, names);
        let origin_painted = style.paint(Tone::Dim, origin);
        let line = format!("{indent}{name}  {}", pad(value, texts));
        let fits = columns(value) <= texts && columns(&line) + 2 + columns(origin) <= style.width;
        if fits {
            out += &format!("{line}  {origin_painted}\n");
            continue;
        }
        out += &format!("{indent}{name}  {origin_painted}\n");
        for line in wrapped(value, style.width.saturating_sub(6)) {
            out += &format!("{indent}    {line}\n");
        }
    }
    out
}

struct Row<'a> {
    owner: &'a str,
    name: &'a str,
    value: String,
    origin: String,
}

impl<'a> Row<'a> {
    fn of(one: &'a Explained) -> Self {
        let Explained { path, value, origin, overridden } = one;
        let (owner, name) = path.split_once(' ').unwrap_or(("", path));
        let value = match Path::parse(name) {
            // What stands for a secret is no value.
            Some(path) if value != "(secret)" => value::shown(&path, &Shown::Plain(value.clone())),
            _ => clean(value),
        };
        let over = match overridden.as_slice() {
            [] => String::new(),
            places => format!(", over {}", places.join(", ")),
        };
        Self { owner, name, value, origin: format!("{origin}{over}") }
    }
}
