//! Why a command ended without its result.

use super::style::{Style, Tone, clean};

/// Returns what was attempted, each cause on a line of its own, and what to do about it.
pub fn error(chain: &[String], remedy: Option<&str>, style: Style) -> String {
    let mut lines = chain.iter().map(|text| clean(text));
    let word = style.paint(Tone::Bad, "error:");
    let mut out = format!("{word} {}\n", lines.next().unwrap_or_default());
    for cause in lines {
        let cause = cause.trim_end().replace('\n', "\n             ");
        out += &format!("  caused by  {cause}\n");
    }
    if let Some(remedy) = remedy {
        out += &format!("  next       {}\n", style.paint(Tone::Strong, &style.suggest(remedy)));
    }
    out
}
