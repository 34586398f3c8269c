//! What needs what: as a tree of text and as DOT.

use std::collections::{BTreeMap, BTreeSet};

use crate::{desired::Desired, model::ResourceId, plan::Plan};

use super::{
    style::{Style, Tone, clean},
    verdict::{self, Verdict},
};

/// What a plan means for each resource that it touches.
pub type Marks = BTreeMap<ResourceId, Verdict>;

/// Returns what `plan` means for each resource that it touches.
pub fn marks(plan: &Plan) -> Marks {
    let changed = plan.changes.changes.iter().map(|change| {
        let verdict = Verdict::of(plan, change);
        (change.id.clone(), verdict)
    });
    let followers = verdict::followers(plan).into_iter();
    changed.chain(followers.map(|(id, (verdict, _))| (id.clone(), verdict))).collect()
}

/// Returns the resources as a tree: at the left what nothing needs, below it what it needs, with reasons.
/// What was shown once is not taken apart again. What goes stands below, as it is in no tree.
pub fn tree(desired: &Desired, marks: &Marks, style: Style) -> String {
    let needed: BTreeSet<&ResourceId> = desired.after.values().flat_map(BTreeMap::keys).collect();
    let mut tree = Tree { desired, marks, style, shown: BTreeSet::new(), out: String::new() };
    for id in desired.resources.keys().filter(|id| !needed.contains(id)) {
        let name = style.paint(Tone::Strong, &clean(&id.to_string()));
        let mark = tree.mark(id);
        tree.out += &format!("{name}{mark}\n");
        tree.branch(id, "");
    }
    for id in gone(desired, marks) {
        let mark = tree.mark(id);
        tree.out += &format!("{}{mark}\n", clean(&id.to_string()));
    }
    tree.out
}

struct Tree<'a> {
    desired: &'a Desired,
    marks: &'a Marks,
    style: Style,
    shown: BTreeSet<&'a ResourceId>,
    out: String,
}

impl<'a> Tree<'a> {
    fn branch(&mut self, id: &'a ResourceId, indent: &str) {
        let Some(needs) = self.desired.after.get(id).filter(|needs| !needs.is_empty()) else {
            return;
        };
        if !self.shown.insert(id) {
            self.out += &format!("{indent}└ (see above)\n");
            return;
        }
        for (place, (need, why)) in needs.iter().enumerate() {
            let last = place + 1 == needs.len();
            let (corner, below) = if last { ("└", "  ") } else { ("├", "│ ") };
            let (why, mark) = (self.style.paint(Tone::Dim, why), self.mark(need));
            self.out += &format!("{indent}{corner} {}{mark}   {why}\n", clean(&need.to_string()));
            self.branch(need, &format!("{indent}{below}"));
        }
    }

    fn mark(&self, id: &ResourceId) -> String {
        let verdict = self.marks.get(id);
        verdict.map(|one| format!("  {} {}", one.symbol(), one.word())).unwrap_or_default()
    }
}

/// Returns the graph in the DOT language; an arrow points at what is needed. What a plan touches is
/// coloured, and says what happens.
pub fn dot(desired: &Desired, marks: &Marks) -> String {
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n", quoted(&desired.prefix()));
    out += "  node [fontname=\"sans-serif\", fontsize=11];\n";
    out += "  edge [fontname=\"sans-serif\", fontsize=9, color=gray40];\n";
    for id in desired.resources.keys().chain(gone(desired, marks)) {
        let shape = match id {
            ResourceId::Container(_) => "box",
            ResourceId::Volume(_) => "cylinder",
            ResourceId::Network(_) => "ellipse",
            ResourceId::Image(_) => "component",
            ResourceId::Files(_) => "note",
            ResourceId::Inner(_) => "oval",
        };
        let name = id.to_string();
        let mark = marks.get(id).map(|verdict| {
            let label = format!("{name}\n{} {}", verdict.symbol(), verdict.word());
            format!(", style=filled, fillcolor={}, label={}", colour(*verdict), quoted(&label))
        });
        out += &format!("  {} [shape={shape}{}];\n", quoted(&name), mark.unwrap_or_default());
    }
    for (id, need, why) in edges(desired) {
        let (id, need) = (quoted(&id.to_string()), quoted(&need.to_string()));
        out += &format!("  {id} -> {need} [label={}];\n", quoted(why));
    }
    out + "}\n"
}

/// Returns what the plan touches although nobody wants it any more.
fn gone<'a>(desired: &Desired, marks: &'a Marks) -> impl Iterator<Item = &'a ResourceId> {
    marks.keys().filter(|id| !desired.resources.contains_key(id))
}

/// Returns a colour that is light enough for black text.
fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pull | Verdict::Build | Verdict::Create => "palegreen",
        Verdict::Recreate | Verdict::Replace => "orange",
        Verdict::Adopt
        | Verdict::Restart
        | Verdict::Reload
        | Verdict::InPlace
        | Verdict::Start
        | Verdict::Stop
        | Verdict::Settle => "khaki",
        Verdict::Remove => "lightcoral",
        Verdict::Held | Verdict::Blocked => "plum",
        Verdict::Deferred | Verdict::NotChecked => "gray90",
    }
}

fn edges(desired: &Desired) -> impl Iterator<Item = (&ResourceId, &ResourceId, &str)> {
    desired
        .after
        .iter()
        .flat_map(|(id, needs)| needs.iter().map(move |(need, why)| (id, need, why.as_str())))
}

/// Returns text as a string of DOT. A backslash there begins an escape of the label language, in which a
/// newline is `\n`.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in clean(text).chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
