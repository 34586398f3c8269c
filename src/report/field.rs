//! The fields of a change as lines: `path  before → after  mover  where it is written`.

use similar::{ChangeTag, TextDiff};

use crate::{
    desired::{Field, Path},
    diff::{Action, Change, FieldChange, Mover, Shown},
    model::ResourceId,
    plan::Plan,
};

use super::{
    style::{Style, Tone, clean, columns, pad},
    value::{count, list, pair, shown},
};

/// Longer paths and values do not push the columns of all others to the right.
const WIDEST_PATH: usize = 32;
const WIDEST_VALUES: usize = 44;
/// Two values that do not fit beside each other stand one below the other.
const WIDEST_PAIR: usize = 64;
/// Of longer values only what is around their first difference is shown, after so many characters that
/// are alike.
const LONGEST_LINE: usize = 240;
const AROUND: usize = 40;
/// A longer difference is cut, saying by how much.
const LONGEST_DIFF: usize = 40;
/// Of what is new as a whole, its beginning says what it is.
const LONGEST_NEW: usize = 12;

/// Returns the lines of all fields. What is made from nothing has none: its values are in the file.
pub(super) fn lines(plan: &Plan, change: &Change, indent: &str, style: Style) -> String {
    if change.action == Action::Create {
        return String::new();
    }
    let rows: Vec<Row> =
        change.fields.iter().map(|field| Row::of(plan, change, field, style)).collect();
    let widest = |text: fn(&Row) -> &str, most: usize| {
        rows.iter().map(|row| columns(text(row))).filter(|width| *width <= most).max().unwrap_or(0)
    };
    let path_width = widest(|row| &row.path, WIDEST_PATH);
    let value_width = widest(|row| &row.values, WIDEST_VALUES);
    rows.iter().map(|row| row.line(indent, path_width, value_width, style)).collect()
}

/// Returns the word for whoever moved something.
pub(super) fn mover(mover: Mover) -> &'static str {
    match mover {
        Mover::You => "you",
        Mover::Drift => "drift",
        Mover::Both => "both",
        Mover::Unknown => "unknown",
    }
}

/// Returns a path as people write it; a generated file goes by its own name.
pub(super) fn name(path: &Path) -> String {
    if path.field == Field::Content { clean(&path.key) } else { clean(&path.to_string()) }
}

/// A field for pages that set it in their own way.
pub(super) struct Sides {
    /// Its path.
    pub(super) path: String,
    /// What was and what will be, one below the other, with what is alike around them.
    pub(super) lines: Vec<(ChangeTag, String)>,
    /// How many further lines there are.
    pub(super) more: usize,
    /// Who moved it and where it is written, in a few words each.
    pub(super) about: Vec<String>,
}

/// Returns the fields of a change; as with [`lines`], what is made from nothing has none.
pub(super) fn sides(plan: &Plan, change: &Change, style: Style) -> Vec<Sides> {
    if change.action == Action::Create {
        return Vec::new();
    }
    change.fields.iter().map(|field| Sides::of(plan, change, field, style)).collect()
}

impl Sides {
    fn of(plan: &Plan, change: &Change, field: &FieldChange, style: Style) -> Self {
        let Row { path, values, mover, why, diff, is_yours: _ } =
            Row::of(plan, change, field, style);
        let is_long = !diff.is_empty();
        let mut lines = diff;
        if !is_long {
            lines.push((ChangeTag::Delete, shown(&field.path, &field.before)));
            lines.push((ChangeTag::Insert, shown(&field.path, &field.after)));
        }
        let more = lines.len().saturating_sub(LONGEST_DIFF);
        lines.truncate(LONGEST_DIFF);
        let about = [if is_long { values } else { String::new() }, mover.to_owned(), why];
        let about = about.into_iter().filter(|part| !part.is_empty()).collect();
        Self { path, lines, more, about }
    }
}

struct Row {
    path: String,
    values: String,
    mover: &'static str,
    is_yours: bool,
    why: String,
    diff: Vec<(ChangeTag, String)>,
}

impl Row {
    fn of(plan: &Plan, change: &Change, field: &FieldChange, style: Style) -> Self {
        let diff = difference(field);
        let (before, after) = pair(&field.path, &field.before, &field.after);
        let values = format!("{before} → {after}");
        let (values, diff) = if let Some(shown) = one_sided(field) {
            shown
        } else if !diff.is_empty() {
            let changed = diff.iter().filter(|(tag, _)| *tag != ChangeTag::Equal).count();
            (count(changed, "line"), diff)
        } else if columns(&values) > WIDEST_PAIR {
            let (before, after) = excerpts(&before, &after);
            let both = vec![(ChangeTag::Delete, before), (ChangeTag::Insert, after)];
            ("differs".to_owned(), both)
        } else {
            (values, diff)
        };
        let (mover, why) = match crash_loop(plan, &change.id, field, style) {
            Some(crash) => ("–", crash),
            None => (mover(field.mover), why(field)),
        };
        let is_yours = field.mover == Mover::You;
        Self { path: name(&field.path), values, mover, is_yours, why, diff }
    }

