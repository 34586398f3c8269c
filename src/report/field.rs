//! The fields of a change as lines: `path  before → after  mover  where it is written`.

use similar::{ChangeTag, TextDiff};

use crate::{
    desired::{Field, Path},
    diff::{Action, Change, FieldChange, Mover, Shown},
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

/// Returns the lines of all fields. What is made from nothing has none: its values are in the file.
pub(super) fn lines(change: &Change, indent: &str, style: Style) -> String {
    if change.action == Action::Create {
        return String::new();
    }
    let rows: Vec<Row> = change.fields.iter().map(Row::of).collect();
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

struct Row {
    path: String,
    values: String,
    mover: Mover,
    why: String,
    diff: Vec<(ChangeTag, String)>,
}

impl Row {
    fn of(field: &FieldChange) -> Self {
        let diff = difference(field);
        let (before, after) = pair(&field.path, &field.before, &field.after);
        let values = format!("{before} → {after}");
        let (values, diff) = if !diff.is_empty() {
            let changed = diff.iter().filter(|(tag, _)| *tag != ChangeTag::Equal).count();
            (count(changed, "line"), diff)
        } else if columns(&values) > WIDEST_PAIR {
            let (before, after) = excerpts(&before, &after);
            let both = vec![(ChangeTag::Delete, before), (ChangeTag::Insert, after)];
            ("differs".to_owned(), both)
        } else {
            (values, diff)
        };
        Self { path: name(&field.path), values, mover: field.mover, why: why(field), diff }
    }

    fn line(&self, indent: &str, path_width: usize, value_width: usize, style: Style) -> String {
        let mover = pad(mover(self.mover), 7);
        let tone = if self.mover == Mover::You { Tone::Dim } else { Tone::Change };
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
        for (tag, text) in self.diff.iter().take(LONGEST_DIFF) {
            let (sign, tone) = match tag {
                ChangeTag::Delete => ("-", Tone::Bad),
                ChangeTag::Insert => ("+", Tone::Good),
                ChangeTag::Equal => (" ", Tone::Dim),
            };
            let line = format!("{sign} {text}");
            out += &format!("{indent}    {}\n", style.paint(tone, line.trim_end()));
        }
        if self.diff.len() > LONGEST_DIFF {
            let more = count(self.diff.len() - LONGEST_DIFF, "more line");
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
