//! Drift as people read it: what moved, from what, to what, and how it would be put back.

use crate::{
    diff::{Action, Change, FieldChange, Mover, Shown},
    plan::Plan,
};

use super::{
    field,
    style::{Style, Tone, clean, columns, dotted, pad},
    value::{count, pair, took},
    verdict::Verdict,
};

/// Returns what moved behind our back. `applied_ms` is how long ago the last apply was, where that is
/// known.
pub fn drift(plan: &Plan, applied_ms: Option<u64>, style: Style) -> String {
    let moved: Vec<&Change> = plan.changes.changes.iter().filter(|c| c.is_drift()).collect();
    let looked_at = count(plan.changes.looked_at(), "resource");
    let title = style.paint(Tone::Strong, &plan.title);
    let mut out = if moved.is_empty() {
        dotted(&[title, looked_at, format!("no drift{}", since(plan, applied_ms))], style.width)
    } else {
        let some = format!("{} of {looked_at} moved{}", moved.len(), since(plan, applied_ms));
        dotted(&[title, some], style.width)
    };
    out.push('\n');
    let rows: Vec<[String; 4]> =
        moved.iter().flat_map(|change| rows(plan, change, style)).collect();
    let widths: Vec<usize> = (0..3)
        .map(|column| rows.iter().map(|row| columns(&row[column])).filter(|w| *w <= 40).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut last = "";
    for row in &rows {
        let [id, path, values, repair] = row;
        let shown = if id == last { "" } else { id };
        last = id;
        let line = format!(
            "  {}  {}  {}  {repair}",
            style.paint(Tone::Strong, &pad(shown, widths[0])),
            pad(path, widths[1]),
            pad(values, widths[2]),
        );
        out += line.trim_end();
        out.push('\n');
    }
    out += &unseen(plan);
    if !moved.is_empty() {
        let back = style.suggest("nself apply");
        let keep = style.suggest("nself drift accept");
        out += &format!("put it back: {back} · keep it: {keep} PATH (writes nself.toml)\n");
    }
    out
}

fn since(plan: &Plan, applied_ms: Option<u64>) -> String {
    match (plan.generation(), applied_ms) {
        (0, _) => String::new(),
        (generation, None) => format!(" since generation {generation}"),
        (generation, Some(ms)) => format!(" since generation {generation} ({} ago)", took(ms)),
    }
}

fn rows(plan: &Plan, change: &Change, style: Style) -> Vec<[String; 4]> {
    let id = clean(&change.id.to_string());
    let repair = match Verdict::of(plan, change) {
        Verdict::Held => {
            let release = plan.held.iter().find(|held| held.id == change.id);
            let command = release.map(|held| format!(": {}", style.release(&held.release)));
            format!("repair: HELD{}", command.unwrap_or_default())
        }
        verdict => format!("repair: {}", verdict.word()),
    };
    let row = |Move { path, what, remark }: Move| {
        let remark = remark.map(|remark| format!(" · {remark}")).unwrap_or_default();
        [id.clone(), path, what, format!("{repair}{remark}")]
    };
    moves(plan, change, style).into_iter().map(row).collect()
}

/// Something about a resource that somebody else moved.
pub(super) struct Move {
    /// The path of a field, or nothing where it is about the whole resource.
    pub(super) path: String,
    /// From what to what, or what else happened.
    pub(super) what: String,
    /// What else one has to know.
    pub(super) remark: Option<String>,
}

/// Returns what somebody else moved about a resource that drifted.
pub(super) fn moves(plan: &Plan, change: &Change, style: Style) -> Vec<Move> {
    let drifted = |field: &&FieldChange| field.mover != Mover::You;
    let mut moves: Vec<Move> = Vec::new();
    for field in change.fields.iter().filter(drifted) {
        // Without a memory the wanted value stands for how it was.
        let was = field.last.as_ref().unwrap_or(&field.after);
        let (was, is) = pair(&field.path, was, &field.before);
        let lines = |value: &Shown| matches!(value, Shown::Plain(text) if text.contains('\n'));
        let what = if lines(&field.before) || lines(&field.after) {
            "other content".to_owned()
        } else {
            format!("{was} → {is}")
        };
        let unknown = (field.mover == Mover::Unknown).then(|| "mover unknown".to_owned());
        let remark = field::crash_loop(plan, &change.id, field, style).or(unknown);
        moves.push(Move { path: field::name(&field.path), what, remark });
    }
    for leftover in change.leftovers.iter().filter(|one| one.mover != Mover::You) {
        let what = format!("{} is beside it", clean(&leftover.name));
        moves.push(Move { path: String::new(), what, remark: None });
    }
    if moves.is_empty() {
        let what = match change.action {
            Action::Conflict => format!("not ours: {}", clean(&change.reason)),
            _ => clean(&change.reason),
        };
        moves.push(Move { path: String::new(), what, remark: None });
    }
    moves
}

/// What could not be compared is named, so that silence about it is not taken for "no drift".
fn unseen(plan: &Plan) -> String {
    let unseen = plan.changes.changes.iter().filter_map(|change| {
        let verdict = Verdict::of(plan, change);
        matches!(verdict, Verdict::Deferred | Verdict::NotChecked)
            .then(|| format!("  ? {}   {}: {}\n", change.id, verdict.word(), clean(&change.reason)))
    });
    unseen.collect()
}
