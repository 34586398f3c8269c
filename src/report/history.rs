//! What was done, as people read it.

use std::collections::BTreeMap;

use crate::{
    desired::Path,
    diff::{Difference, How, Shown},
    history::{Begun, ChangeEntry, Ended, FieldEntry, Found, Ran, Run},
};

use super::{
    style::{Style, Tone, clean, columns, dotted, pad},
    value::{self, count},
};

/// The headings of the table.
const HEADINGS: [&str; 6] = ["GEN", "WHEN", "WHO", "COMMAND", "RESULT", "CHANGES"];

/// Returns a table of applies, in the order given.
pub fn history(runs: &[Run], style: Style) -> String {
    if runs.is_empty() {
        let hint = style.suggest("nself apply");
        return format!("nothing was applied from here yet: {hint}\n");
    }
    let rows: Vec<[String; 6]> = runs.iter().map(cells).collect();
    let heading = HEADINGS.map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&heading]).map(|row| columns(&row[column]));
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let line = |row: &[String; 6], result: Option<Tone>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let cell = pad(cell, widths[column]);
            match result {
                None => style.paint(Tone::Dim, &cell),
                Some(tone) if column == 4 => style.paint(tone, &cell),
                Some(_) => cell,
            }
        });
        format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut out = line(&heading, None);
    for (row, run) in rows.iter().zip(runs) {
        out += &line(row, Some(tone(run)));
    }
    out
}

/// Returns one apply with its changes and failures.
pub fn generation(run: &Run, style: Style) -> String {
    let Begun { user, host, command, nself, returns_to, revision, changes, .. } = &run.begun;
    let mut parts = vec![
        style.paint(Tone::Strong, &format!("generation {}", generations(run))),
        format!("{} by {user}@{host}", when(run.begun.at)),
        command.word().to_owned(),
        style.paint(tone(run), &result(run)),
    ];
    parts.extend(returns_to.map(|to| format!("as generation {}", to.generation)));
    parts.extend(revision.as_deref().map(clean));
    parts.push(format!("nself {nself}"));
    let mut out = dotted(&parts, style.width) + "\n\n";
    for ChangeEntry { id, what, reason, fields } in changes {
        let why = if fields.is_empty() { format!(" · {reason}") } else { String::new() };
        out += &format!("  {}   {what}{}\n", style.paint(Tone::Strong, &clean(id)), clean(&why));
        let width = fields.iter().map(|field| columns(&field.path)).max().unwrap_or(0);
        for FieldEntry { path, before, after, mover } in fields {
            let (before, after) = (shown(path, before), shown(path, after));
            out += &format!("      {}  {before} → {after}   {mover}\n", pad(path, width));
        }
    }
    let Some(Ended { steps, .. }) = &run.ended else { return out };
    let failed = steps.iter().filter(|step| step.ran == Ran::Failed);
    for step in failed {
        let sign = style.paint(Tone::Bad, "✗");
        out += &format!("\n{sign} {}: {}\n", clean(&step.id), clean(&step.what));
        for cause in &step.because {
            out += &format!("    {}\n", clean(cause));
        }
    }
    let done = steps.iter().filter(|step| step.ran == Ran::Done).count();
    let skipped = steps.iter().filter(|step| step.ran == Ran::Skipped).count();
    let failed = steps.len() - done - skipped;
    out += &format!("\n{} done, {failed} failed, {skipped} not started\n", count(done, "step"));
    out
}

/// Returns what differs between two generations.
pub fn between(from: u64, to: u64, differences: &[Difference], style: Style) -> String {
    if differences.is_empty() {
        return format!("generations {from} and {to} say the same\n");
    }
    let mut out = style.paint(Tone::Strong, &format!("generation {from} → {to}")) + "\n\n";
    for Difference { id, how } in differences {
        let (sign, tone, fields) = match how {
            How::Added => ('+', Tone::Good, &[][..]),
            How::Removed => ('-', Tone::Bad, &[][..]),
            How::Fields(fields) => ('~', Tone::Change, fields.as_slice()),
        };
        let sign = style.paint(tone, &sign.to_string());
        out += &format!("  {sign} {}\n", style.paint(Tone::Strong, &clean(&id.to_string())));
        let width = fields.iter().map(|(path, ..)| columns(&path.to_string())).max().unwrap_or(0);
        for (path, before, after) in fields {
            let (before, after) = value::pair(path, before, after);
            out += &format!("      {}  {before} → {after}\n", pad(&path.to_string(), width));
        }
    }
    out
}

fn cells(run: &Run) -> [String; 6] {
    let Begun { user, host, command, returns_to, changes, .. } = &run.begun;
    let to = returns_to.map(|to| format!(" to {}", to.generation)).unwrap_or_default();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in changes {
        *counts.entry(&change.what).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.into_iter().map(|(what, count)| format!("{count} {what}")).collect();
    [
        generations(run),
        when(run.begun.at),
        clean(&format!("{user}@{host}")),
        format!("{}{to}", command.word()),
        result(run),
        counts.join(" · "),
    ]
}

/// Returns `3`, or `1-2` for an apply that took two.
fn generations(run: &Run) -> String {
    let (first, last) = run.generations().into_inner();
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn result(run: &Run) -> String {
    match &run.ended {
        None => "cut off".to_owned(),
        Some(ended) => ended.found.word().to_owned(),
    }
}

fn tone(run: &Run) -> Tone {
    match run.ended.as_ref().map(|ended| ended.found) {
        Some(Found::Done) => Tone::Good,
        Some(Found::Held) => Tone::Risk,
        Some(Found::Failed) | None => Tone::Bad,
        Some(Found::Interrupted) => Tone::Change,
    }
}

/// Returns a time in UTC, so that it reads the same wherever it is read.
fn when(at: u64) -> String {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| "–".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

fn shown(path: &str, text: &str) -> String {
    let value = Shown::parse(text);
    match Path::parse(path) {
        Some(path) => value::shown(&path, &value),
        None => "(hidden)".to_owned(),
    }
}
