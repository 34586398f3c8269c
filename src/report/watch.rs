//! What a loop remembers, in a few lines under the table of services.

use super::style::{Style, Tone, clean};
use crate::sync::Ledger;

/// Returns what a loop is at, one line a thing; `runs` is whether it runs now.
pub fn ledger(ledger: &Ledger, runs: bool, style: Style) -> String {
    let mut out = String::new();
    let mut line = |tone: Tone, text: String| {
        out += &style.paint(tone, &clean(&text));
        out.push('\n');
    };
    let applied = ledger.applied.as_ref();
    let applied = applied.map(|revision| format!(" {}: {}", revision.label(), revision.subject));
    match (runs, applied) {
        (true, applied) => line(Tone::Dim, format!("watched{}", applied.unwrap_or_default())),
        (false, applied) => {
            let what = format!(
                "not watched now: nself watch{}",
                applied.map(|at| format!(" · last at{at}")).unwrap_or_default()
            );
            line(Tone::Change, what);
        }
    }
    if let Some(bad) = &ledger.quarantine {
        let what = format!("quarantined: {}: {} (nself retry)", bad.revision.label(), bad.why);
        line(Tone::Bad, what);
    }
    if let Some(pause) = &ledger.pause {
        line(Tone::Change, format!("paused by {}: {} (nself watch resume)", pause.who, pause.why));
    }
    out
}
