//! What going back does not bring back, as people read it.

use crate::plan::Lasting;

use super::style::{Style, Tone, clean};

/// Returns a line for each thing, or nothing.
pub fn lasting(lasting: &[Lasting], style: Style) -> String {
    let line = |one: &Lasting| {
        let (id, what) = match one {
            Lasting::Kept(id) => {
                (id.to_string(), "keeps what is in it: what was written or dropped since stays so")
            }
            Lasting::Empty(id) => (id.to_string(), "comes back EMPTY: it was removed since"),
            Lasting::Again(id) => (id.to_string(), "runs once more, with what it had then"),
            Lasting::Secret(name) => {
                (format!("secret/{name}"), "stays as it is: its value of then is not kept any more")
            }
        };
        format!("  {} {what}\n", style.paint(Tone::Strong, &clean(&id)))
    };
    let lines: String = lasting.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("what does not return:\n{lines}\n") }
}
