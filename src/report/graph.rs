//! What needs what: as a tree of text and as DOT.

use std::collections::BTreeSet;

use crate::{desired::Desired, model::ResourceId};

use super::style::{Style, Tone};

/// Returns the resources as a tree: at the left what nothing needs, below it what it needs, with reasons.
/// What was shown once is not taken apart again.
pub fn tree(desired: &Desired, style: Style) -> String {
    let needed: BTreeSet<&ResourceId> =
        desired.after.values().flat_map(std::collections::BTreeMap::keys).collect();
    let mut shown = BTreeSet::new();
    let mut out = String::new();
    for id in desired.resources.keys().filter(|id| !needed.contains(id)) {
        out += &format!("{}\n", style.paint(Tone::Strong, &id.to_string()));
        branch(desired, id, "", &mut shown, style, &mut out);
    }
    out
}

fn branch<'a>(
    desired: &'a Desired,
    id: &'a ResourceId,
    indent: &str,
    shown: &mut BTreeSet<&'a ResourceId>,
    style: Style,
    out: &mut String,
) {
    let Some(needs) = desired.after.get(id).filter(|needs| !needs.is_empty()) else {
        return;
    };
    if !shown.insert(id) {
        *out += &format!("{indent}└ (see above)\n");
        return;
    }
    for (place, (need, why)) in needs.iter().enumerate() {
        let last = place + 1 == needs.len();
        let (corner, below) = if last { ("└", "  ") } else { ("├", "│ ") };
        *out += &format!("{indent}{corner} {need}   {}\n", style.paint(Tone::Dim, why));
        branch(desired, need, &format!("{indent}{below}"), shown, style, out);
    }
}

/// Returns the graph in the DOT language; an arrow points at what is needed.
pub fn dot(desired: &Desired) -> String {
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n", quoted(&desired.prefix()));
    for id in desired.resources.keys() {
        let shape = match id {
            ResourceId::Container(_) => "box",
            ResourceId::Volume(_) => "cylinder",
            ResourceId::Network(_) => "ellipse",
            ResourceId::Image(_) => "component",
            ResourceId::Files(_) => "note",
            ResourceId::Inner(_) => "oval",
        };
        out += &format!("  {} [shape={shape}];\n", quoted(&id.to_string()));
    }
    for (id, need, why) in edges(desired) {
        let (id, need) = (quoted(&id.to_string()), quoted(&need.to_string()));
        out += &format!("  {id} -> {need} [label={}];\n", quoted(why));
    }
    out + "}\n"
}

fn edges(desired: &Desired) -> impl Iterator<Item = (&ResourceId, &ResourceId, &str)> {
    desired
        .after
        .iter()
        .flat_map(|(id, needs)| needs.iter().map(move |(need, why)| (id, need, why.as_str())))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
