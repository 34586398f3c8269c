//! What keeps a saved plan from being applied, as people read it.

use crate::{diff::Shown, plan::Moved};

use super::{style::clean, value};

/// Returns one thing that has moved, in a sentence without its full stop.
pub fn moved(moved: &Moved) -> String {
    let shown = |value: &Shown| match moved.path() {
        Some(path) => value::shown(&path, value),
        None => "(hidden)".to_owned(),
    };
    let text = match moved {
        Moved::Live { id, path, then, now } => {
            format!("{id} {path} is {}; it was {} when the plan was made", shown(now), shown(then))
        }
        Moved::Wanted { id, path, then, now } => format!(
            "{id} {path} is to be {}; it was to be {} when the plan was made",
            shown(now),
            shown(then)
        ),
        Moved::Object { id, then, now } => {
            format!("{id}: {then} when the plan was made, {now} today")
        }
    };
    clean(&text).replace('\n', "\\n")
}