    fn line(&self, indent: &str, path_width: usize, value_width: usize, style: Style) -> String {
        let mover = pad(self.mover, 7);
        let tone = if self.is_yours { Tone::Dim } else { Tone::Change };
        let (path, values) = (pad(&self.path, path_width), pad(&self.values, value_width));
        let width = indent.len() + columns(&path) + columns(&values) + 4 + 7 + 2;
        let tail = format!("{}{}", style.paint(tone, &mover), self.why);
        let mut out = if width + columns(&self.why) <= style.width.max(40) {
            format!("{indent}{path}  {values}  {tail}")
        } else {
            // What does not fit goes below, to the same column; nothing is cut off.
            let below = " ".repeat(path_width);
            format!("{indent}{path}  {}\n{indent}{below}  {tail}", values.trim_end())
        };
        out.truncate(out.trim_end().len());
        out.push('\n');
        let is_new = self.diff.iter().all(|(tag, _)| *tag == ChangeTag::Insert);
        let most = if is_new { LONGEST_NEW } else { LONGEST_DIFF };
        for (tag, text) in self.diff.iter().take(most) {
            let (sign, tone) = match tag {
                ChangeTag::Delete => ("-", Tone::Bad),
                ChangeTag::Insert => ("+", Tone::Good),
                ChangeTag::Equal => (" ", Tone::Dim),
            };
            let line = format!("{sign} {text}");
            out += &format!("{indent}    {}\n", style.paint(tone, line.trim_end()));
        }
        if self.diff.len() > most {
            let more = count(self.diff.len() - most, "more line");
            out += &format!("{indent}    … {more}\n");
        }
        out
    }
}

/// Returns two values of one line each, of long ones only what is around the first difference.
fn excerpts(before: &str, after: &str) -> (String, String) {
    let alike = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    let start = alike.saturating_sub(AROUND);
    let excerpt = |text: &str| {
        let length = text.chars().count();
        if length <= LONGEST_LINE {
            return text.to_owned();
        }
        let shown: String = text.chars().skip(start).take(LONGEST_LINE - 2 * AROUND).collect();
        let (first, last) = (if start > 0 { "…" } else { "" }, start + shown.chars().count());
        let rest = if last < length { "…" } else { "" };
        format!("{first}{shown}{rest} ({length} characters)")
    };
    (excerpt(before), excerpt(after))
}

/// Returns what to say of a container that the engine starts again and again: nobody moved it, it fell.
pub(super) fn crash_loop(
    plan: &Plan,
    id: &ResourceId,
    field: &FieldChange,
    style: Style,
) -> Option<String> {
    let ResourceId::Container(name) = id else { return None };
    let crashes = matches!(&field.before, Shown::Plain(state) if state.starts_with("restarting "));
    if field.path.field != Field::State || !crashes {
        return None;
    }
    // Names on the engine begin with the project's and the instance's.
    let prefix = format!("{}-", plan.title.replace(" · ", "-"));
    let service = name.strip_prefix(&prefix).unwrap_or(name);
    Some(format!("it keeps crashing: {}", style.suggest(&format!("nself logs {service}"))))
}

/// Where the wanted value is written, and what else one has to know of the mover.
fn why(field: &FieldChange) -> String {
    let place = field.origin.as_ref().map(crate::model::Origin::brief);
    match (field.mover, place) {
        (Mover::You | Mover::Unknown, place) => place.unwrap_or_default(),
        (Mover::Drift, None) => "changed behind our back".to_owned(),
        (Mover::Drift, Some(place)) => {
            let wanted = shown(&field.path, &field.after);
            // A long value is on the line already.
            let wanted = if columns(&wanted) > 16 { "wanted" } else { &wanted };
            format!("changed behind our back; {wanted} is {place}")
        }
        (Mover::Both, place) => {
            format!("changed behind our back and in {}", place.as_deref().unwrap_or("the file"))
        }
    }
}

/// Returns how a text of several lines is shown beside one that may not be shown: by how many lines there
/// are, and by those of the one that may. What somebody wrote into a generated file is such a text.
fn one_sided(field: &FieldChange) -> Option<(String, Vec<(ChangeTag, String)>)> {
    let lines = |value: &Shown| match value {
        Shown::Plain(text) if text.trim_end().contains('\n') => {
            Some(clean(text).lines().map(str::to_owned).collect::<Vec<_>>())
        }
        _ => None,
    };
    let unseen = |value: &Shown| match value {
        Shown::Absent | Shown::Plain(_) => None,
        _ if field.path.field == Field::Content => Some("(not shown)".to_owned()),
        _ => Some(shown(&field.path, value)),
    };
    let tagged = |tag, lines: Vec<String>| lines.into_iter().map(|line| (tag, line)).collect();
    if let (Some(before), Some(after)) = (unseen(&field.before), lines(&field.after)) {
        let values = format!("{before} → {}", count(after.len(), "line"));
        return Some((values, tagged(ChangeTag::Insert, after)));
    }
    let (before, after) = (lines(&field.before)?, unseen(&field.after)?);
    let values = format!("{} → {after}", count(before.len(), "line"));
    Some((values, tagged(ChangeTag::Delete, before)))
}

/// Returns the lines that differ, with one line around each, where a value has several lines or is a
/// list of many items.
fn difference(field: &FieldChange) -> Vec<(ChangeTag, String)> {
    let text = |value: &Shown| match value {
        Shown::Absent => Some(String::new()),
        Shown::Plain(text) => Some(clean(text)),
        Shown::Secret(_) | Shown::SecretToCome | Shown::Hidden => None,
    };
    let (Some(mut before), Some(mut after)) = (text(&field.before), text(&field.after)) else {
        return Vec::new();
    };
    if let (Some(old), Some(new)) = (list(&before), list(&after))
        && old.len().max(new.len()) > 6
    {
        (before, after) = (clean(&old.join("\n")), clean(&new.join("\n")));
    }
    if !before.trim_end().contains('\n') && !after.trim_end().contains('\n') {
        return Vec::new();
    }
    let diff = TextDiff::from_lines(&before, &after);
    let groups = diff.grouped_ops(1);
    let changes = groups.iter().flatten().flat_map(|op| diff.iter_changes(op));
    changes.map(|change| (change.tag(), change.value().trim_end_matches('\n').to_owned())).collect()
}
